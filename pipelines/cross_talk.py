"""What leaks from one side of a two-channel call into the other is taken out: no word appears twice."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
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
"""A leak is as much fainter than what it is of as most of the time that the other speaks, give or take this.
Soft ends of words, said while the other speaks, are not."""

_LEAST_FRAMES = 5

_NOISE_PERCENTILE = 10
"""A tenth of a call at least is silence on a speaker's own channel."""


def without_cross_talk(channels: Channels) -> Channels:
    """Silence each track of a `split` call where it holds but a faint echo of the other; others stay."""
    if channels.mode != "split":
        return channels
    first, second = channels.tracks
    levels = _levels_db(first), _levels_db(second)
    return replace(
        channels, tracks=(_without_leak(first, *levels), _without_leak(second, levels[1], levels[0]))
    )


def _levels_db(track: Samples) -> NDArray[np.float64]:
    frames = track[: len(track) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    power = uniform_filter1d((frames**2).mean(axis=1), _SMOOTHING) if len(frames) else np.zeros(0)
    return np.asarray(10 * np.log10(power + 1e-12))


def _without_leak(track: Samples, own: NDArray[np.float64], other: NDArray[np.float64]) -> Samples:
    speaking = own[own > other + DOMINANCE_DB]
    listening = other > own + DOMINANCE_DB
    if not len(speaking) or not listening.any():
        return track
    usual = np.median((own - other)[listening])
    leak = listening & (own < np.percentile(speaking, 90) - FAINTNESS_DB) & (own - other < usual + VARIES_DB)
    leak = binary_opening(leak, np.ones(_LEAST_FRAMES))
    # A gain that moves over a frame on each side makes no clicks.
    gain = np.interp(np.arange(len(track)), (np.arange(len(leak)) + 0.5) * _FRAME, 1.0 - leak)
    # Noise that goes whenever the other speaks, and comes back with the pauses, is taken for speech: in the
    # place of a leak comes noise as loud as the line's, as echo suppressors put it there (ITU-T G.168).
    level = 10 ** (np.percentile(own, _NOISE_PERCENTILE) / 20)
    noise = np.random.default_rng(0).standard_normal(len(track), np.float32) * np.float32(level)
    return np.asarray(track * gain + noise * np.sqrt(1.0 - gain**2), np.float32)
