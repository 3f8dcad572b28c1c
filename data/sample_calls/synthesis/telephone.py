"""A placed call as a telephone recorder hears it: narrow band, line noise, hold music, its channels."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from synthesis.dialogue import SPEECH_RATE, Dialogue, PlacedCall, PlacedLine, Speaker

SAMPLE_RATE = 8_000
BAND_HZ = (300.0, 3400.0)
SPEECH_DB = -22.0
BACKCHANNEL_DB = -6.0
MUSIC_DB = -26.0
BEEP_HZ = 1000.0
PEAK = 0.9
# One bar of a made-up tune, as semitones above 440 Hz, four notes a second.
TUNE = (0, 4, 7, 12, 11, 7, 4, 2, -3, 0, 5, 9, 7, 4, 2, -1)
NOTE_S = 0.25
BIT_RATE = {1: 16_000, 2: 32_000}

Floats = NDArray[np.float32]


def render(dialogue: Dialogue, call: PlacedCall) -> Floats:
    """The recording's samples at 8 kHz, shape (channels, samples), within ±1."""
    count = round(call.duration * SAMPLE_RATE)
    heard = np.zeros((dialogue.channels, count), dtype=np.float32)
    for placed in call.lines:
        speaker = dialogue.speakers[placed.line.speaker]
        _add(heard[speaker.channel or 0], _levelled(placed, speaker), placed.audio_start)
    for event in call.events:
        seconds = event.end - event.start
        if event.kind == "hold":
            _add(heard[dialogue.event_channel], hold_music(seconds), event.start)
        elif event.kind == "beep":
            _add(heard[dialogue.event_channel], beep(seconds), event.start)
    if dialogue.crosstalk_db is not None and dialogue.channels > 1:
        heard += heard[::-1] * _factor(dialogue.crosstalk_db)
    chance = np.random.default_rng(dialogue.seed)
    for channel in heard:
        channel += noise(dialogue.noise, dialogue.noise_db, count, chance)
    narrow = telephone_band(heard, SAMPLE_RATE).astype(np.float32)
    peak = float(np.abs(narrow).max())
    return narrow if peak <= PEAK else narrow * np.float32(PEAK / peak)


def telephone_band(samples: Floats, rate: int) -> NDArray[np.float64]:
    """What a telephone line carries of sound at `rate` Hz, shape (..., samples), at the same times."""
    band = signal.butter(4, BAND_HZ, "bandpass", fs=rate, output="sos")
    return np.asarray(signal.sosfiltfilt(band, samples, axis=-1))


def hold_music(seconds: float) -> Floats:
    """A simple melody at 8 kHz, shape (samples,)."""
    notes = [_note(440.0 * 2 ** (TUNE[n % len(TUNE)] / 12)) for n in range(int(np.ceil(seconds / NOTE_S)))]
    music = np.concatenate(notes)[: round(seconds * SAMPLE_RATE)]
    return _at_level(music, MUSIC_DB)


def beep(seconds: float) -> Floats:
    """The tone before a voice message, at 8 kHz, shape (samples,)."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return _at_level(np.sin(2 * np.pi * BEEP_HZ * time), SPEECH_DB)


def noise(kind: str, level_db: float, count: int, chance: np.random.Generator) -> Floats:
    """`line` noise (white) or `room` noise (falling 3 dB an octave), so that no silence is digital."""
    white = chance.standard_normal(count)
    if kind == "line":
        return _at_level(white, level_db)
    spectrum = np.fft.rfft(white)
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    return _at_level(np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, BAND_HZ[0])), count), level_db)


def encode(samples: Floats, path: Path) -> None:
    """Write samples at 8 kHz, shape (channels, samples), as the suffix says: `.opus` (in Ogg) or `.flac`.

    The same samples give the same bytes, for a call's identity is the hash of its file.
    """
    channels = len(samples)
    integers = np.round(samples.T * 32767).astype(np.int16).reshape(1, -1)
    opus = path.suffix == ".opus"
    with av.open(path, "w", format="ogg" if opus else "flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus" if opus else "flac", rate=SAMPLE_RATE)
        stream.layout = "mono" if channels == 1 else "stereo"
        stream.format = "s16"
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if opus:
            stream.bit_rate = BIT_RATE[channels]
            stream.options = {"application": "audio"}
        frame = av.AudioFrame.from_ndarray(integers, format="s16", layout=stream.layout.name)
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _note(hertz: float) -> NDArray[np.float64]:
    time = np.arange(round(NOTE_S * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * hertz * k * time) / k**2 for k in (1, 2, 3))
    return np.asarray(tone * np.exp(-4 * time) * np.minimum(1, time / 0.005))


def _levelled(placed: PlacedLine, speaker: Speaker) -> Floats:
    quieter = 0.0 if placed.line.backchannel is None else BACKCHANNEL_DB
    narrow = signal.resample_poly(placed.speech.samples, 1, SPEECH_RATE // SAMPLE_RATE)
    return _at_level(narrow, SPEECH_DB + speaker.gain_db + quieter)


def _at_level(samples: NDArray[np.floating], level_db: float) -> Floats:
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return (samples * (_factor(level_db) / max(rms, 1e-9))).astype(np.float32)


def _factor(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def _add(track: Floats, samples: Floats, start: float) -> None:
    at = round(start * SAMPLE_RATE)
    samples = samples[: len(track) - at]
    track[at : at + len(samples)] += samples
