"""A recording in any format becomes 16 kHz float samples, one row a channel, in one pass over the file.

The only place that knows PyAV: what FFmpeg reports is turned into typed failures and `Damage` here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from pipelines.failures import (
    Damaged,
    EmptyFile,
    NoAudioStream,
    NotAudio,
    RanOutOfMemory,
    RecordingFailure,
    TooShort,
    Unreadable,
    UnsupportedCodec,
)

SAMPLE_RATE = 16_000
"""Hz of everything after this step; the rate that Whisper and the speaker models were trained at."""

LEAST_DURATION_S = 0.1
"""The shortest spoken words last a little more than 0.1 s, and the recogniser's finest time step is 0.02 s:
below this there is nothing to transcribe."""

av.logging.set_level(None)  # FFmpeg would write its warnings straight to the user's terminal

# Demuxers that must never be chosen. Playlists open other files or the network; text and picture formats
# "recognise" documents; bare video has no sound; headerless sound claims any file by its suffix, at a wrong
# rate.
_REFUSED_FORMATS = """
hls dash concat concatf sdp rtp rtsp sap imf smoothstreaming tedcaptions rtp_mpegts webm_dash_manifest
tty bin xbin adf idf ansi lrc srt ass ssa aqtitle jacosub microdvd mpl2 mpsub pjs realtext sami sbg scc
stl subviewer subviewer1 sup vplayer webvtt ttml mcc ffmetadata data vobsub txd rcwt dvbtxt dvbsub
image2 image2pipe ico gif apng webp avif alias_pix brender_pix fits jpegxl_anim cdg lavfi alsa oss fbdev
kmsgrab x11grab video4linux2,v4l2 rawvideo v210 v210x bitpacked h261 h263 h264 hevc mpegvideo m4v mjpeg
mjpeg_2000 cavsvideo dirac dnxhd vc1 av1 obu evc vvc apv avs2 avs3 ingenient s8 u8 s16be s16le s24be
s24le s32be s32le u16be u16le u24be u24le u32be u32le f32be f32le f64be f64le alaw mulaw vidc sln g722
g723_1 g726 g726le g728 g729 aptx aptx_hd codec2raw act dfpwm daud bit msnwctcp aea
"""
_ACCEPTED_FORMATS = ",".join(
    sorted(f for f in av.formats_available - set(_REFUSED_FORMATS.split()) if not f.endswith("_pipe"))
)

# Without a header only the suffix tells the encoding. These are the names that telephone exchanges use.
_HEADERLESS: dict[str, tuple[str, dict[str, str]]] = {
    **{s: ("mulaw", {"sample_rate": "8000"}) for s in (".ulaw", ".ul", ".ulw", ".mu", ".mulaw", ".pcmu")},
    **{s: ("alaw", {"sample_rate": "8000"}) for s in (".alaw", ".al", ".alw", ".pcma")},
    **{
        suffix: ("s16le", {"sample_rate": rate})
        for suffix, rate in (
            (".sln", "8000"),
            (".slin", "8000"),
            (".sln12", "12000"),
            (".sln16", "16000"),
            (".sln24", "24000"),
            (".sln32", "32000"),
            (".sln44", "44100"),
            (".sln48", "48000"),
            (".sln96", "96000"),
            (".sln192", "192000"),
        )
    },
    ".gsm": ("gsm", {}),
    ".g722": ("g722", {}),
    ".g723": ("g723_1", {}),
    ".g729": ("g729", {}),
    ".amr": ("amrnb", {}),
    ".awb": ("amrwb", {}),
}
_GSM_FRAME_BYTES, _GSM_SIGNATURE = 33, 0xD

# Streams of bare frames have no header: a demuxer finds a few "frames" even in noise.
_BARE_FRAMES = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "dtshd", "truehd", "mlp", "loas", "flac"})
_LEAST_EXPLAINED = 0.5

# Containers whose header holds the duration; what FFmpeg reports of any other is an estimate.
_DURATION_IN_HEADER = frozenset(
    {"mov", "matroska", "asf", "flac", "aiff", "au", "caf", "nistsphere", "wv", "tta", "ape"}
)
# Containers with a clock, in which a gap is how silence is sent; in any other it is sound that was lost.
_CLOCKED = frozenset({"mov", "matroska", "mpegts", "mpeg", "flv", "asf", "avi", "rm", "nut", "rtp"})

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFF", "WAV"),
    (0, b"RIFX", "WAV"),
    (0, b"RF64", "WAV"),
    (0, b"riff", "Wave64"),
    (0, b"OggS", "Ogg"),
    (0, b"fLaC", "FLAC"),
    (0, b"ID3", "MP3"),
    (4, b"ftyp", "MP4"),
    (4, b"moov", "MP4"),
    (4, b"mdat", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska"),
    (0, b"FORM", "AIFF"),
    (0, b".snd", "AU"),
    (0, b"caff", "CAF"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
)
_HEAD_BYTES = 4096

_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}

_LARGEST_SAMPLE = 1e6  # some float files are scaled to 16-bit integers; beyond that, and NaN, is no sound
_BLOCK_S = 10  # resampled at once: large enough to make the calls rare, small enough to weigh nothing
_GAP_S = 0.1  # below it, a jump of timestamps is rounding or the priming of a codec
_LONGEST_BLIND_GAP_S = 600.0  # accepted where the container does not say how long it is
_AMR_SPEECH_MODES = {"amr_nb": 8, "amr_wb": 9}

# "Promised" and "decoded" differ by encoder padding and rounding in whole recordings.
_TOLERATED_LOSS_S, _TOLERATED_LOSS = 0.25, 0.01
_OGG_TAIL_BYTES, _OGG_END_OF_STREAM = 1 << 17, 4
_UNSET_CLOCK_YEAR = 1990  # formats count from 1904 or 1970; years near those mean that no clock was set
_STREAMED_RIFF = 0x7F00_0000  # recorders that cannot seek back leave a size from here up, or zero


@dataclass(frozen=True)
class Damage:
    """What is wrong with a recording that could be decoded in part. `lost_s` is how many seconds are
    missing, None where that cannot be known."""

    reason: str
    lost_s: float | None


@dataclass(frozen=True)
class Audio:
    """A decoded recording.

    `samples` is float32 of shape (channels, n) at 16 kHz, full scale 1.0; each row is contiguous.
    `sample_rate` (Hz), `codec` and `container` are those of the file. `duration` is in seconds. `recorded_at`
    (UTC) is what the file itself says. `note` is set where the file held more sound than was used.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    codec: str
    container: str
    duration: float
    recorded_at: datetime | None
    damage: Damage | None
    note: str | None


