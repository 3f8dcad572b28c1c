"""An open store: calls, failures and runs are written and read one by one, tables are asked as a whole."""

import datetime as dt
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, TypeVar

import duckdb
import pyarrow as pa
from filelock import Timeout

from models.errors import UsageError
from pipelines.failures import Erased
from pipelines.invariants import InvariantBroken, check_call, check_rows
from pipelines.store import disk
from pipelines.store.days import JUDGED, PARTS, Days
from pipelines.store.disk import StoreError, storing
from pipelines.store.erasure import finish_erasure
from pipelines.store.locks import Locks
from pipelines.store.marker import MARKER, marker_bytes, version_of
from pipelines.store.parquet import (
    RowGroups,
    is_merged,
    parquet_bytes,
    read_rows,
    read_table,
    rows_of,
    source_key,
)
from pipelines.store.tombstones import Tombstones
from pipelines.tables import FAILURES, PARTITION, RUNS, SCHEMA_VERSION, TABLES, CallRows, Row

T = TypeVar("T")

_ORDER: Final = {
    "calls": "call_date, call_id",
    "turns": "call_date, call_id, turn",
    "words": "call_date, call_id, position",
    "speakers": "call_date, call_id, speaker",
    "moments": "call_date, call_id, start_s, end_s, kind, speaker",
    "sentences": "call_date, call_id, sentence",
    "entities": "call_date, call_id, turn, start_char",
    "scores": "call_date, call_id, scorecard, section, criterion",
    "categories": "call_date, call_id, category",
    "failures": "failed_at, source",
    "runs": "started_at, run_id",
}
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LEAST_PREFIX: Final = 4
_READ_ATTEMPTS: Final = 20
_READ_PAUSE_S: Final = 0.02
_READ_PATIENCE_S: Final = 30.0
_WRITERS: Final = 8
_DUCKDB_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_persistent_secrets": False,
    # A replaced file has the name of the old one.
    "enable_external_file_cache": False,
    # Variables of the calling program are no tables.
    "python_enable_replacements": False,
    # What people said is not spilled into other folders.
    "temp_directory": "",
}


_WRONG_QUESTIONS = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.PermissionException,
)
"""Errors of DuckDB that have nothing to do with what is in the files."""


@dataclass(frozen=True)
class StoredCall:
    """A call as its files have it: its row of `calls` with `call_date`, and its tables.

    `stamp` tells its file of `calls` from any that takes its place.
    """

    row: Row
    tables: Mapping[str, pa.Table]
    stamp: tuple[int, int]

    def rows(self) -> CallRows:
        """The call as it was given to `write_call`; a table that has no file of it is empty."""
        return CallRows(
            self.row,
            **{name: tuple(rows_of(self.tables[name])) if name in self.tables else () for name in PARTS},
        )


@dataclass(frozen=True)
class Judged:
    """What a stored call is judged: its rows of `scores` and of `categories`."""

    call: StoredCall
    scores: Sequence[Row]
    categories: Sequence[Row]


