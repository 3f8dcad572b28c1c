import datetime as dt
import errno
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fast_folder import fast_folder
from keeper import NAMES, A, B, C, fill, judge, judge_call
from keeping import (
    another,
    killed_at_each_change,
    merged_files,
    own_files,
    rows_in_files,
    temporary_files,
)
from made_rows import made_call, made_failure, made_run

from models.errors import UsageError
from pipelines.query import query
from pipelines.store import Store, StoreError, days, disk, parquet
from pipelines.store.compaction import Compacted, compact
from pipelines.store.doctor import examine
from pipelines.store.erasure import doomed_calls, erase
from pipelines.tables import TABLES

EACH = 3
"""Of stores in which a process died, each is looked at, and every so many-th mended."""
pytestmark = pytest.mark.usefixtures("no_grace")


def plain(fast_path: Path) -> Store:
    """What `store` has, never compacted."""
    other = Store(fast_path / "plain")
    fill(other)
    return other


def same_tables(one: Store, other: Store) -> bool:
    return all(one.table(name).equals(other.table(name)) for name in TABLES)


# What changes, and what does not


def test_the_files_of_a_day_become_one_and_no_row_changes(store: Store, fast_path: Path) -> None:
    before = rows_in_files(store.root)
    done = compact(store)
    # Nine tables of two calls on the first day, and two failures; the second day has one file a table.
    assert done == Compacted(days=1, files_before=20, files_after=10)
    assert rows_in_files(store.root) == before
    assert same_tables(store, plain(fast_path))
    assert temporary_files(store) == []


def test_a_second_compaction_finds_nothing_to_do(store: Store) -> None:
    compact(store)
    files = sorted(store.root.rglob("*.parquet"))
    assert compact(store) == Compacted()
    assert sorted(store.root.rglob("*.parquet")) == files


def test_days_from_a_date_on_are_left_as_they_are(store: Store) -> None:
    assert compact(store, before=dt.date(2024, 3, 5)) == Compacted()
    assert compact(store, before=dt.date(2024, 3, 6)).days == 1


def test_calls_that_come_later_join_those_that_are_merged(store: Store, fast_path: Path) -> None:
    compact(store)
    other = plain(fast_path)
    for each in (store, other):
        each.write_call(made_call("d"))
        each.write_call(made_call("e", turns=9))
    assert compact(store).files_after == 9
    assert own_files(store) == 10  # the next day's call, and the run
    assert same_tables(store, other)


def test_a_merged_file_is_in_order_and_has_the_schema_of_its_table(store: Store) -> None:
    compact(store)
    for path in store.root.glob("tables/*/*/merged~*.parquet"):
        name = path.parent.parent.name
        with pq.ParquetFile(path) as file:
            assert [(field.name, field.type, field.nullable) for field in file.schema_arrow] == [
                (field.name, field.type, field.nullable) for field in TABLES[name].schema
            ]
            keys = parquet.keys_of(name, file.read())
            group = file.metadata.row_group(0)
            assert {group.column(at).compression for at in range(group.num_columns)} == {"ZSTD"}
        assert list(keys) == sorted(keys)