class _Track:
    """One audio stream while it is decoded: converts, places by timestamp, resamples, collects."""

    def __init__(self, stream: AudioStream, offset: float, end: float | None) -> None:
        context = stream.codec_context
        self.codec: str = context.codec.canonical_name
        self.base = float(stream.time_base or 0)
        self.rate: int = context.sample_rate or 0
        self.channels: int = 0
        self.explained = 0  # bytes of packets that became sound
        self.sound = 0  # samples at self.rate that were really decoded
        self.position = 0  # samples at self.rate, silence for what was lost included
        self.lost = 0.0
        self.not_sound = False
        self._offset = offset
        self._end = end
        self._first_pts: int | None = None
        self._pending: list[NDArray[np.float32]] = []
        self._pending_samples = 0
        self._resamplers: list[AudioResampler] = []
        self._buffer = np.empty((0, 0), np.float32)
        self._filled = 0

    @property
    def seconds(self) -> float:
        """Length so far, silence for what was lost included."""
        return self.position / self.rate if self.rate else 0.0

    def add(self, packet: "Packet[AudioStream]", clocked: bool) -> None:
        """Decode one packet; a packet that fails leaves silence as long as itself."""
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            seconds = float((packet.duration or 0) * self.base)
            self._silence(seconds)
            if not self._is_amr_silence(packet):
                self.lost += seconds
            return
        for frame in frames:
            self._add_frame(frame, clocked)
        if frames:
            self.explained += packet.size

    def finish(self) -> NDArray[np.float32]:
        """All samples, (channels, n) at 16 kHz."""
        self._flush(last=True)
        return self._buffer[:, : self._filled]

    def _is_amr_silence(self, packet: "Packet[AudioStream]") -> bool:
        # FFmpeg decodes no comfort noise; a frame type above the speech modes says "nobody speaks".
        modes = _AMR_SPEECH_MODES.get(self.codec)
        return modes is not None and packet.size > 0 and (bytes(packet)[0] >> 3 & 0xF) >= modes

    def _silence(self, seconds: float) -> None:
        if not self.channels:  # nothing was decoded yet: calls often begin with what cannot be
            self._offset += seconds
        elif seconds > 0:
            self._append(np.zeros((self.channels, round(seconds * self.rate)), np.float32))

    def _add_frame(self, frame: AudioFrame, clocked: bool) -> None:
        samples = _to_float(frame)
        if not samples.size:
            return
        if not self.channels:
            self.channels, self.rate = len(samples), frame.sample_rate
            self._silence(self._offset)
        if frame.sample_rate != self.rate:
            self._change_rate(frame.sample_rate)
        if len(samples) != self.channels:
            samples = _fit_channels(samples, self.channels)
        sane = np.abs(samples) < _LARGEST_SAMPLE
        if not sane.all():
            self.not_sound = True
            samples = np.where(sane, samples, np.float32(0))
        if frame.pts is not None:
            self._first_pts = frame.pts if self._first_pts is None else self._first_pts
            due = self._offset + float((frame.pts - self._first_pts) * self.base)
            gap = due - self.position / self.rate
            if gap > _GAP_S and (due <= self._end if self._end is not None else gap < _LONGEST_BLIND_GAP_S):
                self._silence(gap)
                self.lost += 0.0 if clocked else gap
        self.sound += samples.shape[1]
        self._append(samples)

    def _change_rate(self, rate: int) -> None:
        self._flush(last=True)
        self.sound = round(self.sound * rate / self.rate)
        self.position = round(self.position * rate / self.rate)
        self.rate = rate

    def _append(self, samples: NDArray[np.float32]) -> None:
        self._pending.append(samples)
        self._pending_samples += samples.shape[1]
        self.position += samples.shape[1]
        if self._pending_samples >= _BLOCK_S * self.rate:
            self._flush(last=False)

    def _flush(self, last: bool) -> None:
        """Resample what is pending, each channel on its own so that no channel layout can mix them."""
        if not self.channels:
            return
        block = np.concatenate([np.empty((self.channels, 0), np.float32), *self._pending], axis=1)
        self._pending, self._pending_samples = [], 0
        if self.rate == SAMPLE_RATE:
            self._store(block)
            return
        if not self._resamplers:
            self._resamplers = [
                AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE) for _ in range(self.channels)
            ]
        rows = [
            _resample(resampler, row, self.rate, last)
            for resampler, row in zip(self._resamplers, block, strict=True)
        ]
        self._store(np.stack(rows))
        if last:
            self._resamplers = []

    def _store(self, block: NDArray[np.float32]) -> None:
        if not block.shape[1]:  # a resampler may hold back all of a short block, before there is a buffer
            return
        needed = self._filled + block.shape[1]
        if needed > self._buffer.shape[1]:
            # Pages that are never written take no memory, so room to spare is free.
            promised = round(min(self._end or 0.0, 6 * 3600.0) * 1.01 * SAMPLE_RATE)
            grown = np.empty((self.channels, max(needed, promised, 2 * self._buffer.shape[1])), np.float32)
            if self._filled:
                grown[:, : self._filled] = self._buffer[:, : self._filled]
            self._buffer = grown
        self._buffer[:, self._filled : needed] = block
        self._filled = needed


