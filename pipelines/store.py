"""The store: Parquet files in folders by date, written so that being killed at any point harms nothing."""

import datetime as dt
import errno
import hashlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from models.errors import CallfolioError, UsageError
from pipelines.invariants import InvariantBroken, check_call, check_rows
from pipelines.tables import FAILURES, PARTITION, RUNS, SCHEMA_VERSION, TABLES, Row
from pipelines.tables import CallRows as CallRows

T = TypeVar("T")

_MARKER: Final = "callfolio-store.json"
# `calls` is not among them: it is written last and removed first.
_PARTS: Final = ("words", "turns", "speakers", "moments", "sentences", "entities", "scores", "categories")
# These are replaced while the call stays, when it is judged again; calls of older stores have none.
_JUDGED: Final = ("scores", "categories")
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
_FEW_ROWS: Final = 20
_READ_ATTEMPTS: Final = 20
_READ_PAUSE_S: Final = 0.02
_READ_PATIENCE_S: Final = 30.0
_WRITERS: Final = 8
_STALE_AFTER_S: Final = 3600.0
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


class StoreError(CallfolioError):
    """The store cannot be read or written now. What was finished is in it; the rest may be tried again."""

    retryable = True


@dataclass(frozen=True)
class StoredCall:
    """A call as its files have it: its row of `calls` with `call_date`, and its tables.

    `stamp` tells its file of `calls` from any that takes its place.
    """

    row: Row
    tables: Mapping[str, pa.Table]
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Judged:
    """What a stored call is judged: its rows of `scores` and of `categories`."""

    call: StoredCall
    scores: Sequence[Row]
    categories: Sequence[Row]


