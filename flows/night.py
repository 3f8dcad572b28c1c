"""The recordings of a run, from the list of sources to how each of them ended."""

import heapq
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import chain, islice, repeat
from pathlib import Path
from time import sleep
from time import time as now_s
from typing import Protocol, Self

from flows.limits import MEMORY_SPENT, TIME_SPENT
from flows.progress import ProgressReport, Tally
from flows.terminating import TERMINATION
from flows.worker import Assignment, Outcome
from flows.workers import WorkerLost
from pipelines.failures import RanOutOfMemory, RecordingFailure, TookTooLong, WorkerDied
from pipelines.inbox import OutOfReach, RemoteFile, Scratch, discard
from pipelines.ledger import KnownFile, Ledger, Refusal
from pipelines.recording import Recording, StillWritten, identify
from pipelines.restating import Restatement, Stated, restatement, stated_calls
from pipelines.rows import failure_row
from pipelines.seen import Seen
from pipelines.sources import CallMetadata, Source
from pipelines.store import Store, StoreError

_KILLED = -9
"""Status of a process that was killed, as the system does when memory runs out."""

_CHUNKS = (1, 7, 64)
"""Recordings that are identified before they are handed out together: few at first, as workers wait."""

_LOOK_S = 0.5
"""Seconds after which it is looked at the time of day, which may be set, and for Ctrl-C."""


class Workforce(Protocol):
    """Those who process recordings."""

    def submit(self, recording: Recording) -> "Future[Outcome]":
        """Have one processed. The future raises `WorkerLost` where that ended its worker, and what the worker
        raised where that has nothing to do with the recording."""
        ...


class Crew(Workforce, Protocol):
    """A workforce for a whole run."""

    def assign(self, assignment: Assignment, on_stage: Callable[[str, str], None]) -> None:
        """Say what the run is, and where news of stages go."""
        ...

    def close(self) -> None:
        """End them, or let them go, at once; more than one call does no harm."""
        ...