def decode(path: Path) -> Audio:
    """Decode the sound of `path`, keeping its channels, as far as it can be read.

    Corrupt stretches become silence, so that what follows keeps its time, and are reported as damage.
    Several mono streams of one length are the channels of one call; of other streams the first that is about
    as long as the longest is taken. Raises Unreadable, EmptyFile, NotAudio, NoAudioStream, UnsupportedCodec,
    Damaged, TooShort, RanOutOfMemory.
    """
    try:
        head, size = _head(path)
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    if not size:
        raise EmptyFile(path)
    if _is_text(head):
        raise NotAudio(path, "it holds text")
    try:
        with _open(path, head) as container:
            return _decode(path, container, head, size)
    except MemoryError as error:
        raise RanOutOfMemory(path) from error
    except OSError as error:  # disappeared, or the disk failed, while it was read
        raise Unreadable(path, error.strerror or str(error)) from error


def stated_duration(path: Path) -> float | None:
    """Seconds that a file lasts by its header, or as FFmpeg estimates; None where neither tells."""
    try:
        head, _ = _head(path)
        with _open(path, head) as container:
            return container.duration / av.time_base if container.duration else None
    except (RecordingFailure, OSError, MemoryError):
        return None


def _open(path: Path, head: bytes) -> InputContainer:
    location = f"file:{path.absolute()}"  # a name such as "concat:a" would be an instruction to FFmpeg
    options = {"protocol_whitelist": "file", "format_whitelist": _ACCEPTED_FORMATS}
    headerless = _HEADERLESS.get(path.suffix.lower())
    known = _known_container(head)
    if headerless and known is None:
        name, raw_options = headerless
        if name == "gsm" and not _is_gsm(head):
            raise NotAudio(path, "its bytes are not GSM frames")
        try:
            return av.open(location, format=name, options={"protocol_whitelist": "file", **raw_options})
        except (av.FFmpegError, ValueError) as error:
            raise NotAudio(path, f"its bytes are not {path.suffix.lower()[1:]}") from error
    try:
        return av.open(location, options=options, metadata_errors="replace")
    except (av.error.FileNotFoundError, av.error.PermissionError, av.error.IsADirectoryError) as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    except (av.FFmpegError, ValueError) as error:
        if known is not None:
            why = f"it begins like {known}, but its header or index is broken or missing"
            raise Damaged(path, why, 0.0) from error
        raise NotAudio(path, "its bytes are in no known format of audio or video") from error


