"""Conditions in words, for people who check a scorecard and for the reasons in `scores`."""

from collections.abc import Sequence

from pipelines.scorecards.conditions import (
    THIS,
    All,
    Any,
    Condition,
    Each,
    Entity,
    InOrder,
    Metric,
    Moment,
    Named,
    Not,
    Phrases,
    Said,
    Window,
)

_FEW = 2
_COMPARED = {
    "below": "below ",
    "above": "above ",
    "at_least": "at least ",
    "at_most": "at most ",
    "equals": "",
}


def in_words(condition: Condition) -> str:
    """What a condition says, as a clause."""
    match condition:
        case Said():
            return f"{who(condition.by)} says {_said(condition)}"
        case Not(Said() as said):
            return f"{who(said.by)} does not say {_said(said)}"
        case Metric():
            return f"{measured(condition)} is {compared(condition)}"
        case Entity():
            matching = f" matching “{condition.pattern}”" if condition.pattern else ""
            kinds = _or([kind.replace("_", " ") for kind in condition.kinds])
            times = _often(condition.at_least)
            return f"{who(condition.by)} names {kinds}{matching}{times}{where(condition.within)}"
        case Moment():
            return (
                f"there is {moments_in_words(condition)}{_often(condition.at_least)}{where(condition.within)}"
            )
        case All(conditions):
            return (
                f"({' and '.join(map(in_words, conditions))})"
                if len(conditions) > 1
                else in_words(conditions[0])
            )
        case Any(conditions):
            return (
                f"({' or '.join(map(in_words, conditions))})"
                if len(conditions) > 1
                else in_words(conditions[0])
            )
        case Not(one):
            return f"it is not so that {in_words(one)}"
        case InOrder(conditions):
            return f"in this order: {', then '.join(map(in_words, conditions))}"
        case Each(occurrence, requires):
            return f"each time that {in_words(occurrence)}, {in_words(requires)}"
        case Named(name):
            return "it" if name == THIS else f"“{name}” holds"


def who(roles: Sequence[str]) -> str:
    """Somebody of these roles."""
    return _or([f"the {role}" for role in roles]) if roles else "somebody"


def phrases_in_words(phrases: Phrases) -> str:
    """What is to be said, with the first of each kind."""
    ways = []
    if phrases.exact:
        ways.append(_few(phrases.exact))
    if phrases.lemmas:
        ways.append(f"any form of {_few(phrases.lemmas)}")
    if phrases.patterns:
        ways.append(f"what matches {_few(phrases.patterns)}")
    if phrases.examples:
        ways.append(f"something like {_few(phrases.examples)}")
    return _or(ways)


def briefly(phrases: Phrases) -> str:
    """What is to be said, by an example or two: for a reason that a person reads."""
    if phrases.examples:
        return f"something like {_few(phrases.examples)}"
    if phrases.exact:
        return _few(phrases.exact)
    return phrases_in_words(phrases)


def moments_in_words(condition: Moment) -> str:
    """Which moments are meant."""
    words = _or([kind.replace("_", " ") for kind in condition.kinds])
    if condition.by:
        words += f" by {who(condition.by)}"
    if condition.to:
        words += f" of {who(condition.to)}"
    return words + (f" longer than {condition.longer_than:g} s" if condition.longer_than else "")


def measured(condition: Metric) -> str:
    """What is compared, without what it is compared with."""
    words = f"{condition.column}"
    if condition.by:
        words += f" of {who(condition.by)}"
    if condition.column.table != "calls" and condition.aggregate != "mean":
        words = (
            f"the {condition.aggregate} of {words}"
            if condition.aggregate not in ("any", "every")
            else f"{condition.aggregate} {words}"
        )
    return words + where(condition.within)


def compared(condition: Metric) -> str:
    """What the value has to be."""
    values = [
        str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        for value in condition.comparison.values
    ]
    return f"{_COMPARED[condition.comparison.operator]}{_or(values)}"


def where(window: Window) -> str:
    """The part of the call, with a space before it; empty where it is all of the call."""
    words = []
    if window.first:
        words.append(f"in the first {window.first}")
    if window.last:
        words.append(f"in the last {window.last}")
    limit = f"within {window.seconds:g} s " if window.seconds else ""
    if window.after:
        words.append(f"{limit}after {_place(window.after)}")
    if window.before:
        words.append(f"{'' if window.after else limit}before {_place(window.before)}")
    if window.during:
        words.append(f"while {in_words(window.during)}")
    return "".join(f" {each}" for each in words)


def _said(condition: Said) -> str:
    return f"{phrases_in_words(condition.phrases)}{_often(condition.at_least)}{where(condition.within)}"


def _place(condition: Condition) -> str:
    match condition:
        case Named(name):
            return "it" if name == THIS else f"“{name}”"
        case Moment():
            return moments_in_words(condition)
    return in_words(condition)


def _often(times: int) -> str:
    return f" at least {times} times" if times > 1 else ""


def _few(texts: Sequence[str]) -> str:
    shown = [f"“{text}”" for text in texts[:_FEW]]
    more = len(texts) - _FEW
    return _or(shown) if more <= 0 else f"{', '.join(shown)} or {more} more"


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
