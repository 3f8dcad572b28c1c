import csv
import datetime as dt
import io
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from keeper import A, B, C
from keeping import rows_in_files, temporary_files
from made_rows import made_call

from models.errors import UsageError
from pipelines.store import Store
from pipelines.store.compaction import compact
from pipelines.store.erasure import doomed_calls, erase
from pipelines.store.export import (
    MANIFEST,
    Destination,
    DestinationError,
    Form,
    export,
    refresh,
    registered,
)
from pipelines.tables import TABLES

pytestmark = pytest.mark.usefixtures("no_grace")


@pytest.fixture
def out(fast_path: Path) -> Path:
    return fast_path / "out"


def test_an_export_has_all_rows_in_the_same_folders(store: Store, out: Path) -> None:
    done = export(store, Destination(str(out)))
    for name in TABLES:
        files = list((out / name).rglob("*.parquet"))
        rows = [
            row for path in files for row in pq.ParquetFile(path).read().to_pylist(maps_as_pydicts="strict")
        ]
        stored = [row for _, _, row in rows_in_files(store.root)[name]]
        assert sorted(map(str, rows)) == sorted(map(str, stored))
    assert done.rows == sum(store.table(name).num_rows for name in TABLES)
    words = pd.read_parquet(out / "words")
    assert sorted(words["call_date"].astype(str).unique()) == ["2024-03-05", "2024-03-06"]
    assert temporary_files(store) == []