class Store:
    """A folder of tables that many processes read and write at once.

    A call that was written since the last compaction has one file of each of its tables in
    `tables/<table>/call_date=YYYY-MM-DD/`; the others lie in merged files there (see `pipelines.store.days`).
    Files are made in `tmp/`, where no reader looks, and moved into place whole; the file in `calls` is
    removed first and moved last, so that whoever joins on `calls` sees all of a call or nothing of it. A
    call in a merged file is set apart before it is written again. `locks/` keeps two writers of one call
    apart, `judging/` holds what a call is judged for as long as its rows are being replaced.
    """

    def __init__(self, root: Path, create: bool = True) -> None:
        """Open the store in the folder `root`, which is made when missing unless `create` is false.

        Raises UsageError when there is no store and none is to be made, or when a newer version of
        Callfolio wrote it; StoreError when the folder cannot be used.
        """
        with storing(root):
            self.root = root.resolve()
        with storing(self.root):
            self.locks, self.days, self.tombstones = Locks(self.root), Days(self.root), Tombstones(self.root)
            marker = self.root / MARKER
            if not marker.exists():
                if not create:
                    raise UsageError(
                        f"There is no store at {root}. Process some recordings into it first, "
                        "or name the folder of another store."
                    )
                for folder in ("tables", "tmp", "locks"):
                    (self.root / folder).mkdir(parents=True, exist_ok=True)
                disk.publish(self._stage(MARKER, marker_bytes()), marker)
            version = version_of(marker)
        if version is None:
            raise StoreError(
                f"{marker} is damaged, so it is not known what wrote the store. If the store is yours, "
                "delete that file and run again."
            )
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"The store {root} was written by a newer version of Callfolio (tables of version {version}; "
                f"this one knows {SCHEMA_VERSION}). Update Callfolio, or name the folder of another store."
            )
        if version < SCHEMA_VERSION:
            raise UsageError(
                f"The store {root} was written by an older version of Callfolio (tables of version "
                f"{version}; this one writes {SCHEMA_VERSION}). Bring it up to date: callfolio migrate "
                f"--store {root}"
            )

    # Writing

    def write_call(self, rows: CallRows, instead_of: "StoredCall | None" = None) -> bool:
        """Put a call into the store in place of what the store has of it, and drop its failures.

        With `instead_of`, only where the store still has that; returns whether the call was put there. Where
        nothing but its row of `calls` is another, that alone is replaced, in one step.

        Raises InvariantBroken, before anything is touched, when the rows contradict each other; Erased when
        the call was erased for good; StoreError when the disk is full or the like: the call is then in the
        store as it was or not at all.
        """
        check_call(rows)
        source, call_id, call_date = (rows.call[name] for name in ("source", "call_id", PARTITION))
        call = {name: value for name, value in rows.call.items() if name != PARTITION}
        parts = () if instead_of is not None and _same_parts(rows, instead_of) else PARTS
        contents = {name: parquet_bytes(name, getattr(rows, name), source) for name in parts}
        contents["calls"] = parquet_bytes("calls", [call], source)
        failed = [call_id, source_key(source)]
        with storing(self.root), ThreadPoolExecutor(_WRITERS) as pool:
            staged = {name: pool.submit(self._stage, call_id, content) for name, content in contents.items()}

            def publish(name: str) -> None:
                target = self._path(name, call_date, call_id)
                disk.publish(staged[name].result(), target)
                disk.remove(copy for copy in self._copies(name, call_id) if copy != target)

            try:
                # All is on the disk before anything is removed: a full disk costs no call that was there.
                for each in staged.values():
                    each.result()
                with self._changing(call_id, {"calls": [call_id], "failures": failed}):
                    if self.tombstones.holds(call_id):
                        raise Erased(source)
                    if instead_of is not None and not self._is_unchanged(instead_of):
                        return False
                    if parts:
                        if instead_of is not None and not self._is_judged_as(instead_of):
                            return False
                        disk.remove([self._judging / call_id])
                        disk.remove(self._copies("calls", call_id))
                        # All have ended, whatever fails, before others may write the call.
                        with ThreadPoolExecutor(_WRITERS) as publishers:
                            published = [publishers.submit(publish, name) for name in parts]
                        for done in published:
                            done.result()
                    publish("calls")
                    for key in failed:
                        disk.remove(self._copies("failures", key))
            finally:
                for each in staged.values():
                    if each.exception() is None:
                        each.result().unlink(missing_ok=True)
                self.days.discard()
        return True

    def write_judgements(self, judged: Sequence["Judged"]) -> Sequence[str]:
        """Replace what calls are judged, of each call in one step, and return the ids of those left alone.

        These are calls that were processed again, or went, since they were read. All is on the disk before
        the first is replaced. A process that is killed between the `scores` and the `categories` of a call
        leaves the other half in `judging/`, and whoever opens or asks the store next puts it into place.
        Raises InvariantBroken and StoreError, and has then replaced some or none.
        """
        left_alone: list[str] = []
        folders: set[Path] = set()
        with storing(self.root), ThreadPoolExecutor(_WRITERS) as pool:
            staged: list[Path] = []
            try:
                for each in pool.map(self._stage_judged, judged):
                    staged.append(each)
                self._judging.mkdir(exist_ok=True)
                ids = [one.call.row["call_id"] for one in judged]
                with self._changing(None, dict.fromkeys(JUDGED, ids)) as alone:
                    for one, folder in zip(judged, staged, strict=True):
                        call_id = one.call.row["call_id"]
                        with nullcontext() if alone else self.locks.of(call_id):
                            disk.remove([self._judging / call_id])
                            if not self._is_unchanged(one.call):
                                left_alone.append(call_id)
                                continue
                            folder.rename(self._judging / call_id)
                            folders |= self._finish_judging(call_id, one.call.row[PARTITION])
                for each in folders:
                    disk.sync_folder(each)
            finally:
                disk.remove(staged)
                self.days.discard()
        return left_alone

    def _stage_judged(self, judged: "Judged") -> Path:
        """A folder with the files of what a call is judged."""
        row = judged.call.row
        rows = {"scores": judged.scores, "categories": judged.categories}
        for name, of_table in rows.items():
            check_rows(TABLES[name], of_table, row["source"])
        contents = {name: parquet_bytes(name, of_table, row["source"]) for name, of_table in rows.items()}
        folder = disk.temporary(self.root / "tmp", row["call_id"])
        folder.mkdir()
        for name, content in contents.items():
            disk.stage(folder, name, content).rename(folder / name)
        return folder

    def _finish_judging(self, call_id: str, call_date: dt.date) -> set[Path]:
        """Move what a call is judged from `judging/` into place, or what is left of it there."""
        touched: set[Path] = set()
        for name in JUDGED:
            target = self._path(name, call_date, call_id)
            if not target.parent.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                disk.sync_folder(target.parent.parent)
            with suppress(FileNotFoundError):
                (self._judging / call_id / name).replace(target)
                touched.add(target.parent)
        disk.remove([self._judging / call_id])
        return touched

    def _is_unchanged(self, call: "StoredCall") -> bool:
        located = self._locate(call.row["call_id"])
        if located is None:
            return False
        return disk.stamp_of(located) == call.stamp or self._row_of_call(call.row["call_id"]) == call.row

    def _is_judged_as(self, call: "StoredCall") -> bool:
        """Whether a call that has files of its own is judged as it was when it was read."""
        call_id = call.row["call_id"]
        if (self._judging / call_id).exists():
            return False
        for name in JUDGED:
            own = self._path(name, call.row[PARTITION], call_id)
            now = rows_of(read_table(own)) if own.exists() else []
            if now != (rows_of(call.tables[name]) if name in call.tables else []):
                return False
        return True

    def write_failure(self, row: Row, attempts: int | None = None) -> int:
        """Put a recording that was set aside into `failures`, in place of its earlier row.

        `row` has every column but `attempts`, which are counted here where they are not given, and returned:
        0 where the call was erased for good, of which nothing is written. The recording is known by its
        `call_id`, or by its `source` when `call_id` is empty. Raises InvariantBroken and StoreError.
        """
        by_source = source_key(row["source"])
        key = row["call_id"] or by_source
        check_rows(FAILURES, [{**row, "attempts": 1}], row["source"])
        with storing(self.root), self._changing(key, {"failures": [key, by_source]}):
            if self.tombstones.holds(key):
                return 0
            own = self._copies("failures", key)
            earlier = [*own, *(() if key == by_source else self._copies("failures", by_source))]
            if attempts is None:
                attempts = 1 + max((read_rows(path)[0]["attempts"] for path in earlier), default=0)
            # The row stays in the folder of the first failure: moving it could lose or double it.
            target = own[0] if own else self._path("failures", _utc_date(row["failed_at"]), key)
            self._write(target, parquet_bytes("failures", [{**row, "attempts": attempts}], row["source"]))
            disk.remove(path for path in earlier if path != target)
        return attempts

    def write_run(self, row: Row) -> None:
        """Put a run into `runs`, in place of its earlier row. Raises InvariantBroken and StoreError."""
        run_id, name = row.get("run_id"), f"The run {row.get('run_id')}"
        check_rows(RUNS, [row], name)
        if not run_id or not _KEY.fullmatch(run_id):
            raise InvariantBroken(name, "run_id", "a run_id has letters, digits, and . _ - only")
        content = parquet_bytes("runs", [row], name)
        with storing(self.root), self._changing(None, {"runs": [run_id]}):
            self._write(self._path("runs", _utc_date(row["started_at"]), run_id), content)

    def erased(self, call_id: str) -> bool:
        """Whether the call was erased for good: its recording must not be processed. Raises StoreError."""
        with storing(self.root):
            return self.tombstones.holds(call_id)

    def remove_call(self, call_id: str) -> int:
        """Remove a call from every table and return how many files that were. Raises StoreError.

        For `pipelines.store.erasure`, which also keeps the call from coming back.
        """
        with storing(self.root), self._changing(call_id, {"calls": [call_id]}):
            removed = disk.remove([self._judging / call_id])
            for name in ("calls", *PARTS):
                removed += disk.remove(self._copies(name, call_id))
        return removed

    def remove_failures(self, keys: Sequence[str]) -> int:
        """Remove failures by call_id or `source_key`, and return how many that were. Raises StoreError."""
        with storing(self.root), self._changing(None, {"failures": keys}):
            return sum(disk.remove(self._copies("failures", key)) for key in keys)

    @contextmanager
    def _changing(
        self, key: str | None, apart: Mapping[str, Sequence[str]], wait: bool = True
    ) -> Iterator[bool]:
        """Be the one who changes the files of a key, or, without one, one of those who change files.

        Where a merged file holds one of the keys in `apart`, by table, those are set apart, and nobody else
        changes anything until this ends; it then gives true.
        """
        with self.locks.shared():
            if not any(self.days.holds_any(name, keys) for name, keys in apart.items()):
                with self.locks.of(key, wait) if key else nullcontext():
                    yield False
                return
        # What takes time is done while others go on, and again where they changed what it was made from.
        with self.days.setting_apart(apart) as changes, self.locks.exclusive():
            self.days.swap(changes)
            self.days.set_apart(apart)
            yield True

    def settle(self) -> bool:
        """Finish what killed processes left half done; false while a live one is at it."""
        # Of a store that may only be read, what is there is read.
        with suppress(OSError):
            if self.days.is_moving():
                with self.locks.exclusive():
                    self.days.recover()
            for call_id in self._being_judged():
                try:
                    with self._changing(call_id, {name: [call_id] for name in JUDGED}, wait=False):
                        located = self._locate(call_id)
                        if located is None:
                            disk.remove([self._judging / call_id])
                        else:
                            self._finish_judging(call_id, _date_in(located.parent.name))
                except Timeout:
                    return False
        return True

    @property
    def _judging(self) -> Path:
        return self.root / "judging"

    def _being_judged(self) -> Sequence[str]:
        try:
            return sorted(path.name for path in self._judging.iterdir())
        except FileNotFoundError:
            return ()

    def sweep(self, thorough: bool = False) -> int:
        """Remove what killed processes left behind, and return how many files or merged calls that were.

        These are temporary files, parts of calls that have no row in `calls`, and failures of calls that
        were processed since. An erasure that was begun is finished. What a live process is at work on is
        left alone. Merged files have parts without their calls only where somebody deleted one of `calls`:
        where all of a day are gone, and, if `thorough`, where any is. Raises StoreError.
        """
        with storing(self.root):
            self.settle()
            removed = finish_erasure(self)
            removed += disk.remove(path for path in (self.root / "tmp").iterdir() if disk.is_stale(path))
            for name in PARTS:
                for call_id in sorted(self._keys(name) - self._keys("calls")):
                    with self._changing(call_id, {}):
                        if self._locate(call_id) is None:
                            removed += disk.remove(self._copies(name, call_id))
            removed += self._sweep_merged(thorough)
            for call_id in sorted(self._failed()):
                if self._locate(call_id) is not None:
                    with self._changing(call_id, {"failures": [call_id]}):
                        call, failures = self._row_of_call(call_id), self._copies("failures", call_id)
                        if (
                            call
                            and failures
                            and read_rows(failures[0])[0]["failed_at"] <= call["processed_at"]
                        ):
                            removed += disk.remove(failures)
        return removed

    def _sweep_merged(self, thorough: bool) -> int:
        removed = 0
        for folder in self.days.folders("speakers"):
            calls = self.root / "tables" / "calls" / folder.name
            if not self.days.merged(folder) or (self.days.merged(calls) and not thorough):
                continue
            # Nobody is in a call without being in `speakers`, which is the smallest part.
            if not self._orphans_on(folder.name):
                continue
            with self.locks.exclusive():
                orphans = self._orphans_on(folder.name)
                self.days.recover()
                self.days.take_out(dict.fromkeys(PARTS, orphans), folder.name)
                removed += len(orphans)
        return removed

    def _orphans_on(self, day: str) -> set[str]:
        found = self.days.keys_on("speakers", day) - self.days.keys_on("calls", day)
        return {key for key in found if not self._path("calls", _date_in(day), key).exists()}

    def _failed(self) -> frozenset[str]:
        """The keys of all failures."""
        days = [folder.name for folder in self.days.folders("failures")]
        return self._keys("failures").union(*(self.days.keys_on("failures", day) for day in days))

    # Reading

    def processed(self) -> Mapping[str, str]:
        """The calls that are in the store, in the order in which they lie: call_id to settings_sha256.

        Raises StoreError.
        """
        return dict(
            self.read(
                lambda views: views.sql("select call_id, settings_sha256 from store.snapshot").fetchall()
            )
        )

    def holds(self, call_id: str, settings_sha256: str, run_id: str | None = None) -> bool:
        """Whether a call is in the store from these settings, and from this run where one is named.

        Raises StoreError.
        """
        row = self.row_of(call_id)
        return (
            row is not None and row["settings_sha256"] == settings_sha256 and run_id in (None, row["run_id"])
        )

    def row_of(self, call_id: str) -> Row | None:
        """A call's row of `calls` with its `call_date`; None where there is none. Raises StoreError."""
        for attempt in range(_READ_ATTEMPTS):
            time.sleep(attempt * _READ_PAUSE_S)
            with storing(self.root), suppress(FileNotFoundError):  # its day is laid out anew
                return self._row_of_call(call_id)
        return None

    def find_calls(self, reference: str) -> Sequence[str]:
        """The ids of the calls that `reference` may mean, in order of `call_id`.

        It is an id, the first four or more digits of one, the source of a call, or the file name of its
        source with or without the suffix. Raises StoreError.
        """
        known = self.read(
            lambda views: views.sql("select call_id, source from store.snapshot order by 1").fetchall()
        )
        prefix = reference.lower()
        return [
            call_id
            for call_id, source in known
            if (len(prefix) >= _LEAST_PREFIX and call_id.startswith(prefix))
            or reference in (source, PurePath(source).name, PurePath(source).stem)
        ]

    def read_call(self, call_id: str) -> CallRows:
        """All rows of a call, as they were given to `write_call`.

        Raises UsageError when there is no such call, StoreError when it cannot be read.
        """
        return self.read_stored(call_id).rows()

    def read_stored(self, call_id: str, groups: RowGroups | None = None) -> "StoredCall":
        """A call as its files have it, table by table.

        Who reads many calls, in the order of `processed`, gives the same `groups` each time. Of `scores` and
        `categories`, one that has no file of the call is left out. Raises UsageError when there is no such
        call, StoreError when it cannot be read.
        """
        groups = groups or RowGroups()
        for attempt in range(_READ_ATTEMPTS):
            time.sleep(attempt * _READ_PAUSE_S)
            # A file that is gone is one of a call that is being replaced, or of a day that is laid out anew.
            with storing(self.root), suppress(FileNotFoundError):
                located = self._locate(call_id)
                if located is None or not self.settle():
                    continue
                stamp, day = disk.stamp_of(located), located.parent.name
                layout = self.days.layout(TABLES, day)
                row = self._row_of_call(call_id, groups)
                tables: dict[str, pa.Table] = {}
                for name in PARTS:
                    path = self.root / "tables" / name / day / f"{call_id}.parquet"
                    table = read_table(path) if path.exists() else self.days.rows(name, day, call_id, groups)
                    if table is None and is_merged(located):
                        # Where no call of a day has a row of a table, there is nothing to merge.
                        table = TABLES[name].schema.empty_table()
                    if table is not None:
                        tables[name] = table
                    elif name not in JUDGED:
                        raise FileNotFoundError(path)
                if disk.stamp_of(located) == stamp and self.days.layout(TABLES, day) == layout and row:
                    return StoredCall(row, tables, stamp)
        raise UsageError(f"There is no call {call_id} in the store {self.root}.")

    def _locate(self, call_id: str) -> Path | None:
        """The file of `calls` that has the call's row."""
        return next(iter(self._copies("calls", call_id)), None) or next(
            iter(self.days.find("calls", call_id)), None
        )

    def _row_of_call(self, call_id: str, groups: RowGroups | None = None) -> Row | None:
        """The call's row of `calls` with its `call_date`. Raises FileNotFoundError, StoreError."""
        located = self._locate(call_id)
        if located is None:
            return None
        if is_merged(located):
            table = (groups or RowGroups()).read_key("calls", located, call_id)
        else:
            table = read_table(located)
        [row] = rows_of(table)
        return {**row, PARTITION: _date_in(located.parent.name)}

    def failures(self) -> Sequence[Row]:
        """The rows of `failures`, the oldest first. Raises StoreError."""
        return rows_of(self.table("failures"))

    def table(self, name: str) -> pa.Table:
        """A whole table with `call_date`, in order, of the calls that have a row in `calls`.

        Raises UsageError when there is no such table, StoreError.
        """
        if name not in TABLES:
            raise UsageError(f"There is no table {name}. The tables are {', '.join(TABLES)}.")
        schema = TABLES[name].read_schema
        statement = f"select {', '.join(schema.names)} from {name} order by {_ORDER[name]}"
        table: pa.Table = self.read(lambda views: views.sql(statement).to_arrow_table())
        return table.cast(schema)

    def read(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """The answer to a question that is put to the views, asked again when calls were replaced meanwhile.

        `question` may be called several times, each time with a new connection. Raises StoreError, and
        what DuckDB raises where the question itself is wrong.
        """
        unreadable = 0
        deadline = time.monotonic() + _READ_PATIENCE_S
        while time.monotonic() < deadline:
            if not self.settle():
                time.sleep(_READ_PAUSE_S)
                continue
            before = self._committed()
            try:
                with self.views() as views:
                    opened = self._committed()
                    try:
                        answer = question(views)
                    except BaseException:
                        views.interrupt()  # to close them is to wait for what is still at work on the answer
                        raise
            except _WRONG_QUESTIONS:
                raise
            except duckdb.Error as error:
                # A file that was listed is gone when it is opened, or another one when more of it is read,
                # because its call is being replaced.
                unreadable += 1
                if unreadable == _READ_ATTEMPTS:
                    if not isinstance(error, duckdb.IOException):
                        raise
                    raise StoreError(
                        f"The store {self.root} cannot be read: {_first_line(error)}. Look after the disk "
                        "and try again."
                    ) from error
            else:
                if before <= opened <= self._committed() and not self.days.is_moving():
                    return answer
            time.sleep(_READ_PAUSE_S)
        raise StoreError(
            f"Calls in the store {self.root} were being replaced all the while it was read. Try again when "
            "fewer are."
        )

    def views(self) -> duckdb.DuckDBPyConnection:
        """A connection with a view for each table, of the calls that were in the store at this moment.

        Half-written calls are in none of the views. The table `store.snapshot` has the call_id, source and
        settings_sha256 of these calls. It opens no file but those of the tables and no network connection,
        and cannot be configured otherwise. Raises StoreError.
        """
        connection = duckdb.connect(config=_DUCKDB_CONFIG)
        try:
            connection.execute("set timezone = 'UTC'; create schema store")
            calls = self._rows_of("calls", connection)
            connection.execute(
                f"create table store.snapshot as select call_id, source, settings_sha256 "
                f"from {calls} order by call_date, call_id"
            )
            for name in TABLES:
                rows = self._rows_of(name, connection)
                committed = "where call_id in (select call_id from store.snapshot)"
                connection.execute(
                    f"create view {name} as from {rows} {committed if name in ('calls', *PARTS) else ''}"
                )
            tables = str(self.root / "tables")
            # A glob is checked as it is written, escapes included.
            allowed = ", ".join(f"'{_quoted(folder)}'" for folder in (tables, _escaped(tables)))
            connection.execute(
                f"set allowed_directories = [{allowed}]; set enable_external_access = false; "
                "set lock_configuration = true"
            )
        except duckdb.IOException:
            connection.close()
            raise
        except duckdb.Error as error:
            connection.close()
            raise StoreError(
                f"The store {self.root} has a file that cannot be read: {_first_line(error)}. "
                "Delete that file and process its recording again."
            ) from error
        return connection

    def _rows_of(self, name: str, connection: duckdb.DuckDBPyConnection) -> str:
        """What to write after `from` for the rows of a table."""
        if next((self.root / "tables" / name).glob("call_date=*/*.parquet"), None) is None:
            connection.register("empty", TABLES[name].read_schema.empty_table())
            connection.execute(f"create or replace table store.empty_{name} as from empty")
            connection.unregister("empty")
            return f"store.empty_{name}"
        return (
            f"read_parquet('{_quoted(_escaped(str(self.root / 'tables')))}/{name}/call_date=*/*.parquet', "
            "hive_partitioning = true, hive_types = {'call_date': date})"
        )

    # Files

    def _path(self, table: str, date: dt.date, key: str) -> Path:
        return self.root / "tables" / table / f"{PARTITION}={date.isoformat()}" / f"{key}.parquet"

    def _copies(self, table: str, key: str) -> Sequence[Path]:
        """The files of a call, a failure or a run, in whatever folders they lie."""
        folders = sorted((self.root / "tables" / table).glob(f"{PARTITION}=*"))
        return [path for folder in folders if (path := folder / f"{key}.parquet").exists()]

    def _keys(self, table: str) -> frozenset[str]:
        """The keys that have a file of their own."""
        files = (self.root / "tables" / table).glob(f"{PARTITION}=*/*.parquet")
        return frozenset(path.stem for path in files if not is_merged(path))

    def _committed(self) -> frozenset[tuple[str, int, int]]:
        """What tells each file that may be replaced from all others, those that had its name included."""
        stamps = set()
        tables = self.root / "tables"
        folders = [each for name in ("calls", *JUDGED) for each in (tables / name).glob(f"{PARTITION}=*")]
        for folder in folders:
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        status = entry.stat()
                        stamps.add((entry.path, status.st_ino, status.st_mtime_ns))
        return frozenset(stamps)

    def _write(self, target: Path, content: memoryview) -> None:
        temporary = self._stage(target.stem, content)
        try:
            disk.publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _stage(self, key: str, content: memoryview | bytes) -> Path:
        """A temporary file with this content, on the disk when this returns."""
        return disk.stage(self.root / "tmp", key, content)


def _same_parts(rows: CallRows, stored: StoredCall) -> bool:
    """Whether a call is on the same day as in the store, with the same rows in all tables but `calls`."""
    return rows.call[PARTITION] == stored.row[PARTITION] and all(
        name in stored.tables and list(getattr(rows, name)) == rows_of(stored.tables[name]) for name in PARTS
    )


def _utc_date(instant: dt.datetime) -> dt.date:
    return instant.astimezone(dt.UTC).date()


def _date_in(folder: str) -> dt.date:
    return dt.date.fromisoformat(folder.removeprefix(f"{PARTITION}="))


def _first_line(error: duckdb.Error) -> str:
    """The first line of what DuckDB says, without the kind of error before it."""
    return str(error).strip().partition("\n")[0].partition("Error: ")[2].rstrip(".")


def _escaped(path: str) -> str:
    """A path as a glob that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
