"""What a night came to: every recording accounted for, how fast, what failed, what drifted, what to hear.

It names calls by their ids and no recording by its name, as it goes where no erasure reaches: to Prefect.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pipelines.night.quality import Drift, Night, drifts, night_of
from pipelines.tables import Row

WORST: Final = 10
"""Calls that are named for a person to hear first."""

ENDS: Final = MappingProxyType(
    {
        "processed": "processed",
        "skipped": "there already",
        "set_aside": "set aside",
        "set_aside_before": "set aside before",
        "settling": "still being written",
        "elsewhere": "at work in another run",
        "left_for_later": "left for another run",
    }
)
"""How a recording can end in a run: the column of `runs` that counts it, and what people call it."""


@dataclass(frozen=True)
class FailureCount:
    """How many recordings were set aside for one reason. `retryable` ones may succeed at another time."""

    reason: str
    recordings: int
    retryable: bool


@dataclass(frozen=True)
class WorstCall:
    """A call that a person should hear. `word_confidence` is the mean over its words, None without words;
    `uncovered_share` the share of its speech in which no word was recognised."""

    call_id: str
    review_flags: tuple[str, ...]
    word_confidence: float | None
    uncovered_share: float
    duration_s: float


@dataclass(frozen=True)
class NightReport:
    """A run as the person wants it who comes in the morning.

    `recordings` are those that the run was given; `ends` counts how they ended, by the columns of `runs`, and
    `unaccounted` are the others: of a run that ended by itself there are none.
    """

    run_id: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    profile: str
    recordings: int
    ends: Mapping[str, int]
    audio_s: float
    wall_s: float
    night: Night
    failures: tuple[FailureCount, ...]
    worst: tuple[WorstCall, ...]
    drifts: tuple[Drift, ...]

    @property
    def unaccounted(self) -> int:
        """Recordings of which the run does not say how they ended."""
        return self.recordings - sum(self.ends.values())

    @property
    def speed(self) -> float | None:
        """Seconds of audio for each second of the run, the loading of models included."""
        return self.audio_s / self.wall_s if self.audio_s and self.wall_s else None


def night_report(
    run: Row, calls: Sequence[Row], failures: Sequence[Row], before: Sequence[Night] = ()
) -> NightReport:
    """The report of a run: its row of `runs`, its rows of `calls` with `word_confidence` (see `night_of`) and
    of `failures`, and the nights before it, in any order."""
    night = night_of(run["run_id"], run["started_at"], calls)
    reasons = Counter((row["reason"], row["retryable"]) for row in failures)
    return NightReport(
        run_id=run["run_id"],
        status=run["status"],
        started_at=run["started_at"],
        finished_at=run["finished_at"],
        profile=run["profile"],
        recordings=run["sources"],
        ends={name: run.get(name) or 0 for name in ENDS},
        audio_s=run["audio_s"],
        wall_s=run["wall_s"],
        night=night,
        failures=tuple(
            FailureCount(reason, count, retryable)
            for (reason, retryable), count in sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
        ),
        worst=tuple(sorted(map(_worst_call, calls), key=_badness)[:WORST]),
        drifts=drifts(night, before),
    )


def _worst_call(call: Row) -> WorstCall:
    speech = call["speech_s"]
    return WorstCall(
        call["call_id"],
        tuple(call["review_flags"]),
        call["word_confidence"],
        call["uncovered_speech_s"] / speech if speech else 0.0,
        call["duration_s"],
    )


def _badness(call: WorstCall) -> tuple[int, float, str]:
    """More reasons for review first; then the less of its speech is in sure words. Ties by id."""
    sure = (call.word_confidence or 0.0) * (1.0 - call.uncovered_share)
    return -len(call.review_flags), sure, call.call_id
