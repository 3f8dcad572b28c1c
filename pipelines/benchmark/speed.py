"""How fast each system is: for each stage and for the whole, and the one over the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pipelines.benchmark.heard import Heard
from pipelines.benchmark.processes import OURS, THEIRS, SystemName

WHOLE = "whole"
WHOLE_WITHOUT_TIMES = "whole, WhisperX without word times"
WORD_TIMES = "word times"

_ORDER = ("decode", "vad", "transcribe", WORD_TIMES, "diarize")
"""Stages that come in this order; others come behind."""


@dataclass(frozen=True)
class Speed:
    """What a stage takes, in seconds, of all recordings: sums of medians over repeats. None: not a stage.

    `ratio` is WhisperX's time over ours, more than 1 where ours is faster; `low` and `high` are the least
    and the largest of the repeats, None where there was one only.
    """

    stage: str
    ours_s: float | None
    theirs_s: float | None
    low: float | None = None
    high: float | None = None

    @property
    def ratio(self) -> float | None:
        """WhisperX's time by ours."""
        return self.theirs_s / self.ours_s if self.theirs_s is not None and self.ours_s else None


def speeds(heard: Mapping[SystemName, Mapping[str, Sequence[Heard]]]) -> tuple[Speed, ...]:
    """A row for each stage of either, and for the whole."""
    taken = {
        name: [[_taken(once) for once in of_call] for of_call in calls.values()]
        for name, calls in heard.items()
    }
    stages = dict.fromkeys([*_ORDER, *(s for calls in taken.values() for [one, *_] in calls for s in one)])
    rows = []
    for stage in [*(each for each in stages if each not in (WHOLE, WHOLE_WITHOUT_TIMES)), WHOLE]:
        ours, theirs = (_seconds(taken[name], stage) for name in (OURS, THEIRS))
        if ours is not None or theirs is not None:
            rows.append(Speed(stage, ours, theirs, *_range(taken, stage)))
    if any(row.stage == WORD_TIMES for row in rows):
        ours, theirs = _seconds(taken[OURS], WHOLE), _seconds(taken[THEIRS], WHOLE_WITHOUT_TIMES)
        rows.append(Speed(WHOLE_WITHOUT_TIMES, ours, theirs))
    return tuple(rows)


def _taken(once: Heard) -> dict[str, float]:
    without = once.seconds - once.stage_s.get(WORD_TIMES, 0.0)
    return {**once.stage_s, WHOLE: once.seconds, WHOLE_WITHOUT_TIMES: without}


def _seconds(calls: Sequence[Sequence[Mapping[str, float]]], stage: str) -> float | None:
    found = [median(once.get(stage, 0.0) for once in of_call) for of_call in calls]
    return sum(found) if any(stage in once for of_call in calls for once in of_call) else None


def _range(
    taken: Mapping[SystemName, Sequence[Sequence[Mapping[str, float]]]], stage: str
) -> tuple[float | None, float | None]:
    repeats = min((len(of_call) for of_call in taken[OURS]), default=0)
    ratios = []
    for repeat in range(repeats):
        ours, theirs = (
            sum(of_call[repeat].get(stage, 0.0) for of_call in taken[name]) for name in (OURS, THEIRS)
        )
        if ours and theirs:
            ratios.append(theirs / ours)
    return (min(ratios), max(ratios)) if len(ratios) > 1 else (None, None)
