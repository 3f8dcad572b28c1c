"""The language of scorecards and categories: what may be asked of a call, as values.

A condition is a tree of these. What each means is in `data/scorecards/README.md`, how it is found out in
`pipelines.scorecards.judging`.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

Unit = Literal["s", "%", "turns"]
Aggregate = Literal["mean", "median", "min", "max", "sum", "count", "first", "last", "any", "every"]
Operator = Literal["below", "above", "at_least", "at_most", "equals"]

THIS: Final = "it"
"""The name, inside `each`, of the occurrence that is being looked at."""


@dataclass(frozen=True)
class Amount:
    """How much of a call: seconds, percent of its length, or turns."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        """As it is written in a scorecard."""
        return f"{self.value:g} %" if self.unit == "%" else f"{self.value:g} {self.unit}"


@dataclass(frozen=True)
class Window:
    """Where in a call to look: the part that is inside all that are given; the whole call without any.

    `seconds` limits the stretch after `after`, or, without `after`, that before `before`.
    """

    first: Amount | None = None
    last: Amount | None = None
    after: "Condition | None" = None
    before: "Condition | None" = None
    seconds: float | None = None
    during: "Condition | None" = None


@dataclass(frozen=True)
class Phrases:
    """What may be said, in any of these ways.

    `exact` are words and `lemmas` base forms, both in this order, with `…` for up to four words between;
    `patterns` are regular expressions; `examples` are sentences of whose meaning one has to have at least
    `threshold` (cosine similarity), and more than of that of any of `unlike`.
    """

    exact: tuple[str, ...] = ()
    lemmas: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    threshold: float = 0.0


@dataclass(frozen=True)
class Said:
    """One of the phrases is said, at least so many times, by one of these roles (by anybody without)."""

    phrases: Phrases
    by: tuple[str, ...] = ()
    within: Window = field(default_factory=Window)
    at_least: int = 1


@dataclass(frozen=True)
class Comparison:
    """What a value has to be. `equals` holds any of several; all other operators hold one number."""

    operator: Operator
    values: tuple[float | str | bool, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table, or, with `key`, a member of a column that holds a map or a list."""

    table: Literal["calls", "speakers", "turns"]
    name: str
    key: str | int | None = None

    def __str__(self) -> str:
        """As it is written in a scorecard."""
        if self.key is None:
            return f"{self.table}.{self.name}"
        return (
            f"{self.table}.{self.name}[{self.key}]"
            if isinstance(self.key, int)
            else f"{self.table}.{self.name}.{self.key}"
        )


@dataclass(frozen=True)
class Metric:
    """A column, aggregated over the rows of these roles within the window, compares so."""

    column: Column
    comparison: Comparison
    by: tuple[str, ...] = ()
    within: Window = field(default_factory=Window)
    aggregate: Aggregate = "mean"


@dataclass(frozen=True)
class Entity:
    """Somebody of these roles names an entity of these kinds whose text the pattern is found in."""

    kinds: tuple[str, ...]
    pattern: str = ""
    by: tuple[str, ...] = ()
    within: Window = field(default_factory=Window)
    at_least: int = 1


@dataclass(frozen=True)
class Moment:
    """There are moments of these kinds: by these roles, to these others, and as long as this."""

    kinds: tuple[str, ...]
    by: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    longer_than: float = 0.0
    within: Window = field(default_factory=Window)
    at_least: int = 1


@dataclass(frozen=True)
class All:
    """All of them hold."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Any:
    """At least one of them holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """It does not hold."""

    condition: "Condition"


@dataclass(frozen=True)
class InOrder:
    """All of them occur, each after the one before it has ended."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Each:
    """Wherever the one occurs, the other holds; in the other, `it` is that occurrence."""

    occurrence: "Condition"
    requires: "Condition"


@dataclass(frozen=True)
class Named:
    """What the criterion or condition of this name says, or `it`."""

    name: str


Condition = Said | Metric | Entity | Moment | All | Any | Not | InOrder | Each | Named


def parts(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that a condition is made of, those of its window included."""
    match condition:
        case All(conditions) | Any(conditions) | InOrder(conditions):
            return conditions
        case Not(one):
            return (one,)
        case Each(occurrence, requires):
            return (occurrence, requires)
        case Said() | Metric() | Entity() | Moment():
            window = condition.within
            return tuple(each for each in (window.after, window.before, window.during) if each)
        case Named():
            return ()
