"""What a metric finds in a call, as values that add up over calls: rates are made of the sums only."""

from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Sum:
    """A value whose fields are added when it is."""

    @property
    def counts(self) -> tuple[Any, ...]:
        """The fields in order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: Self) -> Self:
        return type(self)(*(one + another for one, another in zip(self.counts, other.counts, strict=True)))

    def __radd__(self, zero: int) -> Self:
        # `sum` begins with 0.
        return self if zero == 0 else NotImplemented


@dataclass(frozen=True)
class Rate(Sum):
    """Counts of several kinds over a length, which is the last field."""

    @property
    def rate(self) -> float | None:
        """The counts together, divided by the length; None where the length is 0."""
        *counts, length = self.counts
        return sum(counts) / length if length else None


@dataclass(frozen=True)
class ErrorRate(Rate):
    """Words, or characters, that are wrong, of `length` in the reference."""

    substitutions: int
    deletions: int
    insertions: int
    length: int


@dataclass(frozen=True)
class DiarizationError(Rate):
    """Seconds that are wrong, of `length` seconds of speech in the reference, each speaker's counted."""

    missed: float
    false_alarm: float
    confusion: float
    length: float


@dataclass(frozen=True)
class Share(Rate):
    """So many of, or in, so much."""

    count: float
    length: float


@dataclass(frozen=True)
class TimeErrors(Sum):
    """How far the start and the end of each matched word are from those of the reference, in seconds."""

    starts: tuple[float, ...]
    ends: tuple[float, ...]
