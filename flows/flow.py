"""The flow as Prefect shows it: a task for each batch of calls, and none for a single one."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.night import Night

BATCH = 50
"""Calls in one task."""


@flow(name="process-recordings", validate_parameters=False)
def process_recordings(night: Night) -> None:
    """Find what is to be done, and account for it as it is finished."""
    find_work(night)
    while night.open:
        process_batch(night)


@task(name="find-work", cache_policy=NO_CACHE)
def find_work(night: Night) -> None:
    """Wait until all recordings are identified. Workers are at work on the first of them by then."""
    night.account(until=lambda: night.all_found)


@task(name="process-batch", cache_policy=NO_CACHE)
def process_batch(night: Night) -> None:
    """Write down how the next recordings end, in whatever order. No worker waits for a batch to end."""
    night.account(most=BATCH)
