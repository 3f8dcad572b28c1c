"""Finding out whether conditions hold in a call: one function for each kind of condition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from statistics import fmean, median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval
from pipelines.scorecards.case import Case
from pipelines.scorecards.conditions import (
    THIS,
    All,
    Amount,
    Any,
    Comparison,
    Condition,
    Each,
    Entity,
    InOrder,
    Metric,
    Moment,
    Named,
    Not,
    Said,
    Window,
)
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.expressions import TooSlow, spans_in
from pipelines.scorecards.findings import Evidence, Finding, conjunction, disjunction, negation, unknown
from pipelines.scorecards.matching import Match, likeness, matches_of, too_slow, words_at
from pipelines.scorecards.wording import (
    briefly,
    clock,
    compared,
    in_words,
    measured,
    moments_in_words,
    where,
    who,
)

MOST_EVIDENCE: Final = 5
"""Places that are given as the evidence of one condition; the first ones in time."""

_EPSILON: Final = 1e-6


@dataclass(frozen=True)
class Searched:
    """The stretches that a window is in a call, in order and apart from each other.

    They are not known where something is `missing`, and not surely where there are `doubts`. `empty` says
    why there is none where there is none.
    """

    stretches: tuple[Interval, ...]
    doubts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    empty: str = ""

    def has(self, place: Interval) -> bool:
        """Whether something begins in one of them."""
        return any(
            each.start - _EPSILON <= place.start < max(each.end, each.start + _EPSILON)
            for each in self.stretches
        )


def find(condition: Condition, case: Case) -> Finding:
    """Whether the condition holds in the call. Each is found out once."""
    key = id(condition)
    if key not in case.found:
        case.found[key] = _find(condition, case)
    return case.found[key]


@singledispatch
def _find(condition: Condition, case: Case) -> Finding:
    raise NotImplementedError(f"{type(condition).__name__} in {case.conversation.call_id}")


@_find.register
def _(condition: All, case: Case) -> Finding:
    return conjunction([find(each, case) for each in condition.conditions])


@_find.register
def _(condition: Any, case: Case) -> Finding:
    return disjunction([find(each, case) for each in condition.conditions])


@_find.register
def _(condition: Not, case: Case) -> Finding:
    return negation(find(condition.condition, case))


@_find.register
def _(condition: Named, case: Case) -> Finding:
    if condition.name != THIS:
        return find(case.named[condition.name], case)
    assert case.it is not None
    return Finding(True, True, 1.0, (), occurrences=(case.it,))


@_find.register
def _(condition: InOrder, case: Case) -> Finding:
    parts = [find(each, case) for each in condition.conditions]
    whole = conjunction(parts)
    if not whole.holds:
        return whole
    # The earliest end leaves most room for what follows, so there is an order if this finds one.
    places, begin = [], 0.0
    for condition_, part in zip(condition.conditions, parts, strict=True):
        later = [place for place in part.occurrences if place.start >= begin - _EPSILON]
        if not later:
            reason = f"{in_words(condition_)} only before what should come first"
            return replace(whole, holds=False, because=(reason,), occurrences=())
        places.append(min(later, key=lambda place: place.end))
        begin = places[-1].end
    return replace(whole, occurrences=(Interval(places[0].start, max(place.end for place in places)),))


@_find.register
def _(condition: Each, case: Case) -> Finding:
    of = find(condition.occurrence, case)
    if of.holds is None:
        return of
    if not of.holds:
        return negation(of)
    each = [find(condition.requires, replace(case, it=place, found={})) for place in of.occurrences]
    found = conjunction(each)
    if not of.settled:
        found = replace(found, settled=False, doubts=of.doubts + found.doubts)
    return replace(found, occurrences=())


@_find.register
def _(condition: Said, case: Case) -> Finding:
    matches, missing = matches_of(condition.phrases, case)
    said = briefly(condition.phrases)
    if condition.phrases.examples and case.similarity is not None:
        nearest = _nearest(condition, case)
    else:
        nearest = None
    return _counted(condition, matches, missing, ("says", "does not say"), said, nearest, case)


@_find.register
def _(condition: Entity, case: Case) -> Finding:
    conversation = case.conversation
    missing = (
        [] if conversation.has("entities", "kind") else ["the entities of the call are not in the store"]
    )
    matches = []
    columns = ("turn", "speaker", "kind", "text", "start_s", "end_s")
    rows = zip(*(conversation.column("entities", column) for column in columns), strict=True)
    for turn, speaker, kind, text, start, end in rows:
        try:
            fits = kind in condition.kinds and (not condition.pattern or spans_in(condition.pattern, text))
        except TooSlow:
            missing = [too_slow(condition.pattern)]
            break
        if fits:
            at = Interval(start, end)
            matches.append(Match(at, turn, speaker, text, kind, words_at(at, turn, conversation)))
    named = " or ".join(condition.kinds) + (f" matching “{condition.pattern}”" if condition.pattern else "")
    return _counted(condition, matches, missing, ("names", "does not name"), named, None, case)


@_find.register
def _(condition: Moment, case: Case) -> Finding:
    conversation, searched = case.conversation, search(condition.within, condition.by, case)
    missing = [*searched.missing, *_nobody(condition.by, case), *_nobody(condition.to, case)]
    if not conversation.has("moments", "kind"):
        missing.append("the moments of the call are not in the store")
    if missing:
        return unknown(missing)
    by, to = conversation.speakers(condition.by), conversation.speakers(condition.to)
    columns = ("kind", "start_s", "end_s", "speaker", "other_speaker", "turn")
    rows = zip(*(conversation.column("moments", column) for column in columns), strict=True)
    turns = dict(zip(conversation.column("turns", "turn"), conversation.column("turns", "text"), strict=True))
    found = [
        Evidence(
            start,
            end,
            turn,
            speaker or "",
            conversation.roles.get(speaker, ""),
            turns.get(turn, "") if turn is not None else "",
            f"{kind.replace('_', ' ')} of {end - start:.1f} s",
        )
        for kind, start, end, speaker, other, turn in rows
        if kind in condition.kinds
        and (not condition.by or speaker in by)
        and (not condition.to or other in to)
        and end - start > condition.longer_than
        and searched.has(Interval(start, end))
    ]
    found.sort(key=lambda each: (each.start, each.end))
    holds = len(found) >= condition.at_least
    confidence, doubts = _sure_of_roles((*condition.by, *condition.to), case)
    doubts = searched.doubts + doubts
    what = moments_in_words(condition)
    first = f", the first at {clock(found[0].start)}" if found else ""
    because = (
        f"there is {len(found) or 'no'} × {what}{where(condition.within)}{first}"
        if found
        else f"there is no {what}{_in(searched)}"
    )
    evidence = tuple(found[:MOST_EVIDENCE]) + (
        () if holds else _looked_at(searched, condition.by, "nothing found")
    )
    return Finding(
        holds,
        not doubts,
        confidence,
        (because,),
        evidence,
        tuple(Interval(each.start, each.end) for each in found),
        doubts,
    )


@_find.register
def _(condition: Metric, case: Case) -> Finding:
    conversation, column = case.conversation, condition.column
    searched = search(condition.within, condition.by, case)
    missing = [*searched.missing, *(_nobody(condition.by, case) if column.table != "calls" else ())]
    if column.table == "calls":
        if column.name not in conversation.call:
            missing.append(f"{column} is not in the store")
        values = [_member(conversation.call.get(column.name), column.key)]
        rows = [0]
    else:
        if not conversation.has(column.table, column.name):
            missing.append(f"{column} is not in the store")
        rows = _rows(condition, searched, case)
        of_column = conversation.column(column.table, column.name)
        values = [_member(of_column[row], column.key) for row in rows] if of_column else []
    known = [(row, value) for row, value in zip(rows, values, strict=False) if value is not None]
    if not missing and not known and (rows or condition.aggregate not in ("any", "every", "count", "sum")):
        missing.append(f"{measured(condition)} has no value")
    if missing:
        return unknown(missing)
    confidence, doubts = _sure_of_rows(condition, [row for row, _ in known], case)
    doubts = searched.doubts + doubts
    meets = [(row, value) for row, value in known if _compares(value, condition.comparison)]
    if condition.aggregate in ("any", "every"):
        holds = bool(meets) if condition.aggregate == "any" else len(meets) == len(known)
        shown = [row for row, value in known if ((row, value) in meets) == (condition.aggregate == "any")]
        because = f"{measured(condition)} is {compared(condition)}: {len(meets)} of {len(known)}"
        rows_shown = shown if (holds == (condition.aggregate == "any")) else []
    else:
        value = _aggregated([value for _, value in known], condition.aggregate)
        holds = _compares(value, condition.comparison)
        rows_shown = (
            [row for row, each in known if each == value]
            if condition.aggregate in ("min", "max", "first", "last")
            else []
        )
        because = f"{measured(condition)} is {_figure(value)}"
        if not holds:
            because += f", where {compared(condition)} is asked"
    evidence: tuple[Evidence, ...] = ()
    if column.table == "turns" and rows_shown:
        evidence = tuple(
            _turn_evidence(row, f"{column} {_figure(conversation.column('turns', column.name)[row])}", case)
            for row in rows_shown[:MOST_EVIDENCE]
        )
    else:
        evidence = _looked_at(searched, condition.by, because)
    places = tuple(_turn_interval(row, case) for row, _ in meets) if column.table == "turns" else ()
    return Finding(holds, not doubts, confidence, (because,), evidence, places, doubts)


# Windows


def search(window: Window, roles: Sequence[str], case: Case) -> Searched:
    """The stretches of the call that a window is; a turn counted by it is one of these roles."""
    duration = case.conversation.duration
    stretches: tuple[Interval, ...] = (Interval(0.0, duration),)
    doubts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    empty = ""
    if window.first:
        stretches = _both(stretches, (Interval(0.0, _reach(window.first, roles, False, case)),))
    if window.last:
        stretches = _both(stretches, (Interval(_reach(window.last, roles, True, case), duration),))
    for anchor, is_after in ((window.after, True), (window.before, False)):
        if anchor is None:
            continue
        finding = find(anchor, case)
        doubts += finding.doubts
        if finding.holds is None:
            missing += finding.doubts
            continue
        if not finding.holds or not finding.occurrences:
            empty = (
                f"there is nothing to be {'after' if is_after else 'before'}: {'; '.join(finding.because)}"
            )
            stretches = ()
            continue
        place = finding.occurrences[0]
        limited = window.seconds is not None and (is_after or window.after is None)
        limit = window.seconds if limited and window.seconds is not None else duration
        stretch = (
            Interval(place.end, min(duration, place.end + limit))
            if is_after
            else Interval(max(0.0, place.start - limit), place.start)
        )
        stretches = _both(stretches, (stretch,))
    if window.during:
        held = holding(window.during, case)
        doubts += held.doubts
        missing += held.missing
        empty = empty or ("" if held.stretches else f"it is at no time so that {in_words(window.during)}")
        stretches = _both(stretches, held.stretches)
    return Searched(
        stretches, doubts, missing, empty or ("" if stretches else f"there is nothing{where(window)}")
    )


def holding(condition: Condition, case: Case) -> Searched:
    """When a condition holds: a moment as long as it lasts, what is said as long as it is being said.

    A metric of turns holds from a turn that meets it until the next turn of the same roles that does not.
    What is true of the whole call holds all the time.
    """
    whole = (Interval(0.0, case.conversation.duration),)
    match condition:
        case Not(one):
            held = holding(one, case)
            return replace(held, stretches=_without(whole, held.stretches))
        case All(conditions):
            each = [holding(one, case) for one in conditions]
            stretches: tuple[Interval, ...] = whole
            for held in each:
                stretches = _both(stretches, held.stretches)
            return _gathered(stretches, each)
        case Any(conditions):
            each = [holding(one, case) for one in conditions]
            return _gathered(_merged([stretch for held in each for stretch in held.stretches]), each)
        case Named(name) if name != THIS:
            return holding(case.named[name], case)
        case Metric() if condition.column.table == "turns":
            return _turns_that_meet(condition, case)
    finding = find(condition, case)
    missing = finding.doubts if finding.holds is None else ()
    if finding.occurrences and not isinstance(condition, Each):
        return Searched(_merged(finding.occurrences), finding.doubts, missing)
    located = isinstance(condition, (Said, Entity, Moment, InOrder))
    return Searched(whole if finding.holds and not located else (), finding.doubts, missing)


def _turns_that_meet(condition: Metric, case: Case) -> Searched:
    conversation, column = case.conversation, condition.column
    if not conversation.has("turns", column.name):
        return Searched((), (), (f"{column} is not in the store",))
    searched = search(condition.within, condition.by, case)
    values = conversation.column("turns", column.name)
    stretches, begin = [], None
    for row in _rows(condition, searched, case):
        start = _turn_interval(row, case).start
        value = _member(values[row], column.key)
        meets = value is not None and _compares(value, condition.comparison)
        if meets and begin is None:
            begin = start
        if not meets and begin is not None:
            stretches.append(Interval(begin, start))
            begin = None
    if begin is not None:
        stretches.append(Interval(begin, conversation.duration))
    return Searched(tuple(stretches), searched.doubts, searched.missing)


def _reach(amount: Amount, roles: Sequence[str], from_end: bool, case: Case) -> float:
    """Where the first part of a call ends, or its last part begins."""
    conversation = case.conversation
    duration = conversation.duration
    if amount.unit != "turns":
        length = amount.value if amount.unit == "s" else duration * amount.value / 100
        return max(0.0, duration - length) if from_end else min(duration, length)
    speakers = conversation.speakers(roles)
    own = [row for row, speaker in enumerate(conversation.column("turns", "speaker")) if speaker in speakers]
    count = int(amount.value)
    if not own or count >= len(own):
        return 0.0 if from_end else duration
    return _turn_interval(own[-count], case).start if from_end else _turn_interval(own[count - 1], case).end


def _both(some: Sequence[Interval], others: Sequence[Interval]) -> tuple[Interval, ...]:
    """The stretches that are in both."""
    return tuple(
        Interval(start, end)
        for one in some
        for other in others
        if (start := max(one.start, other.start)) < (end := min(one.end, other.end))
    )


def _without(whole: Sequence[Interval], others: Sequence[Interval]) -> tuple[Interval, ...]:
    for other in others:
        cuts = (Interval(0.0, other.start), Interval(other.end, float("inf")))
        whole = _both(whole, cuts)
    return tuple(whole)


def _merged(stretches: Sequence[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for each in sorted(stretches, key=lambda stretch: stretch.start):
        if merged and each.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, each.end))
        else:
            merged.append(Interval(each.start, each.end))
    return tuple(merged)


def _gathered(stretches: tuple[Interval, ...], parts: Sequence[Searched]) -> Searched:
    return Searched(
        stretches,
        tuple(doubt for part in parts for doubt in part.doubts),
        tuple(reason for part in parts for reason in part.missing),
    )


def _nearest(condition: Said, case: Case) -> Callable[[Searched], str]:
    """What to say of the sentence that came nearest, where none was near enough."""

    def note(searched: Searched) -> str:
        assert case.sentence_places is not None
        conversation, places = case.conversation, case.sentence_places
        own = conversation.sentences_of(condition.by) & _inside(searched, conversation.sentence_starts)
        rows = np.flatnonzero(own[places])
        if not len(rows):
            return ""
        nearest = likeness(condition.phrases, case)[1].max(axis=1)
        row = rows[nearest[rows].argmax()]
        text = conversation.column("sentences", "text")[places[row]]
        return f"; nearest, {nearest[row]:.2f} and below {condition.phrases.threshold:g}: “{text}”"

    return note


def _counted(
    condition: Said | Entity,
    matches: Sequence[Match],
    missing: Sequence[str],
    verbs: tuple[str, str],
    what: str,
    nearest: Callable[[Searched], str] | None,
    case: Case,
) -> Finding:
    """Whether there are enough matches by the right people in the window, and how sure that is."""
    conversation, thresholds = case.conversation, case.thresholds
    searched = search(condition.within, condition.by, case)
    if searched.missing:
        return unknown(searched.missing)
    inside = [match for match in matches if searched.has(match.at)]
    speakers = conversation.speakers(condition.by)
    own = [match for match in inside if match.speaker in speakers]
    judged = [(match, *_sureness(match, condition.by, case)) for match in own]
    sure = [match for match, _, doubts in judged if not doubts]
    often = f" {len(own)} times" if condition.at_least > 1 else ""
    if len(own) >= condition.at_least:
        enough = len(sure) >= condition.at_least
        shown = sure if enough else own
        confidence = sorted((confidence for _, confidence, _ in judged), reverse=True)[condition.at_least - 1]
        quoted = shown[0]
        because = f"{who(condition.by)} {verbs[0]} at {clock(quoted.at.start)}{often}: “{quoted.text}”"
        doubts = searched.doubts + (
            () if enough else tuple(dict.fromkeys(d for _, _, each in judged for d in each))
        )
        return Finding(
            True,
            not doubts,
            confidence,
            (because,),
            tuple(_evidence(match, conversation) for match in shown[:MOST_EVIDENCE]),
            tuple(match.at for match in shown),
            doubts,
        )
    if reasons := [*missing, *_nobody(condition.by, case)]:
        return unknown(reasons)
    confidence, doubts = _sure_of_absence(searched, condition.by, case)
    doubts = searched.doubts + doubts
    perhaps = [
        match for match in inside if match.speaker not in speakers and _may_be(match, condition.by, case)
    ]
    if len(own) + len(perhaps) >= condition.at_least:
        match = perhaps[0]
        doubts += (f"“{match.text}” at {clock(match.at.start)} may be said by {who(condition.by)} after all",)
        confidence = min(confidence, thresholds.speaker)
    note = f"searched{nearest(searched) if nearest and searched.stretches else ''}"
    found = f" only{often}" if own else ""
    because = f"{who(condition.by)} {verbs[1]}{found} {what}{_in(searched)}"
    if own:
        because = f"{who(condition.by)} {verbs[0]} only {len(own)} × {what}{_in(searched)}"
    evidence = tuple(_evidence(match, conversation) for match in (own + perhaps)[:MOST_EVIDENCE])
    return Finding(
        False,
        not doubts,
        confidence,
        (because,),
        evidence + _looked_at(searched, condition.by, note),
        tuple(match.at for match in own),
        doubts,
    )


# How sure it is


def _sureness(match: Match, roles: Sequence[str], case: Case) -> tuple[float, tuple[str, ...]]:
    """The confidence of a match, and why it is doubtful."""
    conversation, thresholds = case.conversation, case.thresholds
    words = slice(match.words.start, match.words.stop)
    word = float(conversation.word_confidence[words].mean()) if len(match.words) else 1.0
    doubts = []
    place = f"“{match.text}” at {clock(match.at.start)}"
    if word < thresholds.word:
        doubts.append(f"{place} was recognised with confidence {word:.2f} only")
    if not roles:
        return word, tuple(doubts)
    speaker = float(conversation.speaker_confidence[words].mean()) if len(match.words) else 1.0
    role = conversation.role_confidence.get(match.speaker, 0.0)
    if speaker < thresholds.speaker:
        doubts.append(f"it is not sure who says {place} (confidence {speaker:.2f})")
    if role < thresholds.role:
        doubts.append(f"it is not sure that {match.speaker} is {who(roles)} (confidence {role:.2f})")
    return min(word, speaker, role), tuple(doubts)


def _may_be(match: Match, roles: Sequence[str], case: Case) -> bool:
    """Whether a match by somebody else may be by one of the roles after all."""
    conversation = case.conversation
    if not roles or match.speaker in conversation.unknown:
        return bool(roles)
    words = slice(match.words.start, match.words.stop)
    return bool(len(match.words) and conversation.speaker_confidence[words].mean() < case.thresholds.speaker)


def _sure_of_absence(searched: Searched, roles: Sequence[str], case: Case) -> tuple[float, tuple[str, ...]]:
    """How sure it is that nothing was missed: by the words of the stretch, and the roles of who says them."""
    conversation, thresholds = case.conversation, case.thresholds
    confidence, doubts = _sure_of_roles(roles, case)
    own, inside = conversation.words_of(tuple(roles)), _inside(searched, conversation.starts)
    heard = conversation.word_confidence[own & inside]
    if len(heard):
        word = float(heard.mean())
        confidence = min(confidence, word)
        if word < thresholds.word:
            doubts += (
                f"the {len(heard)} words{_in(searched)} were recognised with confidence {word:.2f} only",
            )
    return confidence, doubts


def _inside(searched: Searched, starts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the times are in one of the stretches."""
    inside = np.zeros(len(starts), bool)
    for stretch in searched.stretches:
        inside |= (starts >= stretch.start - _EPSILON) & (starts < max(stretch.end, stretch.start + _EPSILON))
    return inside


