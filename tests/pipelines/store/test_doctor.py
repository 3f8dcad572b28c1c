import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from keeper import A, B, C
from made_rows import DAY, made_call, made_failure, made_run

from pipelines.invariants import check_call
from pipelines.ledger import LedgerError
from pipelines.store import Store, beside, doctor, parquet
from pipelines.store.compaction import compact
from pipelines.store.doctor import examine
from pipelines.store.erasure import doomed_calls, erase
from pipelines.store.parquet import table_bytes
from pipelines.tables import TABLES, CallRows

pytestmark = pytest.mark.usefixtures("no_grace")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_SECOND_LOOK_S", 0.0)


def file_of(store: Store, table: str, key: str) -> Path:
    [path] = store.root.glob(f"tables/{table}/*/{key}.parquet")
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the rows of a file, and nothing else."""
    name = path.parent.parent.name
    with pq.ParquetFile(path) as file:
        rows = [change(row) for row in file.read().to_pylist(maps_as_pydicts="strict")]
    path.write_bytes(table_bytes(name, pa.Table.from_pylist(rows, schema=TABLES[name].schema)))


def kinds(store: Store, sources: bool = False) -> set[str]:
    return {finding.kind for finding in examine(store, sources).findings}


@pytest.mark.parametrize("merge", [False, True])
def test_a_store_that_is_as_it_should_be_has_no_finding_and_is_counted(store: Store, merge: bool) -> None:
    if merge:
        compact(store)
    examined = examine(store)
    assert examined.findings == ()
    assert examined.calls == 3
    assert examined.rows["words"] == 12
    assert examined.files == len(list(store.root.rglob("*.parquet")))


def test_an_empty_store_is_as_it_should_be(fast_path: Path) -> None:
    examined = examine(Store(fast_path / "empty"))
    assert (examined.calls, examined.files, examined.findings) == (0, 0, ())


def test_a_damaged_file_is_found(store: Store) -> None:
    path = file_of(store, "words", A)
    path.write_bytes(path.read_bytes()[:50])
    [finding] = examine(store).findings
    assert (finding.kind, finding.where) == ("unreadable", f"words/call_date=2024-03-05/{A}.parquet")


@pytest.mark.parametrize("table", sorted(TABLES.keys() - {"runs"}))
@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_of_a_merged_file_that_is_damaged_nothing_but_that_is_found(
    store: Store, table: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = MadeLedger([Entry(A, "done"), Entry("ab" * 16, "set_aside")])
    monkeypatch.setattr(doctor, "ledger_of", lambda _: ledger)
    compact(store)
    path = sorted(store.root.glob(f"tables/{table}/*/merged~*.parquet"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole[:4] + bytes(60) + whole[64:])
    found = {(each.kind, each.where, each.advice.partition(" ")[0]) for each in examine(store).findings}
    where = f"{table}/{path.parent.name}/{path.name}"
    assert ("unreadable", where, "Put") in found
    assert found <= {("unreadable", where, "Put"), ("content", where, "Put")}


@pytest.mark.parametrize(
    ("table", "column", "key"), [("words", "word", A), ("failures", "message", "ab" * 16)]
)
def test_bytes_that_are_no_text_are_found(store: Store, table: str, column: str, key: str) -> None:
    path = file_of(store, table, key)
    rows = parquet.read_table(path)
    no_text = pa.array([b"\xff"] * rows.num_rows, pa.binary()).view(pa.string())
    rows = rows.set_column(rows.column_names.index(column), column, no_text)
    path.write_bytes(table_bytes(table, rows))
    [finding] = examine(store).findings
    assert (finding.kind, finding.where.rpartition("/")[2]) == ("unreadable", key)


def test_beside_a_damaged_file_what_else_is_wrong_is_found(store: Store) -> None:
    compact(store)
    [path] = store.root.glob("tables/words/*-05/merged~*.parquet")
    path.write_bytes(path.read_bytes()[:50])
    store.write_run(made_run(run_id="ended", status="finished"))
    store.write_failure(made_failure("calls/c.wav", call_id=C, source_sha256="ff" * 32))
    assert kinds(store) == {"unreadable", "run_end", "failure_identity", "failure_of_call"}


def test_a_ledger_that_cannot_be_read_is_found_and_hides_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Path) -> None:
        raise LedgerError("The ledger cannot be read.")

    monkeypatch.setattr(doctor, "ledger_of", damaged)
    file_of(store, "turns", C).unlink()
    assert kinds(store) == {"unreadable", "parts"}


def test_a_merged_file_that_was_changed_is_found(store: Store) -> None:
    compact(store)
    [path] = store.root.glob("tables/words/*-05/merged~*.parquet")
    changed(path, lambda row: {**row, "confidence": 0.5})
    assert kinds(store) == {"content"}


def test_a_merged_file_whose_calls_are_out_of_order_is_found(store: Store) -> None:
    compact(store)
    [path] = store.root.glob("tables/words/*-06/*.parquet")
    with pq.ParquetFile(path) as file:
        of_c = file.read()
    place = of_c.column_names.index("call_id")
    others = [of_c.set_column(place, "call_id", pa.array([key] * of_c.num_rows)) for key in ("f", "e")]
    content = table_bytes("words", pa.concat_tables(others))
    path.with_name(f"merged~{hashlib.sha256(content).hexdigest()[:16]}.parquet").write_bytes(content)
    found = examine(store).findings
    assert {each.kind for each in found} == {"order", "orphan"}
    assert [each.what for each in found if each.kind == "orphan"] == [
        "Its rows of f have no row in calls."
    ], "the ones of e are not known to be there"


def test_of_a_large_day_only_a_part_is_held_in_memory(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100_000)
    store = Store(fast_path / "large")
    for number in range(50):
        store.write_call(made_call(str(number), turns=30))
    compact(store)
    whole = sum(parquet.read_table(path).nbytes for path in store.root.glob("tables/*/*/*.parquet"))
    before, held = pa.total_allocated_bytes(), list[int]()

    def noting(rows: CallRows) -> None:
        held.append(pa.total_allocated_bytes() - before)
        check_call(rows)

    monkeypatch.setattr(doctor, "check_call", noting)
    assert examine(store).calls == len(held) == 50
    assert max(held) < whole / 2


def test_a_file_with_other_columns_is_found(store: Store) -> None:
    path = file_of(store, "turns", A)
    with pq.ParquetFile(path) as file:
        table = file.read().drop_columns(["sentiment"])
    pq.write_table(table, path)
    found = examine(store).findings
    assert found[0].kind == "schema"
    assert "sentiment" in found[0].what


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("calls", {"word_count": 7}),
        ("calls", {"turn_count": 1}),
        ("calls", {"speaker_count": 3}),
        ("calls", {"source_sha256": "00" * 32}),
        ("calls", {"started_at": DAY + dt.timedelta(days=3)}),
        ("turns", {"turn": 5}),
        ("words", {"word": "other"}),
        ("speakers", {"role": "nobody"}),
        ("scores", {"points": 0.5}),
    ],
)
def test_rows_that_contradict_each_other_are_found(store: Store, table: str, change: dict[str, Any]) -> None:
    changed(file_of(store, table, A), lambda row: {**row, **change})
    assert kinds(store) == {"invariant"}


def test_a_part_without_its_call_and_a_call_without_a_part_are_found(store: Store) -> None:
    file_of(store, "calls", A).unlink()
    file_of(store, "turns", C).unlink()
    findings = examine(store).findings
    assert {each.kind for each in findings} == {"orphan", "parts"}
    assert {each.where for each in findings if each.kind == "parts"} == {f"calls/call_date=2024-03-06/{C}"}
    store.sweep()
    assert kinds(store) == {"parts"}


def test_a_call_that_is_there_twice_is_found(store: Store) -> None:
    path = file_of(store, "calls", A)
    (path.parent.with_name("call_date=2024-03-06") / path.name).write_bytes(path.read_bytes())
    assert "call_twice" in kinds(store)
    compact(store)


def test_rows_that_are_there_twice_are_found(store: Store) -> None:
    own = file_of(store, "words", A).read_bytes()
    compact(store)
    (store.root / "tables" / "words" / "call_date=2024-03-05" / f"{A}.parquet").write_bytes(own)
    assert "rows_twice" in kinds(store)


def test_a_file_under_another_name_and_one_that_is_not_the_stores_are_found(store: Store) -> None:
    path = file_of(store, "words", A)
    path.rename(path.with_name(f"{'0' * 32}.parquet"))
    (path.parent / "notes.txt").write_text("mine")
    assert kinds(store) >= {"key", "foreign_file"}


def test_failures_that_make_no_sense_are_found(store: Store) -> None:
    store.write_failure(made_failure("calls/c.wav", call_id=C, source_sha256="ff" * 32))
    findings = {each.kind for each in examine(store).findings}
    assert findings == {"failure_identity", "failure_of_call"}


def test_runs_that_make_no_sense_are_found(store: Store) -> None:
    store.write_run(made_run(run_id="ended", status="finished"))
    store.write_run(made_run(run_id="counted", status="finished", finished_at=DAY, processed=9))
    assert kinds(store) == {"run_end", "run_counts"}


def test_leftovers_and_a_half_done_erasure_are_found_and_swept(store: Store) -> None:
    (store.root / "tmp" / f".{A}~elsewhere~1~ab").write_bytes(b"half")
    import os
    import time

    os.utime(store.root / "tmp" / f".{A}~elsewhere~1~ab", (time.time() - 7200,) * 2)
    assert kinds(store) == {"leftover"}
    store.sweep()
    assert kinds(store) == set()


def test_an_erased_call_that_is_there_is_found(store: Store) -> None:
    copy = file_of(store, "calls", B).read_bytes()
    erase(store, doomed_calls(store, [B]), "")
    assert kinds(store) == set()
    (store.root / "tables" / "calls" / "call_date=2024-03-05" / f"{B}.parquet").write_bytes(copy)
    assert "erased_call" in kinds(store)


def test_a_damaged_record_of_an_erasure_is_found(store: Store) -> None:
    done = erase(store, doomed_calls(store, [B]), "")
    path = store.root / "erasures" / done.record
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "call_hashes": []}))
    assert kinds(store) == {"erasure_record"}
    path.write_text("{")
    assert kinds(store) == {"erasure_record"}


def test_recordings_that_are_gone_or_changed_are_found_when_asked_for(fast_path: Path) -> None:
    from dataclasses import replace

    store = Store(fast_path / "store")
    for name in ("same", "other", "gone"):
        path = fast_path / f"{name}.wav"
        rows = made_call(name)
        assert rows.call["source_sha256"] == hashlib.sha256(name.encode()).hexdigest()
        store.write_call(replace(rows, call={**rows.call, "source": str(path)}))
        path.write_text(name)
    (fast_path / "other.wav").write_text("changed")
    (fast_path / "gone.wav").unlink()
    assert kinds(store) == set()
    found = {finding.kind: finding.where for finding in examine(store, sources=True).findings}
    assert found == {
        "source_changed": str(fast_path / "other.wav"),
        "source_gone": str(fast_path / "gone.wav"),
    }


def test_every_finding_says_what_to_do(store: Store) -> None:
    changed(file_of(store, "calls", A), lambda row: {**row, "word_count": 7})
    for finding in examine(store).findings:
        assert finding.where
        assert finding.what.endswith(".")
        assert finding.advice


@dataclass(frozen=True)
class Entry:
    """An entry of a ledger, as far as a doctor asks for it."""

    call_id: str
    state: str


@dataclass
class MadeLedger:
    """A ledger that says what a test has it say."""

    said: list[Entry]

    def entries(self) -> list[Entry]:
        return self.said

    def is_orphaned(self, entry: Entry) -> bool:
        return bool(entry.call_id == C)

    def forget(self, call_ids: list[str]) -> int:
        self.said = [entry for entry in self.said if entry.call_id not in call_ids]
        return 0


def test_what_the_ledger_says_otherwise_than_the_tables_is_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = MadeLedger([Entry(A, "done"), Entry(B, "working"), Entry("ab" * 16, "set_aside")])
    monkeypatch.setattr(doctor, "ledger_of", lambda _: ledger)
    assert kinds(store) == set()
    ledger.said = [Entry("00" * 16, "done"), Entry("11" * 16, "set_aside"), Entry(C, "working")]
    assert kinds(store) == {"ledger_done", "ledger_set_aside", "ledger_orphaned"}


def test_an_erased_call_is_forgotten_by_the_ledger(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MadeLedger([Entry(A, "done"), Entry(B, "done")])
    for module in (doctor, beside):
        monkeypatch.setattr(module, "ledger_of", lambda _: ledger)
    erase(store, doomed_calls(store, [B]), "")
    assert ledger.said == [Entry(A, "done")]
    assert kinds(store) == set()
    ledger.said.append(Entry(B, "done"))
    assert kinds(store) == {"ledger_erased"}