def _decode(path: Path, container: InputContainer, head: bytes, size: int) -> Audio:
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    if not streams:
        if container.streams.audio:
            raise UnsupportedCodec(path, _container_name(container, path))
        if container.streams.video:
            raise NoAudioStream(path)
        raise NotAudio(path, "nothing in it is sound")
    family = container.format.name.split(",")[0]
    end = container.duration / av.time_base if container.duration else None
    tracks = {s.index: _Track(s, _offset(s, container), end) for s in streams}
    complete = _demux(container, streams, tracks, family in _CLOCKED)

    heard = [track for track in tracks.values() if track.sound]
    decoded_s = max((t.sound / t.rate for t in heard), default=0.0)
    bare = family in _BARE_FRAMES and _known_container(head) is None
    if bare and sum(t.explained for t in heard) < _LEAST_EXPLAINED * size:
        raise NotAudio(path, "its bytes are in no known format of audio or video")
    sound_only_s = None if container.streams.video else end
    promised_s = _promised_s(path, streams, family, head, size, decoded_s, sound_only_s)
    if decoded_s < LEAST_DURATION_S:
        if any(t.lost for t in tracks.values()):
            raise Damaged(path, "its sound cannot be decoded", decoded_s)
        if promised_s is not None and promised_s >= LEAST_DURATION_S:
            raise Damaged(path, f"its header speaks of {promised_s:.1f} s", decoded_s)
        raise TooShort(path, decoded_s, LEAST_DURATION_S)

    chosen, note = _choose(heard)
    samples = _stack([track.finish() for track in chosen])
    if not samples.shape[1]:  # a handful of samples at a rate of 128 Hz leave nothing when resampled
        raise TooShort(path, 0.0, LEAST_DURATION_S)
    tags = {**streams[0].metadata, **container.metadata}
    return Audio(
        samples=samples,
        sample_rate=chosen[0].rate,
        codec=chosen[0].codec,
        container=_container_name(container, path),
        duration=max(t.seconds for t in chosen),
        recorded_at=_recorded_at({name.lower(): value for name, value in tags.items()}),
        damage=_damage(path, chosen, promised_s, family, complete),
        note=note,
    )


