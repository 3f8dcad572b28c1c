"""A run: what it is to do, who does it, and what it did.

Workers take recordings as soon as the first is known (`flows.night`). Prefect looks on (`flows.flow`), and
the run goes on without it where it fails: what has become of a recording is in the store and its ledger.
"""

import logging
import os
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.limits import Limits
from flows.night import Crew, Night
from flows.progress import ProgressReport, Tally
from flows.terminating import TERMINATION
from flows.worker import Assignment, Outcome
from models.errors import CallfolioError
from models.selection import Selection
from pipelines.analytics.examples import SHIPPED
from pipelines.ledger import BACK_OFF_S, Ledger, LedgerError
from pipelines.night.reading import file_report, report_of
from pipelines.night.rendering import as_markdown
from pipelines.processes import this_process
from pipelines.scorecards.cards import Rulebook
from pipelines.settings import CallSettings, fingerprint, threads_each
from pipelines.sources import Source, began
from pipelines.store import Store
from pipelines.tables import Row
from pipelines.versions import versions

if TYPE_CHECKING:
    from flows.server import Server

Order = Literal["given", "newest", "oldest"]


@dataclass(frozen=True)
class Plan:
    """What a run is to do. It takes no recording `until` that time of day or later, and tries one that failed
    again after `back_off_s` seconds, or longer each time."""

    sources: tuple[Source, ...]
    store: Path
    selection: Selection
    settings: CallSettings
    workers: int
    force: bool
    examples: Path = SHIPPED
    rulebook: Rulebook = field(default_factory=Rulebook)
    order: Order = "given"
    until: time_of_day | None = None
    limits: Limits = field(default_factory=Limits)
    back_off_s: float = BACK_OFF_S
    settle_s: float = 0.0


@dataclass(frozen=True)
class Summary:
    """What a run did with its recordings; `skipped` were in the store, or twice in the list. Of these,
    `restated` have other metadata now.

    `set_aside_before` are those that an earlier run set aside for good, with the same settings; `elsewhere`
    those that another run was processing to the end; `left` those that the time did not suffice for, or that
    are to be tried again by another run; `settling` those that are still being written. `working_s` is the
    time from the first recording's begin, when the models are loaded, to the end.
    """

    run_id: str
    processed: int
    skipped: int
    set_aside: tuple[Outcome, ...]
    set_aside_before: int
    audio_s: float
    working_s: float
    elsewhere: int = 0
    left: int = 0
    settling: int = 0
    restated: int = 0


def threads_of(workers: int) -> int:
    """Threads of each model, so that all workers together have the machine's cores."""
    return threads_each((os.cpu_count() or 1) // workers)


def run(plan: Plan, report: ProgressReport, workers: Crew) -> Summary:
    """Process the recordings of `plan` into its store, with a row in `runs` that says how it went.

    The workers are closed at the end. Raises `StoreError` when the store cannot be written; what was finished
    is in it.
    """
    store = Store(plan.store)
    store.sweep()
    assignment = Assignment(
        plan.selection,
        plan.settings,
        fingerprint(plan.settings, plan.selection.digests),
        store.root,
        f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
        threads_of(plan.workers),
        plan.examples,
        this_process(),
        plan.rulebook,
        plan.limits,
        plan.force,
        plan.back_off_s,
    )
    tally, started = Tally(), datetime.now(UTC)
    ledger = Ledger(store.root, back_off_s=plan.back_off_s)
    row = _run_row(plan, assignment, started)
    store.write_run(row)
    status = "failed"

    def ended(status: str = "finished") -> Row:
        return {**row, **_ended(started, tally, status)}

    try:
        with report:
            workers.assign(assignment, report.doing)
            sources = _in_order(plan.sources, plan.order)
            with Night(
                sources, plan.until, assignment, store, ledger, workers, report, tally, plan.settle_s
            ) as night:
                _show_to_prefect(night, lambda: as_markdown(report_of(store, ended())))
                night.account()
        status = "finished"
        return _summary(assignment.run_id, tally, report)
    except Exception:
        raise
    except BaseException:  # Ctrl-C, or what Prefect makes of SIGTERM in a flow that it has started
        status = "interrupted"
        raise
    finally:
        with TERMINATION.undisturbed():
            workers.close()
            with suppress(LedgerError):  # the disk is full: the next run finds out that this one is dead
                ledger.release(assignment.run_id)
            store.write_run(ended(status))
            _file_report(store, ended(status))


def _file_report(store: Store, run: Row) -> None:
    """Leave the report of the run in the store. It can be had again, so that no run fails of it."""
    try:
        file_report(report_of(store, run), store.root)
    except (OSError, CallfolioError) as error:
        logging.getLogger("callfolio").warning("The report of the run is not in the store: %s", error)


def _show_to_prefect(night: Night, report: Callable[[], str]) -> None:
    """Account for the night as a flow, as far as Prefect can, and by ourselves until it is there.

    Of a night that is over before that, only a server of the site's own is told.
    """
    over = threading.Event()
    starting: Future[Server] | None = None
    # It is waited for at the end: Python ends in an abort where another thread is in an extension then.
    with ThreadPoolExecutor(1) as pool:
        try:
            # A server that starts takes a core, which the workers need more while they load their models.
            night.account(until=lambda: night.begun)
            if not _is_shown(night):
                return
            starting = pool.submit(_start_server, over)
            night.account(until=starting.done)
            if not _is_shown(night):
                return
            # Prefect takes seconds to import.
            server = starting.result()

            from flows.flow import show

            with server:
                show(night, report)
        except Exception as error:
            if night.error is not None:
                raise night.error from None
            logging.getLogger("callfolio").debug("Prefect fails; the run goes on without it", exc_info=error)
        finally:
            over.set()
            if starting is not None:
                starting.add_done_callback(_end_server)


def _is_shown(night: Night) -> bool:
    return night.open or "PREFECT_API_URL" in os.environ


def _start_server(over: threading.Event) -> "Server":
    """A server that answers, unless the night is `over` before."""
    from flows.server import Server

    server = Server()
    try:
        server.wait(over)
    except BaseException:
        server.close()
        raise
    return server


def _end_server(started: "Future[Server]") -> None:
    if started.exception() is None:
        started.result().close()


def _in_order(sources: tuple[Source, ...], order: Order) -> tuple[Source, ...]:
    """By when the calls were, as far as that is known before they are heard."""
    if order == "given":
        return sources

    return tuple(sorted(sources, key=began, reverse=order == "newest"))


def _summary(run_id: str, tally: Tally, report: ProgressReport) -> Summary:
    return Summary(
        run_id=run_id,
        processed=tally.processed,
        skipped=tally.skipped,
        set_aside=tuple(tally.set_aside),
        set_aside_before=tally.set_aside_before,
        audio_s=tally.audio_s,
        working_s=report.working_s,
        elsewhere=tally.elsewhere,
        left=tally.left,
        settling=tally.settling,
        restated=tally.restated,
    )


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
        "set_aside_before": None,
        "elsewhere": None,
        "left_for_later": None,
        "settling": None,
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
        "set_aside_before": tally.set_aside_before,
        "elsewhere": tally.elsewhere,
        "left_for_later": tally.left,
        "settling": tally.settling,
        "audio_s": tally.audio_s,
        "wall_s": (now - started).total_seconds(),
        "status": status,
    }
