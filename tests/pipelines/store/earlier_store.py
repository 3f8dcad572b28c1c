"""A store as the first version of the tables had it, written out as data."""

import datetime as dt
import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from made_rows import DAY, made_call, made_failure, made_run

from pipelines.store.parquet import source_key

TYPES: Final = {
    "string": pa.string(),
    "int32": pa.int32(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "list": pa.list_(pa.string()),
    "map": pa.map_(pa.string(), pa.string()),
    "map_double": pa.map_(pa.string(), pa.float64()),
}
VERSION_1: Final = {
    "calls": """
        call_id:string source:string source_sha256:string started_at:timestamp started_at_source:string
        duration_s:double channels:int32 channel_mode:string sample_rate:int32 codec:string kind:string
        language:string language_confidence:double agent_id:string customer_id:string queue:string
        direction:string metadata:map speaker_count:int32 word_count:int32 turn_count:int32
        speech_s:double silence_s:double overlap_s:double uncovered_speech_s:double snr_db:double?
        damage:string review_flags:list profile:string models:map settings_sha256:string
        pipeline_version:string schema_version:int32 run_id:string processed_at:timestamp
        stage_s:map_double
    """,
    "turns": """
        call_id:string turn:int32 speaker:string role:string start_s:double end_s:double text:string
        word_count:int32 word_confidence:double speaker_confidence:double overlap_s:double
    """,
    "words": """
        call_id:string turn:int32 position:int32 word:string start_s:double end_s:double
        confidence:double timing_source:string speaker:string role:string speaker_confidence:double
        speaker_source:string overlapped:bool
    """,
    "speakers": """
        call_id:string speaker:string role:string role_confidence:double channel:int32 talk_s:double
        turns:int32 words:int32 word_confidence:double speaker_confidence:double
    """,
    "failures": """
        call_id:string source:string source_sha256:string reason:string message:string retryable:bool
        attempts:int32 settings_sha256:string run_id:string failed_at:timestamp
    """,
    "runs": """
        run_id:string started_at:timestamp finished_at:timestamp? command:string host:string pid:int32
        profile:string settings:string settings_sha256:string models:map versions:map sources:int32
        processed:int32 skipped:int32 set_aside:int32 audio_s:double wall_s:double status:string
    """,
}
"""The tables of version 1: column and type, with a question mark where it may be null."""


def schema_1(name: str) -> pa.Schema:
    columns = [each.split(":") for each in VERSION_1[name].split()]
    return pa.schema(
        [pa.field(name, TYPES[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in columns]
    )


def write_1(root: Path, name: str, day: dt.date, key: str, rows: list[dict[str, Any]]) -> None:
    """A file as version 1 wrote it."""
    schema = schema_1(name)
    table = pa.Table.from_pylist([{each: row[each] for each in schema.names} for row in rows], schema=schema)
    path = root / "tables" / name / f"call_date={day}" / f"{key}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"schema_version": "1"})


def store_of_version_1(root: Path) -> Path:
    """Two calls of two days, of which one has no words, a failure and a run."""
    for folder in ("tables", "tmp", "locks"):
        (root / folder).mkdir(parents=True)
    for made in (made_call("a"), made_call("b", day=1, turns=0)):
        call = {**made.call, "schema_version": 1}
        day, key = call["call_date"], call["call_id"]
        for name in ("words", "turns", "speakers"):
            write_1(root, name, day, key, [dict(row) for row in getattr(made, name)])
        write_1(root, "calls", day, key, [call])
    write_1(
        root,
        "failures",
        DAY.date(),
        source_key("calls/c.wav"),
        [{**made_failure("calls/c.wav"), "attempts": 2}],
    )
    run = made_run()
    write_1(root, "runs", DAY.date(), run["run_id"], [run])
    (root / "callfolio-store.json").write_text(json.dumps({"schema_version": 1}))
    return root
