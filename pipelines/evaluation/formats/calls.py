"""Which call a line is about: the one it names, or the one its file is named after."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def by_call(path: Path, lines: Iterable[tuple[str, T]]) -> list[tuple[str, list[T]]]:
    """What a file says of each call that it names.

    A file about one call is about the call that it is named after, whatever its lines say: calls are known
    by the names of their recordings.
    """
    found: dict[str, list[T]] = {}
    for call, parsed in lines:
        found.setdefault(call, []).append(parsed)
    if len(found) <= 1:
        return [(path.stem, next(iter(found.values()), []))]
    return list(found.items())