def _demux(
    container: InputContainer, streams: Sequence[AudioStream], tracks: Mapping[int, _Track], clocked: bool
) -> bool:
    """Feed every packet to its track; False where the container could not be read to its end."""
    complete = True
    while True:
        progressed = False
        try:
            for packet in container.demux(*streams):
                progressed = progressed or packet.size > 0
                # At the end every stream of the file sends an empty packet, the picture too.
                if packet.stream_index in tracks:
                    tracks[packet.stream_index].add(cast("Packet[AudioStream]", packet), clocked)
            return complete
        except av.FFmpegError:
            complete = False
            if not progressed:  # the same place cannot be passed
                return False


def _choose(heard: Sequence[_Track]) -> tuple[Sequence[_Track], str | None]:
    if len(heard) == 1:
        return heard, None
    longest = max(track.seconds for track in heard)
    as_long = [track for track in heard if track.seconds >= longest - max(0.5, 0.02 * longest)]
    if len(as_long) == len(heard) and all(track.channels == 1 for track in heard):
        return heard, f"The file has {len(heard)} mono streams of one length; each was taken as a channel."
    number = heard.index(as_long[0]) + 1
    note = f"The file has {len(heard)} streams of sound; stream {number} was used, the others were not."
    return as_long[:1], note


def _stack(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    if len(rows) == 1:
        return rows[0]
    longest = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, longest - row.shape[1]))) for row in rows])


def _damage(
    path: Path, tracks: Sequence[_Track], promised_s: float | None, family: str, complete: bool
) -> Damage | None:
    duration = max(track.seconds for track in tracks)
    lost_s: float | None = sum(track.lost for track in tracks)
    reasons = []
    if lost_s:
        reasons.append(f"{lost_s:.2f} s cannot be decoded and were replaced by silence")
    tolerated_s = max(_TOLERATED_LOSS_S, _TOLERATED_LOSS * (promised_s or 0.0))
    if promised_s is not None and promised_s - duration > tolerated_s:
        reasons.append(f"the file speaks of {promised_s:.1f} s and holds {duration:.1f} s")
        lost_s = (lost_s or 0.0) + promised_s - duration
    elif family == "ogg" and not _ogg_is_closed(path):
        reasons.append("the file ends without the mark that closes it, so its end may be missing")
        lost_s = None
    elif not complete:
        reasons.append("the file could not be read to its end")
        lost_s = None
    if any(track.not_sound for track in tracks):
        reasons.append("samples that cannot be sound were replaced by silence")
    if not reasons:
        return None
    return Damage(f"{path.name} is damaged: {'; '.join(reasons)}.", lost_s)


def _promised_s(
    path: Path,
    streams: Sequence[AudioStream],
    family: str,
    head: bytes,
    size: int,
    decoded_s: float,
    sound_only_s: float | None,
) -> float | None:
    """Seconds that the header promises, None where it says nothing that could be relied upon.

    `sound_only_s` is the duration of the whole container, None where a picture may be longer than the sound.
    """
    if family in ("wav", "avi", "w64"):
        whole = _riff_bytes(head)
        return decoded_s * whole / size if size < whole < max(_STREAMED_RIFF, 2 * size) else None
    if family in _DURATION_IN_HEADER or (family == "mp3" and _mp3_counts_its_frames(path, head)):
        own = [float(s.duration * s.time_base) for s in streams if s.duration and s.time_base]
        return max(own) if own else sound_only_s
    return None


def _riff_bytes(head: bytes) -> int:
    """Length of the file according to its RIFF header."""
    if head[:4] == b"riff":
        return int.from_bytes(head[16:24], "little")
    if head[:4] in (b"RF64", b"BW64"):
        return int.from_bytes(head[20:28], "little") + 8
    return int.from_bytes(head[4:8], "big" if head[:4] == b"RIFX" else "little") + 8