class Store:
    """A folder of tables that many processes read and write at once.

    Each call has one file in `tables/<table>/call_date=YYYY-MM-DD/` of each of its tables. Files are made
    in `tmp/`, where no reader looks, and moved into place whole; the file in `calls` is removed first and
    moved last, so that whoever joins on `calls` sees all of a call or nothing of it. `locks/` keeps two
    writers of one call apart.
    """

    def __init__(self, root: Path, create: bool = True) -> None:
        """Open the store in the folder `root`, which is made when missing unless `create` is false.

        Raises UsageError when there is no store and none is to be made, or when a newer version of
        Callfolio wrote it; StoreError when the folder cannot be used.
        """
        self.root = root
        with self._storing():
            self.root = root.resolve()
            marker = self.root / _MARKER
            if not marker.exists():
                if not create:
                    raise UsageError(
                        f"There is no store at {root}. Process some recordings into it first, "
                        "or name the folder of another store."
                    )
                for folder in ("tables", "tmp", "locks"):
                    (self.root / folder).mkdir(parents=True, exist_ok=True)
                self._publish(self._stage(_MARKER, _marker_bytes()), marker)
            version = _marker_version(marker)
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
                f"{version}; this one writes {SCHEMA_VERSION}). Name the folder of another store and process "
                "the recordings into it."
            )

    # Writing

    def write_call(self, rows: CallRows, instead_of: "StoredCall | None" = None) -> bool:
        """Put a call into the store in place of what the store has of it, and drop its failures.

        With `instead_of`, only where the store still has that; returns whether the call was put there.

        Raises InvariantBroken, before anything is touched, when the rows contradict each other;
        StoreError when the disk is full or the like: the call is then in the store as it was or not at all.
        """
        check_call(rows)
        source, call_id, call_date = (rows.call[name] for name in ("source", "call_id", PARTITION))
        call = {name: value for name, value in rows.call.items() if name != PARTITION}
        contents = {name: _parquet(name, getattr(rows, name), source) for name in _PARTS}
        contents["calls"] = _parquet("calls", [call], source)
        with self._storing(), self._lock(call_id):
            staged: dict[str, Path] = {}
            try:
                # All is on the disk before anything is removed: a full disk costs no call that was there.
                for name, content in contents.items():
                    staged[name] = self._stage(call_id, content)
                if instead_of is not None:
                    copies = self._copies("calls", call_id)
                    if not copies or _stamp(copies[0]) != instead_of.stamp:
                        return False
                self._remove(self._copies("calls", call_id))
                for name, temporary in staged.items():
                    target = self._path(name, call_date, call_id)
                    self._publish(temporary, target)
                    self._remove(copy for copy in self._copies(name, call_id) if copy != target)
            finally:
                for temporary in staged.values():
                    temporary.unlink(missing_ok=True)
            for key in (call_id, _source_key(source)):
                self._remove(self._copies("failures", key))
        return True

    def write_judgements(self, judged: Sequence["Judged"]) -> Sequence[str]:
        """Replace what calls are judged, of each call in one step, and return the ids of those left alone.

        These are calls that were processed again, or went, since they were read. All is on the disk before
        the first is replaced. Raises InvariantBroken and StoreError, and has then replaced some or none.
        """
        left_alone: list[str] = []
        folders: set[Path] = set()
        with self._storing(), ThreadPoolExecutor(_WRITERS) as pool:
            staged: list[dict[str, Path]] = []
            try:
                for each in pool.map(self._stage_judged, judged):
                    staged.append(each)
                for one, files in zip(judged, staged, strict=True):
                    call_id = one.call.row["call_id"]
                    with self._lock(call_id):
                        copies = self._copies("calls", call_id)
                        if not copies or _stamp(copies[0]) != one.call.stamp:
                            left_alone.append(call_id)
                            continue
                        for name, temporary in files.items():
                            target = self._path(name, one.call.row[PARTITION], call_id)
                            if not target.parent.exists():
                                target.parent.mkdir(parents=True, exist_ok=True)
                                _sync_folder(target.parent.parent)
                            temporary.replace(target)
                            folders.add(target.parent)
                for folder in folders:
                    _sync_folder(folder)
            finally:
                for files in staged:
                    for temporary in files.values():
                        temporary.unlink(missing_ok=True)
        return left_alone

    def _stage_judged(self, judged: "Judged") -> dict[str, Path]:
        row = judged.call.row
        rows = {"scores": judged.scores, "categories": judged.categories}
        for name, of_table in rows.items():
            check_rows(TABLES[name], of_table, row["source"])
        return {
            name: self._stage(row["call_id"], _parquet(name, of_table, row["source"]))
            for name, of_table in rows.items()
        }

    def write_failure(self, row: Row, attempts: int | None = None) -> int:
        """Put a recording that was set aside into `failures`, in place of its earlier row.

        `row` has every column but `attempts`, which are counted here where they are not given, and returned.
        The recording is known by its `call_id`, or by its `source` when `call_id` is empty. Raises
        InvariantBroken and StoreError.
        """
        source_key = _source_key(row["source"])
        key = row["call_id"] or source_key
        check_rows(FAILURES, [{**row, "attempts": 1}], row["source"])
        with self._storing(), self._lock(key):
            own = self._copies("failures", key)
            earlier = [*own, *(() if key == source_key else self._copies("failures", source_key))]
            if attempts is None:
                attempts = 1 + max((_read_rows(path)[0]["attempts"] for path in earlier), default=0)
            # The row stays in the folder of the first failure: moving it could lose or double it.
            target = own[0] if own else self._path("failures", _utc_date(row["failed_at"]), key)
            self._write(target, _parquet("failures", [{**row, "attempts": attempts}], row["source"]))
            self._remove(path for path in earlier if path != target)
        return attempts

    def write_run(self, row: Row) -> None:
        """Put a run into `runs`, in place of its earlier row. Raises InvariantBroken and StoreError."""
        name = f"The run {row.get('run_id')}"
        check_rows(RUNS, [row], name)
        if not _KEY.fullmatch(row["run_id"]):
            raise InvariantBroken(name, "run_id", "a run_id has letters, digits, and . _ - only")
        content = _parquet("runs", [row], name)
        with self._storing():
            self._write(self._path("runs", _utc_date(row["started_at"]), row["run_id"]), content)

    def sweep(self) -> int:
        """Remove what killed processes left behind, and return how many files that were.

        These are temporary files, parts of calls that have no row in `calls`, and failures of calls that
        were processed since. What a live process is at work on is left alone. Raises StoreError.
        """
        with self._storing():
            removed = self._remove(path for path in (self.root / "tmp").iterdir() if _is_stale(path))
            for name in _PARTS:
                for call_id in sorted(self._keys(name) - self._keys("calls")):
                    with self._lock(call_id):
                        if not self._copies("calls", call_id):
                            removed += self._remove(self._copies(name, call_id))
            for call_id in sorted(self._keys("failures") & self._keys("calls")):
                with self._lock(call_id):
                    calls, failures = self._copies("calls", call_id), self._copies("failures", call_id)
                    if calls and failures:
                        processed_at = _read_rows(calls[0])[0]["processed_at"]
                        if _read_rows(failures[0])[0]["failed_at"] <= processed_at:
                            removed += self._remove(failures)
        return removed

    # Reading

    def processed(self) -> Mapping[str, str]:
        """The calls that are in the store: call_id to settings_sha256. Raises StoreError."""
        return dict(
            self.read(
                lambda views: views.sql("select call_id, settings_sha256 from store.snapshot").fetchall()
            )
        )

    def holds(self, call_id: str, settings_sha256: str, run_id: str | None = None) -> bool:
        """Whether a call is in the store from these settings, and from this run where one is named.

        Raises StoreError.
        """
        with self._storing():
            for path in self._copies("calls", call_id):
                with suppress(FileNotFoundError):
                    row = _read_rows(path)[0]
                    if row["settings_sha256"] == settings_sha256 and run_id in (None, row["run_id"]):
                        return True
        return False

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
        for attempt in range(_READ_ATTEMPTS):
            time.sleep(attempt * _READ_PAUSE_S)
            with self._storing(), suppress(FileNotFoundError):
                copies = self._copies("calls", call_id)
                if not copies:
                    continue
                before = _stamp(copies[0])
                date = copies[0].parent.name
                [call] = _read_rows(copies[0])
                paths = {name: self.root / "tables" / name / date / copies[0].name for name in _PARTS}
                parts = {
                    name: () if name in _JUDGED and not path.exists() else _read_rows(path)
                    for name, path in paths.items()
                }
                if _stamp(copies[0]) == before:
                    return CallRows({**call, PARTITION: _date_in(date)}, **parts)
        raise UsageError(f"There is no call {call_id} in the store {self.root}.")

    def read_stored(self, call_id: str) -> "StoredCall":
        """A call as its files have it, table by table. A table that has no file of the call is left out.

        Raises UsageError when there is no such call, StoreError when it cannot be read.
        """
        for attempt in range(_READ_ATTEMPTS):
            time.sleep(attempt * _READ_PAUSE_S)
            with self._storing(), suppress(FileNotFoundError):
                copies = self._copies("calls", call_id)
                if not copies:
                    continue
                stamp, date = _stamp(copies[0]), copies[0].parent.name
                [call] = _read_rows(copies[0])
                paths = {name: self.root / "tables" / name / date / copies[0].name for name in _PARTS}
                tables = {name: _read_table(path) for name, path in paths.items() if path.exists()}
                if _stamp(copies[0]) == stamp:
                    return StoredCall({**call, PARTITION: _date_in(date)}, tables, stamp)
        raise UsageError(f"There is no call {call_id} in the store {self.root}.")

    def failures(self) -> Sequence[Row]:
        """The rows of `failures`, the oldest first. Raises StoreError."""
        rows: Sequence[Row] = self.table("failures").to_pylist(maps_as_pydicts="strict")
        return rows

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
            before = self._committed()
            try:
                with self.views() as views:
                    opened = self._committed()
                    answer = question(views)
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
                if before <= opened <= self._committed():
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
                f"create table store.snapshot as select call_id, source, settings_sha256 from {calls}"
            )
            for name in TABLES:
                rows = self._rows_of(name, connection)
                committed = "where call_id in (select call_id from store.snapshot)"
                connection.execute(
                    f"create view {name} as from {rows} {committed if name in ('calls', *_PARTS) else ''}"
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
        files = (self.root / "tables" / table).glob(f"{PARTITION}=*/*.parquet")
        return frozenset(path.stem for path in files)

    def _committed(self) -> frozenset[tuple[str, int, int]]:
        """What tells each file that may be replaced from all others, those that had its name included."""
        stamps = set()
        tables = self.root / "tables"
        folders = [each for name in ("calls", *_JUDGED) for each in (tables / name).glob(f"{PARTITION}=*")]
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
            self._publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _stage(self, key: str, content: memoryview) -> Path:
        """A temporary file with this content, on the disk when this returns."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{key}~{_host()}~{os.getpid()}~{secrets.token_hex(4)}"
        try:
            with path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _publish(self, temporary: Path, target: Path) -> None:
        """Move a temporary file into place, in one step for whoever reads."""
        folder = target.parent
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder.parent)
        temporary.replace(target)
        _sync_folder(folder)

    def _remove(self, paths: Iterable[Path]) -> int:
        removed = 0
        for path in paths:
            with suppress(FileNotFoundError):
                path.unlink()
                _sync_folder(path.parent)
                removed += 1
        return removed

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        # One of 256 locks, by the last digits of the key: none to tidy up after, and none that names a call.
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{key[-2:]}.lock", poll_interval=0.01):
            yield

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """The one place where errors of the operating system become sentences."""
        try:
            yield
        except OSError as error:
            raise StoreError(_sentence(self.root, error)) from error


def _sentence(root: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the store {root} is full. Make room on it and run again; what was finished is kept."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"The store {root} cannot be written: {error.strerror}. Make the folder writable, or name "
            "another one, and run again."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return (
            f"The store {root} cannot be made: there is a file where a folder should be. Name another folder."
        )
    return (
        f"The store {root} cannot be used: {error.strerror or error}. Look after the disk and run again; "
        "what was finished is kept."
    )


def _parquet(name: str, rows: Sequence[Row], source: str) -> memoryview:
    """The bytes of a file of this table. They are made in memory, so that all writing is done by `_stage`."""
    try:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name].schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvariantBroken(source, "types", f"{name}: {error}") from error
    sink = pa.BufferOutputStream()
    # Descriptions, dictionaries and the Arrow schema would make up most of a file as small as that of one
    # call, and most of the time to open it.
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        store_schema=False,
        # Embeddings have no value twice: a dictionary makes their file a third larger.
        use_dictionary=len(rows) > _FEW_ROWS and name != "sentences",
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"schema_version": str(SCHEMA_VERSION)})
    return memoryview(sink.getvalue())


def _read_rows(path: Path) -> Sequence[dict[str, Any]]:
    """The rows of a file, without `call_date`. Raises FileNotFoundError and StoreError."""
    return tuple(_read_table(path).to_pylist(maps_as_pydicts="strict"))


def _read_table(path: Path) -> pa.Table:
    """A file as a table, without `call_date`. Raises FileNotFoundError and StoreError."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read(use_threads=False)
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged. Delete it and process the recording again.") from error


def _source_key(source: str) -> str:
    return f"source-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _utc_date(instant: dt.datetime) -> dt.date:
    return instant.astimezone(dt.UTC).date()


def _date_in(folder: str) -> dt.date:
    return dt.date.fromisoformat(folder.removeprefix(f"{PARTITION}="))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())


def _is_stale(temporary: Path) -> bool:
    """Whether nobody is writing this file any more: its process is dead, or it is too old."""
    _, host, pid, _ = temporary.name.split("~") if temporary.name.count("~") == 3 else ("", "", "0", "")
    if host == _host() and not _is_alive(int(pid)):
        return True
    try:
        return time.time() - temporary.stat().st_mtime > _STALE_AFTER_S
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _marker_bytes() -> memoryview:
    return memoryview(json.dumps({"schema_version": SCHEMA_VERSION}).encode() + b"\n")


def _marker_version(marker: Path) -> int | None:
    """The version that the marker of a store holds, None when it holds none."""
    try:
        version = json.loads(marker.read_bytes())["schema_version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) else None


def _first_line(error: duckdb.Error) -> str:
    """The first line of what DuckDB says, without the kind of error before it."""
    return str(error).strip().partition("\n")[0].partition("Error: ")[2].rstrip(".")


def _escaped(path: str) -> str:
    """A path as a glob that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