def test_files_and_row_groups_are_cut_between_calls(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILE_ROWS", 20)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    for number in range(6):
        store.write_call(made_call(f"more {number}", turns=2))
    before = rows_in_files(store.root)
    compact(store)
    assert rows_in_files(store.root) == before
    files = list(store.root.glob("tables/words/call_date=2024-03-05/*.parquet"))
    held = [set(pq.read_table(path, partitioning=None)["call_id"].to_pylist()) for path in files]
    assert len(files) > 2
    assert sum(map(len, held)) == len(set().union(*held)) == 7
    assert all(pq.read_metadata(path).num_rows <= 20 for path in files)
    assert all(
        pq.read_metadata(path).num_row_groups == len(ids) for path, ids in zip(files, held, strict=True)
    )
    assert store.read_call(made_call("more 3").call["call_id"]) == made_call("more 3", turns=2)
    assert compact(store).days <= 1
    assert rows_in_files(store.root) == before


def test_the_same_calls_make_the_same_files(fast_path: Path) -> None:
    contents = []
    for name, order in (("one", NAMES), ("two", NAMES[::-1])):
        store = Store(fast_path / name)
        for each in order:
            store.write_call(made_call(each, turns=5))
        compact(store)
        contents.append(
            {path.relative_to(store.root): path.read_bytes() for path in store.root.rglob("*~*.parquet")}
        )
    assert len(contents[0]) == 7
    assert contents[0] == contents[1]


def test_rows_of_a_call_that_is_not_in_calls_are_not_merged(store: Store) -> None:
    for path in store.root.glob(f"tables/calls/*/{A}.parquet"):
        path.unlink()
    compact(store)
    assert store.processed().keys() == {B, C}
    assert A not in {key for rows in rows_in_files(store.root).values() for _, key, _ in rows}


@pytest.mark.parametrize("left", [0, 5])
def test_rows_whose_calls_somebody_deleted_are_removed_from_merged_files(
    store: Store, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)  # merged files are cut between row groups
    for number in range(left):
        store.write_call(made_call(f"more {number}"))
    compact(store)
    if left:  # a call that is processed again leaves several merged files
        store.write_call(made_call("more 0", version=1))
    path, *others = store.root.glob("tables/calls/call_date=2024-03-05/merged~*.parquet")
    gone = set(pq.ParquetFile(path).read(["call_id"])["call_id"].to_pylist())
    path.unlink()
    assert bool(others) == bool(left)
    assert {each.kind for each in examine(store).findings} == {"orphan"}
    removed = store.sweep()
    assert (removed > 0) == (not others)
    compact(store)
    assert examine(store).findings == ()
    assert not gone & {key for rows in rows_in_files(store.root).values() for _, key, _ in rows}


# Everything works on merged files


def test_a_call_is_found_and_read_in_merged_files(store: Store, fast_path: Path) -> None:
    other = plain(fast_path)
    compact(store)
    for call_id in (A, B, C):
        assert store.read_call(call_id) == other.read_call(call_id)
        assert store.read_stored(call_id).row == other.read_stored(call_id).row
    assert store.processed() == other.processed()
    assert store.find_calls("a.wav") == [A]
    with pytest.raises(UsageError, match="There is no call"):
        store.read_call("0" * 32)


def test_a_call_in_merged_files_is_processed_again(store: Store, fast_path: Path) -> None:
    other = plain(fast_path)
    compact(store)
    for each in (store, other):
        each.write_call(made_call("a", version=1, day=1, turns=7))
    assert store.read_call(A) == made_call("a", version=1, day=1, turns=7)
    assert same_tables(store, other)
    compact(store)
    assert same_tables(store, other)


def test_calls_in_merged_files_are_judged_again(store: Store, fast_path: Path) -> None:
    other = plain(fast_path)
    compact(store)
    for each in (store, other):
        judge(each, 3)
    assert {row["version"] for row in store.read_call(A).scores} == {"3"}
    assert same_tables(store, other)
    compact(store)
    assert same_tables(store, other)


def test_a_call_that_was_merged_since_it_was_read_is_judged(store: Store) -> None:
    stored = store.read_stored(A)
    compact(store)
    judge(store, 4)
    compact(store)
    assert stored.row == store.read_stored(A).row
    judge(store, 5)
    assert {row["version"] for row in store.read_call(A).scores} == {"5"}


def test_failures_in_merged_files_are_counted_and_go_when_the_call_is_processed(store: Store) -> None:
    compact(store)
    assert store.write_failure(made_failure("calls/x.wav")) == 2
    assert store.write_failure(made_failure("calls/x.wav", call_id="cd" * 16, source_sha256="cd" * 32)) == 3
    store.write_failure(made_failure("calls/a.wav"))
    compact(store)
    store.write_call(made_call("a", version=1))
    assert sorted(row["source"] for row in store.failures()) == ["calls/x.wav", "calls/y.wav"]
    assert store.sweep() == 0


def test_a_run_in_a_merged_file_is_written_again(store: Store) -> None:
    store.write_run(made_run(run_id="other"))
    compact(store)
    assert not list(store.root.glob("tables/runs/*/other.parquet"))
    store.write_run(made_run(run_id="other", processed=5))
    runs = store.table("runs").to_pylist()
    assert {row["run_id"]: row["processed"] for row in runs} == {"20240305T093000-1": 0, "other": 5}


def test_a_call_that_is_taken_out_of_a_large_file_cuts_it_into_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    for number in range(40):
        store.write_call(made_call(str(number), turns=1))
    compact(store)
    before = merged_files(store)
    store.write_call(made_call("7", version=1))
    assert before < merged_files(store) <= before + 9 * 16
    assert len(store.processed()) == 43


@pytest.mark.parametrize("erasing", [False, True])
def test_a_day_that_changes_while_a_call_is_taken_out_of_it_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, erasing: bool
) -> None:
    compact(store)
    exclusive, others = store.locks.exclusive, [made_call("b", version=1, turns=2)]

    @contextmanager
    def late() -> Iterator[None]:
        if others:
            Store(store.root).write_call(others.pop())
        with exclusive():
            yield

    monkeypatch.setattr(store.locks, "exclusive", late)
    if erasing:
        erase(store, doomed_calls(store, [A]), "")
        assert store.processed().keys() == {B, C}
    else:
        store.write_call(made_call("a", version=2, turns=1))
        assert store.read_call(A) == made_call("a", version=2, turns=1)
    assert store.read_call(B) == made_call("b", version=1, turns=2)
    assert examine(store).findings == ()
    assert temporary_files(store) == []


