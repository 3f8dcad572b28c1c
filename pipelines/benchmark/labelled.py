"""Recordings with references: which they are, and what was said in each."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from models.errors import UsageError
from pipelines.evaluation.document import Document
from pipelines.evaluation.formats import FORMATS, Documents
from pipelines.failures import RecordingFailure
from pipelines.recording import Recording, identify
from pipelines.sources import Source, find_sources

REFERENCE_FOLDERS = ("reference", "references", "truth")
_BESIDE = sorted(FORMATS.keys() - {".json"})
"""Suffixes of references beside recordings; a JSON file there is the recording's metadata."""


@dataclass(frozen=True)
class Labelled:
    """A recording and its reference.

    `name` is its path below the folder that all arguments share, and `folder`, the part of it that tells
    one set of recordings from another, is a fact of the reference too.
    """

    name: str
    folder: str
    recording: Recording
    reference: Document


@dataclass(frozen=True)
class LabelledCalls:
    """The recordings that have references, the names of those without, and why others cannot be read."""

    calls: tuple[Labelled, ...]
    without_reference: tuple[str, ...]
    unreadable: Mapping[str, RecordingFailure]


def find_labelled(arguments: Sequence[Path], references: Sequence[Path] = ()) -> LabelledCalls:
    """The recordings in folders, or single ones, that have references.

    A reference goes by the name of its recording. It is among `references` or, where none are given, beside
    the recording, or in a folder `reference` or a file `reference.*` in the recording's folder or one above
    it, up to the one above the argument's. What metadata says of the number of speakers is forgotten: other
    systems do not read it. Raises UsageError where no recording has a reference.
    """
    known = cache(_references_in)
    given = Documents(references) if references else None
    base = Path(os.path.commonpath([_top(argument) for argument in arguments]))
    calls: list[Labelled] = []
    without: list[str] = []
    unreadable: dict[str, RecordingFailure] = {}
    for source, above in _sources(arguments):
        path = _absolute(source.path)
        name = path.relative_to(base).as_posix()
        reference = _reference(path, above, known) if given is None else given.get(path.stem)
        if reference is None:
            without.append(name)
            continue
        try:
            recording = identify(source)
        except RecordingFailure as failure:
            unreadable[name] = failure
            continue
        metadata = replace(recording.metadata, speakers=None)
        folder = _set_of(path.parent, base)
        facts = {**reference.facts, "folder": folder}
        calls.append(
            Labelled(
                name,
                folder,
                replace(recording, metadata=metadata),
                replace(reference, call=name, facts=facts),
            )
        )
    if not calls and not unreadable:
        raise UsageError(
            f"No recording in {', '.join(map(str, arguments))} has a reference. Put NAME.stm beside "
            f"NAME.wav or into a folder `reference`, or give --reference; {', '.join(FORMATS)} are read."
        )
    return LabelledCalls(tuple(calls), tuple(without), unreadable)


def _sources(arguments: Sequence[Path]) -> Iterator[tuple[Source, Path]]:
    """Each recording once, and the folder above the one that the argument is or is in."""
    seen: set[Path] = set()
    for argument in arguments:
        for source in find_sources([str(argument)]):
            path = _absolute(source.path)
            below = path.relative_to(_top(argument)).parts
            if path not in seen and not set(below).intersection(REFERENCE_FOLDERS):
                seen.add(path)
                yield source, _top(argument).parent


def _reference(path: Path, above: Path, known: Callable[[Path], Documents]) -> Document | None:
    beside = [path.with_suffix(suffix) for suffix in _BESIDE]
    if found := Documents(file for file in beside if file.is_file() and file != path):
        return found[path.stem]
    for folder in [path.parent, *path.parent.parents]:
        if path.stem in known(folder):
            return known(folder)[path.stem]
        if folder == above:
            break
    return None


def _references_in(folder: Path) -> Documents:
    """The references in a folder's folders and files of that name."""
    folders = [folder / name for name in REFERENCE_FOLDERS if (folder / name).is_dir()]
    files = [folder / f"reference{suffix}" for suffix in FORMATS]
    return Documents([*folders, *(file for file in files if file.is_file())])


def _set_of(folder: Path, base: Path) -> str:
    """The set that a folder is, below the base, in whose name `audio` says nothing."""
    named = folder.parent if folder.name == "audio" else folder
    return named.relative_to(base).as_posix() if named != base and base in named.parents else named.name


def _top(argument: Path) -> Path:
    path = _absolute(argument)
    return path if path.is_dir() else path.parent


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
