"""What the channels of a recording hold is heard, not believed: one speaker each, copies, or a mixture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.decoding import SAMPLE_RATE, Audio

ChannelMode = Literal["mono", "split", "mixed"]

_FRAME = 320  # samples, 20 ms
_CHUNK = 3000 * _FRAME  # a minute at a time stays in the processor's cache
_SMOOTHING = 5  # frames: 0.1 s bridges the gaps inside words
_LOUD_FRAMES = 25  # 0.5 s in which a channel is at its loudest: one word is enough, a click is not
_TINY = 1e-14

_SILENT_DB = -65.0  # below the idle noise of 16-bit recorders and of G.711
_FAR_BELOW_DB = 55.0  # under the loudest channel: what leaks into an unused input
_STEADY_DB = 6.0  # between floor and loudest: a channel that varies less holds a hum or a hiss

_ACTIVE_DB = 7.0  # above its floor, a channel is in use
_ACTIVE_RANGE_DB = 30.0  # below its loudest, a channel is as good as idle
_CLIP_DB = 40.0  # differences beyond it say nothing more
_EDGE, _FAR_EDGE = 0.01, 0.04  # shares of the active time at either end of the differences

# Measured on real two-channel calls: levels of copies spread by at most 2.1 dB, of other pairs by 5 or more.
# Clusters are 3 to 24 dB apart for two microphones in a room, 6 for voices mixed 0.7 : 0.5, 24 with
# cross-talk at -12 dB, 30 at -15 dB, 40 at -20 dB, and 70 or more without cross-talk.
_COPY_SPREAD_DB = 3.0
_COPY_CORRELATION = 0.9
_SPLIT_SEPARATION_DB = 28.0
_SPLIT_REACH_DB = 60.0
_DOMINANT_DB = 6.0

_WINDOW_S, _WINDOWS, _LARGEST_LAG_S = 2.0, 12, 0.25


@dataclass(frozen=True)
class Channels:
    """The tracks to work on, each float32 of shape (n,) at 16 kHz.

    `mono`: one track. `split`: two tracks with one side of the call each, in the order of the source.
    `mixed`: one track, the mean of channels that hold the same voices. `source_channels` are the channels
    (counted from 1) that the tracks were made from: one for each track, or, when mixed, all that went into
    the mean. `reason` is a sentence for the user.
    """

    mode: ChannelMode
    tracks: tuple[NDArray[np.float32], ...]
    source_channels: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Contrast:
    """How the levels of two channels differ over the time in which either is in use, in dB.

    The difference in a frame depends on who speaks; two speakers make two clusters. `spread` is the range of
    the differences without the outermost 1 % on each side, `reach` without the outermost 4 %; `separation`
    lies between the medians of the two clusters, which is the cross-talk attenuation of both channels
    together. `straddles` says whether each channel is the louder one in its own cluster.
    """

    spread: float
    reach: float
    separation: float
    straddles: bool


def separate(audio: Audio) -> Channels:
    """Decide what the channels of `audio` hold and return the tracks to work on."""
    samples = audio.samples
    if len(samples) == 1:
        return Channels("mono", (samples[0],), (1,), "The recording has one channel.")
    powers = [_powers(row) for row in samples]
    live = _live(powers)
    if not live:
        loudest = max(range(len(samples)), key=lambda c: float(powers[c].max(initial=0.0)))
        return Channels(
            "mono",
            (samples[loudest],),
            (loudest + 1,),
            "No channel holds more than silence or a steady noise.",
        )
    kept = _without_copies(samples, powers, live)
    dropped = _dropped(len(samples), live, kept)
    if len(kept) == 1:
        return Channels(
            "mono", (samples[kept[0]],), (kept[0] + 1,), f"Only channel {kept[0] + 1} adds anything{dropped}."
        )
    numbers = tuple(channel + 1 for channel in kept)
    if len(kept) == 2:
        found = contrast(powers[kept[0]], powers[kept[1]])
        if _is_split(found):
            return Channels(
                "split",
                tuple(samples[channel] for channel in kept),
                numbers,
                f"Channels {numbers[0]} and {numbers[1]} hold one side of the conversation each "
                f"(separated by {found.separation:.0f} dB){dropped}.",
            )
        why = f"hold the same voices (separated by only {found.separation:.0f} dB)"
    else:
        why = "are more than two"
    mean: NDArray[np.float32] = samples[kept].mean(axis=0, dtype=np.float32)
    names = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    return Channels("mixed", (mean,), numbers, f"Channels {names} {why}; their mean is used{dropped}.")


def contrast(first: NDArray[np.float32], second: NDArray[np.float32]) -> Contrast:
    """Compare two channels by their frame powers (see `_powers`), independently of the level of either."""
    tops = [_top(power) for power in (first, second)]
    clean, active = [], []
    for power, top in zip((first, second), tops, strict=True):
        level = _smooth(power) / top
        floor = max(float(np.percentile(level, 10)), _from_db(-50.0))
        active.append((level > floor * _from_db(_ACTIVE_DB)) & (level > _from_db(-_ACTIVE_RANGE_DB)))
        clean.append(np.maximum(level - 1.5 * floor, 0.25 * floor))  # the noise of the line does not count
    differences = 10 * np.log10(clean[0] / clean[1])
    differences = np.sort(np.clip(differences, -_CLIP_DB, _CLIP_DB)[active[0] | active[1]])
    if len(differences) < _LOUD_FRAMES:
        return Contrast(0.0, 0.0, 0.0, False)
    low, high = _ends(differences, _EDGE)
    spread = high - low
    far_low, far_high = _ends(differences, _FAR_EDGE)
    for _ in range(8):
        centre = (low + high) / 2
        lower, upper = differences[differences <= centre], differences[differences > centre]
        if not len(lower) or not len(upper):
            break
        low, high = float(np.median(lower)), float(np.median(upper))
    offset = 10 * np.log10(tops[0] / tops[1])
    straddles = any(
        low + shift < -_DOMINANT_DB and high + shift > _DOMINANT_DB for shift in (0.0, float(offset))
    )
    return Contrast(spread, far_high - far_low, high - low, straddles)


def _is_split(found: Contrast) -> bool:
    # Music on both channels can fill the middle and pull the clusters together; then the far ends still
    # show that each channel speaks while the other is idle.
    return found.reach >= _SPLIT_REACH_DB or (found.separation >= _SPLIT_SEPARATION_DB and found.straddles)


def _powers(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of each 20 ms frame between about 0.5 and 3.5 kHz, where a telephone carries speech."""
    frames = np.empty(len(row) // _FRAME, np.float32)
    for start in range(0, len(frames) * _FRAME, _CHUNK):
        chunk = row[start : min(start + _CHUNK, len(frames) * _FRAME)]
        halved = chunk[0::2] + chunk[1::2]
        band = np.zeros_like(halved)
        np.subtract(halved[2:], halved[:-2], out=band[2:])
        band = band.reshape(-1, _FRAME // 2)
        at = start // _FRAME
        frames[at : at + len(band)] = np.einsum("ij,ij->i", band, band) / band.shape[1]
    return frames + np.float32(_TINY)


def _live(powers: list[NDArray[np.float32]]) -> list[int]:
    smooth = [_smooth(power) for power in powers]
    tops = [_top(power) for power in smooth]
    least = max(_from_db(_SILENT_DB), max(tops) * _from_db(-_FAR_BELOW_DB))
    return [
        channel
        for channel, (power, top) in enumerate(zip(smooth, tops, strict=True))
        if top > least and top > np.percentile(power, 10) * _from_db(_STEADY_DB)
    ]


def _without_copies(
    samples: NDArray[np.float32], powers: list[NDArray[np.float32]], live: list[int]
) -> list[int]:
    """Of channels that hold the same sound, at whatever level, delay or polarity, the strongest stays."""
    kept: list[int] = []
    for channel in sorted(live, key=lambda c: -float(np.sum(powers[c]))):
        if not any(
            _is_copy(samples[channel], samples[other], powers[channel], powers[other]) for other in kept
        ):
            kept.append(channel)
    return sorted(kept)


def _is_copy(
    row: NDArray[np.float32],
    other: NDArray[np.float32],
    power: NDArray[np.float32],
    other_power: NDArray[np.float32],
) -> bool:
    # A window with one speaker correlates even in a mixture or through cross-talk, so the windows only give
    # the delay; that the level differs by the same amount at all times is what makes a copy.
    correlation, lag = _correlate(row, other, power)
    if correlation < _COPY_CORRELATION:
        return False
    if lag:
        aligned = row[lag:] if lag > 0 else other[-lag:]
        power, other_power = (_powers(aligned), other_power) if lag > 0 else (power, _powers(aligned))
        length = min(len(power), len(other_power))
        power, other_power = power[:length], other_power[:length]
    return contrast(power, other_power).spread < _COPY_SPREAD_DB


def _correlate(
    row: NDArray[np.float32], other: NDArray[np.float32], power: NDArray[np.float32]
) -> tuple[float, int]:
    """Median over the loudest windows of the largest correlation, and its lag in samples (`row` is later)."""
    size = min(int(_WINDOW_S * SAMPLE_RATE), len(row))
    reach = min(int(_LARGEST_LAG_S * SAMPLE_RATE), size // 4)
    windows = (
        power[: len(power) // (size // _FRAME) * (size // _FRAME)].reshape(-1, size // _FRAME).sum(axis=1)
    )
    peaks, lags = [], []
    for window in np.argsort(windows)[::-1][:_WINDOWS]:
        a = row[window * size : (window + 1) * size]
        b = other[window * size : (window + 1) * size]
        a, b = a - a.mean(), b - b.mean()
        scale = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
        if scale <= _TINY:
            continue
        spectrum = np.fft.rfft(a, 2 * size) * np.conj(np.fft.rfft(b, 2 * size))
        products = np.abs(np.roll(np.fft.irfft(spectrum, 2 * size), reach)[: 2 * reach + 1])
        best = int(np.argmax(products))
        shared = size / (size - abs(best - reach))  # a delayed copy leaves part of itself outside the window
        peaks.append(float(products[best]) * shared / scale)
        lags.append(best - reach)
    return (float(np.median(peaks)), int(np.median(lags))) if peaks else (0.0, 0)


def _dropped(count: int, live: list[int], kept: list[int]) -> str:
    silent = [str(c + 1) for c in range(count) if c not in live]
    copies = [str(c + 1) for c in live if c not in kept]
    parts = [f"without sound of its own: {', '.join(silent)}"] if silent else []
    parts += [f"a copy of another: {', '.join(copies)}"] if copies else []
    return f" ({'; '.join(parts)})" if parts else ""


def _ends(ordered: NDArray[np.float32], share: float) -> tuple[float, float]:
    outside = min(max(_LOUD_FRAMES, int(share * len(ordered))), len(ordered) // 2)
    return float(ordered[outside - 1]), float(ordered[-outside])


def _smooth(power: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(power) < _SMOOTHING:
        return power
    return np.convolve(power, np.full(_SMOOTHING, 1 / _SMOOTHING, np.float32), "same")


def _top(power: NDArray[np.float32]) -> float:
    if not len(power):
        return _TINY
    return float(np.partition(power, -min(_LOUD_FRAMES, len(power)))[-min(_LOUD_FRAMES, len(power))])


def _from_db(level: float) -> float:
    return float(10 ** (level / 10))
