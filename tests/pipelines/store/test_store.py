import datetime as dt
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import DAY, made_call, made_failure, made_run

from models.errors import UsageError
from pipelines.invariants import InvariantBroken
from pipelines.store import Store, StoreError
from pipelines.tables import SCHEMA_VERSION, TABLES, CallRows

HERE = Path(__file__).parent
PARTS = ("turns", "words", "speakers", "moments", "sentences", "entities", "scores", "categories")
OF_CALLS = ("calls", *PARTS)
A = made_call("a").call["call_id"]


@pytest.fixture
def store(fast_path: Path) -> Store:
    return Store(fast_path / "store")


@contextmanager
def writer(folder: Path, *arguments: object) -> "Iterator[subprocess.Popen[str]]":
    """Another process that writes; it is killed at the end if it still lives."""
    command = [sys.executable, str(HERE.parent / "writer.py"), str(folder), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process: "subprocess.Popen[str]") -> list[str]:
    said, _ = process.communicate()
    assert process.returncode == 0
    return said.splitlines()


def files(store: Store, name: str) -> list[str]:
    folder = store.root / "tables" / name
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def same_tables(one: Store, other: Store) -> bool:
    return all(one.table(name).equals(other.table(name)) for name in TABLES)


# What is written is what is read


def test_a_call_is_read_as_it_was_written(store: Store) -> None:
    rows = made_call("a", turns=30)
    store.write_call(rows)
    assert store.read_call(A) == rows


def test_a_call_without_words_is_read_as_it_was_written(store: Store) -> None:
    rows = made_call("a", turns=0)
    store.write_call(rows)
    assert store.read_call(A) == rows


def test_empty_and_odd_values_are_read_as_they_were_written(store: Store) -> None:
    rows = made_call("a")
    odd = {
        "metadata": {},
        "review_flags": [],
        "stage_s": {"one": 0.1, "two": 1e-12},
        "snr_db": -3.25,
        "queue": "Zürich 東京 'quoted' \U0001f4de\n",
    }
    rows = replace(rows, call={**rows.call, **odd})
    store.write_call(rows)
    assert store.read_call(A) == rows


def test_a_table_has_the_declared_columns_and_all_rows_in_order(store: Store) -> None:
    for name, day in (("b", 1), ("a", 0)):
        store.write_call(made_call(name, day=day))
    for name, table in TABLES.items():
        assert store.table(name).schema.equals(table.read_schema, check_metadata=True)
    words = store.table("words").to_pylist()
    expected = [
        {**word, "call_date": call.call["call_date"]}
        for call in (made_call("a", day=0), made_call("b", day=1))
        for word in call.words
    ]
    assert words == expected


def test_a_call_has_one_file_in_each_of_its_tables(store: Store) -> None:
    store.write_call(made_call("a"))
    for name in OF_CALLS:
        assert files(store, name) == [f"call_date=2024-03-05/{A}.parquet"]


def test_a_file_has_the_schema_of_its_table_and_is_compressed_with_zstd(store: Store) -> None:
    store.write_call(made_call("a", turns=40))
    store.write_failure(made_failure())
    store.write_run(made_run())
    for name, table in TABLES.items():
        (path,) = (store.root / "tables" / name).rglob("*.parquet")
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            assert [(field.name, field.type, field.nullable) for field in schema] == [
                (field.name, field.type, field.nullable) for field in table.schema
            ]
            assert (file.metadata.metadata or {})[b"schema_version"] == str(SCHEMA_VERSION).encode()
            group = file.metadata.row_group(0)
            assert {group.column(at).compression for at in range(group.num_columns)} == {"ZSTD"}


def test_writing_again_replaces_a_call_wherever_it_lies(store: Store) -> None:
    store.write_call(made_call("a", version=0, day=0, turns=9))
    store.write_call(made_call("b", version=0, day=0))
    store.write_call(made_call("a", version=1, day=7))
    assert store.read_call(A) == made_call("a", version=1, day=7)
    for name in OF_CALLS:
        assert len(files(store, name)) == 2
        assert f"call_date=2024-03-12/{A}.parquet" in files(store, name)


