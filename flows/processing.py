"""The flow: identify recordings, process what the store lacks, account for every one.

Prefect sees a task for each batch of calls and none for a single one. The work itself is done in worker
processes that hold the models, so that a crash in a library costs the recording at work and no other.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

from flows.progress import ProgressReport, Tally
from flows.worker import Assignment, Outcome, StageBegun, begin, work
from models.selection import Selection
from pipelines.analytics.examples import SHIPPED
from pipelines.failures import RanOutOfMemory, RecordingFailure, WorkerDied
from pipelines.recording import Recording, identify
from pipelines.rows import failure_row
from pipelines.scorecards.cards import Rulebook
from pipelines.settings import CallSettings, fingerprint, threads_each
from pipelines.sources import Source
from pipelines.store import Store
from pipelines.tables import Row
from pipelines.versions import versions

BATCH = 50
"""Calls in one Prefect task."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do."""

    sources: tuple[Source, ...]
    store: Path
    selection: Selection
    settings: CallSettings
    workers: int
    force: bool
    examples: Path = SHIPPED
    rulebook: Rulebook = field(default_factory=Rulebook)

    @property
    def threads(self) -> int:
        """Threads of each model, so that all workers together have the machine's cores."""
        return threads_each((os.cpu_count() or 1) // self.workers)


@dataclass(frozen=True)
class Summary:
    """What a run did with its recordings; `skipped` were in the store, or twice in the list.

    `working_s` is the time from the first recording's begin, when the models are loaded, to the end.

    `set_aside_before` are those that an earlier run set aside for good, with the same settings.
    """

    run_id: str
    processed: int
    skipped: int
    set_aside: tuple[Outcome, ...]
    set_aside_before: int
    audio_s: float
    working_s: float


class Workers:
    """The worker processes of a run, which load their models as soon as this is made."""

    def __init__(self, assignment: Assignment, count: int, report: ProgressReport) -> None:
        """Start `count` processes."""
        # One heap for all threads of a worker: several would keep 300 MB more of what was freed.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        context = multiprocessing.get_context("spawn")
        self._events: SimpleQueue[StageBegun | None] = context.SimpleQueue()
        self._pool = ProcessPool(
            max_workers=count, initializer=begin, initargs=(assignment, self._events), context=context
        )
        self.assignment = assignment
        self._needed = False
        self._listener = threading.Thread(target=self._listen, args=(report,), daemon=True)
        self._listener.start()
        self._pool.schedule(os.getpid)  # the pool starts its processes at the first task only

    def submit(self, recording: Recording) -> "Future[Outcome]":
        """Have a worker process the recording."""
        self._needed = True
        future: Future[Outcome] = self._pool.schedule(work, args=(recording,))
        return future

    def close(self, interrupted: bool) -> None:
        """End the processes: at once where `interrupted` or where there was nothing to do after all."""
        self._pool.stop() if interrupted or not self._needed else self._pool.close()
        self._pool.join()
        self._events.put(None)
        self._listener.join()

    def _listen(self, report: ProgressReport) -> None:
        while (event := self._events.get()) is not None:
            report.doing(event.source, event.stage)


@contextmanager
def hired(assignment: Assignment, count: int, report: ProgressReport) -> Iterator[Workers]:
    """Workers for as long as the context is open; they are stopped at once when it is left by an error."""
    workers = Workers(assignment, count, report)
    try:
        yield workers
    except BaseException:
        workers.close(interrupted=True)
        raise
    workers.close(interrupted=False)


def run(plan: Plan, report: ProgressReport) -> Summary:
    """Process the recordings of `plan` into its store, with a row in `runs` that says how it went.

    Raises `StoreError` when the store cannot be written; what was finished is in it.
    """
    store = Store(plan.store)
    store.sweep()
    settings_sha256 = fingerprint(plan.settings, plan.selection.digests)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    assignment = Assignment(
        plan.selection,
        plan.settings,
        settings_sha256,
        plan.store,
        run_id,
        plan.threads,
        plan.examples,
        plan.rulebook,
    )
    started, tally = datetime.now(UTC), Tally()
    row = _run_row(plan, assignment, started)
    store.write_run(row)
    status = "failed"
    try:
        with hired(assignment, plan.workers, report) as workers, report:
            _start_server()
            summary = process_recordings(plan, store, workers, report, tally)
        status = "finished"
        return summary
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        store.write_run({**row, **_ended(started, tally, status)})


@flow(name="process-recordings", validate_parameters=False)
def process_recordings(
    plan: Plan, store: Store, workers: Workers, report: ProgressReport, tally: Tally
) -> Summary:
    """Identify the recordings, process what is not in the store, account for each."""
    todo = find_work(plan, store, workers.assignment, report, tally)
    report.begin(len(todo), sum(recording.size for recording in todo))
    remaining = iter(todo)
    while batch := tuple(islice(remaining, BATCH)):
        process_batch(batch, store, workers, report, tally)
    return Summary(
        run_id=workers.assignment.run_id,
        processed=tally.processed,
        skipped=tally.skipped,
        set_aside=tuple(tally.set_aside),
        set_aside_before=tally.set_aside_before,
        audio_s=tally.audio_s,
        working_s=report.working_s,
    )


@task(name="find-work", cache_policy=NO_CACHE)
def find_work(
    plan: Plan, store: Store, assignment: Assignment, report: ProgressReport, tally: Tally
) -> tuple[Recording, ...]:
    """The recordings that have to be processed; the others are counted, or set aside where unreadable."""
    finished = {} if plan.force else store.processed()
    hopeless = set() if plan.force else _hopeless(store, assignment.settings_sha256)
    todo: dict[str, Recording] = {}
    for number, source in enumerate(plan.sources, 1):
        report.identified(number, len(plan.sources))
        try:
            recording = identify(source)
        except RecordingFailure as failure:
            _set_aside(str(source.path), "", 0, failure, store, assignment, tally)
            continue
        if finished.get(recording.call_id) == assignment.settings_sha256 or recording.call_id in todo:
            tally.skipped += 1
        elif recording.call_id in hopeless:
            tally.set_aside_before += 1
        else:
            todo[recording.call_id] = recording
    return tuple(todo.values())


@task(name="process-batch", cache_policy=NO_CACHE)
def process_batch(
    batch: Sequence[Recording], store: Store, workers: Workers, report: ProgressReport, tally: Tally
) -> None:
    """Have the workers process a batch, and write down how each recording ended."""
    at_work = {workers.submit(recording): recording for recording in batch}
    for future in as_completed(at_work):
        recording = at_work[future]
        try:
            outcome = future.result()
            tally.count(outcome)
        except ProcessExpired as death:
            failure = _death(recording.path, death.exitcode)
            outcome = _set_aside(
                recording.source, recording.sha256, recording.size, failure, store, workers.assignment, tally
            )
        report.finished(outcome)


def _start_server() -> None:
    """Start Prefect's server, which flows would start, in such a way that Ctrl-C does not end it.

    Ctrl-C reaches every process of a terminal, and without its server Prefect takes a minute to give up.
    What is blocked here stays blocked in the process that is started. A server of the site's own, named
    in PREFECT_API_URL, is used as it is.
    """
    if PREFECT_API_URL.value():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        SubprocessASGIServer().start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _set_aside(
    source: str,
    sha256: str,
    size: int,
    failure: RecordingFailure,
    store: Store,
    assignment: Assignment,
    tally: Tally,
) -> Outcome:
    """Write down a failure that no worker could."""
    store.write_failure(failure_row(source, sha256, failure, assignment.settings_sha256, assignment.run_id))
    outcome = Outcome(source, size, 0.0, failure)
    tally.count(outcome)
    return outcome


def _death(path: Path, exit_code: int) -> RecordingFailure:
    return RanOutOfMemory(path) if exit_code == -signal.SIGKILL else WorkerDied(path, exit_code)


def _hopeless(store: Store, settings_sha256: str) -> set[str]:
    """Calls that the same settings would only set aside again."""
    return {
        row["call_id"]
        for row in store.failures()
        if row["call_id"] and not row["retryable"] and row["settings_sha256"] == settings_sha256
    }


def _run_row(plan: Plan, assignment: Assignment, started: datetime) -> dict[str, Any]:
    return {
        "run_id": assignment.run_id,
        "started_at": started,
        "finished_at": None,
        "command": " ".join(sys.argv),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "profile": plan.selection.profile,
        "settings": plan.settings.as_json(),
        "settings_sha256": assignment.settings_sha256,
        "models": plan.selection.digests,
        "versions": versions(),
        "sources": len(plan.sources),
        "processed": 0,
        "skipped": 0,
        "set_aside": 0,
        "audio_s": 0.0,
        "wall_s": 0.0,
        "status": "running",
    }


def _ended(started: datetime, tally: Tally, status: str) -> Row:
    now = datetime.now(UTC)
    return {
        "finished_at": now,
        "processed": tally.processed,
        "skipped": tally.skipped,
        "set_aside": len(tally.set_aside),
        "audio_s": tally.audio_s,
        "wall_s": (now - started).total_seconds(),
        "status": status,
    }