class Night:
    """Finds recordings, hands them out and writes down how they end, while it is open as a context.

    Recordings are found in a thread of its own; all else is done in one thread, by `account`. `error` is what
    ended it too early.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        until: time | None,
        assignment: Assignment,
        store: Store,
        ledger: Ledger,
        workforce: Crew,
        report: ProgressReport,
        tally: Tally,
        settle_s: float = 0.0,
    ) -> None:
        """No recording is handed out at that time of day or later, where there is one. One that was changed
        less than `settle_s` seconds ago is left."""
        self._sources, self._assignment = sources, assignment
        self._store, self._ledger, self._workforce = store, ledger, workforce
        self._report, self._tally = report, tally
        self._ends_at = None if until is None else _next(until)
        self._settle_s, self._scratch, self._seen = settle_s, Scratch(), Seen(store.root)
        self.error: Exception | None = None
        self._at_work: dict[str, Future[Outcome]] = {}
        self._ended: queue.SimpleQueue[tuple[Recording, Future[Outcome]]] = queue.SimpleQueue()
        self._again: list[tuple[float, str, Recording]] = []
        self._failed: dict[str, Outcome] = {}
        self._held: list[Recording] = []
        self._asked_again = self._over = False
        self._aside = ThreadPoolExecutor(1)
        self._feeding = self._aside.submit(self._feed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over = True
        self._aside.shutdown()
        if kind is not None and not issubclass(kind, Exception):
            self._count_finished()
        self._scratch.__exit__()

    @property
    def open(self) -> bool:
        """Whether there is something to account for, or may be."""
        return bool(
            not self._feeding.done() or self._at_work or self._again or (self._held and not self._asked_again)
        )

    @property
    def run_id(self) -> str:
        """The run that this is."""
        return self._assignment.run_id

    @property
    def begun(self) -> bool:
        """Whether a worker has begun with a recording."""
        return self._report.begun

    @property
    def calls(self) -> int:
        """The calls to process, as far as they are known."""
        return self._report.calls

    @property
    def done(self) -> int:
        """The calls of these that are done with."""
        return self._report.done

    @property
    def progress(self) -> tuple[float, str]:
        """The share of the bytes that are done with, 0 to 1, and how many calls that is."""
        return self._report.share, self._report.words

    @property
    def all_found(self) -> bool:
        """Whether all recordings are identified."""
        return self._feeding.done()

    def account(self, most: int | None = None, until: Callable[[], bool] = lambda: False) -> None:
        """Write down how recordings end: the next `most`, or those until something is true, or all.

        Raises `StoreError`, and what is wrong with the models or all workers.
        """
        try:
            while self.open and most != 0 and not until():
                TERMINATION.insist()
                self._mind_the_time()
                try:
                    recording, future = self._ended.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                self._write_down(recording, future)
                most = None if most is None else most - 1
            if self._feeding.done():
                self._feeding.result()
            if not self.open:
                self._close()
        except Exception as error:
            self.error = error
            raise

    # Finding

    def _feed(self) -> None:
        known = self._assignment
        committed = self._store.processed()
        self._ledger.reconcile(committed, self._store.failures())
        finished, hopeless, lost = set(), set(), set()
        if not known.again:
            finished = {each for each, of in committed.items() if of == known.settings_sha256}
            hopeless = {
                entry.call_id
                for entry in self._ledger.entries("set_aside")
                if entry.settings_sha256 == known.settings_sha256
            }
            lost = {entry.call_id for entry in self._ledger.entries("waiting") if entry.lost}
        stated: Mapping[str, Stated] = {}
        given = [each.metadata for each in self._sources if each.metadata != CallMetadata()]
        if finished and given:
            stated = stated_calls(self._store, any(each.channel_roles for each in given))
        seen: set[str] = set()
        last: list[Recording] = []
        to_restate: list[Recording] = []
        size = number = 0
        for chunk in _chunks(self._sources):
            if self._over:
                self._tally.left += len(self._sources) - number
                break
            self._await_room()
            todo: list[Recording] = []
            for recording in self._identified(chunk):
                said = Restatement()
                if recording.call_id in finished and recording.call_id not in seen:
                    said = _said_anew(recording, stated)
                if said.reheard:
                    finished.remove(recording.call_id)
                known_of = recording.call_id in finished or recording.call_id in seen
                if said and known_of:
                    to_restate.append(recording)
                    _drop(recording)
                elif known_of or self._store.erased(recording.call_id):
                    self._tally.skipped += 1
                    _drop(recording)
                elif recording.call_id in hopeless:
                    self._tally.set_aside_before += 1
                    _drop(recording)
                else:
                    # What a run died of comes last, so that the others are done if it does so again.
                    (last if recording.call_id in lost else todo).append(recording)
                    size += recording.size
                seen.add(recording.call_id)
            number += len(chunk)
            self._report.identified(number, len(self._sources))
            self._ledger.expect(todo, known.settings_sha256)
            for recording in todo:
                self._hand_out(recording)
        # What costs a fraction of a second comes after what may not be done by the morning.
        for recording in last + to_restate:
            self._hand_out(recording)
        self._report.begin(len(seen - finished - hopeless), size)

    def _identified(self, sources: Sequence[Source]) -> Iterator[Recording]:
        """Those that can be read; the bytes only of those that are not known as they are."""
        files: dict[Path, KnownFile] = {}
        for source in sources:
            try:
                if source.remote is None:
                    files[source.path] = KnownFile.of(source.path.absolute())
            except OSError:
                continue  # told below
        known = {} if self._assignment.again else self._ledger.identities(files.values())
        found: dict[KnownFile, str] = {}
        for source in sources:
            if self._over:
                self._tally.left += 1
                continue
            if source.remote:
                source, sha256 = self._seen_before(source, source.remote)
            else:
                sha256 = known.get(source.path.absolute())
            try:
                recording = identify(source, sha256, self._settle_s, self._scratch)
            except StillWritten:
                self._tally.settling += 1
                continue
            except RecordingFailure as failure:
                self._set_aside(source.name, failure)
                continue
            if sha256 is None and recording.remote is not None:
                self._seen.put(recording.remote, recording.sha256)
            elif sha256 is None and source.path in files:
                found[files[source.path]] = recording.sha256
            yield recording
        if found:
            self._ledger.identified(found)

    def _seen_before(self, source: Source, file: RemoteFile) -> tuple[Source, str | None]:
        """The source with what is known of its file elsewhere, and its hash if it was fetched before."""
        if self._assignment.again:
            return source, None
        if file.only_named:  # by a manifest: to look costs less than to fetch
            with suppress(OutOfReach, OSError):  # told when it is fetched
                file = file.look()
        return replace(source, remote=file), self._seen.get(file)

    def _await_room(self) -> None:
        """Fetch no more from elsewhere before the workers are done with some of what was fetched."""
        while self._at_work and not self._over and not self._scratch.has_room():
            sleep(_LOOK_S)

    def _hand_out(self, recording: Recording) -> None:
        if self._over:
            self._tally.left += 1
            return
        future = self._workforce.submit(recording)
        self._at_work[recording.call_id] = future
        future.add_done_callback(lambda done: self._ended.put((recording, done)))

    # Accounting

    def _mind_the_time(self) -> None:
        """Hand out what was to be tried again by now, and nothing more when it is time to end."""
        if self._ends_at is not None and datetime.now() >= self._ends_at and not self._over:
            self._over = True
            for future in list(self._at_work.values()):
                future.cancel()
        if self._over:
            for _, _, recording in self._again:
                self._leave(recording)
            self._again.clear()
            self._asked_again = True
        while self._again and self._again[0][0] <= now_s():
            self._hand_out(heapq.heappop(self._again)[2])
        if self._feeding.done() and not self._at_work:
            if self._again:
                self._report.waiting(len(self._again), self._again[0][0] - now_s())
            elif self._held and not self._asked_again:
                # Whoever had them may have finished them by now, or have died.
                self._asked_again = True
                held, self._held = self._held, []
                for recording in held:
                    self._hand_out(recording)

    def _write_down(self, recording: Recording, future: "Future[Outcome]") -> None:
        del self._at_work[recording.call_id]
        try:
            outcome = future.result()
        except CancelledError:
            self._leave(recording)
            return
        except WorkerLost as loss:
            outcome = self._mourn(recording, loss)
        self._tally.restated += outcome.restated
        if outcome.failure is not None:
            self._failed[recording.call_id] = outcome
        if isinstance(outcome.refusal, Refusal):
            self._note_refusal(recording, outcome.refusal)
        elif outcome.retry_at is not None:
            heapq.heappush(self._again, (outcome.retry_at, recording.call_id, recording))
            self._report.tried_again(outcome)
        else:
            self._failed.pop(recording.call_id, None)
            self._tally.count(outcome)
            self._report.finished(outcome)

    def _count_finished(self) -> None:
        """End the workers, and count what they finished after the night was interrupted: Prefect is told of
        that first, which takes seconds."""
        self._workforce.close()
        while not self._ended.empty():
            recording, future = self._ended.get()
            if future.cancelled():
                continue
            error = future.exception()
            outcome = future.result() if error is None else None
            if isinstance(error, WorkerLost):  # it may have been ended between the commit and saying so
                with suppress(StoreError):
                    outcome = self._committed(recording)
            if outcome is not None and outcome.failure is None and outcome.refusal is None:
                self._tally.count(outcome)

    def _committed(self, recording: Recording) -> Outcome | None:
        """How a recording ended that this run has put into the store; None where it has not."""
        known, row = self._assignment, self._store.row_of(recording.call_id)
        if row is None or (row["settings_sha256"], row["run_id"]) != (known.settings_sha256, known.run_id):
            return None
        return Outcome(recording.source, recording.size, row["duration_s"], None)

    def _note_refusal(self, recording: Recording, refusal: Refusal) -> None:
        if refusal.why == "held":
            self._held.append(recording)
        elif refusal.not_before is not None:
            heapq.heappush(self._again, (refusal.not_before, recording.call_id, recording))
        elif refusal.why == "done":
            self._failed.pop(recording.call_id, None)
            self._tally.skipped += 1
        elif (failed := self._failed.pop(recording.call_id, None)) is not None:
            self._tally.count(failed)
        else:
            self._tally.set_aside_before += 1

    def _mourn(self, recording: Recording, loss: WorkerLost) -> Outcome:
        """What a recording comes to whose worker died: it may have been committed just before."""
        known = self._assignment
        if (committed := self._committed(recording)) is not None:
            self._ledger.confirm(recording.call_id, known.settings_sha256)
            return committed
        failure: RecordingFailure = WorkerDied(recording.path, loss.exit_code)
        if loss.exit_code in (MEMORY_SPENT, _KILLED):
            failure = RanOutOfMemory(recording.path)
        elif loss.exit_code == TIME_SPENT:
            failure = TookTooLong(recording.path, loss.limit_s)
        failure = recording.naming(failure)
        entry = self._ledger.bury(recording, known.settings_sha256, known.run_id, failure)
        if entry is None:
            return Outcome(recording.source, recording.size, 0.0, None, Refusal("held"))
        self._store.write_failure(
            failure_row(recording.source, recording.sha256, failure, known.settings_sha256, known.run_id),
            entry.attempts,
        )
        return Outcome(recording.source, recording.size, 0.0, failure, retry_at=entry.not_before)

    def _set_aside(self, source: str, failure: RecordingFailure) -> None:
        """Write down a recording that is not known by its bytes."""
        known = self._assignment
        self._store.write_failure(failure_row(source, "", failure, known.settings_sha256, known.run_id))
        self._tally.count(Outcome(source, 0, 0.0, failure))

    def _leave(self, recording: Recording) -> None:
        """Leave a recording to another run."""
        if (failed := self._failed.pop(recording.call_id, None)) is not None:
            self._tally.count(failed)
        else:
            self._tally.left += 1

    def _close(self) -> None:
        self._tally.elsewhere += len(self._held)
        self._held = []


def _said_anew(recording: Recording, stated: Mapping[str, Stated]) -> Restatement:
    """What is said of a call otherwise than the store has it."""
    known = stated.get(recording.call_id)
    return restatement(recording.metadata, known.call, known.speakers) if known else Restatement()


def _drop(recording: Recording) -> None:
    """Remove the copy of a recording that lies elsewhere and is not to be processed."""
    if recording.remote is not None:
        discard(recording.path)


def _chunks(sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    remaining = iter(sources)
    # What is fetched is handed out at once, so that room is made for the next.
    elsewhere = any(source.remote for source in sources)
    for size in repeat(1) if elsewhere else chain(_CHUNKS, repeat(_CHUNKS[-1])):
        if not (chunk := tuple(islice(remaining, size))):
            return
        yield chunk


def _next(moment: time) -> datetime:
    """When it is that time of day next, by this machine's clock and time zone."""
    now = datetime.now()
    today = datetime.combine(now.date(), moment)
    return today if today > now else today + timedelta(days=1)
