"""Reading files of lines, so that a line that is wrong is named with what was expected of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from models.errors import UsageError

T = TypeVar("T")


def text_of(path: Path) -> str:
    """The text of a file in UTF-8. Raises UsageError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: expected text in UTF-8. Save the file as UTF-8.") from error


def lines_of(path: Path) -> list[str]:
    """The lines of a file in UTF-8, without what ends them. Raises UsageError.

    `str.splitlines` would also split where a text has U+2028 or U+0085, which end no line of a file.
    """
    return text_of(path).removesuffix("\n").split("\n")


def parsed_lines(
    path: Path, expected: str, parse: Callable[[str], T | None], comment: str = ";"
) -> Iterator[T]:
    """What `parse` makes of each line that is neither blank nor a comment; None is left out.

    Raises UsageError, which says what was `expected`, where `parse` raises ValueError.
    """
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip() or (comment and line.lstrip().startswith(comment)):
            continue
        try:
            parsed = parse(line)
        except ValueError as error:
            complain(path, number, expected, line, error)
        if parsed is not None:
            yield parsed


def complain(path: Path, line: int, expected: str, found: str, cause: Exception | None = None) -> NoReturn:
    """Raises the UsageError for a line that is not what it should be."""
    found = found.strip()
    raise UsageError(
        f'{path}, line {line}: expected {expected}, found "{found[:80]}{"…" if len(found) > 80 else ""}".'
    ) from cause