def _mp3_counts_its_frames(path: Path, head: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(_id3_bytes(head))
        first_frame = file.read(_HEAD_BYTES)
    return any(mark in first_frame for mark in (b"Xing", b"Info", b"VBRI"))


def _id3_bytes(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _ogg_is_closed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _OGG_TAIL_BYTES))
        tail = file.read()
    last = tail.rfind(b"OggS")
    return last >= 0 and len(tail) > last + 5 and bool(tail[last + 5] & _OGG_END_OF_STREAM)


def _to_float(frame: AudioFrame) -> NDArray[np.float32]:
    """Samples of a frame as float32 (channels, n), full scale 1.0."""
    kind = frame.format.packed.name
    dtype = np.dtype(_DTYPES[kind])
    channels = frame.layout.nb_channels
    if frame.format.is_planar:
        samples = np.stack(
            [np.frombuffer(memoryview(plane), dtype)[: frame.samples] for plane in frame.planes]
        )
    else:
        samples = (
            np.frombuffer(memoryview(frame.planes[0]), dtype)[: frame.samples * channels]
            .reshape(-1, channels)
            .T
        )
    if kind == "u8":
        return (samples.astype(np.float32) - 128.0) / np.float32(_FULL_SCALE[kind])
    if kind in ("flt", "dbl"):
        with np.errstate(over="ignore", invalid="ignore"):
            return samples.astype(np.float32)
    return samples.astype(np.float32) / np.float32(_FULL_SCALE[kind])


def _fit_channels(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """A stream that changes its channel count keeps the first; its sound goes to every channel."""
    return np.broadcast_to(samples.mean(axis=0), (channels, samples.shape[1]))


def _resample(
    resampler: AudioResampler, row: NDArray[np.float32], rate: int, last: bool
) -> NDArray[np.float32]:
    frames = []
    if row.size:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(row[None]), format="fltp", layout="mono")
        frame.sample_rate = rate
        frames += resampler.resample(frame)
    if last:
        frames += resampler.resample(None)
    return np.concatenate([np.empty(0, np.float32), *(f.to_ndarray()[0] for f in frames)], dtype=np.float32)


def _offset(stream: AudioStream, container: InputContainer) -> float:
    """Seconds by which the sound starts after the container does (the picture may come first)."""
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    late = float(stream.start_time * stream.time_base) - (container.start_time or 0) / av.time_base
    return late if _GAP_S < late < _LONGEST_BLIND_GAP_S else 0.0


def _container_name(container: InputContainer, path: Path) -> str:
    names = container.format.name.split(",")
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if suffix in names else names[0]


def _recorded_at(tags: Mapping[str, str]) -> datetime | None:
    """When recording began, by the container's tags; broadcast WAV splits it into a date and a time."""
    created = tags.get("creation_time", "")
    if re.fullmatch(r"\d\d[:-]\d\d[:-]\d\d", created):
        created = f"{tags.get('date', '')}T{created.replace('-', ':')}"
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if moment.year > _UNSET_CLOCK_YEAR else None


def _head(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES), path.stat().st_size


def _known_container(head: bytes) -> str | None:
    return next((name for at, magic, name in _MAGIC if head[at : at + len(magic)] == magic), None)


def _is_text(head: bytes) -> bool:
    # One value repeated is the silence of a headerless encoding; text has spaces or lines.
    if not any(space in head for space in b" \n"):
        return False
    try:
        text = head[: len(head) - 3].decode() if len(head) == _HEAD_BYTES else head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return False
        text = head[: error.start].decode()
    return not any((ord(c) < 32 and c not in "\t\n\r\f") or ord(c) == 127 for c in text)


def _is_gsm(head: bytes) -> bool:
    signatures = [byte >> 4 for byte in head[::_GSM_FRAME_BYTES]]
    return signatures.count(_GSM_SIGNATURE) > 0.9 * len(signatures)
