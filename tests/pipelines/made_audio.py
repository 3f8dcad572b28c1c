"""Recordings made on the spot, whose content is known to the sample."""

import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def tone(seconds: float, frequency: float = 300.0, rate: int = 8000, level: float = 0.3) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def voice(seconds: float, spoken: Sequence[tuple[float, float]], seed: int, rate: int = 16_000) -> Samples:
    """Syllable-like bursts of coloured noise during the intervals `spoken`, digital silence elsewhere."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    noise = random.standard_normal(len(time))
    coloured = np.convolve(noise, np.ones(4) / 4, "same")
    syllables = 0.15 + 0.85 * np.sin(2 * np.pi * 2.3 * time + seed) ** 2
    speaking = np.zeros(len(time))
    for start, end in spoken:
        speaking[(time >= start) & (time < end)] = 1.0
    return (0.2 * coloured * syllables * speaking).astype(np.float32)


def turns(seconds: float, first: float, every: float = 8.0, long: float = 3.0) -> list[tuple[float, float]]:
    starts = np.arange(first, seconds - long, every)
    return [(float(start), float(start) + long) for start in starts]


def wav_bytes(
    samples: Samples, rate: int = 8000, *, riff_size: int | None = None, data_size: int | None = None
) -> bytes:
    """16-bit WAV of samples (channels, n); the sizes in the header can be made to lie."""
    channels = len(samples)
    data = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").T.tobytes()
    riff = 36 + len(data) if riff_size is None else riff_size
    size = len(data) if data_size is None else data_size
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    header = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + layout
    return header + b"data" + struct.pack("<I", size) + data


def float_wav_bytes(samples: Samples, rate: int = 16_000) -> bytes:
    """Mono 32-bit float WAV of samples (n,)."""
    data = samples.astype("<f4").tobytes()
    layout = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    header = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + layout
    return header + b"data" + struct.pack("<I", len(data)) + data


def encode(
    path: Path,
    streams: Sequence[Samples],
    codec: str,
    rate: int,
    container: str | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> Path:
    """Write each of `streams`, (channels, n) with one or two channels, as an audio stream of its own."""
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        for name, value in (tags or {}).items():
            file.metadata[name] = value
        made: list[AudioStream] = []
        for samples in streams:
            stream = file.add_stream(codec, rate=rate, layout="mono" if len(samples) == 1 else "stereo")
            assert isinstance(stream, AudioStream)
            made.append(stream)
        for stream, samples in zip(made, streams, strict=True):
            layout = stream.layout.name
            resampler = av.AudioResampler(
                format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 1024
            )
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, 0
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(stream.encode(part))
            file.mux(stream.encode(None))
    return path


def video_without_sound(path: Path) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(20):
            file.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24"))
            )
        file.mux(stream.encode(None))
    return path
