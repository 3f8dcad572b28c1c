"""The formats that transcripts are read from, one file each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Final
from unicodedata import normalize

from models.errors import UsageError
from pipelines.evaluation.document import Document
from pipelines.evaluation.formats.ctm import read_ctm
from pipelines.evaluation.formats.rttm import read_rttm, read_uem
from pipelines.evaluation.formats.seglst import read_json
from pipelines.evaluation.formats.stm import read_stm
from pipelines.evaluation.formats.tables import is_store, store_calls
from pipelines.evaluation.formats.tsv import read_tsv
from pipelines.evaluation.formats.webvtt import read_webvtt

FORMATS: Final[Mapping[str, Callable[[Path], list[Document]]]] = {
    ".stm": read_stm,
    ".ctm": read_ctm,
    ".rttm": read_rttm,
    ".uem": read_uem,
    ".json": read_json,
    ".tsv": read_tsv,
    ".vtt": read_webvtt,
}


class Documents(Mapping[str, Document]):
    """The calls of several files, folders and stores by their names; those of a store are read on demand."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Read files, the files in folders whose suffixes are known, and lists of what stores have.

        Raises UsageError when there is nothing to read, or when a file is not what it should be.
        """
        self._parts: dict[str, list[Callable[[], Document]]] = defaultdict(list)
        self.named: dict[str, str] = {}
        """What files about one call name it, by the name of the file, which is the name of the call."""
        for path in paths:
            for call, named, read in _calls_in(path):
                self._parts[_composed(call)].append(read)
                if named:
                    self.named[_composed(call)] = _composed(named)

    def __getitem__(self, call: str) -> Document:
        """All that the sources say of a call. Raises UsageError when two of them give the same of it."""
        if call not in self._parts:
            raise KeyError(call)
        return reduce(_together, (read() for read in self._parts[call]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __contains__(self, call: object) -> bool:
        # Mapping's would read the call.
        return call in self._parts

    def __len__(self) -> int:
        return len(self._parts)


def _composed(name: str) -> str:
    """A name in Unicode's form C: some file systems keep those of files in form D."""
    return normalize("NFC", name)


def _calls_in(path: Path) -> Sequence[tuple[str, str, Callable[[], Document]]]:
    """Each call with the name that its file gives it, where it does, and what reads it."""
    if path.is_dir() and is_store(path):
        return [(call, "", read) for call, read in store_calls(path)]
    known = ", ".join(FORMATS)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in FORMATS)
        if not files:
            raise UsageError(f"The folder {path} is no store and has no file that ends in {known}.")
    elif path.suffix.lower() in FORMATS:
        files = [path]
    else:
        raise UsageError(f"{path} is neither a folder nor a store nor a file that ends in {known}.")
    documents = [document for file in files for document in FORMATS[file.suffix.lower()](file)]
    return [(document.call, document.named, lambda of=document: of) for document in documents]  # type: ignore[misc]


def _together(one: Document, other: Document) -> Document:
    """Both, of the same call. Speech that comes with words gives way to speech that comes alone."""
    for what in ("words", "scored"):
        if getattr(one, what) is not None and getattr(other, what) is not None:
            raise UsageError(
                f"Both {one.source} and {other.source} give the {what} of the call {one.call}. "
                "Name only one of them."
            )
    if one.words is None:
        one, other = other, one
    if one.words is None and one.speech is not None and other.speech is not None:
        raise UsageError(
            f"Both {one.source} and {other.source} give the speech of the call {one.call}. "
            "Name only one of them."
        )
    return replace(
        one,
        speech=one.speech if other.speech is None else other.speech,
        scored=one.scored if other.scored is None else other.scored,
    )
