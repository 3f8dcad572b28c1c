"""Stores of earlier versions of the tables, brought up to the present one.

Each day of each table is made anew in one step (see `pipelines.store.days`), `calls` after its parts, and
the marker of the store last: a migration that was killed goes on with what is left. What an earlier version
did not find out of a call is null where the column may be, else an empty list or map, `""` or 0, and
`calls.analysis_notes` names each such column and table with `NOT_KNOWN`. Such calls keep their
`settings_sha256`, which is none of the present one's: `callfolio run` with their recordings processes them
again, and they are then as any other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from models.errors import UsageError
from pipelines.store import disk
from pipelines.store.days import JUDGED, PARTS, Change, Days
from pipelines.store.disk import StoreError
from pipelines.store.locks import Locks
from pipelines.store.marker import MARKER, marker_bytes, version_of
from pipelines.store.parquet import (
    is_merged,
    parquet_bytes,
    read_rows,
    read_table,
    schema_of,
    split,
    table_bytes,
    write_merged,
)
from pipelines.tables import PARTITION, QUARTERS, SCHEMA_VERSION, TABLES, Row

NOT_KNOWN: Final = (
    "Not known: the call was processed by an earlier version. Process its recording again to have it."
)

_LEAST_TALK_S: Final = 0.5
_NOT_KNOWN_OF_1: Final = (
    "non_talk_s",
    "hold_s",
    "music_s",
    "dead_air_start_s",
    "dead_air_end_s",
    "interruptions",
    "topic",
    "topic_score",
    "topics",
    "reason",
    "outcome",
    "next_steps",
    "examples_sha256",
    "turns.words_per_minute",
    "turns.loudness_dbfs",
    "turns.fillers",
    "turns.response_s",
    "turns.sentiment",
    "turns.key_phrases",
    "turns.questions",
    "speakers.diarization",
    "speakers.longest_monologue_s",
    "speakers.interruptions",
    "speakers.interruption_s",
    "speakers.interrupted",
    "speakers.backchannels",
    "speakers.overlap_s",
    "speakers.response_median_s",
    "speakers.response_p90_s",
    "speakers.fillers",
    "speakers.filler_rate",
    "speakers.loudness_dbfs",
    "speakers.loudness_by_second",
    "speakers.clipped_share",
    "speakers.sentiment",
    "speakers.sentiment_by_quarter",
    "speakers.sentiment_change",
    "speakers.questions",
    "moments",
    "sentences",
    "entities",
    "scores",
    "categories",
)
"""What the tables of version 2 have and those of version 1 neither had nor tell."""


@dataclass(frozen=True)
class Migrated:
    """What a migration did: the versions, and how many files were made anew."""

    before: int
    after: int
    files: int


def migrate(root: Path, tell: Callable[[str], None] | None = None) -> Migrated:
    """Bring the store in a folder up to the present version of the tables.

    `tell` hears each day. Nobody may be writing to the store with an earlier version of Callfolio. Raises
    UsageError where there is no store, or a newer one, and StoreError.
    """
    with disk.storing(root):
        root = root.resolve()
        version = version_of(root / MARKER) if (root / MARKER).exists() else None
        if version is None:
            raise UsageError(f"There is no store at {root} whose version can be told. Name another folder.")
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"The store {root} has tables of version {version}, and this is Callfolio for version "
                f"{SCHEMA_VERSION}. Update Callfolio."
            )
        if version == SCHEMA_VERSION:
            return Migrated(version, version, 0)
        locks, days, files = Locks(root), Days(root), 0
        with locks.upkeep(), locks.exclusive():
            days.recover()
            for day in sorted({folder.name for name in TABLES for folder in days.folders(name)}):
                if tell:
                    tell(day.removeprefix(f"{PARTITION}="))
                folder = disk.temporary(root / "tmp", "migration")
                changes = _changes(days, day, version, folder)
                if days.swap(changes):
                    raise StoreError(
                        f"Somebody is writing to {root} with an earlier version of Callfolio. Stop that, and "
                        "migrate again."
                    )
                files += sum(len(change.staged) for change in changes)
                disk.remove([folder])
            disk.publish(disk.stage(root / "tmp", MARKER, marker_bytes()), root / MARKER)
        days.discard(wait=True)
    return Migrated(version, SCHEMA_VERSION, files)


def _changes(days: Days, day: str, version: int, folder: Path) -> Sequence[Change]:
    """What the tables of a day are to lose and to get."""
    without: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in TABLES}
    staged: dict[str, dict[str, Path]] = {name: {} for name in TABLES}
    for name in (*PARTS, "calls", "failures", "runs"):
        of_table = days.tables / name / day
        for path in sorted(of_table.glob("*.parquet")):
            if _is_present(name, path):
                continue
            without[name][path.name] = disk.stamp_of(path)
            if is_merged(path):
                table = _filled(name, read_table(path))
                rows = [of_key for _, of_key in split(name, table)]
                staged[name] |= {file.name: file.path for file in write_merged(name, rows, folder / name)}
            elif version > 1 or name not in ("calls", *PARTS):
                content = table_bytes(name, _filled(name, read_table(path)))
                staged[name][path.name] = disk.stage(folder, name, content)
    if version == 1:
        for path in sorted((days.tables / "calls" / day).glob("*.parquet")):
            if _is_present("calls", path):
                continue
            for name, of_call in _from_1(days.tables, day, path.name).items():
                if (own := days.tables / name / day / path.name).exists():
                    without[name][path.name] = disk.stamp_of(own)
                content = parquet_bytes(name, of_call, path.stem)
                staged[name][path.name] = disk.stage(folder, name, content)
    order = (*PARTS, "calls", "failures", "runs")
    return [Change(name, day, without[name], staged[name]) for name in order if staged[name]]


def _is_present(name: str, path: Path) -> bool:
    """Whether a file has the present columns of its table."""
    return [(field.name, field.type, field.nullable) for field in schema_of(path)] == [
        (field.name, field.type, field.nullable) for field in TABLES[name].schema
    ]


def _filled(name: str, table: pa.Table) -> pa.Table:
    """A table with the present columns: what it lacks is null, or empty where it may not be null."""
    columns = []
    for field in TABLES[name].schema:
        if field.name == "schema_version" and name == "calls":
            columns.append(pa.array([SCHEMA_VERSION] * table.num_rows, field.type))
        elif field.name in table.column_names:
            columns.append(table.column(field.name).cast(field.type))
        else:
            empty = None if field.nullable else _empty(field.type)
            columns.append(pa.array([empty] * table.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=TABLES[name].schema)


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    if pa.types.is_string(kind):
        return ""
    return False if pa.types.is_boolean(kind) else 0


def _from_1(tables: Path, day: str, name: str) -> Mapping[str, Sequence[Row]]:
    """The rows of a call of version 1, which had calls, words, turns and speakers only, as of version 2.

    Of what is new, that is computed which follows from what is there. Measured on the sound, or found by
    models that version 1 did not have, is all the rest.
    """
    [call] = read_rows(tables / "calls" / day / name)
    words, turns, speakers = (
        read_rows(tables / part / day / name) for part in ("words", "turns", "speakers")
    )
    talk_s = sum(row["talk_s"] for row in speakers)
    known = {
        "overlap_share": min(1.0, call["overlap_s"] / call["speech_s"]) if call["speech_s"] else 0.0,
        "first_agent_word_s": _first([row for row in words if row["role"] in ("agent", "doctor")]),
        "first_customer_word_s": _first([row for row in words if row["role"] in ("customer", "patient")]),
    }
    of_speakers = []
    for row in speakers:
        own = [turn["end_s"] - turn["start_s"] for turn in turns if turn["speaker"] == row["speaker"]]
        of_speakers.append(
            {
                **_row("speakers", row),
                "talk_share": row["talk_s"] / talk_s if talk_s else 0.0,
                "longest_turn_s": max(own, default=0.0),
                "mean_turn_s": sum(own) / len(own) if own else 0.0,
                "words_per_minute": (
                    row["words"] * 60 / row["talk_s"] if row["talk_s"] >= _LEAST_TALK_S else None
                ),
                "first_word_s": _first([word for word in words if word["speaker"] == row["speaker"]]),
                "sentiment_by_quarter": [None] * QUARTERS,
            }
        )
    moved = {**_row("calls", call), **known, "schema_version": SCHEMA_VERSION}
    moved["analysis_notes"] = dict.fromkeys(_NOT_KNOWN_OF_1, NOT_KNOWN)
    found = {
        part: [_row(part, row) for row in read_rows(path)]
        for part in PARTS
        if (path := tables / part / day / name).exists()
    }
    return {
        **{part: found.get(part, ()) for part in PARTS if part not in JUDGED or part in found},
        "words": [_row("words", row) for row in words],
        "turns": [_row("turns", row) for row in turns],
        "speakers": of_speakers,
        "calls": [moved],
    }


def _row(name: str, row: Row) -> dict[str, Any]:
    """A row with the present columns."""
    return {
        field.name: row[field.name] if field.name in row else None if field.nullable else _empty(field.type)
        for field in TABLES[name].schema
    }


def _first(words: Sequence[Row]) -> float | None:
    return min((word["start_s"] for word in words), default=None)
