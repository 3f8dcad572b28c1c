"""Which call a line is about: the one it names, or the one its file is named after."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pipelines.evaluation.document import Document

T = TypeVar("T")


def by_call(
    path: Path, lines: Iterable[tuple[str, T]], document: Callable[[str, list[T]], Document]
) -> list[Document]:
    """What `document` makes of all that a file says of each call that it names.

    A file about one call is about the call that it is named after, whatever its lines say: calls are known
    by the names of their recordings. The name in the lines is kept beside it.
    """
    found: dict[str, list[T]] = {}
    for call, one in lines:
        found.setdefault(call, []).append(one)
    if len(found) <= 1:
        [(named, parsed)] = found.items() or [("", [])]
        return [replace(document(path.stem, parsed), named=named)]
    return [document(call, parsed) for call, parsed in found.items()]