def _sure_of_roles(roles: Sequence[str], case: Case) -> tuple[float, tuple[str, ...]]:
    conversation = case.conversation
    own = sorted(conversation.speakers(roles)) if roles else []
    unsure = [name for name in own if conversation.role_confidence[name] < case.thresholds.role]
    doubts = tuple(
        f"it is not sure that {name} is {who(roles)} (confidence {conversation.role_confidence[name]:.2f})"
        for name in unsure
    )
    return min((conversation.role_confidence[name] for name in own), default=1.0), doubts


def _sure_of_rows(condition: Metric, rows: Sequence[int], case: Case) -> tuple[float, tuple[str, ...]]:
    """How sure it is that the rows of a metric are those of the roles."""
    if condition.column.table == "calls" or not condition.by:
        return 1.0, ()
    confidence, doubts = _sure_of_roles(condition.by, case)
    values = case.conversation.column(condition.column.table, "speaker_confidence")
    attributed = fmean([values[row] for row in rows]) if values and rows else 1.0
    if attributed < case.thresholds.speaker:
        doubts += (f"it is not sure what {who(condition.by)} says (confidence {attributed:.2f})",)
    return min(confidence, attributed), doubts


def _nobody(roles: Sequence[str], case: Case) -> tuple[str, ...]:
    """Why nothing can be said of the roles: nobody is known to have one, and somebody has none known."""
    conversation = case.conversation
    if roles and not conversation.speakers(roles) and conversation.unknown:
        return (f"nobody in the call is known to be {who(roles)}",)
    return ()