def test_what_a_call_is_judged_while_it_is_taken_out_of_its_day_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unjudged = made_call("d", turns=2).call["call_id"]
    store.write_call(made_call("d", turns=2))
    compact(store)
    read, rows, exclusive = store.read_stored(unjudged), store.read_call(unjudged), store.locks.exclusive
    others = [unjudged]

    @contextmanager
    def late() -> Iterator[None]:
        if others:
            judge_call(Store(store.root), others.pop(), version=1)
        with exclusive():
            yield

    monkeypatch.setattr(store.locks, "exclusive", late)
    store.write_call(replace(rows, call={**rows.call, "agent_id": "a9"}), instead_of=read)
    assert len(store.read_call(unjudged).scores) > len(rows.scores) == 0


def test_a_call_that_is_judged_meanwhile_is_not_replaced_by_what_it_was(store: Store) -> None:
    read, other = store.read_stored(A), made_call("a", version=1, turns=2)
    judge_call(Store(store.root), A, version=2)
    assert not store.write_call(other, instead_of=read)
    assert store.write_call(other, instead_of=store.read_stored(A))


def test_all_files_of_a_call_are_in_place_before_others_may_write_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, of = disk.publish, store.locks.of
    events = []

    def failing(staged: Path, target: Path) -> None:
        table = target.parent.parent.name
        if table == "words":
            raise OSError(errno.ENOSPC, "No space left on device")
        time.sleep(0.2)
        publish(staged, target)
        events.append("published")

    @contextmanager
    def watched(key: str, wait: bool = True) -> Iterator[None]:
        try:
            with of(key, wait):
                yield
        finally:
            events.append("free")

    monkeypatch.setattr(disk, "publish", failing)
    monkeypatch.setattr(store.locks, "of", watched)
    with pytest.raises(StoreError, match="full"):
        store.write_call(made_call("a", version=1))
    time.sleep(0.5)
    assert events[-1] == "free"
    assert "published" in events


def test_a_sweep_leaves_merged_files_alone(store: Store) -> None:
    compact(store)
    before = rows_in_files(store.root)
    assert store.sweep() == 0
    assert rows_in_files(store.root) == before


# Whoever reads meanwhile


def test_a_folder_is_read_by_others_as_before(store: Store) -> None:
    before = pd.read_parquet(store.root / "tables" / "words").sort_values(["call_id", "position"])
    compact(store)
    after = pd.read_parquet(store.root / "tables" / "words").sort_values(["call_id", "position"])
    pd.testing.assert_frame_equal(before.reset_index(drop=True), after.reset_index(drop=True))


def test_a_connection_that_was_opened_before_reads_on(store: Store) -> None:
    with store.views() as views:
        before = views.sql("select * from words order by all").fetchall()
        compact(store)
        assert views.sql("select * from words order by all").fetchall() == before


def test_who_lists_a_day_before_the_step_and_reads_after_it_is_told_and_reads_no_half(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "GRACE_S", 1e9)
    looked, discard = threading.Event(), days.Days.discard

    def later(self: days.Days, wait: bool = False) -> None:
        if wait:
            assert looked.wait(200)
            self._retired = [(0.0, folder) for _, folder in self._retired]
        discard(self, wait)

    monkeypatch.setattr(days.Days, "discard", later)
    listed = sorted(store.root.glob("tables/words/*/*.parquet"))
    with ThreadPoolExecutor(1) as pool:
        compacting = pool.submit(compact, store)
        while merged_files(store) == 0 and not compacting.done():
            time.sleep(0.001)
        # The folder that was replaced is as it was, for who has begun to list it.
        kept = list((store.root / "tmp").glob(".words.call_date=2024-03-05~*/*.parquet"))
        looked.set()
        compacting.result()
    assert {path.name for path in kept} in (set(), {path.name for path in listed[:2]})
    assert not listed[0].exists()
    assert temporary_files(store) == []


