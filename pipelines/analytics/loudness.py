"""How loud somebody speaks, and whether the recording could hold it.

Levels are in dBFS as AES17 and IEC 61606 define them: the root mean square over that of a sine wave which
just reaches full scale, so that this sine is at 0 dBFS and a square wave of full scale at +3.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.speech import SAMPLE_RATE, Interval, Samples

LEAST_SPEECH_S = 0.1
"""Less speech than this says nothing about how loud it is."""

SILENCE_DBFS = -120.0
"""What digital silence is given for a level; it has none."""

CLIPPED_AT = 0.98
"""Of full scale. G.711's largest values are 0.980 (μ-law) and 0.984 (A-law)."""

CLIPPED_RUN = 3
"""Samples in a row from `CLIPPED_AT` on that make a flat top; a lone peak may just reach it."""


class Meter:
    """The levels of one track: made once, asked for any stretches."""

    def __init__(self, track: Samples) -> None:
        """Measure `track`, shape `(n,)`."""
        self._energy = np.concatenate([[0.0], np.cumsum(np.square(track, dtype=np.float64))])
        self._clipped = np.flatnonzero(_clipped(track))

    def level_dbfs(self, stretches: Sequence[Interval]) -> float | None:
        """The level of all the stretches together; None where they are shorter than `LEAST_SPEECH_S`."""
        edges = self._edges(stretches)
        count = int(np.diff(edges).sum())
        if count < LEAST_SPEECH_S * SAMPLE_RATE:
            return None
        return _dbfs(float(np.diff(self._energy[edges]).sum()) / count)

    def level_by_second(self, stretches: Sequence[Interval], duration: float) -> tuple[float | None, ...]:
        """The level within each second of the call, None where the stretches cover too little of it."""
        count = int(np.ceil(duration))
        bounds = np.minimum(np.arange(count + 1) * SAMPLE_RATE, len(self._energy) - 1)
        edges = self._edges(stretches)
        at = np.unique(np.concatenate([edges.ravel(), bounds]))
        begun = np.searchsorted(edges[:, 0], at[:-1], side="right")
        ended = np.searchsorted(edges[:, 1], at[:-1], side="right")
        within = begun > ended
        second = np.searchsorted(bounds, at[:-1], side="right") - 1
        samples = np.bincount(second, np.diff(at) * within, minlength=count)[:count]
        energy = np.bincount(second, np.diff(self._energy[at]) * within, minlength=count)[:count]
        return tuple(
            _dbfs(power / number) if number >= LEAST_SPEECH_S * SAMPLE_RATE else None
            for power, number in zip(energy.tolist(), samples.tolist(), strict=True)
        )

    def clipped_share(self, stretches: Sequence[Interval]) -> float:
        """The share of the stretches' samples that are clipped; 0 where there is none."""
        edges = self._edges(stretches)
        count = int(np.diff(edges).sum())
        clipped = int(np.diff(np.searchsorted(self._clipped, edges)).sum())
        return clipped / count if count else 0.0

    def _edges(self, stretches: Sequence[Interval]) -> NDArray[np.intp]:
        """The stretches in samples, shape `(len(stretches), 2)`."""
        times = np.array([[stretch.start, stretch.end] for stretch in stretches]).reshape(-1, 2)
        return np.asarray(np.clip(np.rint(times * SAMPLE_RATE), 0, len(self._energy) - 1), np.intp)


def _dbfs(power: float) -> float:
    return max(SILENCE_DBFS, 10 * float(np.log10(2 * power))) if power > 0 else SILENCE_DBFS


def _clipped(track: Samples) -> NDArray[np.bool_]:
    """Which samples lie in a run of at least `CLIPPED_RUN` at full scale."""
    full = np.abs(track) >= CLIPPED_AT
    if not full.any():
        return full
    edges = np.flatnonzero(np.diff(full.astype(np.int8), prepend=0, append=0))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < CLIPPED_RUN:
            full[start:end] = False
    return full
