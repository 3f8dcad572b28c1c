"""Scorecards, categories and the set of them that calls are judged by, as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.scorecards.conditions import Condition, Entity, Said, parts


@dataclass(frozen=True)
class Thresholds:
    """Confidences below which a person has to judge: of words, of who speaks, and of the speaker's role."""

    word: float = 0.5
    speaker: float = 0.5
    role: float = 0.5


@dataclass(frozen=True)
class Applies:
    """The calls that a card is for: column of `calls`, or `metadata.NAME`, to the values it may have."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Criterion:
    """A question about a call, worth `points` where the answer is a pass.

    `weight` is that of a point of it in the whole card: the section's times its own. `applies_if` are the
    conditions that all have to hold for the question to make sense.
    """

    name: str
    question: str
    points: float
    weight: float
    critical: bool
    applies_if: tuple[Condition, ...]
    pass_if: Condition


@dataclass(frozen=True)
class Section:
    """Criteria that belong together."""

    name: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Scorecard:
    """A scorecard, as its file has it. `named` are its criteria and conditions by name."""

    name: str
    version: str
    title: str
    applies_to: Applies
    thresholds: Thresholds
    sections: tuple[Section, ...]
    named: Mapping[str, Condition]
    path: Path
    sha256: str

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """The criteria of all sections, in order."""
        return tuple(criterion for section in self.sections for criterion in section.criteria)


@dataclass(frozen=True)
class Category:
    """A category, as its file has it: `when` says which calls are of it, `points_of_interest` where.

    Without `points_of_interest` they are the evidence of `when`.
    """

    name: str
    version: str
    title: str
    applies_to: Applies
    thresholds: Thresholds
    when: Condition
    points_of_interest: Condition | None
    named: Mapping[str, Condition]
    path: Path
    sha256: str


@dataclass(frozen=True)
class Rulebook:
    """All that calls are judged by."""

    scorecards: tuple[Scorecard, ...] = ()
    categories: tuple[Category, ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """The sentences whose meaning is asked for, each once, in order."""
        found: dict[str, None] = {}
        for condition in self._conditions():
            if isinstance(condition, Said):
                found.update(dict.fromkeys((*condition.phrases.examples, *condition.phrases.unlike)))
        return tuple(found)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The regular expressions of all cards, each once, in order."""
        found: dict[str, None] = {}
        for condition in self._conditions():
            if isinstance(condition, Said):
                found.update(dict.fromkeys(condition.phrases.patterns))
            elif isinstance(condition, Entity) and condition.pattern:
                found[condition.pattern] = None
        return tuple(found)

    def _conditions(self) -> Iterator[Condition]:
        waiting: list[Condition] = []
        for card in self.scorecards:
            waiting += card.named.values()
            waiting += [each for criterion in card.criteria for each in criterion.applies_if]
        for category in self.categories:
            waiting += [category.when, *category.named.values()]
            waiting += [category.points_of_interest] if category.points_of_interest else []
        while waiting:
            condition = waiting.pop()
            yield condition
            waiting += parts(condition)