# Rows, values, evidence


def _rows(condition: Metric, searched: Searched, case: Case) -> list[int]:
    conversation, table = case.conversation, condition.column.table
    speakers = conversation.speakers(condition.by)
    of_rows = conversation.column(table, "speaker")
    own = [row for row, speaker in enumerate(of_rows) if speaker in speakers]
    if table == "turns":
        return [row for row in own if searched.has(_turn_interval(row, case))]
    # Who has no word is no speaker whose talk could be measured.
    return own


def _turn_interval(row: int, case: Case) -> Interval:
    conversation = case.conversation
    return Interval(conversation.column("turns", "start_s")[row], conversation.column("turns", "end_s")[row])


def _member(value: object, key: str | int | None) -> object:
    if key is None or value is None:
        return value
    if isinstance(key, int):
        return value[key] if isinstance(value, (list, tuple)) and -len(value) <= key < len(value) else None
    if isinstance(value, list):  # a map, as Arrow gives it
        return dict(value).get(key)
    return value.get(key) if isinstance(value, Mapping) else None


def _compares(value: object, comparison: Comparison) -> bool:
    if comparison.operator == "equals":
        return value in comparison.values or str(value) in comparison.values
    [asked] = comparison.values
    if not isinstance(value, int | float) or not isinstance(asked, float):
        return False
    match comparison.operator:
        case "below":
            return value < asked
        case "above":
            return value > asked
        case "at_least":
            return value >= asked
        case "at_most":
            return value <= asked


