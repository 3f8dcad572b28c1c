import re
import subprocess
import sys

import pyarrow as pa
import pytest

from pipelines.tables import CALLS, SCHEMA_VERSION, SCORES, TABLES, Column, Table, reference_markdown

PROMISED = {
    "calls": "call_id source source_sha256 started_at duration_s channels channel_mode sample_rate codec "
    "kind language language_confidence agent_id customer_id queue direction metadata speaker_count "
    "word_count turn_count speech_s silence_s overlap_s uncovered_speech_s snr_db review_flags profile "
    "models settings_sha256 pipeline_version schema_version run_id processed_at stage_s started_at_source "
    "damage non_talk_s hold_s music_s dead_air_start_s dead_air_end_s interruptions overlap_share "
    "first_agent_word_s first_customer_word_s analysis_notes topic topic_score topics reason outcome "
    "next_steps examples_sha256",
    "turns": "call_id turn speaker role start_s end_s text word_count word_confidence speaker_confidence "
    "overlap_s words_per_minute loudness_dbfs fillers response_s sentiment key_phrases questions",
    "words": "call_id turn position word start_s end_s confidence timing_source speaker role "
    "speaker_confidence speaker_source overlapped",
    "speakers": "call_id speaker role role_confidence channel talk_s turns words talk_share longest_turn_s "
    "mean_turn_s longest_monologue_s interruptions interruption_s interrupted backchannels overlap_s "
    "response_median_s response_p90_s words_per_minute fillers filler_rate first_word_s loudness_dbfs "
    "loudness_by_second clipped_share sentiment sentiment_by_quarter sentiment_change questions diarization",
    "moments": "call_id kind start_s end_s speaker other_speaker turn value",
    "sentences": "call_id turn sentence speaker role text start_char end_char start_s end_s lemmas question "
    "embedding",
    "entities": "call_id turn speaker kind text start_char end_char start_s end_s score detector",
    "failures": "call_id source source_sha256 reason message retryable attempts settings_sha256 run_id "
    "failed_at",
    "runs": "run_id started_at finished_at command host pid profile settings settings_sha256 models versions "
    "sources processed skipped set_aside audio_s wall_s status",
}
COLUMNS = [
    pytest.param(table, column, id=f"{table.name}.{column.name}")
    for table in TABLES.values()
    for column in table.columns
]
READ_BY_ALL = [
    pa.string(),
    pa.float64(),
    pa.int32(),
    pa.bool_(),
    pa.timestamp("us", tz="UTC"),
    pa.list_(pa.string()),
    SCORES.schema.field("evidence").type,
    pa.list_(pa.float64()),
    pa.list_(pa.float32()),
    pa.list_(pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])),
    pa.struct([("turn", pa.int32()), ("sentence", pa.int32()), ("text", pa.string())]),
    pa.list_(pa.struct([("turn", pa.int32()), ("sentence", pa.int32()), ("text", pa.string())])),
    pa.list_(pa.struct([("topic", pa.string()), ("score", pa.float64())])),
    pa.map_(pa.string(), pa.string()),
    pa.map_(pa.string(), pa.float64()),
]


@pytest.mark.parametrize(("name", "columns"), PROMISED.items())
def test_no_promised_column_is_lacking(name: str, columns: str) -> None:
    assert set(columns.split()) <= set(TABLES[name].schema.names)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_has_a_type_that_every_reader_knows_and_a_definition(table: Table, column: Column) -> None:
    assert column.type in READ_BY_ALL
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
    assert column.description.endswith(".")
    field = table.schema.field(column.name)
    assert (field.type, field.nullable) == (column.type, column.nullable)
    assert field.metadata == {b"description": column.meaning.encode()}


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_says_its_unit_and_what_null_means(table: Table, column: Column) -> None:  # noqa: ARG001
    if column.name.endswith("_s"):
        assert re.search("second", column.description, re.IGNORECASE) or "`duration_s`" in column.description
    if column.name.endswith("confidence"):
        assert "0 to 1" in column.description
    if column.name.endswith("_db"):
        assert "dB" in column.description
    if column.type == pa.timestamp("us", tz="UTC"):
        assert "UTC" in column.description
    assert column.nullable == ("Null" in column.description)


def test_columns_of_one_name_have_one_type_in_every_table() -> None:
    types: dict[str, set[str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            types.setdefault(column.name, set()).add(str(column.type))
    # `speakers.turns` and `speakers.words` are counts, as are the columns of `runs`.
    # `calls.reason` is a sentence of the call; `failures.reason` a short name for what went wrong.
    assert {name for name, found in types.items() if len(found) > 1} == {"reason"}


def test_the_date_is_a_column_for_readers_and_not_in_the_files() -> None:
    assert "call_date" not in CALLS.schema.names
    assert CALLS.read_schema.names == [*CALLS.schema.names, "call_date"]
    assert CALLS.read_schema.field("call_date").type == pa.date32()


def test_a_schema_names_its_table_and_version() -> None:
    metadata = TABLES["words"].schema.metadata
    assert metadata is not None
    assert metadata[b"table"] == b"words"
    assert metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()


def test_the_reference_has_a_line_for_every_column_of_every_table() -> None:
    sections = dict(
        section.split("`\n", 1) for section in reference_markdown().removeprefix("### `").split("\n### `")
    )
    assert list(sections) == list(TABLES)
    for name, section in sections.items():
        lines = [line for line in section.splitlines() if line.startswith("| `")]
        names = [line.split("`")[1] for line in lines]
        assert names == TABLES[name].read_schema.names
        assert all(line.count(" | ") == 2 for line in lines)


def test_the_reference_says_types_values_and_nulls() -> None:
    reference = reference_markdown()
    assert "| `started_at` | timestamp (UTC) | When the recording begins, in UTC. |" in reference
    assert "| `stage_s` | map<string, double> |" in reference
    assert "| `review_flags` | list<string> |" in reference
    assert "| `snr_db` | double, may be null |" in reference
    assert "One of `running`, `finished`, `interrupted`, `failed`. |" in reference


@pytest.mark.parametrize("module", ["pipelines.tables", "pipelines.store", "pipelines.query"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(
        {"torch", "whisperx", "faster_whisper", "ctranslate2", "pyannote", "prefect", "pandas", "spacy"}
    )