def test_the_same_rows_make_the_same_bytes(fast_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        store = Store(fast_path / name)
        store.write_call(made_call("a", turns=50))
        tables = store.root / "tables"
        contents.append({path.relative_to(tables): path.read_bytes() for path in tables.rglob("*.parquet")})
    assert len(contents[0]) == len(OF_CALLS)
    assert contents[0] == contents[1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 2), st.integers(0, 4)), max_size=8
    )
)
def test_any_sequence_of_writes_leaves_the_last_version_of_each_call(
    writes: list[tuple[str, int, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        last: dict[str, CallRows] = {}
        for name, version, day, turns in writes:
            rows = made_call(name, version, day, turns)
            store.write_call(rows)
            last[rows.call["call_id"]] = rows
        assert store.processed() == {key: rows.call["settings_sha256"] for key, rows in last.items()}
        for key, rows in last.items():
            assert store.read_call(key) == rows
        for name in OF_CALLS:
            assert len(files(store, name)) == len(last)
        assert store.table("words").num_rows == sum(len(rows.words) for rows in last.values())


# Anything that reads Parquet reads a store


def test_pandas_reads_a_folder_as_it_is(store: Store) -> None:
    store.write_call(made_call("a", day=0))
    store.write_call(made_call("b", day=1))
    calls = pd.read_parquet(store.root / "tables" / "calls")
    assert list(calls.columns) == TABLES["calls"].read_schema.names
    assert sorted(calls["call_date"].astype(str)) == ["2024-03-05", "2024-03-06"]
    assert str(calls["started_at"].dtype) == "datetime64[us, UTC]"
    assert str(calls["duration_s"].dtype) == "float64"
    assert str(calls["word_count"].dtype) == "int32"
    words = pd.read_parquet(store.root / "tables" / "words")
    assert str(words["overlapped"].dtype) == "bool"
    assert len(words.merge(calls, on="call_id")) == 24


def test_pyarrow_reads_a_folder_as_it_is(store: Store) -> None:
    store.write_call(made_call("a", day=0))
    store.write_call(made_call("b", day=1))
    date = ds.partitioning(pa.schema([("call_date", pa.date32())]), flavor="hive")
    for name in OF_CALLS:
        table = ds.dataset(store.root / "tables" / name, partitioning=date).to_table()
        declared = TABLES[name].read_schema
        assert table.schema.names == declared.names
        assert [field.type for field in table.schema] == [field.type for field in declared]
        assert table.sort_by("call_id").num_rows == store.table(name).num_rows


def test_duckdb_reads_a_folder_as_it_is(store: Store) -> None:
    store.write_call(made_call("a", day=0))
    store.write_call(made_call("b", day=1))
    with duckdb.connect() as connection:
        connection.execute(f"describe from '{store.root}/tables/calls/*/*.parquet'")
        types = connection.fetchall()
    described = {name: kind for name, kind, *_ in types}
    assert list(described) == TABLES["calls"].read_schema.names
    expected = {
        "call_id": "VARCHAR",
        "started_at": "TIMESTAMP WITH TIME ZONE",
        "duration_s": "DOUBLE",
        "channels": "INTEGER",
        "metadata": "MAP(VARCHAR, VARCHAR)",
        "stage_s": "MAP(VARCHAR, DOUBLE)",
        "review_flags": "VARCHAR[]",
        "call_date": "DATE",
    }
    assert {name: described[name] for name in expected} == expected


def test_readers_see_no_file_that_is_being_written(store: Store) -> None:
    store.write_call(made_call("a"))
    (store.root / "tmp" / f".{A}~host~1~ab").write_bytes(b"half of a file")
    assert store.table("words").num_rows == 12
    assert len(pd.read_parquet(store.root / "tables" / "words")) == 12


# Finding


def test_processed_tells_the_settings_of_each_call(store: Store) -> None:
    assert store.processed() == {}
    store.write_call(made_call("a", version=3))
    store.write_call(made_call("b", version=4))
    assert store.processed() == {A: "settings-3", made_call("b").call["call_id"]: "settings-4"}


def test_a_call_is_found_by_id_prefix_source_or_file_name(store: Store) -> None:
    for name in ("a", "b", "night/2024.03.a"):
        store.write_call(made_call(name))
    for reference in (A, A[:4], A[:9].upper(), "calls/a.wav", "a.wav", "a"):
        assert store.find_calls(reference) == [A]
    assert store.find_calls("2024.03.a") == [made_call("night/2024.03.a").call["call_id"]]
    for reference in (A[:3], "", "calls", "c.wav", "A.wav", A[:4] + "zz"):
        assert store.find_calls(reference) == []


def test_a_file_name_may_mean_several_calls(store: Store) -> None:
    for name in ("monday/a", "tuesday/a"):
        store.write_call(made_call(name))
    ids = sorted(made_call(name).call["call_id"] for name in ("monday/a", "tuesday/a"))
    assert store.find_calls("a.wav") == ids


def test_a_call_that_is_not_there_is_one_sentence(store: Store) -> None:
    with pytest.raises(UsageError, match=f"There is no call {A} in the store"):
        store.read_call(A)
    with pytest.raises(
        UsageError, match=r"There is no table wrods. The tables are calls, turns, words, speak"
    ):
        store.table("wrods")


# Failures and runs


def test_a_failure_counts_its_attempts(store: Store) -> None:
    later = DAY + dt.timedelta(days=2)
    assert store.write_failure(made_failure("a.wav")) == 1
    assert store.write_failure(made_failure("b.wav")) == 1
    assert store.write_failure(made_failure("a.wav", failed_at=later, reason="not_audio")) == 2
    assert store.failures() == [
        {**made_failure("b.wav"), "attempts": 1, "call_date": DAY.date()},
        {
            **made_failure("a.wav", failed_at=later, reason="not_audio"),
            "attempts": 2,
            "call_date": DAY.date(),
        },
    ]


def test_a_failure_that_becomes_readable_is_still_one_failure(store: Store) -> None:
    store.write_failure(made_failure("calls/a.wav"))
    assert store.write_failure(made_failure("calls/a.wav", call_id=A, reason="no_speech")) == 2
    assert [(row["call_id"], row["reason"], row["attempts"]) for row in store.failures()] == [
        (A, "no_speech", 2)
    ]


@pytest.mark.parametrize("call_id", ["", A])
def test_the_failure_of_a_call_goes_when_it_is_processed(store: Store, call_id: str) -> None:
    store.write_failure(made_failure("calls/a.wav", call_id=call_id))
    store.write_failure(made_failure("calls/b.wav"))
    store.write_call(made_call("a"))
    assert [row["source"] for row in store.failures()] == ["calls/b.wav"]


def test_a_run_has_one_row_however_often_it_is_written(store: Store) -> None:
    store.write_run(made_run())
    ended = made_run(status="finished", finished_at=DAY + dt.timedelta(days=1), processed=3, wall_s=1.5)
    store.write_run(ended)
    assert store.table("runs").to_pylist(maps_as_pydicts="strict") == [{**ended, "call_date": DAY.date()}]


@pytest.mark.parametrize("run_id", ["", "../run", ".run", "a b", "a/b"])
def test_a_run_id_that_cannot_name_a_file_is_refused(store: Store, run_id: str) -> None:
    with pytest.raises(InvariantBroken, match="a run_id has letters, digits"):
        store.write_run(made_run(run_id=run_id))


# Nothing wrong is written


def test_rows_that_break_an_invariant_leave_the_store_as_it_was(store: Store) -> None:
    rows = made_call("a", version=1)
    store.write_call(made_call("a", version=0))
    with pytest.raises(InvariantBroken):
        store.write_call(replace(rows, call={**rows.call, "word_count": 1}))
    with pytest.raises(InvariantBroken, match="types: calls: "):
        store.write_call(replace(rows, call={**rows.call, "sample_rate": "8 kHz"}))
    with pytest.raises(InvariantBroken, match="columns: failures row 0"):
        store.write_failure({**made_failure("c.wav"), "mood": "sad"})
    assert store.read_call(A) == made_call("a", version=0)
    assert store.failures() == []
    assert list((store.root / "tmp").iterdir()) == []


# Killed anywhere


def visible(views: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {name: len(views.sql(f"from {name}").fetchall()) for name in PARTS}


def test_a_write_that_dies_at_any_change_to_a_file_shows_no_half_call_and_is_mended(fast_path: Path) -> None:
    """The process is killed before each of the changes in turn: every file made, moved, or removed."""
    before, after = made_call("a", 0, day=0), made_call("a", 1, day=1)
    with writer(fast_path, "die") as process:
        (said,) = said_by(process)
    moments, status = map(int, said.split())
    assert status == 0
    assert moments > 20
    seen = set()
    for moment in range(1, moments + 1):
        store = Store(fast_path / str(moment), create=False)
        there = store.processed()
        if there:
            read = store.read_call(A)
            assert read in (before, after)
            assert there == {A: read.call["settings_sha256"]}
            seen.add("new" if read == after else "old")
        else:
            seen.add("none")
        assert store.read(visible) == {name: len(getattr(read, name)) if there else 0 for name in PARTS}
        store.sweep()
        assert list((store.root / "tmp").iterdir()) == []
        assert [len(files(store, name)) for name in OF_CALLS] == [len(there)] * len(OF_CALLS)
        store.write_call(after)
        assert store.read_call(A) == after
        assert [len(files(store, name)) for name in OF_CALLS] == [1] * len(OF_CALLS)
    assert seen == {"old", "none", "new"}


def test_a_writer_killed_at_random_moments_leaves_a_store_that_the_next_one_makes_right(store: Store) -> None:
    names = ("a", "b", "c", "d")
    for _ in range(10):
        with writer(store.root, "rewrite") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.15))
        for call_id, settings_sha256 in store.processed().items():
            read = store.read_call(call_id)
            assert {word["word"] for word in read.words} == {f"v{settings_sha256.removeprefix('settings-')}."}
            assert len(read.words) == read.call["word_count"]
            assert len(read.turns) == read.call["turn_count"]
    store.sweep()
    undisturbed = Store(store.root.parent / "undisturbed")
    for name in names:
        store.write_call(made_call(name, version=999))
        undisturbed.write_call(made_call(name, version=999))
    assert same_tables(store, undisturbed)
    assert files(store, "words") == files(undisturbed, "words")
    assert list((store.root / "tmp").iterdir()) == []


def test_a_sweep_leaves_alone_what_is_being_written(store: Store) -> None:
    store.write_call(made_call("a"))
    host = f"{os.uname().nodename}".replace("_", "-")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    mine = store.root / "tmp" / f".{A}~{host}~{os.getpid()}~ab"
    of_the_dead = store.root / "tmp" / f".{A}~{host}~{dead.pid}~ab"
    elsewhere = store.root / "tmp" / f".{A}~elsewhere~{dead.pid}~ab"
    old = store.root / "tmp" / f".{A}~elsewhere~{dead.pid}~cd"
    for path in (mine, of_the_dead, elsewhere, old):
        path.write_bytes(b"half of a file")
    os.utime(old, (time.time() - 7200,) * 2)
    assert store.sweep() == 2
    assert sorted((store.root / "tmp").iterdir()) == sorted([mine, elsewhere])
    assert store.read_call(A) == made_call("a")


def test_a_sweep_drops_the_failure_of_a_call_that_was_processed_since(store: Store) -> None:
    store.write_call(made_call("a"))
    processed_at = made_call("a").call["processed_at"]
    store.write_failure(made_failure(call_id=A, failed_at=processed_at - dt.timedelta(seconds=1)))
    assert store.sweep() == 1
    store.write_failure(made_failure(call_id=A, failed_at=processed_at + dt.timedelta(seconds=1)))
    assert store.sweep() == 0
    assert len(store.failures()) == 1


def test_a_question_that_is_interrupted_is_given_up_at_once(store: Store) -> None:
    """Five minutes of work, on a fast machine, of which the other threads know nothing."""
    store.write_call(made_call("a"))
    interrupt = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))

    def ask(views: duckdb.DuckDBPyConnection) -> object:
        interrupt.start()
        return views.sql(
            "select sum(hash(a.range * b.range) % 7) from range(300000) a, range(300000) b"
        ).to_arrow_table()

    began = time.monotonic()
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        store.read(ask)
    assert time.monotonic() - began < 60


