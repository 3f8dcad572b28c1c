"""How good a night's transcripts look from inside, and whether that has drifted against the nights before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median
from typing import Final

from pipelines.tables import Row

LEAST_CALLS: Final = 10
"""Calls that a night must have for its figures to be compared: one odd call in fewer is a tenth of all."""

LEAST_NIGHTS: Final = 3
"""Nights before, below which nothing is said of drift."""

NIGHTS: Final = 14
"""Nights before that count: two weeks, so that each day of the week is in them twice."""

NORMAL_MAD: Final = 1.4826
"""Standard deviation of a normal distribution as a multiple of its median absolute deviation."""

DRIFTED: Final = 3.5
"""Robust z from which on a figure has drifted (Iglewicz and Hoaglin: How to Detect and Handle Outliers)."""


@dataclass(frozen=True)
class Figure:
    """A figure of a night. `least_spread` is the standard deviation that it is taken to have at least, so
    that nights that are all alike do not make a hair's breadth a drift. `percent` says how to print it."""

    name: str
    meaning: str
    of: Callable[[Sequence[Row]], float]
    least_spread: float
    percent: bool

    def shown(self, value: float) -> str:
        """The value for people."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.2f}"


@dataclass(frozen=True)
class Night:
    """The figures of a run, by name, and how many calls they are of."""

    run_id: str
    started_at: datetime
    calls: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Drift:
    """A figure beside those of the nights before. `z` is `(value - median) / s`, where `s` is 1.4826 times
    the median absolute deviation of the nights before, or the figure's least spread where that is more."""

    figure: str
    value: float
    median: float
    z: float
    nights: int

    @property
    def drifted(self) -> bool:
        """Whether it is farther from the median than nights commonly are."""
        return abs(self.z) >= DRIFTED

    def __str__(self) -> str:
        """A sentence."""
        figure = next(each for each in FIGURES if each.name == self.figure)
        value, usual = figure.shown(self.value), figure.shown(self.median)
        if not self.drifted:
            return f"{figure.meaning}: {value}, as in the {self.nights} nights before (median {usual})."
        how = "higher" if self.z > 0 else "lower"
        return (
            f"{figure.meaning}: {value}, {how} than the median {usual} of the {self.nights} nights before "
            f"by {abs(self.z):.1f} of their robust standard deviations."
        )


def _flagged(calls: Sequence[Row]) -> float:
    return fmean(bool(call["review_flags"]) for call in calls)


def _word_confidence(calls: Sequence[Row]) -> float:
    known = [call["word_confidence"] for call in calls if call["word_confidence"] is not None]
    return median(known) if known else 0.0


def _uncovered(calls: Sequence[Row]) -> float:
    speech = sum(call["speech_s"] for call in calls)
    return sum(call["uncovered_speech_s"] for call in calls) / speech if speech else 0.0


def _speakers(calls: Sequence[Row]) -> float:
    return fmean(call["speaker_count"] for call in calls)


FIGURES: Final = (
    Figure("flagged", "Share of calls with a review flag", _flagged, 0.01, percent=True),
    Figure("word_confidence", "Median word confidence of a call", _word_confidence, 0.005, percent=False),
    Figure("uncovered_speech", "Share of the speech without a word", _uncovered, 0.005, percent=True),
    Figure("speakers", "Speakers in a call, on average", _speakers, 0.05, percent=False),
)


def night_of(run_id: str, started_at: datetime, calls: Sequence[Row]) -> Night:
    """The figures of a run from its rows of `calls`, each with `word_confidence`: the mean over its words,
    None without words. No figure without a call."""
    figures = {figure.name: figure.of(calls) for figure in FIGURES} if calls else {}
    return Night(run_id, started_at, len(calls), figures)


def drifts(night: Night, before: Sequence[Night]) -> tuple[Drift, ...]:
    """Each figure of a night beside the last nights before it; none where these or its calls are too few."""
    earlier = sorted(
        (each for each in before if each.started_at < night.started_at and each.calls >= LEAST_CALLS),
        key=lambda each: each.started_at,
    )[-NIGHTS:]
    if len(earlier) < LEAST_NIGHTS or night.calls < LEAST_CALLS:
        return ()
    found = []
    for figure in FIGURES:
        values = [each.figures[figure.name] for each in earlier]
        middle = median(values)
        spread = NORMAL_MAD * median(abs(value - middle) for value in values)
        value = night.figures[figure.name]
        z = (value - middle) / max(spread, figure.least_spread)
        found.append(Drift(figure.name, value, middle, z, len(values)))
    return tuple(found)
