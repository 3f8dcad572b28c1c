"""Calls scored against references, and the figures of many calls with their intervals."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.errors import UsageError
from pipelines.evaluation.document import Document
from pipelines.evaluation.formats import Documents
from pipelines.evaluation.rates import Sum, TimeErrors
from pipelines.evaluation.scoring import CallScore, Rules, score

Floats = npt.NDArray[np.float64]
Measure = Callable[[Sequence[CallScore], Floats], Floats]
"""From calls, and how often each is drawn (draws × calls), to the figure of each draw, NaN if undefined."""

DRAWS: Final = 1000
SEED: Final = 0
LEVEL: Final = 0.95
_BINS: Final = 4


@dataclass(frozen=True)
class Figure:
    """A figure of many calls. `metric` names the value that it is made of; less of it is better, or more."""

    name: str
    label: str
    unit: str
    metric: str
    measure: Measure
    less_is_better: bool = True


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval, which one call alone does not have, and the sum it is made of.

    `calls` are those that have the figure: it takes speakers, times or words that not all may have.
    """

    figure: Figure
    value: float
    low: float | None
    high: float | None
    of: Sum
    calls: int


@dataclass(frozen=True)
class Difference:
    """A figure of the hypothesis less that of the one compared, on the same calls, with its interval."""

    figure: Figure
    value: float
    compared: float
    difference: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves 0 out, else `no difference shown`."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "no difference shown"
        return "better" if (self.high < 0) == self.figure.less_is_better else "worse"


@dataclass(frozen=True)
class Evaluation:
    """The scores of the calls of the references, and the names of calls that only one side has."""

    rules: Rules
    scores: tuple[CallScore, ...]
    without_hypothesis: tuple[str, ...]
    without_reference: tuple[str, ...]


def evaluate(
    references: Mapping[str, Document],
    hypotheses: Mapping[str, Document],
    rules: Rules,
    only_paired: bool = False,
    like: Evaluation | None = None,
) -> Evaluation:
    """Score each call of the references; of a call that is missing everything is lost.

    With `only_paired` such calls are left out. A call without a reference cannot be scored. One reference
    and one hypothesis belong together whatever their names are. Calls are normalised as in `like`, so that
    what two systems take for the language makes no difference between them. Raises UsageError when nothing
    belongs together.
    """
    names = _paired(references, hypotheses)
    if not names:
        raise UsageError(
            f"No call has both a reference and a hypothesis: the references are of {_some(references)}, the "
            f"hypotheses of {_some(hypotheses)}. Both go by the name of the recording without its suffix."
        )
    missing = tuple(call for call in references if call not in names)
    normalisers = {of.call: of.normaliser for of in like.scores} if like else {}

    def score_of(call: str, hypothesis: Document) -> CallScore:
        by = normalisers.get(references[call].call, rules.normaliser)
        try:
            return score(references[call], hypothesis, replace(rules, normaliser=by))
        except UsageError as error:
            raise UsageError(f"The call {call} cannot be scored. {error}") from error

    scores = [score_of(call, hypotheses[name]) for call, name in names.items()]
    if not only_paired:
        # A lost call is held against the metrics that the others are measured by, and no more.
        told = {metric for of in scores for metric in of.values}
        lost = [score_of(call, Document(call, "", words=(), speech=())) for call in missing]
        scores += [
            replace(of, values={metric: of.values[metric] for metric in of.values if metric in told})
            for of in lost
        ]
    extra = tuple(call for call in hypotheses if call not in set(names.values()))
    return Evaluation(rules, tuple(scores), missing, extra)


def _paired(references: Mapping[str, Document], hypotheses: Mapping[str, Document]) -> dict[str, str]:
    """The calls of both: those of one name and, of the rest, those that their files give one name."""
    names = {call: call for call in references if call in hypotheses}
    rest, others = ([call for call in calls if call not in names] for calls in (references, hypotheses))
    if not names and len(rest) == len(others) == 1:
        return {rest[0]: others[0]}
    said, heard = _by_named(references, rest), _by_named(hypotheses, others)
    return names | {said[name]: heard[name] for name in said if name in heard}


def _by_named(documents: Mapping[str, Document], calls: Sequence[str]) -> dict[str, str]:
    """The calls by the names that their files give them, which must be of one call only."""
    named = documents.named if isinstance(documents, Documents) else {}
    known = [named.get(call, call) for call in calls]
    once = {name for name, count in Counter(known).items() if count == 1}
    return {name: call for name, call in zip(known, calls, strict=True) if name in once}


def estimates(scores: Sequence[CallScore]) -> list[Estimate]:
    """The figures that these calls have, in the order of `FIGURES`."""
    found = []
    for figure in FIGURES:
        values = [of.values[figure.metric] for of in scores if figure.metric in of.values]
        [value] = figure.measure(scores, np.ones((1, len(scores))))
        if values and not np.isnan(value):
            several = len(values) > 1
            interval = _interval(figure.measure(scores, _draws(len(scores)))) if several else (None, None)
            found.append(Estimate(figure, float(value), *interval, sum(values), len(values)))  # type: ignore[arg-type]
    return found


def differences(scores: Sequence[CallScore], compared: Sequence[CallScore]) -> list[Difference]:
    """Paired differences of the figures that both have: calls are drawn together."""
    others = {other.call: other for other in compared}
    both = [(one, others[one.call]) for one in scores if one.call in others]
    found = []
    for figure in FIGURES:
        pairs = [(one, other) for one, other in both if {figure.metric} <= one.values.keys() & other.values]
        if not pairs:
            continue
        sides = [[pair[side] for pair in pairs] for side in (0, 1)]
        value, other = (float(figure.measure(side, np.ones((1, len(pairs))))[0]) for side in sides)
        if np.isnan(value - other):
            continue
        mine, theirs = (figure.measure(side, _draws(len(pairs))) for side in sides)
        interval = _interval(mine - theirs) if len(pairs) > 1 else (None, None)
        found.append(Difference(figure, value, other, value - other, *interval))
    return found


