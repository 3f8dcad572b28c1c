import datetime as dt
import hashlib
import hmac
import json
import os
import threading
from pathlib import Path

import pytest
from keeper import A, B, C, of_customer
from keeping import killed_at_each_change, rows_in_files, temporary_files
from made_rows import DAY, made_call, made_failure, made_judgement

from models.errors import UsageError
from pipelines.failures import Erased
from pipelines.store import Judged, Store, disk
from pipelines.store.compaction import compact
from pipelines.store.doctor import examine
from pipelines.store.erasure import (
    Doomed,
    age,
    doomed_before,
    doomed_calls,
    doomed_customer,
    erase,
    is_erasing,
    lift,
)
from pipelines.store.export import Destination, export, refresh

NOBODY = 4194304
"""A number that no process has: Linux gives lower ones."""

pytestmark = pytest.mark.usefixtures("no_grace")


@pytest.fixture(params=["as written", "compacted"])
def store(store: Store, request: pytest.FixtureRequest) -> Store:
    """The calls a, b and c: see `store_fixtures`."""
    if request.param == "compacted":
        compact(store)
    return store


def traces(root: Path, *texts: str) -> list[Path]:
    """The files of a store that hold one of these texts, in their name or in themselves."""
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and any(text in path.name or text.encode() in path.read_bytes() for text in texts)
    ]


# What goes and what stays


def test_a_call_is_gone_from_every_table_and_the_others_are_as_they_were(store: Store) -> None:
    before = rows_in_files(store.root)
    done = erase(store, doomed_calls(store, [A]), "asked for")
    assert (done.calls, done.failures) == (1, 0)
    kept = {name: [row for row in rows if row[1] != A] for name, rows in before.items()}
    assert rows_in_files(store.root) == kept
    assert store.processed().keys() == {B, C}
    assert examine(store).findings == ()


def test_nothing_in_the_store_has_the_id_or_the_name_of_an_erased_call(store: Store) -> None:
    (store.root / "tmp" / f".{A}~elsewhere~1~ab").write_bytes(b"half of a call")
    store.write_failure(made_failure("calls/a.wav"))
    assert traces(store.root, A, "calls/a.wav")
    erase(store, doomed_calls(store, [A]), "asked for")
    assert traces(store.root, A, "calls/a.wav") == []
    assert temporary_files(store) == []


@pytest.mark.parametrize("what", ["compaction", "export", "apart"])
def test_what_a_killed_process_had_copied_goes_too(store: Store, what: str) -> None:
    mine = disk.temporary(store.root / "tmp", what)
    left = mine.with_name(mine.name.replace(f"~{os.getpid()}~", f"~{NOBODY}~"))
    left.mkdir()
    (left / "merged~0.parquet").write_bytes(A.encode())
    erase(store, doomed_calls(store, [A]), "asked for")
    assert traces(store.root, A) == []


def test_the_failures_of_a_call_and_of_its_recording_go_too(store: Store) -> None:
    store.write_failure(made_failure("calls/a.wav"))
    store.write_failure(
        made_failure("copies/a.wav", call_id=A, source_sha256=made_call("a").call["source_sha256"])
    )
    doomed = doomed_calls(store, [A])
    assert len(doomed.failure_keys) == 2
    erase(store, doomed, "")
    assert sorted(row["source"] for row in store.failures()) == ["calls/x.wav", "calls/y.wav"]


def test_all_calls_of_a_customer_are_erased(store: Store) -> None:
    store.write_call(of_customer(made_call("d", day=9), "4711"))
    doomed = doomed_customer(store, "4711")
    assert doomed.sources == ("calls/a.wav", "calls/d.wav")
    erase(store, doomed, "")
    assert store.processed().keys() == {B, C}
    assert doomed_customer(store, "4711") == Doomed((), (), ())


def test_calls_and_failures_before_a_moment_are_erased(store: Store) -> None:
    store.write_failure(made_failure("calls/later.wav", failed_at=DAY + dt.timedelta(days=2)))
    erase(store, doomed_before(store, DAY + dt.timedelta(hours=1)), "")
    assert store.processed().keys() == {C}
    assert [row["source"] for row in store.failures()] == ["calls/later.wav"]
    assert store.erased("ab" * 16)  # of which the store only had a failure


@pytest.mark.parametrize(("text", "length"), [("400d", 400), ("12w", 84), ("2Y", 730)])
def test_an_age_is_days_weeks_or_years(text: str, length: int) -> None:
    assert age(text) == dt.timedelta(days=length)


@pytest.mark.parametrize("text", ["", "d", "0d", "-3d", "1.5y", "3 months", "400"])
def test_anything_else_is_no_age(text: str) -> None:
    with pytest.raises(UsageError, match="takes an age such as 400d"):
        age(text)


# It stays away


def test_an_erased_call_is_not_written_again_nor_is_its_failure(store: Store) -> None:
    assert not store.erased(A)
    erase(store, doomed_calls(store, [A]), "")
    assert store.erased(A)
    with pytest.raises(Erased, match=r"calls/a\.wav was erased from the store"):
        store.write_call(made_call("a"))
    assert store.write_failure(made_failure("calls/a.wav", call_id=A)) == 0
    assert A not in store.processed()
    assert traces(store.root, A) == []
    store.write_call(made_call("b", version=1))


