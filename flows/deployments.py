"""Flows that a schedule or a person starts in Prefect: each is a command line, with parameters in JSON.

`prefect.yaml` deploys them to a work pool; `callfolio nightly` serves the first.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import click
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.cli import SET_ASIDE, main

Options = dict[str, bool | int | float | str | list[str]]
"""Options of a command by their names without dashes: `{"profile": "base", "workers": 2, "force": true}`."""

SETTLE = "60s"
"""What `--settle` is at night where nothing else is said: other machines may still be writing."""


def _named(kind: str) -> str:
    begun = flow_run.get_scheduled_start_time()
    return f"{kind} of {begun:%Y-%m-%d %H:%M}"


@flow(name="nightly", flow_run_name=lambda: _named("night"))
def nightly(sources: list[str], store: str, options: Options | None = None) -> State[None]:
    """Process the recordings that have come since the last night, as `callfolio run` does.

    `sources` are folders, patterns or addresses; `options` are those of `callfolio run`.
    """
    return _command("run", *sources, store=store, options={"settle": SETTLE, **(options or {})})


@flow(name="backfill", flow_run_name=lambda: _named("backfill"))
def backfill(
    sources: list[str], store: str, since: date, until_date: date, options: Options | None = None
) -> State[None]:
    """Process the recordings that began in a range of dates, both included, in UTC."""
    period: Options = {"since": since.isoformat(), "until-date": until_date.isoformat()}
    return _command("run", *sources, store=store, options={**period, **(options or {})})


@flow(name="rescore", flow_run_name=lambda: _named("scoring"))
def rescore(store: str, options: Options | None = None) -> State[None]:
    """Judge all calls of the store again by its scorecards and categories; nothing is transcribed.

    `options` are those of `callfolio score`.
    """
    return _command("score", store=store, options=options or {})


@flow(name="compaction", flow_run_name=lambda: _named("compaction"))
def compaction(store: str, options: Options | None = None) -> State[None]:
    """Merge the files of calls into few large ones by day; `options` are those of `callfolio compact`."""
    return _command("compact", store=store, options=options or {})


@flow(name="retention", flow_run_name=lambda: _named("retention"))
def retention(store: str, older_than: str, options: Options | None = None) -> State[None]:
    """Erase the calls that are older than the site keeps them, such as `400d`.

    `options` are those of `callfolio erase`.
    """
    asked: Options = {"older-than": older_than, "reason": f"older than {older_than}", "yes": True}
    return _command("erase", store=store, options={**asked, **(options or {})})


def arguments_of(options: Mapping[str, Any]) -> Iterator[str]:
    """Options as a command line has them. A false or missing one is left out, a list is repeated."""
    for name, value in options.items():
        if value is True:
            yield f"--{name}"
        elif value is not None and value is not False:
            for each in value if isinstance(value, list) else [value]:
                yield from (f"--{name}", str(each))


def _command(name: str, *arguments: str, store: str, options: Mapping[str, Any]) -> State[None]:
    """Run a command in this process. What goes wrong is raised, so that Prefect shows its sentence."""
    line = [name, *arguments_of({**options, "store": store}), "--", *arguments]
    # Without the wrapper around all commands, which would end the process.
    status = click.Group.main(main, line, "callfolio", standalone_mode=False)
    message = "Some recordings were set aside; see the report." if status == SET_ASIDE else "All is well."
    return Completed(message=message)
