"""Our own tables: the calls of a store, each read when it is asked for."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from pipelines.evaluation.document import Document, Span, Word
from pipelines.query import query
from pipelines.store import Store


def is_store(path: Path) -> bool:
    """Whether a folder is a store."""
    return (path / "callfolio-store.json").exists()


def store_calls(root: Path) -> list[tuple[str, "partial[Document]"]]:
    """The name of the recording of each call, and what reads the call. Raises UsageError, StoreError."""
    store = Store(root, create=False)
    known = query(store, "select call_id, source from calls order by source").to_pylist()
    names = [(row["call_id"], PurePath(row["source"]).stem) for row in known]
    return [(name, partial(_read, store, call_id, name)) for call_id, name in names]


def _read(store: Store, call_id: str, name: str) -> Document:
    rows = store.read_call(call_id)
    words = tuple(
        Word(row["word"], row["speaker"], row["start_s"], row["end_s"], row["speaker_confidence"])
        for row in rows.words
    )
    return Document(
        name,
        f"{rows.call['source']} in {store.root}",
        words,
        tuple(
            Span(at["start_s"], at["end_s"], row["speaker"])
            for row in rows.speakers
            for at in row["diarization"]
        ),
        word_times=True,
        roles={row["speaker"]: row["role"] for row in rows.speakers},
        language=rows.call["language"],
        facts=_facts(rows.call),
    )


def _facts(call: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `calls`, each entry of its maps, and the share of the call in which people overlap.

    Lists of anything but texts are nothing to slice by.
    """
    facts: dict[str, Any] = {"overlap_share": call["overlap_s"] / max(call["duration_s"], 1e-9)}
    for column, value in call.items():
        if isinstance(value, Mapping):
            facts |= {f"{column}.{key}": entry for key, entry in value.items()}
        elif not isinstance(value, list):
            facts[column] = value
        elif all(isinstance(entry, str) for entry in value):
            facts[column] = ", ".join(value) or "none"
    return facts