def test_a_call_that_was_being_judged_stays_away(store: Store) -> None:
    judged = Judged(store.read_stored(A), *made_judgement(A, 1))
    erase(store, doomed_calls(store, [A]), "")
    assert store.write_judgements([judged]) == [A]
    assert store.table("scores").filter(pc_equal(store, A)).num_rows == 0


def pc_equal(store: Store, call_id: str) -> list[bool]:
    return [each == call_id for each in store.table("scores")["call_id"].to_pylist()]


def test_a_call_that_is_being_written_while_it_is_erased_does_not_come_back(store: Store) -> None:
    doomed = doomed_calls(store, [A])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            try:
                store.write_call(made_call("a"))
            except Erased:
                return

    writing = threading.Thread(target=write)
    writing.start()
    erase(store, doomed, "")
    stop.set()
    writing.join()
    assert A not in store.processed()
    assert traces(store.root, A) == []


def test_an_erased_call_may_be_processed_again_when_that_is_said(store: Store) -> None:
    erase(store, doomed_calls(store, [A, B]), "")
    lift(store, [A], "erased by mistake")
    assert (store.erased(A), store.erased(B)) == (False, True)
    store.write_call(made_call("a"))
    assert store.read_call(A) == made_call("a")
    erase(store, doomed_calls(store, [A]), "")
    assert store.erased(A)
    assert examine(store).findings == ()


def test_what_was_not_erased_cannot_be_allowed_again(store: Store) -> None:
    with pytest.raises(UsageError, match=f"The call {A} was not erased"):
        lift(store, [A], "")


# The record


def test_the_record_proves_the_erasure_to_who_has_the_id_and_tells_nobody_else(store: Store) -> None:
    done = erase(store, doomed_customer(store, "4711"), "request 7")
    record = json.loads((store.root / "erasures" / done.record).read_text())
    assert (record["calls"], record["reason"]) == (1, "request 7")
    assert record["erased_at"] <= record["finished_at"]
    assert record.keys() == {
        *("erased_at", "finished_at", "calls", "failures", "reason", "by", "versions", "salt", "call_hashes")
    }
    expected = hmac.new(bytes.fromhex(record["salt"]), A.encode(), hashlib.sha256).hexdigest()
    assert record["call_hashes"] == [expected]
    assert traces(store.root / "erasures", A, "4711", "a.wav", made_call("a").call["source_sha256"]) == []


# Exports


def test_exports_lose_what_is_erased(store: Store, fast_path: Path) -> None:
    export(store, Destination(str(fast_path / "out")))
    assert traces(fast_path / "out", "4711")
    erase(store, doomed_customer(store, "4711"), "")
    assert refresh(store) == []
    exported = [row for _, row in _exported(fast_path / "out")]
    assert A not in exported
    assert {B, C} <= set(exported)
    assert traces(fast_path / "out", "4711", A) == []


def test_an_export_that_cannot_be_reached_is_told_and_made_good_by_the_next(
    store: Store, fast_path: Path
) -> None:
    out = fast_path / "out"
    export(store, Destination(str(out)))
    erase(store, doomed_customer(store, "4711"), "")
    away = out.rename(fast_path / "away")
    out.write_text("in the way")
    [sentence] = refresh(store)
    assert f"There is no export at {out}. If it lies there at other times, it still has what was" in sentence
    out.unlink()
    away.rename(out)
    assert refresh(store) == []
    assert A not in [row for _, row in _exported(out)]


def _exported(folder: Path) -> list[tuple[str, str]]:
    import pyarrow.parquet as pq

    return [
        (path.parent.parent.name, str(key))
        for path in folder.rglob("*.parquet")
        if path.parent.parent.name not in ("failures", "runs")
        for key in pq.read_table(path, partitioning=None)["call_id"].to_pylist()
    ]


# Killed anywhere


def test_an_erasure_that_dies_at_any_change_is_finished_by_the_next_sweep() -> None:
    with killed_at_each_change("erase") as (template, stores):
        before = rows_in_files(template)
        kept = {name: [row for row in rows if row[1] != A] for name, rows in before.items()}
        seen = set()
        for number, root in enumerate(stores):
            store = Store(root, create=False)
            found = rows_in_files(root)
            assert {name: [row for row in rows if row[1] != A] for name, rows in found.items()} == kept
            begun, there = store.erased(A), A in store.processed()
            erasing = is_erasing(root)
            seen.add((begun, erasing, there))
            if begun:
                with pytest.raises(Erased):
                    store.write_call(made_call("a"))
            if number % 2:
                continue
            store.sweep()
            assert (A in store.processed()) == (not begun and not erasing)
            if A in store.processed():
                erase(store, doomed_calls(store, [A]), "")
            assert rows_in_files(root) == kept
            assert not is_erasing(root)
            assert traces(root, A) == []
            assert temporary_files(store) == []
            assert examine(store).findings == ()
        assert {(False, False, True), (True, True, True), (True, True, False), (True, False, False)} <= seen