def test_readers_see_the_same_rows_while_writers_write_and_days_are_merged() -> None:
    """Calls that nobody touches are there once and whole, for whoever reads: by views, or the files."""
    with fast_folder() as folder:
        store = Store(folder / "store")
        still = [made_call(f"still {number}", day=number % 3, turns=2) for number in range(9)]
        for rows in still:
            store.write_call(rows)
        expected = {rows.call["call_id"]: 8 for rows in still}
        by_files = (
            f"select call_id, count(*) from read_parquet('{store.root}/tables/{{}}/*/*.parquet') group by 1"
        )
        asked = unreadable = 0
        compactor = another("keeper.py", store.root, "over", "compact")
        writing = another("../writer.py", store.root, "slowly")
        with compactor as one, writing as other:
            assert one.stdout is not None
            assert other.stdout is not None
            one.stdout.readline()
            other.stdout.readline()
            until = time.monotonic() + 6
            while time.monotonic() < until or asked < 4:
                words = query(store, "select call_id, count(*) as n from words group by 1").to_pylist()
                found = {row["call_id"]: row["n"] for row in words}
                assert {key: found.get(key) for key in expected} == expected
                assert store.read_call(still[4].call["call_id"]) == still[4]
                try:
                    with duckdb.connect() as connection:
                        counted = dict(connection.sql(by_files.format("words")).fetchall())
                        listed = dict(connection.sql(by_files.format("calls")).fetchall())
                except duckdb.IOException:
                    unreadable += 1  # a file that was listed is gone: it is told, and asked again
                    continue
                assert {key: counted.get(key) for key in expected} == expected
                assert {key: listed.get(key) for key in expected} == dict.fromkeys(expected, 1)
                asked += 1
        assert merged_files(store) > 0
        assert not [each for each in examine(store).findings if each.kind not in ("leftover", "orphan")]


# Killed anywhere, and two at once


@pytest.mark.parametrize("what", ["compact", "compact-by-two-steps"])
def test_a_compaction_that_dies_at_any_change_changes_no_row_and_is_finished_by_the_next(what: str) -> None:
    with killed_at_each_change(what) as (template, stores):
        before = rows_in_files(template)
        files = Counter[int]()
        for number, root in enumerate(stores):
            store = Store(root, create=False)
            store.settle()
            assert rows_in_files(root) == before
            files[own_files(store)] += 1
            if number % EACH:
                continue
            assert store.read_call(A) == Store(template).read_call(A)
            compact(store)
            assert rows_in_files(root) == before
            assert temporary_files(store) == []
            assert not store.days.is_moving()
            assert (own_files(store), merged_files(store)) == (10, 10)
        assert {30, 10} < files.keys()


def test_a_call_that_is_processed_again_out_of_merged_files_dies_at_any_change() -> None:
    with killed_at_each_change("rewrite") as (template, stores):
        old, new = Store(template).read_call(A), made_call("a", version=1, day=1, turns=1)
        others = Store(template).read_call(B)
        seen = set()
        for number, root in enumerate(stores):
            store = Store(root, create=False)
            there = store.processed()
            if A in there:
                read = store.read_call(A)
                assert read in (old, new)
                seen.add("new" if read == new else "old")
            else:
                seen.add("none")
            assert store.read_call(B) == others
            if number % EACH:
                continue
            store.sweep()
            store.write_call(new)
            assert store.read_call(A) == new
            assert store.read_call(B) == others
            assert temporary_files(store) == []
            assert not examine(store).findings
        assert seen == {"old", "none", "new"}


def test_judging_calls_in_merged_files_dies_at_any_change_and_shows_no_half() -> None:
    with killed_at_each_change("judge") as (template, stores):
        seen = set()
        for number, root in enumerate(stores):
            store = Store(root, create=False)
            read = store.read_call(A)
            versions = {row["version"] for row in (*read.scores, *read.categories)}
            assert len(versions) == 1
            assert len(read.scores) == 1 + int(next(iter(versions)))
            seen |= versions
            if number % EACH:
                continue
            assert store.read_call(C) == Store(template).read_call(C)
            store.sweep()
            assert temporary_files(store) == []
            assert not examine(store).findings
        assert seen == {"1", "2"}


def test_two_compactions_at_once_merge_each_day_once(store: Store, fast_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: compact(Store(store.root)), range(2)))
    assert sorted(each.files_before for each in done) == [0, 20]
    assert same_tables(store, plain(fast_path))


def test_a_day_to_which_a_call_is_written_meanwhile_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = days.Days.swap
    versions = iter(range(1, 100))

    def busy(self: days.Days, changes: list[days.Change]) -> object:
        # Whoever writes a call holds the lock that this one has; here it is done for them.
        for path in self.tables.glob(f"calls/*/{A}.parquet"):
            rows = made_call("a", version=next(versions))
            content = parquet.parquet_bytes(
                "calls", [{k: v for k, v in rows.call.items() if k != "call_date"}], "a"
            )
            disk.publish(disk.stage(self.root / "tmp", A, content), path)
        return taken(self, changes)

    monkeypatch.setattr(days.Days, "swap", busy)
    assert compact(store) == Compacted(left_alone=1)
    assert merged_files(store) == 0


def test_where_folders_cannot_be_swapped_the_store_is_compacted_all_the_same(
    store: Store, fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(disk, "exchange", lambda *_: False)
    monkeypatch.setattr("os.link", refuse)
    compact(store)
    assert merged_files(store) == 10
    assert same_tables(store, plain(fast_path))
    assert temporary_files(store) == []