def _aggregated(values: Sequence[object], aggregate: str) -> object:
    if aggregate == "count":
        return len(values)
    if aggregate in ("first", "last") or len(values) == 1:
        return values[-1 if aggregate == "last" else 0]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    functions: Mapping[str, Callable[[Sequence[float]], float]] = {
        "mean": fmean,
        "median": median,
        "min": min,
        "max": max,
        "sum": sum,
    }
    return functions[aggregate](numbers)


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _evidence(match: Match, conversation: Conversation) -> Evidence:
    role = conversation.roles.get(match.speaker, "")
    return Evidence(match.at.start, match.at.end, match.turn, match.speaker, role, match.text, match.note)


def _turn_evidence(row: int, note: str, case: Case) -> Evidence:
    conversation, at = case.conversation, _turn_interval(row, case)
    turn, speaker, role, text = (
        conversation.column("turns", column)[row] for column in ("turn", "speaker", "role", "text")
    )
    return Evidence(at.start, at.end, turn, speaker, role, text, note)


def _looked_at(searched: Searched, roles: Sequence[str], note: str) -> tuple[Evidence, ...]:
    """The stretches that were searched, as evidence."""
    role = roles[0] if len(roles) == 1 else ""
    return tuple(
        Evidence(stretch.start, stretch.end, None, "", role, "", note)
        for stretch in searched.stretches[:MOST_EVIDENCE]
    )


def _in(searched: Searched) -> str:
    if not searched.stretches:
        return f", as {searched.empty}"
    shown = [f"{clock(each.start)}–{clock(each.end)}" for each in searched.stretches[:MOST_EVIDENCE]]
    return f" in {', '.join(shown)}"