# Many at once


def test_a_reader_never_sees_half_a_call_while_calls_are_replaced(store: Store) -> None:
    for name in ("a", "b", "c", "d"):
        store.write_call(made_call(name))
    statement = """
        select c.metadata['version'] as version, c.word_count, c.turn_count, w.words, w.versions, t.turns
        from calls c
        left join (select call_id, count(*) as words, list(distinct word) as versions from words group by 1) w
        using (call_id)
        left join (select call_id, count(*) as turns from turns group by 1) t using (call_id)
    """
    seen: set[str] = set()
    with writer(store.root, "slowly") as process:
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + 3
        while time.monotonic() < until or (len(seen) < 3 and time.monotonic() < until + 200):
            rows = store.read(lambda views: views.sql(statement).fetchall())
            assert len(rows) >= 4
            for version, word_count, turn_count, words, versions, turns in rows:
                assert (words or 0, turns or 0) == (word_count, turn_count)
                assert versions in ([f"v{version}."], None)
                seen.add(version)
    assert len(seen) > 2


def test_a_writer_waits_while_another_writes_the_same_call(store: Store) -> None:
    store.write_call(made_call("a", 0))
    with ThreadPoolExecutor(1) as pool:
        with FileLock(store.root / "locks" / f"{A[-2:]}.lock"):
            writing = pool.submit(store.write_call, made_call("a", 1))
            with pytest.raises(TimeoutError):
                writing.result(timeout=0.5)
            assert store.read_call(A) == made_call("a", 0)
        writing.result(timeout=200)
    assert store.read_call(A) == made_call("a", 1)


