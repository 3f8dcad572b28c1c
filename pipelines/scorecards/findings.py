"""What was found out about a condition: whether it holds, how sure that is, and the evidence.

A finding is true, false or unknown, as in Kleene's three-valued logic (Kleene 1952, Introduction to
Metamathematics, § 64), and settled or not: what is not settled is as unknown for what is made of it, so
that a doubt counts only where it decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from models.speech import Interval

T = TypeVar("T")


@dataclass(frozen=True)
class Evidence(Interval):
    """A place in a call that shows something.

    `turn` is None and `text` empty where it is a stretch in which something was looked for; `note` says
    what it shows.
    """

    turn: int | None
    speaker: str
    role: str
    text: str
    note: str


@dataclass(frozen=True)
class Finding:
    """Whether a condition holds in a call: `holds` is None where that cannot be computed.

    `settled` is false where a person has to judge, and `doubts` says why. `confidence` is that of `holds`,
    0 to 1. `occurrences` are the places of what was found, `because` sentences without their full stop.
    """

    holds: bool | None
    settled: bool
    confidence: float
    because: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    occurrences: tuple[Interval, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def verdict(self) -> bool | None:
        """Whether it holds, None where a person has to say."""
        return self.holds if self.settled else None


def unknown(why: Sequence[str]) -> Finding:
    """What cannot be computed, and why."""
    return Finding(None, False, 0.0, (), doubts=tuple(why))


def negation(finding: Finding) -> Finding:
    """The finding that the opposite holds, by the same evidence."""
    return replace(finding, holds=None if finding.holds is None else not finding.holds)


def conjunction(findings: Sequence[Finding]) -> Finding:
    """Whether all hold: false by those that are false, true by all of them."""
    holds = _all([finding.holds for finding in findings])
    verdict = _all([finding.verdict for finding in findings])
    deciding = [finding for finding in findings if holds is not False or finding.holds is False]
    if verdict is False:  # what is doubtful decides nothing where something is sure
        deciding = [finding for finding in findings if finding.verdict is False]
    weigh = max if holds is False else min
    undecided = [finding for finding in findings if not finding.settled] if verdict is None else []
    return Finding(
        holds,
        verdict is not None,
        0.0 if holds is None else weigh(finding.confidence for finding in deciding),
        _together(finding.because for finding in deciding),
        _together(finding.evidence for finding in deciding),
        _whole([finding.occurrences for finding in findings]) if holds else (),
        _together(finding.doubts for finding in undecided),
    )


def disjunction(findings: Sequence[Finding]) -> Finding:
    """Whether at least one holds: true by those that are true, false by all of them."""
    one = negation(conjunction([negation(finding) for finding in findings]))
    found = [place for finding in findings if finding.holds for place in finding.occurrences]
    return replace(one, occurrences=tuple(sorted(set(found), key=lambda place: (place.start, place.end))))


def _all(values: Sequence[bool | None]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _together(parts: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    """All of them in order, each once."""
    return tuple(dict.fromkeys(each for part in parts for each in part))


def _whole(of_each: Sequence[tuple[Interval, ...]]) -> tuple[Interval, ...]:
    """The stretch over the first occurrence of each, which is where all of it has occurred."""
    firsts = [places[0] for places in of_each if places]
    if not firsts:
        return ()
    return (Interval(min(each.start for each in firsts), max(each.end for each in firsts)),)
