"""What leaks from one side of a two-channel call into the other is taken out: no word appears twice.

What leaks in a recorder or a headset's cord is a filtered copy, which is subtracted; what is said meanwhile
stays, however soft. What is left of a leak after that, such as a copy that a codec has changed, is silenced.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.ndimage import binary_opening, uniform_filter1d

from models.speech import SAMPLE_RATE, Samples
from pipelines.channels import Channels

_FRAME = SAMPLE_RATE // 50
_SMOOTHING = 5
"""Frames of 20 ms, their power averaged over 0.1 s."""

DOMINANCE_DB = 10.0
"""The other channel has to be louder by this for a sound to be its leak …"""

FAINTNESS_DB = 15.0
"""… and the sound fainter by this than its own channel's speech: a soft "mm-hm" is not, a leak is."""

VARIES_DB = 10.0
"""Leak and noise together are as loud as the other's level tells, give or take this. Soft ends of words, said
while the other speaks, are louder."""

_LOUDEST_PERCENTILE = 75
_SHOWS_DB = 1.0
"""Something leaks where the channel is louder by this than its noise in most of the loudest quarter of the
time that the other speaks."""

_TAPS = 64
_LEAD = 16
_BLOCK = 1 << 14
_RIDGE = 1e-4
"""A copy is looked for from 1 ms before to 3 ms after the sound that it is of, by least squares (the Wiener
filter), from correlations over blocks of a second, with so much noise added to the other's that silent bands
do no harm."""

_LEAST_COPIED = 0.01
"""Of the power heard while the other speaks. Less is 20 dB below the noise, or no copy but chance, which is
at most 0.15 % in six stereo calls of a bank and in made calls without a leak; one of −45 dB is 3 %."""

_LEAST_FRAMES = 5

_NOISE_PERCENTILE = 10
"""A tenth of a call at least is silence on a speaker's own channel."""


def without_cross_talk(channels: Channels) -> Channels:
    """Take the other's echo out of each track of a `split` call; others stay."""
    if channels.mode != "split":
        return channels
    first, second = channels.tracks
    levels = _levels_db(first), _levels_db(second)
    first, second = _without_copy(first, second, *levels), _without_copy(second, first, *levels[::-1])
    levels = _levels_db(first), _levels_db(second)
    return replace(channels, tracks=(_without_leak(first, *levels), _without_leak(second, *levels[::-1])))


def _levels_db(track: Samples) -> NDArray[np.float64]:
    frames = track[: len(track) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    power = uniform_filter1d((frames**2).mean(axis=1), _SMOOTHING) if len(frames) else np.zeros(0)
    return np.asarray(10 * np.log10(power + 1e-12))


def _without_copy(
    track: Samples, source: Samples, own: NDArray[np.float64], other: NDArray[np.float64]
) -> Samples:
    """The track without the copy of `source` that is heard in it while the other speaks."""
    found = _listening(own, other)
    if found is None:
        return track
    heard = np.repeat(found.listening & found.faint, _FRAME)
    length = 2 * _BLOCK
    across, within = np.zeros(_BLOCK + 1, complex), np.zeros(_BLOCK + 1)
    power = 0.0
    for start in range(0, len(heard), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(heard)))
        ours = np.fft.rfft(track[part] * heard[part], length)
        theirs = np.fft.rfft(source[part] * heard[part], length)
        across += ours * np.conj(theirs)
        within += np.abs(theirs) ** 2
        power += float(np.sum(np.square(track[part] * heard[part], dtype=np.float64)))
    correlation = np.roll(np.fft.irfft(across, length), _LEAD)[:_TAPS]
    autocorrelation = np.fft.irfft(within, length)[:_TAPS]
    autocorrelation[0] *= 1.0 + _RIDGE
    if not autocorrelation[0] or not power:
        return track
    copy = solve_toeplitz(autocorrelation, correlation)
    if copy @ correlation < _LEAST_COPIED * power:
        return track
    echo = np.convolve(source, copy.astype(np.float32))[_LEAD : _LEAD + len(track)]
    return np.asarray(track - echo, np.float32)


@dataclass(frozen=True)
class _Listening:
    """The frames in which the other is the one who speaks, and those too faint for one's own speech."""

    listening: NDArray[np.bool_]
    faint: NDArray[np.bool_]


def _listening(own: NDArray[np.float64], other: NDArray[np.float64]) -> _Listening | None:
    """None where either never speaks."""
    speaking = own[own > other + DOMINANCE_DB]
    listening = other > own + DOMINANCE_DB
    if not len(speaking) or not listening.any():
        return None
    return _Listening(listening, own < np.percentile(speaking, 90) - FAINTNESS_DB)


def _without_leak(track: Samples, own: NDArray[np.float64], other: NDArray[np.float64]) -> Samples:
    """The track with the line's noise in the place of what is explained by a leak."""
    found = _listening(own, other)
    if found is None:
        return track
    noise = 10 ** (np.percentile(own, _NOISE_PERCENTILE) / 10)
    echo = _echo(own, other, found.listening, noise)
    if echo is None:
        return track
    leak = found.listening & found.faint & (own < 10 * np.log10(noise + echo) + VARIES_DB)
    leak = binary_opening(leak, np.ones(_LEAST_FRAMES))
    # A gain that moves over a frame on each side makes no clicks.
    gain = np.interp(np.arange(len(track)), (np.arange(len(leak)) + 0.5) * _FRAME, 1.0 - leak)
    # Noise that goes whenever the other speaks, and comes back with the pauses, is taken for speech: in the
    # place of a leak comes noise as loud as the line's, as echo suppressors put it there (ITU-T G.168).
    comfort = np.random.default_rng(0).standard_normal(len(track), np.float32) * np.float32(np.sqrt(noise))
    return np.asarray(track * gain + comfort * np.sqrt(1.0 - gain**2), np.float32)


def _echo(
    own: NDArray[np.float64], other: NDArray[np.float64], listening: NDArray[np.bool_], noise: float
) -> NDArray[np.float64] | None:
    """The power of the other's leak in each frame, by how it shows where that is loudest; None if not."""
    loudest = listening & (other >= np.percentile(other[listening], _LOUDEST_PERCENTILE))
    heard = 10 ** (own[loudest] / 10)
    if np.median(heard) < noise * 10 ** (_SHOWS_DB / 10):
        return None
    power = 10 ** (other / 10)
    return np.asarray(power * np.median((heard - noise) / power[loudest]))
