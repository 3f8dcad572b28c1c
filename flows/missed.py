"""Nights that were missed while nothing served them: one run makes up for all."""

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled

REASON = "Missed; a later run processes its recordings."


def skip_missed(deployment: UUID) -> int:
    """Cancel the scheduled runs of a deployment that are due, but for the last one, and say how many.

    Prefect keeps them, and would start one after the other. Those that somebody asked for stay.
    """
    due = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime.model_validate(
            {"before_": datetime.now(UTC)}
        ),
    )
    skipped = 0
    with get_client(sync_client=True) as client:
        while True:
            runs = client.read_flow_runs(flow_run_filter=due, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC)
            missed = [run for run in runs if run.auto_scheduled][:-1]
            if not missed:
                return skipped
            for run in missed:
                client.set_flow_run_state(run.id, Cancelled(message=REASON), force=True)
            skipped += len(missed)
