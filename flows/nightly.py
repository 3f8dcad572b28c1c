"""`callfolio nightly`: the run of every night, served on a schedule for as long as the command runs."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import click
from click.core import ParameterSource
from tzlocal import get_localzone_name

from models.errors import CallfolioError, UsageError
from pipelines.inbox import is_address

NAME = "callfolio"
"""The deployment, which Prefect calls nightly/callfolio."""


def nightly_of(run: click.Command) -> click.Command:
    """The command, with every option of `callfolio run`."""
    cron = click.Option(
        ["--cron"], default="0 22 * * *", show_default=True, help="When: minute, hour, day, month, weekday."
    )
    timezone = click.Option(
        ["--timezone"], default=get_localzone_name, show_default="this machine's", help="Whose clock."
    )
    return click.Command(
        "nightly",
        params=[*run.params, cron, timezone],
        callback=_serve(run),
        help="Process recordings every night, for as long as this runs.\n\nTakes what `callfolio run` takes, "
        "and a schedule. Prefect's UI shows the nights: that of the server that PREFECT_API_URL names, else "
        "of one that is started here, on this machine only. Files that were changed in the last 60 seconds, "
        "or what --settle says, are left for the next night.",
        epilog='Example: callfolio nightly recordings/ --cron "0 22 * * *" --timezone Europe/Berlin',
    )


def _serve(run: click.Command) -> Callable[..., None]:
    @click.pass_context
    def serve(
        context: click.Context, /, sources: tuple[str, ...], cron: str, timezone: str, store: Path, **_: Any
    ) -> None:
        manifest = context.params.get("manifest")
        if not sources and manifest is None:
            raise UsageError("Name a recording, a folder or a pattern, or give --manifest FILE.")
        parameters = {
            "sources": [_from_anywhere(source) for source in sources],
            "store": str(store.absolute()),
            "options": _given(context, run),
        }
        _serve_flow(parameters, cron, timezone)

    return serve


def _serve_flow(parameters: dict[str, Any], cron: str, timezone: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.settings import PREFECT_API_URL
    from prefect.types.entrypoint import EntrypointType

    from flows.deployments import nightly
    from flows.missed import skip_missed
    from flows.server import Server, ServerFails
    from flows.terminating import TERMINATION

    class _Runner(Runner):
        """Ends on SIGTERM as on Ctrl-C: by itself it would say that all went well."""

        def handle_sigterm(self, *signal: Any, **_: Any) -> None:
            TERMINATION.heard(*signal)

    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValueError as error:
        raise UsageError(
            f'--cron "{cron}" --timezone {timezone} is no schedule. Expected five fields such as '
            '"0 22 * * *", and a time zone such as Europe/Berlin.'
        ) from error
    # Prefect makes its home, but not the folder that this is in.
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    server = Server(lasting=True)
    try:
        server.wait()
        with server:
            ui = (PREFECT_API_URL.value() or "").removesuffix("/api")
            click.echo(f"Every night: cron {cron}, {timezone}. Prefect's UI: {ui}. Ctrl-C ends it.", err=True)
            runner = _Runner(name=NAME, limit=1)
            made = runner.add_flow(
                nightly,
                name=NAME,
                schedule=Cron(cron, timezone=timezone),
                parameters=parameters,
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            deployment = cast(UUID, made)  # it is a coroutine only in one
            if missed := skip_missed(deployment):
                nights = f"{missed + 1} nights were"
                click.echo(f"{nights} missed while nothing served them; one run makes up for all.", err=True)
            asyncio.run(runner.start())
    except ServerFails as error:
        server.close()
        raise CallfolioError(
            f"{error} Start one with `make server`, which says why, name it in PREFECT_API_URL and try again."
        ) from error


def _given(context: click.Context, run: click.Command) -> dict[str, Any]:
    """The options of `callfolio run` that stand on the command line, as JSON has them."""
    options: dict[str, Any] = {}
    for option in run.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if isinstance(option, click.Option) and given and name != "store":
            value = context.params[name]
            plain = list(value) if isinstance(value, tuple) else _plain(value, option.type)
            options[option.opts[0].lstrip("-")] = plain
    return options


def _plain(value: Any, kind: click.ParamType[Any]) -> Any:
    if isinstance(kind, click.DateTime):
        return value.strftime(kind.formats[0])
    if isinstance(value, Path):
        return str(value.absolute())
    return value if isinstance(value, (bool, int, float)) else str(value)


def _from_anywhere(source: str) -> str:
    """A source as it can be named from any folder."""
    return source if is_address(source) else str(Path(source).expanduser().absolute())