def test_writers_of_one_call_leave_one_whole_version(store: Store) -> None:
    with writer(store.root, "same", 1) as one, writer(store.root, "same", 2) as other:
        assert (said_by(one), said_by(other)) == ([], [])
    assert store.read_call(A) in [
        made_call("a", version, day=version, turns=10 * version) for version in (1, 2)
    ]
    assert [len(files(store, name)) for name in OF_CALLS] == [1] * len(OF_CALLS)


def test_writers_of_different_calls_do_not_disturb_each_other(store: Store) -> None:
    calls = [made_call(str(number), version, day=version) for version in (0, 1) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(store.write_call, calls))
    for number in range(12):
        rows = made_call(str(number))
        read = store.read_call(rows.call["call_id"])
        assert read in (rows, made_call(str(number), 1, day=1))
    assert [len(files(store, name)) for name in OF_CALLS] == [12] * len(OF_CALLS)


def test_attempts_are_counted_when_several_processes_fail_at_once(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        attempts = list(pool.map(lambda _: store.write_failure(made_failure()), range(8)))
    assert sorted(attempts) == [1, 2, 3, 4, 5, 6, 7, 8]


# Opening


def test_a_store_is_made_when_missing(fast_path: Path) -> None:
    store = Store(fast_path / "new" / "store")
    assert json.loads((store.root / "callfolio-store.json").read_text()) == {"schema_version": SCHEMA_VERSION}
    store.write_call(made_call("a"))
    assert Store(fast_path / "new" / "store", create=False).read_call(A) == made_call("a")


def test_a_store_is_not_made_when_only_asked_for(fast_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no store at .*mistyped. Process some recordings"):
        Store(fast_path / "mistyped", create=False)
    assert list(fast_path.iterdir()) == []


def test_a_store_of_a_newer_version_is_refused(fast_path: Path) -> None:
    marker = Store(fast_path).root / "callfolio-store.json"
    marker.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(UsageError) as caught:
        Store(fast_path)
    assert str(caught.value) == (
        f"The store {fast_path} was written by a newer version of Callfolio (tables of version "
        f"{SCHEMA_VERSION + 1}; this one knows {SCHEMA_VERSION}). Update Callfolio, or name the folder of "
        "another store."
    )


def test_a_store_of_an_older_version_is_refused_and_left_as_it_is(fast_path: Path) -> None:
    marker = Store(fast_path).root / "callfolio-store.json"
    marker.write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(UsageError, match=r"an older version .* callfolio migrate --store "):
        Store(fast_path)
    assert json.loads(marker.read_text()) == {"schema_version": 1}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema_version": "one"}'])
def test_a_damaged_marker_is_one_sentence(fast_path: Path, content: str) -> None:
    marker = Store(fast_path).root / "callfolio-store.json"
    marker.write_text(content)
    with pytest.raises(StoreError, match=r"callfolio-store.json is damaged"):
        Store(fast_path)


# When the disk does not do as it is told


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_in_the_place_of_the_folder_is_one_sentence(fast_path: Path, inside: bool) -> None:
    file = fast_path / "file"
    file.write_text("")
    path = file / "store" if inside else file
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert str(caught.value) == (
        f"The store {path} cannot be made: there is a file where a folder should be. Name another folder."
    )
    assert caught.value.retryable


def test_a_full_quota_of_a_file_costs_nothing_that_was_there(store: Store) -> None:
    with writer(store.root, "full") as process:
        said = said_by(process)
    assert said == [
        f"The store {store.root} cannot be used: {os.strerror(errno.EFBIG)}. Look after the disk and run "
        "again; what was finished is kept.",
        f"{ {A: 'settings-0'} } []",
    ]
    assert store.read_call(A) == made_call("a", 0)


def test_a_full_disk_and_a_read_only_one_are_sentences_and_cost_nothing(fast_path: Path) -> None:
    own_mounts = [shutil.which("unshare") or "unshare", "--mount", "--map-root-user"]
    probe = [*own_mounts, "mount", "-t", "tmpfs", "none", str(fast_path)]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this machine does not let a test mount a disk of its own")
    folder = fast_path / "disk"
    done = subprocess.run(
        [*own_mounts, sys.executable, HERE.parent / "writer.py", folder, "tmpfs"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
    )
    assert done.stdout.splitlines() == [
        f"The disk of the store {folder}/store is full. Make room on it and run again; what was "
        "finished is kept.",
        f"{ {A: 'settings-0'} } []",
        f"The store {folder}/store cannot be written: Read-only file system. Make the folder writable, or "
        "name another one, and run again.",
        f"{ {A: 'settings-0'} } []",
    ]


def test_a_damaged_file_of_a_call_is_named(store: Store) -> None:
    store.write_call(made_call("a"))
    (path,) = (store.root / "tables" / "words").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"words/call_date=2024-03-05/.*parquet is damaged. Delete it"):
        store.read_call(A)
