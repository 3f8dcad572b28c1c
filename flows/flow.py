"""The flow as Prefect shows it: a task for each batch of calls, and none for a single one."""

import signal
import time
from collections.abc import Callable
from typing import cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import TerminationSignal

from flows.night import Night
from flows.terminating import TERMINATION, interruption_behind

BATCH = 50
"""Calls in one task."""

SHOWN_EVERY_S = 5.0
"""Seconds between two looks of Prefect at the progress, at least."""


def show(night: Night, report: Callable[[], str]) -> None:
    """Account for the night as a flow. Raises what was raised in it, or is wrong with Prefect."""
    try:
        process_recordings.with_options(flow_run_name=f"run {night.run_id}")(night, report)
    except Exception as error:
        interruption = interruption_behind(error, TerminationSignal)
        if isinstance(interruption, TerminationSignal):
            signal.raise_signal(interruption.signal)  # to whoever had it before the flow
        raise interruption or error from None


@flow(name="process-recordings", validate_parameters=False)
def process_recordings(night: Night, report: Callable[[], str]) -> None:
    """Find what is to be done, account for it as it is finished, and show what `report` says at the end."""
    TERMINATION.listen_again()  # a flow takes SIGTERM, and leaves its end to whoever gets it next
    progress = _Progress(night)
    find_work(night)
    while night.open:
        first = night.done + 1
        name = f"calls {first} to {max(first, min(night.done + BATCH, night.calls))}"
        process_batch.with_options(task_run_name=name)(night, progress)
    progress.show(at_once=True)
    create_markdown_artifact(report(), key="night-report", description=f"What run {night.run_id} came to")


@task(name="find-work", task_run_name="find the recordings", cache_policy=NO_CACHE)
def find_work(night: Night) -> None:
    """Wait until all recordings are identified. Workers are at work on the first of them by then."""
    night.account(until=lambda: night.all_found)


@task(name="process-batch", cache_policy=NO_CACHE)
def process_batch(night: Night, progress: "_Progress") -> None:
    """Write down how the next recordings end, in whatever order. No worker waits for a batch to end."""
    for _ in range(BATCH):
        if not night.open:
            return
        night.account(most=1)
        progress.show()


class _Progress:
    """The bar in Prefect's UI."""

    def __init__(self, night: Night) -> None:
        self._night = night
        made = create_progress_artifact(0.0, key="night-progress", description="Calls")
        self._id = cast(UUID, made)  # it is a coroutine only in one
        self._shown = time.monotonic()

    def show(self, at_once: bool = False) -> None:
        """Say how far the night is, unless that was said a moment ago."""
        if at_once or time.monotonic() - self._shown >= SHOWN_EVERY_S:
            share, words = self._night.progress
            update_progress_artifact(self._id, 100.0 * share, words)
            self._shown = time.monotonic()