def slices(scores: Sequence[CallScore], column: str) -> list[tuple[str, list[CallScore]]]:
    """The calls by their value of a column, in order; numbers of many values by quartile.

    Raises UsageError when no call has the column.
    """
    known = sorted({name for of in scores for name in of.facts})
    if column not in known:
        raise UsageError(f"No call has a column {column} to slice by. There are {', '.join(known)}.")
    values = [of.facts.get(column) for of in scores]
    numbers = sorted({float(v) for v in values if isinstance(v, Real) and not isinstance(v, bool)})
    edges = np.quantile(numbers, np.linspace(0, 1, _BINS + 1)) if len(numbers) > _BINS else None
    groups: dict[tuple[float, str], list[CallScore]] = {}
    for of, value in zip(scores, values, strict=True):
        groups.setdefault(_group(value, edges), []).append(of)
    return [(label, groups[order, label]) for order, label in sorted(groups)]


def _group(value: Any, edges: Floats | None) -> tuple[float, str]:
    """Where a value comes in the order of groups, and the group's name."""
    if value is None:
        return float("inf"), "unknown"
    if not isinstance(value, Real) or isinstance(value, bool):
        return 0.0, str(value)
    if edges is None:
        return float(value), f"{value:g}"
    index = min(int(np.searchsorted(edges, float(value), side="right")), _BINS) - 1
    return float(index), f"{edges[index]:.3g} to {edges[index + 1]:.3g}"


def _some(names: Mapping[str, Document]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "") or "no call"


@cache
def _draws(calls: int) -> Floats:
    """How often each call is drawn in each of the draws; the same for the same number of calls."""
    chances = np.full(calls, 1 / calls)
    return np.random.default_rng(SEED).multinomial(calls, chances, size=DRAWS).astype(np.float64)


def _interval(draws: Floats) -> tuple[float | None, float | None]:
    if np.isnan(draws).all():
        return None, None
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _rate(metric: str) -> Measure:
    def measure(scores: Sequence[CallScore], drawn: Floats) -> Floats:
        found = [(index, of.values[metric]) for index, of in enumerate(scores) if metric in of.values]
        if not found:
            return np.full(len(drawn), np.nan)
        counts = np.array([value.counts for _, value in found], dtype=np.float64)
        sums = drawn[:, [index for index, _ in found]] @ counts
        with np.errstate(divide="ignore", invalid="ignore"):
            rates: Floats = sums[:, :-1].sum(axis=1) / sums[:, -1]
        return np.where(sums[:, -1] > 0, rates, np.nan)

    return measure


def _excess(metric: str, over: str) -> Measure:
    def measure(scores: Sequence[CallScore], drawn: Floats) -> Floats:
        both = [index for index, of in enumerate(scores) if metric in of.values and over in of.values]
        chosen = [scores[index] for index in both]
        return _rate(metric)(chosen, drawn[:, both]) - _rate(over)(chosen, drawn[:, both])

    return measure


def _quantile(side: str, share: float) -> Measure:
    """The smallest error that so large a share of the words does not exceed."""

    def measure(scores: Sequence[CallScore], drawn: Floats) -> Floats:
        timed = [
            (error, index)
            for index, of in enumerate(scores)
            if isinstance(times := of.values.get("word_times"), TimeErrors)
            for error in getattr(times, side)
        ]
        if not timed:
            return np.full(len(drawn), np.nan)
        timed.sort()
        errors, calls = np.array([error for error, _ in timed]), [index for _, index in timed]
        quantiles = np.full(len(drawn), np.nan)
        for draw, times_drawn in enumerate(drawn):
            seen = times_drawn[calls].cumsum()
            if seen[-1]:
                quantiles[draw] = errors[np.searchsorted(seen, share * seen[-1])]
        return quantiles

    return measure


def _of_rate(name: str, label: str, unit: str = "%", less_is_better: bool = True) -> Figure:
    return Figure(name, label, unit, name, _rate(name), less_is_better)


FIGURES: Final = (
    _of_rate("wer", "WER"),
    _of_rate("cer", "CER"),
    _of_rate("cpwer", "cpWER"),
    _of_rate("tcpwer", "tcpWER"),
    Figure("delta_cp", "Δcp (cpWER − WER)", "%", "cpwer", _excess("cpwer", "wer")),
    _of_rate("speaker_error", "word-speaker error"),
    _of_rate("speaker_error_at_changes", "word-speaker error within 1 s of a turn change"),
    _of_rate("der", "DER, no collar"),
    _of_rate("der_collar", "DER, collar ±0.25 s"),
    _of_rate("speaker_count", "calls with the right number of speakers", less_is_better=False),
    _of_rate("roles", "speakers with the right role", less_is_better=False),
    Figure("word_start_median", "word start error, median", "s", "word_times", _quantile("starts", 0.5)),
    Figure(
        "word_start_p95", "word start error, 95th percentile", "s", "word_times", _quantile("starts", 0.95)
    ),
    Figure("word_end_median", "word end error, median", "s", "word_times", _quantile("ends", 0.5)),
    Figure("word_end_p95", "word end error, 95th percentile", "s", "word_times", _quantile("ends", 0.95)),
    _of_rate("hallucination", "words in silence, a silent minute", "/min"),
    _of_rate("missed_speech", "detected speech without words"),
)
