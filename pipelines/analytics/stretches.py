"""Sets of time: what two of them share, what one has beyond the other.

Every set is given and returned as intervals in order that do not touch or overlap, as `merge` makes them.
"""

from collections.abc import Sequence

from models.speech import Interval
from pipelines.speakers import merge

Stretches = tuple[Interval, ...]
"""A set of time."""


def seconds(stretches: Sequence[Interval]) -> float:
    """How long all of it is."""
    return sum(stretch.duration for stretch in stretches)


def shared(first: Sequence[Interval], second: Sequence[Interval]) -> Stretches:
    """The time that is in both."""
    found: list[Interval] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i].start, second[j].start), min(first[i].end, second[j].end)
        if end > start:
            found.append(Interval(start, end))
        if first[i].end <= second[j].end:
            i += 1
        else:
            j += 1
    return tuple(found)


def beyond(first: Sequence[Interval], second: Sequence[Interval]) -> Stretches:
    """The time of `first` that is not in `second`."""
    if not first:
        return ()
    return shared(first, gaps(second, first[0].start, first[-1].end))


def gaps(stretches: Sequence[Interval], start: float, end: float) -> Stretches:
    """The time from `start` to `end` that is in none of the stretches."""
    edges = [start]
    for stretch in stretches:
        edges += [max(start, min(end, stretch.start)), max(start, min(end, stretch.end))]
    edges.append(end)
    return tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a)


def joined(stretches: Sequence[Interval], pause_s: float) -> Stretches:
    """The stretches with the pauses of up to `pause_s` between them filled."""
    found: list[Interval] = []
    for stretch in merge(stretches):
        if found and stretch.start - found[-1].end <= pause_s:
            found[-1] = Interval(found[-1].start, stretch.end)
        else:
            found.append(stretch)
    return tuple(found)
