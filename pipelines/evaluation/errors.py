"""Where the errors are: which words are confused, lost and inserted, in which calls and in which seconds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from pipelines.evaluation.alignment import Pair
from pipelines.evaluation.metrics.speakers import is_misattributed
from pipelines.evaluation.rates import ErrorRate
from pipelines.evaluation.scoring import CallScore

SHOWN = 20
_APART = 3
"""So many right words in a row end a stretch of errors."""


@dataclass(frozen=True)
class WorstCall:
    """A call with its errors in words, and its words that were given to the wrong speaker."""

    call: str
    words: ErrorRate
    misattributed: int


@dataclass(frozen=True)
class Stretch:
    """Words of a call that are wrong, or someone else's, close together; times in seconds where known."""

    call: str
    start: float | None
    end: float | None
    errors: int
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Errors:
    """The most frequent errors and the worst places, most first."""

    substitutions: tuple[tuple[str, str, int], ...]
    lost: tuple[tuple[str, int], ...]
    inserted: tuple[tuple[str, int], ...]
    calls: tuple[WorstCall, ...]
    stretches: tuple[Stretch, ...]


def errors_of(scores: Sequence[CallScore]) -> Errors:
    """The errors in the words of these calls."""
    pairs = [pair for of in scores for pair in of.pairs if not pair.matches]
    confused = Counter((p.reference.text, p.hypothesis.text) for p in pairs if p.reference and p.hypothesis)
    lost = Counter(p.reference.text for p in pairs if p.reference and not p.hypothesis)
    inserted = Counter(p.hypothesis.text for p in pairs if p.hypothesis and not p.reference)
    calls = [
        WorstCall(of.call, words, sum(is_misattributed(pair, of.speakers) for pair in of.pairs))
        for of in scores
        if isinstance(words := of.values.get("wer"), ErrorRate)
    ]
    stretches = [stretch for of in scores for stretch in _stretches(of)]
    return Errors(
        tuple((ref, hyp, count) for (ref, hyp), count in confused.most_common(SHOWN)),
        tuple(lost.most_common(SHOWN)),
        tuple(inserted.most_common(SHOWN)),
        tuple(sorted(calls, key=_worst_first)[:SHOWN]),
        tuple(sorted(stretches, key=lambda stretch: -stretch.errors)[:SHOWN]),
    )


def _worst_first(call: WorstCall) -> tuple[float, str]:
    """A call in which words are heard and none is said is worse than any rate tells."""
    rate = call.words.rate
    return (-inf if any(call.words.counts) else 0.0) if rate is None else -rate, call.call


def _stretches(of: CallScore) -> list[Stretch]:
    """The stretches of errors of a call, with the right words inside."""
    wrong = [index for index, pair in enumerate(of.pairs) if not pair.matches or _is_anothers(pair, of)]
    found, first = [], 0
    for number, index in enumerate(wrong, 1):
        if number == len(wrong) or wrong[number] - index > _APART:
            inside = of.pairs[wrong[first] : index + 1]
            found.append(_stretch(of, inside, number - first))
            first = number
    return found


def _is_anothers(pair: Pair, of: CallScore) -> bool:
    return bool(of.speakers) and is_misattributed(pair, of.speakers)


def _stretch(of: CallScore, pairs: Sequence[Pair], errors: int) -> Stretch:
    said = [pair.reference for pair in pairs if pair.reference]
    heard = [pair.hypothesis for pair in pairs if pair.hypothesis]
    times = [time for word in said or heard for time in (word.start, word.end) if time is not None]
    names = {reference: hypothesis for hypothesis, reference in of.speakers.items()}
    return Stretch(
        of.call,
        min(times, default=None),
        max(times, default=None),
        errors,
        _text([(names.get(word.speaker or "", word.speaker or ""), word.text) for word in said]),
        _text([(word.speaker or "", word.text) for word in heard]),
    )


def _text(words: Sequence[tuple[str, str]]) -> str:
    """Words with the name of the speaker, in the hypothesis' names, wherever it changes."""
    parts, before = [], ""
    for speaker, word in words:
        parts.append(word if speaker == before else f"{speaker}: {word}")
        before = speaker
    return " ".join(parts)
