"""The store's own ledger: what is to be done with each recording, who does it, and how it went so far.

It is what lets several runs share a store. That a call is finished is said by its row in `calls` alone; the
ledger is made to agree with the store when a run begins, and is made anew from it where it was lost.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from models.errors import UsageError
from pipelines.failures import RecordingFailure, WorkerDied, tries_of
from pipelines.processes import Process, is_alive, this_process
from pipelines.recording import CALL_ID_DIGITS, Recording
from pipelines.store import StoreError
from pipelines.tables import Row

State = Literal["waiting", "working", "done", "set_aside"]

FILE: Final = "ledger.sqlite"
"""Name of the ledger in the folder of the store."""

BEAT_S: Final = 20.0
"""Seconds between two beats of a worker."""

LEASE_S: Final = 120.0
"""Seconds without a beat after which a worker of another machine counts as dead: six beats."""

BACK_OFF_S: Final = 30.0
"""Seconds until a recording is tried again after its first failure; four times as long after each other."""

_LONGEST_BACK_OFF_S: Final = 3600.0
_BUSY_S: Final = 60.0
_SETTLED_NS: Final = 2_000_000_000
"""A file that was changed in the last two seconds, the coarsest clock of a file system (FAT's), may change
again without that its time shows it."""

_VERSION: Final = 1
_LEAST_PREFIX: Final = 4

_SCHEMA: Final = """
create table if not exists recordings (
    call_id text primary key,
    sha256 text not null,
    source text not null,
    size integer not null,
    settings_sha256 text not null,
    state text not null check (state in ('waiting', 'working', 'done', 'set_aside')),
    attempts integer not null default 0,
    lost integer not null default 0,
    worker text,
    keeper text,
    run_id text,
    claimed_at real,
    beats integer not null default 0,
    lease_until real,
    not_before real,
    reason text,
    message text,
    first_seen real not null,
    updated_at real not null
) without rowid;
create table if not exists files (
    path text primary key,
    size integer not null,
    mtime_ns integer not null,
    ctime_ns integer not null,
    inode integer not null,
    device integer not null,
    sha256 text not null
) without rowid;
create index if not exists recordings_by_state on recordings (state);
"""


class LedgerError(StoreError):
    """The ledger cannot be read or written now."""


class LedgerDamaged(LedgerError):
    """The file of the ledger is damaged; everything in it that counts can be had from the store."""

    retryable = False


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of a recording.

    `attempts` are those that counted, the one at work included: none does of a run that was interrupted or
    died, nor one for which the file could not be read. `lost` are the times
    that a whole run died while it was at work on the recording. Times are seconds since 1970; `worker` to
    `lease_until` are None unless `state` is `working`, `not_before` unless it waits to be tried again.
    """

    call_id: str
    sha256: str
    source: str
    size: int
    settings_sha256: str
    state: State
    attempts: int
    lost: int
    worker: Process | None
    run_id: str | None
    claimed_at: float | None
    lease_until: float | None
    not_before: float | None
    reason: str | None
    message: str | None
    first_seen: float
    updated_at: float


@dataclass(frozen=True)
class Claim:
    """The right of a worker to process a recording, and no other's, until it is given back."""

    call_id: str
    settings_sha256: str
    run_id: str
    worker: Process
    attempts: int


@dataclass(frozen=True)
class Refusal:
    """Why a recording cannot be claimed. It is `done`, or `set_aside` for good; it is `held` by another
    worker; or it is to be tried `later`, not before `not_before`, in seconds since 1970."""

    why: Literal["done", "set_aside", "held", "later"]
    not_before: float | None = None


@dataclass(frozen=True)
class KnownFile:
    """A file that was identified once. It is the same as long as all of this is; `ctime_ns` gives away who
    wrote into it and set its time back."""

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> "KnownFile":
        """The file as it is now. Raises OSError."""
        status = path.stat()
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


class Ledger:
    """The ledger of a store, for any number of processes and threads at once.

    Whether a worker lives is asked of the system on its own machine, so that no clock can take a call from
    it or leave one with a dead worker. A worker of another machine is dead when it has not beaten for
    `LEASE_S`: by the clock, with as much again for clocks that differ, or by this process's own patience.

    The journal is SQLite's ordinary one and not a write-ahead log, which would need memory that several
    machines share (https://www.sqlite.org/wal.html) and could not be read in a folder that is read-only.
    """

    def __init__(
        self,
        root: Path,
        *,
        back_off_s: float = BACK_OFF_S,
        me: Process | None = None,
        alive: Callable[[Process], bool | None] = is_alive,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """The ledger in the store at `root`, which is made when it is first written.

        `me` and the functions behind it are this process, whether one lives, the time of day, and a clock
        that only goes forward.
        """
        self.path = root / FILE
        self._back_off_s = back_off_s
        self._me = me or this_process()
        self._alive, self._now, self._elapsed = alive, now, elapsed
        self._watched: dict[str, tuple[object, float]] = {}

    # What is to be done

    def reconcile(self, committed: Mapping[str, str], failures: Sequence[Row] = ()) -> None:
        """Make the ledger agree with the store: `committed` maps call_id to settings_sha256.

        What was committed is done, whoever was killed before saying so, unless it is processed anew just now
        or has failed since: then it has one of `failures`, rows of that table. What is gone from the store is
        forgotten; the leases of dead runs are given back. Of recordings that the ledger does not know,
        `failures` tell how often they were tried. Raises LedgerError.
        """
        now = self._now()
        with self._writing() as db:
            for lease in db.execute("select * from recordings where state = 'working'").fetchall():
                if self._verdict(lease) == "orphaned":
                    self._give_back(db, lease["call_id"], lost=True)
            db.execute("create temp table committed (call_id text primary key, settings_sha256 text)")
            db.executemany("insert into committed values (?, ?)", committed.items())
            db.execute("create temp table failed (call_id text, settings_sha256 text)")
            failed = [(row["call_id"], row["settings_sha256"]) for row in failures]
            db.executemany("insert into failed values (?, ?)", failed)
            db.execute(
                """
                update recordings set state = 'done', reason = null, message = null, not_before = null,
                  updated_at = ?
                where state in ('waiting', 'set_aside')
                  and (call_id, settings_sha256) in (select call_id, settings_sha256 from committed)
                  and (call_id, settings_sha256) not in (select call_id, settings_sha256 from failed)
                """,
                (now,),
            )
            db.execute(
                "delete from recordings where state = 'done' and call_id not in "
                "(select call_id from committed)"
            )
            db.execute(
                """
                insert or ignore into recordings
                  (call_id, sha256, source, size, settings_sha256, state, first_seen, updated_at)
                select call_id, call_id, '', 0, settings_sha256, 'done', ?, ? from committed
                """,
                (now, now),
            )
            db.execute("drop table committed")
            db.execute("drop table failed")
            for row in failures:
                if row["call_id"]:
                    self._recall(db, row, now)

    def expect(self, recordings: Collection[Recording], settings_sha256: str) -> None:
        """Enter recordings that are to be processed, unless they are at work. Raises LedgerError.

        With other settings than before, a recording has all its attempts again.
        """
        with self._writing() as db:
            self._enter(db, recordings, settings_sha256)

    # Who does it

    def claim(
        self,
        recording: Recording,
        settings_sha256: str,
        run_id: str,
        committed: Callable[[], bool],
        keeper: Process | None = None,
        again: bool = False,
    ) -> Claim | Refusal:
        """Claim a recording for this process, which is to process it at once, or say why it cannot be.

        `committed` tells whether nothing is to be done because of what the store has. `keeper` is the process
        that looks after the workers of the run: as long as it lives, no other run takes a call from a worker
        of its. With `again`, what other runs have tried and set aside does not count.
        Raises LedgerError, and what `committed` raises.
        """
        call_id, now = recording.call_id, self._now()
        with self._writing() as db:
            self._enter(db, [recording], settings_sha256)
            row = _row(db, call_id)
            if row["state"] == "working":
                verdict = self._verdict(row, run_id)
                if verdict == "held":
                    return Refusal("held")
                if verdict == "orphaned":
                    self._give_back(db, call_id, lost=True)
                else:
                    self._fail(db, call_id, WorkerDied(recording.path, None))
                row = _row(db, call_id)
            if committed():
                self._close(db, call_id, settings_sha256)
                return Refusal("done")
            attempts = row["attempts"]
            if row["settings_sha256"] != settings_sha256 or (again and row["run_id"] != run_id):
                attempts = 0
            elif row["state"] == "set_aside":
                return Refusal("set_aside")
            elif (due := self._due(row["not_before"])) is not None:
                return Refusal("later", due)
            db.execute(
                """
                update recordings set state = 'working', attempts = ?, settings_sha256 = ?, worker = ?,
                  keeper = ?, run_id = ?, claimed_at = ?, beats = beats + 1, lease_until = ?,
                  not_before = null, updated_at = ?
                where call_id = ?
                """,
                (
                    *(attempts + 1, settings_sha256, str(self._me), str(keeper or self._me), run_id),
                    *(now, now + LEASE_S, now, call_id),
                ),
            )
            return Claim(call_id, settings_sha256, run_id, self._me, attempts + 1)

    def beat(self, claim: Claim) -> bool:
        """Say that the worker lives. False when the claim was lost: what it made is not to be written.

        Raises LedgerError.
        """
        with self._writing() as db:
            changed = db.execute(
                f"update recordings set beats = beats + 1, lease_until = :until, updated_at = :now "
                f"where {_OURS}",
                {**_ours(claim), "now": self._now(), "until": self._now() + LEASE_S},
            )
            return changed.rowcount == 1

    def finish(self, claim: Claim) -> None:
        """The call is in the store. Raises LedgerError."""
        with self._writing() as db:
            if db.execute(f"select 1 from recordings where {_OURS}", _ours(claim)).fetchone():
                self._close(db, claim.call_id, claim.settings_sha256)

    def confirm(self, call_id: str, settings_sha256: str) -> None:
        """A call is in the store, though its worker died before it said so. Raises LedgerError."""
        with self._writing() as db:
            self._close(db, call_id, settings_sha256)

    def set_aside(self, claim: Claim, failure: RecordingFailure) -> Entry | None:
        """The recording failed. It waits to be tried again where that may help, and else is set aside.

        The entry says which; it is None when the claim was lost meanwhile. Raises LedgerError.
        """
        with self._writing() as db:
            if db.execute(f"select 1 from recordings where {_OURS}", _ours(claim)).fetchone() is None:
                return None
            return self._fail(db, claim.call_id, failure)

    def bury(
        self, recording: Recording, settings_sha256: str, run_id: str, failure: RecordingFailure
    ) -> Entry | None:
        """A worker of this run died at work on the recording, whether it had claimed it or not.

        As `set_aside`; None where the recording is with somebody else by now, or was committed in time.
        """
        call_id = recording.call_id
        with self._writing() as db:
            self._enter(db, [recording], settings_sha256)
            row = _row(db, call_id)
            if row["state"] == "working":
                if row["run_id"] != run_id or self._alive(Process.parse(row["worker"])):
                    return None
            elif row["state"] == "waiting":
                if row["run_id"] == run_id and self._due(row["not_before"]) is not None:
                    return _entry(row)  # its worker had said that it failed, and died then
                db.execute("update recordings set attempts = attempts + 1 where call_id = ?", (call_id,))
            else:
                return None
            return self._fail(db, call_id, failure)

    def release(self, run_id: str) -> int:
        """Give back at once what a run has claimed, as if it had not been tried, and say how many.

        Its workers must have ended. Raises LedgerError.
        """
        with self._writing() as db:
            rows = db.execute(
                "select call_id from recordings where state = 'working' and run_id = ?", (run_id,)
            ).fetchall()
            for row in rows:
                self._give_back(db, row["call_id"], lost=False)
            return len(rows)

    def retry(self, call_ids: Collection[str]) -> int:
        """Have these tried again, if they wait or are set aside, with all attempts that there are.

        Returns how many they are. Raises LedgerError.
        """
        with self._writing() as db:
            return sum(
                db.execute(
                    "update recordings set state = 'waiting', attempts = 0, lost = 0, not_before = null, "
                    "updated_at = ? where call_id = ? and (state = 'set_aside' or "
                    "(state = 'waiting' and attempts > 0))",
                    (self._now(), call_id),
                ).rowcount
                for call_id in call_ids
            )

    def forget(self, call_ids: Collection[str]) -> int:
        """Remove all that the ledger has of these calls, and of files with their bytes, from the disk.

        Returns how many entries that were; what is at work is removed too. Raises LedgerError.
        """
        if not self.path.exists():
            return 0
        ids = json.dumps(list(call_ids))
        with self._connected() as db:
            db.execute("pragma secure_delete = on")
            with _transaction(db):
                removed = db.execute(
                    "delete from recordings where call_id in (select value from json_each(?))", (ids,)
                ).rowcount
                db.execute(
                    f"delete from files where substr(sha256, 1, {CALL_ID_DIGITS}) in "
                    "(select value from json_each(?))",
                    (ids,),
                )
            # Pages that were moved about earlier, without secure_delete, still have the bytes in them.
            db.execute("vacuum")
        return removed

    # What is known

    def entries(self, *states: State) -> Sequence[Entry]:
        """The recordings in any of these states, or all of them, the longest known first.

        A ledger that was never written has none. Raises LedgerError.
        """
        if not self.path.exists():
            return []
        with self._reading() as db:
            marks = ", ".join("?" * len(states))
            which = f"where state in ({marks})" if states else ""
            rows = db.execute(f"select * from recordings {which} order by first_seen, call_id", states)
            return [_entry(row) for row in rows]

    def counts(self) -> Mapping[State, int]:
        """How many recordings are in each state. Raises LedgerError."""
        counts: dict[State, int] = {"waiting": 0, "working": 0, "done": 0, "set_aside": 0}
        if self.path.exists():
            with self._reading() as db:
                counts.update(db.execute("select state, count(*) from recordings group by state").fetchall())
        return counts

    def find(self, reference: str) -> Sequence[Entry]:
        """The entries that are not done and that `reference` may mean: an id, the first four or more digits
        of one, a source, or its file name with or without the suffix. Raises LedgerError."""
        prefix = reference.lower()
        return [
            entry
            for entry in self.entries("waiting", "working", "set_aside")
            if (len(prefix) >= _LEAST_PREFIX and entry.call_id.startswith(prefix))
            or reference in (entry.source, PurePath(entry.source).name, PurePath(entry.source).stem)
        ]

    def is_orphaned(self, entry: Entry) -> bool:
        """Whether an entry that is `working` will be taken over by the next run. Raises LedgerError."""
        with self._reading() as db:
            row = db.execute("select * from recordings where call_id = ?", (entry.call_id,)).fetchone()
        return row is not None and row["state"] == "working" and self._verdict(row) == "orphaned"

    # Which files are known

    def identities(self, files: Collection[KnownFile]) -> Mapping[Path, str]:
        """The SHA-256 of those of the files that are as they were when they were identified.

        Raises LedgerError.
        """
        if not self.path.exists():
            return {}
        known = {}
        with self._reading() as db:
            for file in files:
                row = db.execute(
                    "select sha256 from files where path = cast(? as text) and size = ? and mtime_ns = ? "
                    "and ctime_ns = ? and inode = ? and device = ?",
                    _file(file),
                ).fetchone()
                if row is not None:
                    known[file.path] = row["sha256"]
        return known

    def identified(self, files: Mapping[KnownFile, str]) -> None:
        """Remember files and their SHA-256, but for those that were changed a moment ago: such a one may
        change again unseen. Raises LedgerError."""
        settled = int(self._now() * 1e9) - _SETTLED_NS
        with self._writing() as db:
            db.executemany(
                "insert or replace into files (path, size, mtime_ns, ctime_ns, inode, device, sha256) "
                "values (cast(? as text), ?, ?, ?, ?, ?, ?)",
                [
                    (*_file(file), sha256)
                    for file, sha256 in files.items()
                    if max(file.mtime_ns, file.ctime_ns) <= settled
                ],
            )

    # How

    def _verdict(self, row: Mapping[str, Any], run_id: str | None = None) -> str:
        """Of a lease: `held` by a live worker or under the care of a live run, `orphaned` where the whole
        run is dead, or `bereft` where the run that asks has lost its worker."""
        worker, keeper = Process.parse(row["worker"]), Process.parse(row["keeper"])
        if self._lives(worker, row):
            return "held"
        if row["run_id"] == run_id:
            return "bereft"
        return "held" if keeper != worker and self._lives(keeper, row) else "orphaned"

    def _lives(self, process: Process, row: Mapping[str, Any]) -> bool:
        alive = self._alive(process)
        if alive is not None:
            return alive
        sign = (row["run_id"], row["worker"], row["beats"])
        before, since = self._watched.get(row["call_id"], (None, 0.0))
        if before != sign:
            self._watched[row["call_id"]] = sign, since = sign, self._elapsed()
        over_by_the_clock = self._now() > row["lease_until"] + LEASE_S
        return not over_by_the_clock and self._elapsed() - since < LEASE_S

    def _due(self, not_before: float | None) -> float | None:
        """When a recording is to be tried, None for now: also where the clock was set back meanwhile."""
        if not_before is None or not 0 < not_before - self._now() <= self._longest_wait:
            return None
        return not_before

    @property
    def _longest_wait(self) -> float:
        return max(_LONGEST_BACK_OFF_S, self._back_off_s)

    def _enter(self, db: sqlite3.Connection, recordings: Collection[Recording], settings_sha256: str) -> None:
        now = self._now()
        db.executemany(
            """
            insert into recordings
              (call_id, sha256, source, size, settings_sha256, state, first_seen, updated_at)
            values (:call_id, :sha256, cast(:source as text), :size, :settings, 'waiting', :now, :now)
            on conflict (call_id) do update set sha256 = :sha256, source = cast(:source as text),
              size = :size, settings_sha256 = :settings, state = 'waiting', attempts = 0, lost = 0,
              not_before = null, reason = null, message = null, updated_at = :now
            where state != 'working' and settings_sha256 != :settings
            """,
            [
                {
                    "call_id": each.call_id,
                    "sha256": each.sha256,
                    "source": _bytes(each.source),
                    "size": each.size,
                    "settings": settings_sha256,
                    "now": now,
                }
                for each in recordings
            ],
        )

    def _close(self, db: sqlite3.Connection, call_id: str, settings_sha256: str) -> None:
        db.execute(
            f"update recordings set {_FREE}, state = 'done', settings_sha256 = ?, not_before = null, "
            "reason = null, message = null, updated_at = ? where call_id = ?",
            (settings_sha256, self._now(), call_id),
        )

    def _fail(self, db: sqlite3.Connection, call_id: str, failure: RecordingFailure) -> Entry:
        now, attempts = self._now(), _row(db, call_id)["attempts"]
        state, not_before = "set_aside", None
        if failure.tries is None:
            state, attempts = "waiting", attempts - 1
        elif attempts < failure.tries:
            state = "waiting"
            not_before = now + min(self._back_off_s * 4 ** (attempts - 1), self._longest_wait)
        db.execute(
            f"update recordings set {_FREE}, state = ?, attempts = ?, not_before = ?, reason = ?, "
            "message = cast(? as text), updated_at = ? where call_id = ?",
            (state, attempts, not_before, failure.reason, _bytes(str(failure)), now, call_id),
        )
        return _entry(_row(db, call_id))

    def _give_back(self, db: sqlite3.Connection, call_id: str, lost: bool) -> None:
        """Have a recording wait again that its run did not fail on, `lost` where that run is dead."""
        db.execute(
            f"update recordings set {_FREE}, state = 'waiting', attempts = attempts - 1, lost = lost + ?, "
            "updated_at = ? where call_id = ?",
            (int(lost), self._now(), call_id),
        )

    def _recall(self, db: sqlite3.Connection, row: Row, now: float) -> None:
        """Enter a recording that only the table `failures` knows."""
        tries = tries_of(row["reason"])
        spent = tries is not None and row["attempts"] >= tries
        db.execute(
            """
            insert or ignore into recordings (call_id, sha256, source, size, settings_sha256, state,
              attempts, reason, message, first_seen, updated_at)
            values (?, ?, cast(? as text), 0, ?, ?, ?, ?, cast(? as text), ?, ?)
            """,
            (
                row["call_id"],
                row["source_sha256"],
                _bytes(row["source"]),
                row["settings_sha256"],
                "set_aside" if spent else "waiting",
                row["attempts"],
                row["reason"],
                _bytes(row["message"]),
                row["failed_at"].timestamp(),
                now,
            ),
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other process writes beside."""
        with self._connected() as db, _transaction(db):
            yield db

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected(read_only=True) as db:
            yield db

    @contextmanager
    def _connected(self, read_only: bool = False) -> Iterator[sqlite3.Connection]:
        # A connection for each operation: threads need no lock, and a ledger that was deleted is made anew.
        db = None
        try:
            # A reader may have to undo what a killed writer began, and can where the folder can be written.
            mode = "rw" if read_only else "rwc"
            db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
            )
            db.row_factory = sqlite3.Row
            db.text_factory = _text
            self._prepare(db, read_only)
            yield db
        except sqlite3.Error as error:
            raise self._error(error) from error
        finally:
            if db is not None:
                db.close()

    def _prepare(self, db: sqlite3.Connection, read_only: bool) -> None:
        version = db.execute("pragma user_version").fetchone()[0]
        if version > _VERSION:
            raise UsageError(
                f"The ledger {self.path} was written by a newer version of Callfolio. Update Callfolio."
            )
        if version == _VERSION:
            return
        if read_only:  # another process is just making it: there is nothing to read yet
            db.executescript(_SCHEMA.replace("create table", "create temp table").split("create index")[0])
            return
        with _transaction(db):
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"pragma user_version = {_VERSION}")

    def _error(self, error: sqlite3.Error) -> LedgerError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT) or (
            "no such" in str(error)
        ):
            return LedgerDamaged(
                f"The ledger {self.path} is damaged. Wait until no run is at work on the store, delete that "
                "file, and run again: it is made anew from what the store has."
            )
        if code == sqlite3.SQLITE_FULL:
            return LedgerError(
                f"The disk of the store {self.path.parent} is full. Make room on it and run again; what was "
                "finished is kept."
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return LedgerError(
                f"The ledger {self.path} cannot be opened or written. Make it and its folder writable, or "
                "name another store, and run again."
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LedgerError(
                f"The ledger {self.path} was locked by another process for {_BUSY_S:.0f} s. End that process "
                "and run again."
            )
        return LedgerError(
            f"The ledger {self.path} cannot be used: {error}. Look after the disk and run again; what was "
            "finished is kept."
        )


_FREE: Final = "worker = null, keeper = null, claimed_at = null, lease_until = null"

_OURS: Final = "call_id = :call_id and state = 'working' and run_id = :run_id and worker = :worker"


def _ours(claim: Claim) -> dict[str, Any]:
    return {"call_id": claim.call_id, "run_id": claim.run_id, "worker": str(claim.worker)}


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
    db.execute("commit")


def _row(db: sqlite3.Connection, call_id: str) -> dict[str, Any]:
    return dict(db.execute("select * from recordings where call_id = ?", (call_id,)).fetchone())


def _entry(row: Mapping[str, Any]) -> Entry:
    values = {name: row[name] for name in Entry.__dataclass_fields__}
    worker = values.pop("worker")
    return Entry(worker=None if worker is None else Process.parse(worker), **values)


def _file(file: KnownFile) -> tuple[object, ...]:
    return os.fsencode(file.path), file.size, file.mtime_ns, file.ctime_ns, file.inode, file.device


def _bytes(text: str) -> bytes:
    # Names of files need not be UTF-8.
    return text.encode("utf-8", "surrogateescape")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
