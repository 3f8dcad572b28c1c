"""Whether all is right with a store: every file, every call by itself, and all of them together."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.invariants import InvariantBroken, check_call, check_rows
from pipelines.store import disk
from pipelines.store.beside import ledger_of
from pipelines.store.days import JUDGED, PARTS
from pipelines.store.disk import StoreError
from pipelines.store.erasure import is_erasing
from pipelines.store.parquet import by_key, is_merged, keys_of, rows_of
from pipelines.store.store import Store
from pipelines.tables import PARTITION, TABLES, CallRows, Row

_SECOND_LOOK_S: Final = 0.3
_OF_CALLS: Final = ("calls", *PARTS)
_OfKey = tuple[str, str, pa.Table]
"""A key, where its rows are (a file, or a table), and the rows."""
_key = itemgetter(0)

_COMPACT: Final = "Run `callfolio compact`, which removes them."
_DAMAGED: Final = (
    "Put this file back from a copy of the store. Where there is none, delete it, run `callfolio compact`, "
    "and process the recordings of the day again: callfolio run"
)
AGAIN: Final = "Process its recording again: callfolio run --force RECORDING"
_RECONCILED: Final = "The next `callfolio run` puts it right."
_SWEEP: Final = "The next `callfolio run` or `callfolio compact` removes it."
_LOOK_AGAIN: Final = "Put right what can be, and look again: callfolio doctor"


@dataclass(frozen=True)
class Finding:
    """Something that is not right: a short name for what, where it is, what is wrong, and what to do."""

    kind: str
    where: str
    what: str
    advice: str


@dataclass(frozen=True)
class Examined:
    """What was looked at, and all that is wrong with it."""

    calls: int
    files: int
    rows: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Call:
    """What the row of `calls` says of a call, where it has one, and on which day that lies."""

    day: str
    source: str = ""
    sha256: str = ""
    processed_at: datetime | None = None


def examine(store: Store, sources: bool = False, tell: Callable[[str], None] | None = None) -> Examined:
    """Check every invariant of a store, and of `sources` too whether they are there and unchanged.

    A day that seems wrong is looked at twice: calls may have been written to it. Whatever is damaged is among
    what is found, and what else is wrong beside it. `tell` hears each day. Raises StoreError where the store
    cannot be looked at.
    """
    findings: list[Finding] = []
    rows: Counter[str] = Counter()
    calls: dict[str, _Call] = {}
    failures: list[Row] = []
    runs: list[Row] = []
    broken: set[str] = set()
    entries: Set[tuple[str, str]] = frozenset()
    files = 0
    with disk.storing(store.root):
        with _noting(findings):
            store.settle()
        with _noting(findings):
            entries = _entries(store)
        for day in sorted({folder.name for name in TABLES for folder in store.days.folders(name)}):
            if tell:
                tell(day.removeprefix(f"{PARTITION}="))
            seen = _Day(store, day)
            if seen.findings:
                time.sleep(_SECOND_LOOK_S)
                seen = _Day(store, day)
            for call_id, call in seen.calls.items():
                if call_id in calls:
                    what = f"The call {call_id} ({call.source}) is also in {calls[call_id].day}."
                    findings.append(Finding("call_twice", f"calls/{day}", what, AGAIN))
                calls[call_id] = call
            findings += seen.findings
            failures += seen.failures
            runs += seen.runs
            broken |= {name for name, _ in seen.broken}
            rows.update(seen.rows)
            files += seen.files
        findings += [*_failures(failures, calls), *_runs(runs)]
        with _noting(findings):
            findings.extend(_leftovers(store, calls))
        with _noting(findings):
            failed = {row["call_id"] for row in failures}
            findings.extend(_against_ledger(store, entries, calls, failed, broken))
        if sources:
            findings += _sources(calls)
    return Examined(len(calls), files, dict(rows), tuple(findings))


@contextmanager
def _noting(findings: list[Finding]) -> Iterator[None]:
    """What a check of the whole store stumbles over ends that check, and is itself found."""
    try:
        yield
    except (StoreError, ValueError) as error:
        findings.append(Finding("unreadable", "the store", f"{str(error).rstrip('.')}.", _LOOK_AGAIN))


class _Day:
    """A day of all tables, read key by key: of a merged file no more than a row group is held in memory."""

    def __init__(self, store: Store, day: str) -> None:
        self.store, self.day = store, day
        self.findings: list[Finding] = []
        self.calls: dict[str, _Call] = {}
        self.failures: list[Row] = []
        self.runs: list[Row] = []
        self.rows: Counter[str] = Counter()
        self.broken: set[tuple[str, str]] = set()
        """Tables, each with the one key whose rows could not be read, or with "" where any may be lacking."""
        self.files = 0
        try:
            self.date: date | None = date.fromisoformat(day.removeprefix(f"{PARTITION}="))
        except ValueError:
            self.date = None
            self._find("folder", day, "Its name is no date.", "Move it out of the store.")
            return
        of_calls = merge(*map(self._of_table, _OF_CALLS), key=_key)
        for key, found in groupby(of_calls, key=_key):
            with self._reading(key):
                self._check_call(key, {table: rows for _, table, rows in found})
        for name, kept in (("failures", self.failures), ("runs", self.runs)):
            for key, _, rows in self._of_table(name):
                with self._reading(key, name):
                    kept += self._check_rows(name, key, rows)

    def _find(self, kind: str, where: str, what: str, advice: str) -> None:
        self.findings.append(Finding(kind, where, what, advice))

    @contextmanager
    def _reading(self, key: str, name: str = "calls") -> Iterator[None]:
        """Rows are made into values, which those of a damaged file need not be."""
        try:
            yield
        except (UnicodeDecodeError, pa.ArrowException) as error:
            self.broken.add((name, key))
            what = f"A text in its rows cannot be read: {str(error).rstrip('.')}."
            self._find("unreadable", f"{name}/{self.day}/{key}", what, AGAIN)

    def _of_table(self, name: str) -> Iterator[_OfKey]:
        """The rows of the day in a table by key, in order; what is wrong with its files is noted."""
        folder = self.store.days.tables / name / self.day
        own, many = list[Path](), list[Path]()
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if path.suffix != ".parquet" or not path.is_file():
                what = "It is no file of the store."
                self._find("foreign_file", self._where(path), what, "Move it out of the store.")
            else:
                (many if is_merged(path) else own).append(path)
        streams = [chain.from_iterable(map(self._of_file, own)), *map(self._of_file, many)]
        for key, found in groupby(merge(*streams, key=_key), key=_key):
            tables = [(where, table) for _, where, table in found]
            filled = [each for each in tables if each[1].num_rows]
            for where, _ in filled[1:]:
                what = f"Rows of {key} are in another file of the day too."
                self._find("rows_twice", where, what, AGAIN)
            yield key, name, (filled or tables)[-1][1]

    def _of_file(self, path: Path) -> Iterator[_OfKey]:
        """The rows of a file by key, in order, as far as they can be read; what is wrong with it is noted."""
        name, where = path.parent.parent.name, self._where(path)
        self.files += 1
        try:
            with pq.ParquetFile(path) as file:
                if not (problem := _schema_problem(file.schema_arrow, TABLES[name].schema)):
                    self.rows[name] += file.metadata.num_rows
                    yield from self._of_merged(path) if is_merged(path) else self._of_own(path, file)
                    return
            self._find("schema", where, problem, _DAMAGED)
        except FileNotFoundError:
            what = "It went while it was looked at."
            self._find("gone", where, what, "Look again when nothing is written.")
        except (pa.ArrowException, OSError, StoreError, UnicodeDecodeError) as error:
            self._find("unreadable", where, f"It cannot be read: {str(error).rstrip('.')}.", _DAMAGED)
        self._break(path)

    def _break(self, path: Path) -> None:
        """Note that rows of a file are lacking: what they are of is not checked against the rest."""
        self.broken.add((path.parent.parent.name, "" if is_merged(path) else path.stem))

    def _is_broken(self, name: str, key: str) -> bool:
        """Whether rows of a key in a table are lacking for all that is known."""
        return bool(self.broken & {(name, key), (name, "")})

    def _of_own(self, path: Path, file: pq.ParquetFile) -> Iterator[_OfKey]:
        """The rows of a file of one key, which may be none."""
        table = file.read(use_threads=False)
        if set(keys_of(path.parent.parent.name, table)) - {path.stem}:
            what = "It has rows of other calls than its name says."
            self._find("key", self._where(path), what, _DAMAGED)
        else:
            yield path.stem, self._where(path), table

    def _of_merged(self, path: Path) -> Iterator[_OfKey]:
        where, last = self._where(path), ""
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if path.stem.partition("~")[2] != digest[:16]:
            what = "Its content is not the one that it was written with."
            self._find("content", where, what, _DAMAGED)
        for key, table in by_key(path.parent.parent.name, path):
            if key < last:
                self._find("order", where, "Its rows are not in order of their calls.", _DAMAGED)
                self._break(path)
                return
            yield key, where, table
            last = key

    def _where(self, path: Path) -> str:
        return f"{path.parent.parent.name}/{self.day}/{path.name}"

    def _check_call(self, key: str, tables: Mapping[str, pa.Table]) -> None:
        """Check all that the day has of a call, by table; a table that has nothing of it is left out.

        Of a call of which a damaged file may have more, nothing is said: the file is what has to be seen to.
        """
        if "calls" not in tables:
            for name in tables if not self._is_broken("calls", key) else ():
                where = f"{name}/{self.day}"
                self._find("orphan", where, f"Its rows of {key} have no row in calls.", _COMPACT)
            return
        rows, where = rows_of(tables["calls"]), f"calls/{self.day}/{key}"
        named = ("source", "source_sha256", "processed_at") if rows else ()
        self.calls[key] = _Call(self.day, *(rows[0][name] for name in named))
        if any(name not in tables and self._is_broken(name, key) for name in PARTS):
            return
        lacking = [name for name in PARTS if name not in tables and name not in JUDGED]
        if len(rows) != 1:
            self._find("call_twice", where, f"The call has {len(rows)} rows in calls.", AGAIN)
        elif lacking and self._has_own_file(key):
            self._find("parts", where, f"The call has no file in {', '.join(lacking)}.", AGAIN)
        else:
            parts = {name: rows_of(tables[name]) if name in tables else () for name in PARTS}
            try:
                check_call(CallRows({**rows[0], PARTITION: self.date}, **parts))
            except InvariantBroken as broken:
                self._find("invariant", where, f"{broken.invariant}: {broken.detail}.", AGAIN)

    def _has_own_file(self, key: str) -> bool:
        """Whether a call is in no merged file, and has then a file in each table, without rows if need be."""
        return (self.store.days.tables / "calls" / self.day / f"{key}.parquet").exists()

    def _check_rows(self, name: str, key: str, table: pa.Table) -> Sequence[Row]:
        """Check a recording's rows of `failures`, or a run's of `runs`, and return them."""
        where, rows = f"{name}/{self.day}/{key}", rows_of(table)
        for row in rows:
            try:
                check_rows(TABLES[name], [row], key)
            except InvariantBroken as broken:
                what = f"{broken.invariant}: {broken.detail}."
                self._find("invariant", where, what, "Delete its file.")
            if name == "runs" and row["started_at"].astimezone(UTC).date() != self.date:
                self._find("date", where, "It is not in the folder of its date.", "Delete its file.")
        return rows


def _schema_problem(found: pa.Schema, declared: pa.Schema) -> str:
    there, wanted = (
        {field.name: (field.type, field.nullable) for field in schema} for schema in (found, declared)
    )
    if there == wanted and found.names == declared.names:
        return ""
    odd = sorted({name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name)})
    return f"Its columns are not those of the table: {', '.join(odd) or 'their order'}."


def _failures(failures: Sequence[Row], calls: Mapping[str, _Call]) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for row in failures:
        seen[row["call_id"] or row["source"]] += 1
        if row["call_id"] and not row["source_sha256"].startswith(row["call_id"]):
            yield Finding(
                "failure_identity",
                f"failures/{row['source']}",
                "Its call_id is not the beginning of its source_sha256.",
                "Process the recording again.",
            )
        processed_at = calls[row["call_id"]].processed_at if row["call_id"] in calls else None
        if processed_at is not None and row["failed_at"] <= processed_at:
            yield Finding("failure_of_call", f"failures/{row['call_id']}", "It was processed since.", _SWEEP)
    for key, count in seen.items():
        if count > 1:
            what = f"The recording has {count} rows."
            yield Finding("failure_twice", f"failures/{key}", what, "Process the recording again.")


def _runs(runs: Sequence[Row]) -> Iterator[Finding]:
    for run_id, count in Counter(row["run_id"] for row in runs).items():
        if count > 1:
            what = f"The run has {count} rows."
            yield Finding("run_twice", f"runs/{run_id}", what, "Delete the file of the older one.")
    for row in runs:
        if row["status"] != "running" and row["finished_at"] is None:
            what = f"It is {row['status']} and has no end."
            yield Finding(
                "run_end", f"runs/{row['run_id']}", what, "Delete its file: it is a report, no more."
            )
        done = row["processed"] + row["skipped"] + row["set_aside"]
        if row["status"] == "finished" and done > row["sources"]:
            what = f"It had {row['sources']} recordings and accounts for {done}."
            yield Finding("run_counts", f"runs/{row['run_id']}", what, "Please report it.")


def _leftovers(store: Store, calls: Mapping[str, _Call]) -> Iterator[Finding]:
    folder = store.root / "tmp"
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if disk.is_stale(path):
            yield Finding("leftover", f"tmp/{path.name}", "A killed process left it behind.", _SWEEP)
    if is_erasing(store.root):
        yield Finding("erasure", "erasing.json", "An erasure was begun and is not done.", _SWEEP)
    try:
        records = store.tombstones.records()
    except (OSError, ValueError) as error:
        what = f"A record of an erasure cannot be read: {error}."
        yield Finding("erasure_record", "erasures", what, "Restore the folder from a copy of the store.")
        return
    for record in records:
        if len(record["call_hashes"]) != record.get("calls", len(record["call_hashes"])):
            what = "It does not have as many hashes as calls."
            yield Finding("erasure_record", f"erasures/{record['record']}", what, "Restore it from a copy.")
    for call_id in calls:
        if store.tombstones.holds(call_id):
            yield Finding(
                "erased_call",
                f"calls/{call_id}",
                "The call was erased and is there.",
                f"Erase it again: callfolio erase {call_id}",
            )


def _entries(store: Store) -> Set[tuple[str, str]]:
    """What the ledger says: calls, and the state of each."""
    ledger = ledger_of(store.root)
    return frozenset((entry.call_id, entry.state) for entry in ledger.entries()) if ledger else frozenset()


def _against_ledger(
    store: Store,
    entries: Set[tuple[str, str]],
    calls: Mapping[str, _Call],
    failed: Set[str],
    broken: Set[str],
) -> Iterator[Finding]:
    """What the ledger says otherwise than the tables, and has said in `entries` before they were read.

    What is not in a table of which something could not be read, which are `broken`, may be there.
    """
    ledger = ledger_of(store.root)
    if ledger is None:
        return
    for entry in ledger.entries():
        if (entry.call_id, entry.state) not in entries:
            continue
        where = f"ledger/{entry.call_id}"
        if store.erased(entry.call_id):
            advice = f"Erase it again: callfolio erase {entry.call_id}"
            yield Finding("ledger_erased", where, "The call was erased and is in the ledger.", advice)
        elif entry.state == "done" and entry.call_id not in calls and "calls" not in broken:
            yield Finding("ledger_done", where, "It is said to be done, and is not in calls.", _RECONCILED)
        elif entry.state == "set_aside" and entry.call_id not in failed and "failures" not in broken:
            yield Finding("ledger_set_aside", where, "It is set aside, and not in failures.", _RECONCILED)
        elif entry.state == "working" and ledger.is_orphaned(entry):
            yield Finding("ledger_orphaned", where, "Who worked on it is dead.", _RECONCILED)


def _sources(calls: Mapping[str, _Call]) -> Iterator[Finding]:
    for call_id, call in calls.items():
        source, path = call.source, Path(call.source)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            yield Finding(
                "source_gone",
                source,
                f"The recording of {call_id} cannot be read: {error.strerror}.",
                "Nothing, if it was moved or deleted on purpose; it can then not be processed again.",
            )
            continue
        if digest != call.sha256:
            yield Finding(
                "source_changed",
                source,
                f"It is not the recording that {call_id} was made from.",
                "Process it, if it is another call: callfolio run RECORDING",
            )