def test_days_that_have_not_changed_are_left_as_they_are(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    store.write_call(made_call("d", day=1, version=1))
    done = export(store, Destination(str(out)))
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    first_day = [path for path in before if "2024-03-05" in str(path)]
    assert {path: after[path] for path in first_day} == {path: before[path] for path in first_day}
    assert done.written == 9
    assert len(list((out / "words" / "call_date=2024-03-06").iterdir())) == 1


def test_a_compaction_changes_no_row_of_an_export(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    compact(store)
    export(store, Destination(str(out)))
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == before


def test_the_manifest_names_exactly_the_files_that_are_there(store: Store, out: Path) -> None:
    for version in (0, 1):
        store.write_call(made_call("a", version=version, day=version))
        export(store, Destination(str(out)))
        manifest = json.loads((out / MANIFEST).read_text())
        named = {f"{day}/{name}" for day, each in manifest["days"].items() for name in each["files"]}
        assert named == {str(path.relative_to(out)) for path in out.rglob("*.parquet")}


def test_only_the_tables_and_days_that_were_asked_for_are_exported(store: Store, out: Path) -> None:
    export(store, Destination(str(out), ("calls", "turns"), dt.date(2024, 3, 6)))
    assert {path.parent.parent.name for path in out.rglob("*.parquet")} == {"calls", "turns"}
    assert pd.read_parquet(out / "calls")["call_id"].to_list() == [C]


def test_a_day_that_is_gone_from_the_store_goes_from_the_export(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    store.remove_call(C)
    assert export(store, Destination(str(out))).removed == 9
    assert not list(out.rglob("call_date=2024-03-06"))


def test_rows_of_a_call_without_its_row_in_calls_are_not_exported(store: Store, out: Path) -> None:
    for path in store.root.glob(f"tables/calls/*/{A}.parquet"):
        path.unlink()
    export(store, Destination(str(out)))
    assert A not in set(pd.read_parquet(out / "words")["call_id"])


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_as_text_has_a_record_for_each_row(store: Store, out: Path, form: Form) -> None:
    export(store, Destination(str(out), form=form))
    rows: list[dict[str, Any]] = []
    for path in (out / "calls").rglob(f"*.{form}"):
        with path.open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file) if form == "csv" else map(json.loads, file)
    assert sorted(row["call_id"] for row in rows) == sorted([A, B, C])
    [row] = [row for row in rows if row["call_id"] == A]
    metadata = json.loads(row["metadata"]) if form == "csv" else row["metadata"]
    assert metadata == {"version": "0"}
    assert row["call_date"] == "2024-03-05"
    assert dt.datetime.fromisoformat(row["started_at"]) == made_call("a").call["started_at"]


def test_an_export_in_another_form_takes_the_place_of_the_first(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    export(store, Destination(str(out), form="csv"))
    assert not list(out.rglob("*.parquet"))


def test_tables_of_several_forms_lie_at_one_place_each_in_the_one_it_was_asked_for_last(
    store: Store, out: Path
) -> None:
    def suffixes(table: str) -> set[str]:
        return {path.suffix for path in (out / table).rglob("*.*") if path.is_file()}

    everything = export(store, Destination(str(out)))
    export(store, Destination(str(out), ("calls",), form="csv"))
    assert (suffixes("calls"), suffixes("words")) == ({".csv"}, {".parquet"})
    of_calls = len(list((out / "calls").iterdir()))
    done = export(store, Destination(str(out), form="csv"))
    assert (done.written, done.unchanged) == (everything.written - of_calls, of_calls)
    assert {suffix for table in TABLES for suffix in suffixes(table)} == {".csv"}
    assert export(store, Destination(str(out), form="csv")).written == 0


def test_a_manifest_that_says_the_form_for_all_days_at_once_is_understood(store: Store, out: Path) -> None:
    export(store, Destination(str(out), form="csv"))
    manifest = json.loads((out / MANIFEST).read_text())
    for day in manifest["days"].values():
        del day["form"]
    (out / MANIFEST).write_text(json.dumps(manifest))
    export(store, Destination(str(out), ("calls",), form="jsonl"))
    done = export(store, Destination(str(out), form="csv"))
    assert done.written == len(list((out / "calls").iterdir()))


def test_any_file_system_of_arrow_is_a_destination(store: Store, fast_path: Path) -> None:
    base = fast_path / "bucket"
    base.mkdir()
    inside = pafs.SubTreeFileSystem(str(base), pafs.LocalFileSystem())
    export(store, Destination("calls/night"), inside)
    assert export(store, Destination("calls/night"), inside).written == 0
    with duckdb.connect() as connection:
        [(count,)] = connection.sql(f"select count(*) from '{base}/calls/night/words/*/*.parquet'").fetchall()
    assert count == store.table("words").num_rows


def test_an_address_of_a_file_is_a_destination(store: Store, out: Path) -> None:
    assert export(store, Destination(out.as_uri())).written > 0
    assert (out / MANIFEST).exists()


# To an object store


def test_an_object_store_is_a_destination_that_is_brought_up_to_date(
    store: Store, s3_files: Any, s3_bucket: str
) -> None:
    destination = Destination(f"s3://{s3_bucket}/calls/night")
    assert export(store, destination).written > 0
    for name in TABLES:
        files = _objects(s3_files, f"{s3_bucket}/calls/night/{name}")
        rows = [row for path in files for row in _rows(s3_files.cat_file(path))]
        assert sorted(map(str, rows)) == sorted(str(row) for _, _, row in rows_in_files(store.root)[name])
    assert export(store, destination).written == 0
    store.write_call(made_call("d", day=1, version=1))
    assert export(store, destination).written == 9
    assert len(_objects(s3_files, f"{s3_bucket}/calls/night/words/call_date=2024-03-06")) == 1


def test_what_is_erased_goes_from_an_object_store_and_its_manifest_names_what_is_left(
    store: Store, s3_files: Any, s3_bucket: str
) -> None:
    export(store, Destination(f"s3://{s3_bucket}/calls"))
    erase(store, doomed_calls(store, [C]), "")
    assert refresh(store) == []
    manifest = json.loads(s3_files.cat_file(f"{s3_bucket}/calls/{MANIFEST}"))
    named = {f"{day}/{name}" for day, each in manifest["days"].items() for name in each["files"]}
    files = _objects(s3_files, s3_bucket)
    assert {path.removeprefix(f"{s3_bucket}/calls/") for path in files} == {*named, MANIFEST}
    assert not any(C.encode() in s3_files.cat_file(path) for path in files)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_text_goes_to_an_object_store_too(store: Store, s3_files: Any, s3_bucket: str, form: Form) -> None:
    export(store, Destination(f"s3://{s3_bucket}", ("calls",), form=form))
    files = _objects(s3_files, f"{s3_bucket}/calls")
    lines = [line for path in files for line in s3_files.cat_file(path).decode().splitlines()]
    assert len(lines) == 3 + (2 if form == "csv" else 0)


@pytest.mark.usefixtures("s3_bucket")
def test_a_bucket_that_is_not_there_is_one_sentence(store: Store) -> None:
    with pytest.raises(DestinationError, match=r"s3://not-there/calls cannot be written: .* export again\."):
        export(store, Destination("s3://not-there/calls"))
    assert temporary_files(store) == []


def _objects(files: Any, where: str) -> list[str]:
    """What lies there, but for the empty objects that stand for folders: Arrow leaves some."""
    return [path for path in files.find(where) if not path.endswith("/")]


def _rows(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist(maps_as_pydicts="strict")
    return rows


# What the store remembers, and what is refused


def test_the_store_remembers_where_it_was_exported_to(store: Store, fast_path: Path) -> None:
    first = Destination(str(fast_path / "one"), ("calls",), dt.date(2024, 1, 1), "csv")
    second = Destination(str(fast_path / "two"))
    for destination in (first, second, second):
        export(store, destination)
    assert list(registered(store.root)) == [first, second]


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("s3://key:secret@bucket/calls", "keeps no passwords"),
        ("what://ever", "is no address that can be exported to"),
    ],
)
def test_an_address_that_makes_no_sense_is_told(store: Store, uri: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        export(store, Destination(uri))
    assert registered(store.root) == ()


def test_an_export_into_the_store_itself_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="lies in the store itself"):
        export(store, Destination(str(store.root / "tables")))


def test_a_table_that_is_not_there_is_told(store: Store, out: Path) -> None:
    with pytest.raises(UsageError, match="There is no table wrods"):
        export(store, Destination(str(out), ("wrods",)))


def test_a_destination_that_cannot_be_written_is_one_sentence(store: Store, fast_path: Path) -> None:
    (fast_path / "file").write_text("")
    with pytest.raises(DestinationError, match=r"cannot be written: .* and export again\."):
        export(store, Destination(str(fast_path / "file" / "out")))
    assert temporary_files(store) == []
    assert registered(store.root) == ()


def test_what_is_erased_goes_from_tables_that_a_later_export_left_out(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    export(store, Destination(str(out), ("calls",)))
    erase(store, doomed_calls(store, [A]), "")
    assert refresh(store) == []
    for name in ("calls", "words", "turns"):
        assert A not in set(pd.read_parquet(out / name)["call_id"])


def test_an_export_that_was_deleted_is_told_and_not_made_again(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    shutil.rmtree(out)
    [sentence] = refresh(store)
    assert f"There is no export at {out}." in sentence
    assert not out.exists()


def test_a_damaged_manifest_is_told(store: Store, out: Path) -> None:
    export(store, Destination(str(out)))
    (out / MANIFEST).write_text("{")
    with pytest.raises(DestinationError, match=rf"{MANIFEST} is damaged"):
        export(store, Destination(str(out)))


def test_merged_files_with_nothing_to_leave_out_are_exported_as_they_are(store: Store, out: Path) -> None:
    compact(store)
    export(store, Destination(str(out)))
    [merged_words] = store.root.glob("tables/words/*-05/merged~*.parquet")
    [exported] = out.glob("words/*-05/*.parquet")
    assert exported.read_bytes() == merged_words.read_bytes()
    [calls] = store.root.glob("tables/calls/*-05/merged~*.parquet")
    calls.unlink()
    export(store, Destination(str(out.with_name("without"))))
    assert set(pd.read_parquet(out.with_name("without") / "words")["call_id"]) == {C}


# While calls are written


def test_an_export_has_each_call_whole_while_they_are_replaced(store: Store, out: Path) -> None:
    """What is exported is the store at one moment, with every version of a call whole."""
    import threading

    stop = threading.Event()

    def write() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            store.write_call(made_call("a", version, day=version % 2, turns=version % 5))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _ in range(5):
            export(store, Destination(str(out), ("calls", "words", "turns")))
            calls, words, turns = (pd.read_parquet(out / name) for name in ("calls", "words", "turns"))
            counted = words.groupby("call_id").size().to_dict()
            assert {row.call_id: counted.get(row.call_id, 0) for row in calls.itertuples()} == {
                row.call_id: row.word_count for row in calls.itertuples()
            }
            assert set(turns["call_id"]) <= set(calls["call_id"])
    finally:
        stop.set()
        writing.join()
