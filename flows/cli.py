"""The command line. Every command is a thin layer over the pipelines; stdout is for machines' eyes too."""

import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from platformdirs import user_data_path

from models.offline import stay_offline

stay_offline()
# Prefect's own switches: a slow machine may take its time, and its talk stays off the terminal.
# A home of our own: the profile in the user's may name a server elsewhere, and no byte leaves this machine.
os.environ.setdefault("PREFECT_HOME", str(user_data_path("callfolio") / "prefect"))
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")

import click  # noqa: E402 - the switches come before everything else

from flows.analysing import analyse  # noqa: E402
from flows.benchmarking import benchmark  # noqa: E402
from flows.evaluating import evaluate  # noqa: E402
from flows.keeping import register as register_keeping  # noqa: E402
from flows.nightly import nightly_of  # noqa: E402
from flows.options import Duration, replacements_of, store_option  # noqa: E402
from flows.reporting import report  # noqa: E402
from flows.retrying import retry  # noqa: E402
from flows.scoring import categories_option, one_call, score, scorecards, scorecards_option  # noqa: E402
from flows.terminating import TERMINATED, TERMINATION, interruption_behind  # noqa: E402
from models.errors import CallfolioError, UsageError  # noqa: E402

if TYPE_CHECKING:
    from flows.night import Crew

CONFIG_FILE = Path("callfolio.toml")
SET_ASIDE, CANNOT_START, INTERRUPTED = 1, 2, 130


class _Group(click.Group):
    """Turns every error into one sentence on stderr and the right exit status."""

    def main(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Run; `--debug`, wherever it stands, shows the traceback."""
        given = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in given
        try:
            asked = [argument for argument in given if argument != "--debug"]
            with TERMINATION:
                return sys.exit(super().main(asked, **{**kwargs, "standalone_mode": False}) or 0)
        except click.ClickException as error:
            error.show()
            sys.exit(CANNOT_START)
        except (KeyboardInterrupt, click.Abort):
            _exit_interrupted()
        except BrokenPipeError:
            # Whoever read our output has enough, as in `callfolio show CALL | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except Exception as error:
            if interruption_behind(error):
                _exit_interrupted()
            if debug:
                raise
            sentence = str(error) if isinstance(error, CallfolioError) else f"Unexpected error: {error!r}"
            click.echo(f"callfolio: {sentence}", err=True)
            if not isinstance(error, CallfolioError):
                click.echo("Run it again with --debug for the details, and please report them.", err=True)
            sys.exit(CANNOT_START)


def _exit_interrupted() -> NoReturn:
    what = "Ended by SIGTERM" if TERMINATION.came else "Interrupted"
    click.echo(f"\n{what}. What was finished is kept; run the same command to go on.", err=True)
    sys.exit(TERMINATED if TERMINATION.came else INTERRUPTED)


def _config() -> dict[str, Any]:
    """The defaults in `callfolio.toml`: options by their names, for every command or in a table for one."""
    if not CONFIG_FILE.exists():
        return {}
    try:
        content = tomllib.loads(CONFIG_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{CONFIG_FILE} cannot be used: {error}.") from error
    if unknown := _keys(content) - _names(main):
        raise UsageError(
            f"{CONFIG_FILE} has {', '.join(sorted(unknown))}, which no command has as an option."
        )
    return _defaults(main, content)


def _defaults(group: click.Group, content: Mapping[str, Any]) -> dict[str, Any]:
    """What `content` says for each command of the group, by the names of its parameters as click has them."""
    everywhere = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    defaults: dict[str, Any] = {}
    for name, command in group.commands.items():
        own = content.get(name)
        given = {**everywhere, **(own if isinstance(own, Mapping) else {})}
        parameters = {flag.lstrip("-"): each.name for each in command.params for flag in each.opts}
        defaults[name] = (
            _defaults(command, given)
            if isinstance(command, click.Group)
            else {parameters[key]: value for key, value in given.items() if key in parameters}
        )
    return defaults


def _keys(content: Mapping[str, Any]) -> set[str]:
    tables = [value for value in content.values() if isinstance(value, Mapping)]
    return set(content).union(*map(_keys, tables))


def _names(group: click.Group) -> set[str]:
    """The names of all options of all commands, and of the commands."""
    names = set(group.commands)
    for command in group.commands.values():
        names |= {flag.lstrip("-") for each in command.params for flag in each.opts}
        names |= _names(command) if isinstance(command, click.Group) else set()
    return names


@click.group(cls=_Group, context_settings={"auto_envvar_prefix": "CALLFOLIO", "max_content_width": 100})
@click.version_option(package_name="callfolio")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
@click.pass_context
def main(context: click.Context) -> None:
    """Recorded conversations become speaker-attributed transcripts and tables, on your own machine.

    Settings come from the flag, the environment (CALLFOLIO_STORE, CALLFOLIO_MODELS, CALLFOLIO_PROFILE),
    callfolio.toml in this folder, or the default, in this order.
    """
    context.default_map = _config()


_profile = click.option(
    "--profile", envvar="CALLFOLIO_PROFILE", help="Set of models: tiny, base (the default) or standard."
)
_format = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@main.command(epilog="Example: callfolio run recordings/ --kind contact_center --workers 2")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@store_option
@_profile
@click.option(
    "--model",
    "replacements",
    multiple=True,
    metavar="ROLE=MODEL",
    help="Use another model for a role: a name of the catalogue, a folder, or a hub id.",
)
@click.option("--manifest", help="CSV or Parquet with a `source` column: a file, or an address.")
@click.option(
    "--settle",
    type=Duration(),
    default="0s",
    show_default=True,
    help="Leave files for a later run that were changed less than this ago, such as 60s.",
)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only what began on this date (UTC) or later."
)
@click.option(
    "--until-date", type=click.DateTime(["%Y-%m-%d"]), help="Only what began on this date or earlier."
)
@click.option("--language", help="Language of all recordings, such as en; else it is detected.")
@click.option("--speakers", default="auto", show_default=True, help="Speakers in each recording, or auto.")
@click.option(
    "--kind",
    type=click.Choice(["contact_center", "consultation"]),
    help="What sort of conversation it is, where the metadata does not say; else it is recognised.",
)
@click.option(
    "--vocabulary",
    type=click.Path(path_type=Path),
    help="TOML file with `hotwords` (a list) and `prompt` (a text).",
)
@click.option(
    "--silence",
    type=click.FloatRange(0.5),
    default=3.0,
    show_default=True,
    help="Seconds without talk that count as non-talk time.",
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with your own examples in `roles`, `topics` or `gist`, instead of those in `data`.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Have the workers of a Dask cluster do it: tcp://HOST:8786, or local for one that is started here.",
)
@click.option(
    "--order",
    type=click.Choice(["given", "newest", "oldest"]),
    default="given",
    show_default=True,
    help="Which recordings come first, by when the calls were.",
)
@click.option(
    "--until",
    type=click.DateTime(["%H:%M"]),
    metavar="HH:MM",
    help="Begin no recording at this time of day or later; what is at work is finished.",
)
@click.option(
    "--call-timeout",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="Time that a recording may take.  [default: 300, and 10 for each second of sound]",
)
@click.option(
    "--memory-limit",
    type=click.FloatRange(0.1),
    metavar="GB",
    help="Memory that a worker may take.  [default: its share of four fifths of the machine's, at least 3]",
)
@click.option(
    "--retry-delay",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="When to try again what failed; four times as long each time after.",
)
@click.option("--force", is_flag=True, help="Process again what is in the store already.")
@scorecards_option
@categories_option
def run(
    sources: tuple[str, ...],
    store: Path,
    profile: str | None,
    replacements: tuple[str, ...],
    manifest: str | None,
    settle: float,
    since: datetime | None,
    until_date: datetime | None,
    language: str | None,
    speakers: str,
    kind: Any,
    vocabulary: Path | None,
    silence: float,
    examples: Path | None,
    workers: int,
    dask: str | None,
    order: Any,
    until: datetime | None,
    call_timeout: float | None,
    memory_limit: float | None,
    retry_delay: float,
    force: bool,
    scorecards: Path,
    categories: Path,
) -> int:
    """Process recordings into the store.

    A SOURCE is a file, a folder (searched with all folders in it), a quoted pattern, or an address such as
    s3://bucket/calls/ or sftp://host/calls/*.wav. What the store has already, from the same models and
    settings, is skipped.

    Exit status: 0 all well, 1 some recordings were set aside, 2 nothing could start.
    """
    from pipelines.settings import threads_each

    if not sources and manifest is None:
        raise UsageError("Name a recording, a folder or a pattern, or give --manifest FILE.")
    from flows.limits import Limits, memory_each

    memory = memory_each(workers) if memory_limit is None else int(memory_limit * 1e9)
    # They import libraries for seconds, while it is found out here what they are to do.
    with _hired(dask, workers, threads_each((os.cpu_count() or 1) // workers), memory) as workforce:
        from flows.processing import Plan
        from flows.processing import run as process
        from flows.progress import ProgressReport
        from flows.summary import summarise
        from models.bundle import models_dir
        from models.catalogue import load_catalogue
        from models.selection import select
        from pipelines.analytics.examples import SHIPPED, examples_in
        from pipelines.scorecards.parsing import load
        from pipelines.settings import CallSettings, read_vocabulary
        from pipelines.sources import Period, find_sources

        rulebook = load(scorecards, categories)
        catalogue = load_catalogue()
        period = Period(since.date() if since else None, until_date.date() if until_date else None)
        found = find_sources(sources, manifest, period)
        settings = CallSettings(kind, language, _speakers(speakers), read_vocabulary(vocabulary), silence)
        examples = examples or SHIPPED
        examples_in(examples)  # what is wrong with them stops the run before any call is touched
        selection = select(
            catalogue, profile or catalogue.default_profile, replacements_of(replacements), models_dir()
        )
        # Prefect makes its home, but not the folder that this is in.
        with suppress(OSError):
            Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
        plan = Plan(
            found,
            store,
            selection,
            settings,
            workers,
            force,
            examples,
            rulebook,
            order,
            None if until is None else until.time(),
            Limits(call_timeout, memory),
            retry_delay,
            settle,
        )
        summary = process(plan, ProgressReport(), workforce)
    click.echo(summarise(summary, store), err=True)
    return SET_ASIDE if summary.set_aside or summary.set_aside_before else 0


def _hired(dask: str | None, count: int, threads: int, memory: int) -> "AbstractContextManager[Crew]":
    if dask is None:
        from flows.workers import hired

        return hired(count, threads, memory)
    try:
        from flows.dask_workers import hired as enlisted
    except ImportError as error:
        raise UsageError("--dask needs Dask. Install it with: pip install 'callfolio[dask]'") from error
    return enlisted(dask, count, threads, memory)


def _speakers(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or not int(text):
        raise UsageError(f'--speakers takes a number from 1 on, or auto, and not "{text}".')
    return int(text)


@main.command(epilog="Example: callfolio status --store night/")
@store_option
@_format
def status(store: Path, form: str) -> None:
    """Say what is in a store: calls, hours, failures by reason, and the last run."""
    from flows.summary import describe, state_of

    state = state_of(store)
    click.echo(json.dumps(state, default=str) if form == "json" else describe(state))


@main.command(epilog="Example: callfolio show late_parcel --format json")
@click.argument("call")
@store_option
@_format
def show(call: str, store: Path, form: str) -> None:
    """Print the transcript of a call: by its id, the first digits of it, or the name of its file."""
    from flows.transcripts import as_json, as_text
    from pipelines.store import Store

    opened = Store(store, create=False)
    rows = opened.read_call(one_call(opened, call))
    click.echo(as_json(rows) if form == "json" else as_text(rows))


@main.command(epilog='Example: callfolio query "select speaker, sum(words) from speakers group by all"')
@click.argument("sql")
@store_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True
)
def query(sql: str, store: Path, form: str) -> None:
    """Ask the store in SQL (DuckDB). There is a view for each table: calls, turns, words, speakers, …"""
    from pipelines.query import query as ask
    from pipelines.store import Store

    table = ask(Store(store, create=False), sql)
    if form == "csv":
        click.echo(table.to_pandas().to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(json.dumps(table.to_pylist(maps_as_pydicts="strict"), default=str, ensure_ascii=False))
    else:
        click.echo(table.to_pandas().to_string(index=False))


main.add_command(evaluate)
main.add_command(retry)
main.add_command(score)
main.add_command(analyse)
main.add_command(scorecards)
main.add_command(benchmark)
register_keeping(main)
main.add_command(nightly_of(run))
main.add_command(report)


@main.group()
def models() -> None:
    """The models on this machine."""


@models.command("list", epilog="Example: callfolio models list")
@_format
def list_models(form: str) -> None:
    """List the catalogue: what is here, how large it is, and its licence."""
    from models.bundle import models_dir, state
    from models.catalogue import load_catalogue

    catalogue, folder = load_catalogue(), models_dir()
    rows = [
        {
            "model": model.name,
            "role": model.role,
            "state": str(state(model, folder)),
            "bytes": model.bytes,
            "profiles": [p.name for p in catalogue.profiles.values() if model in p.models],
            "licence": model.licence,
            "attribution": model.attribution,
        }
        for model in catalogue.models.values()
    ]
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    click.echo(f"Models in {folder}")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if isinstance(row["bytes"], int) else "?"
        profiles = (
            ", ".join(str(name) for name in row["profiles"]) if isinstance(row["profiles"], list) else ""
        )
        click.echo(
            f"{row['state']:8} {row['model']:28} {row['role']:13} {size:>8}  {row['licence']:12} {profiles}"
        )
        click.echo(f"         {row['attribution']}")


@models.command(epilog="Example: callfolio models pull --profile base")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@_profile
@click.option("--model", "replacements", multiple=True, metavar="ROLE=MODEL", help="As for `callfolio run`.")
def pull(names: tuple[str, ...], profile: str | None, replacements: tuple[str, ...]) -> None:
    """Fetch the models of a profile, or single ones, and check every file.

    This is the only command that connects to anything: to the package index, as pip is configured, or to
    the model hub, with the token in HF_TOKEN.
    """
    from flows.pulling import pull_all
    from models.bundle import models_dir
    from models.catalogue import load_catalogue
    from models.selection import wanted

    catalogue = load_catalogue()
    if names:
        chosen = [catalogue.model(name) for name in names]
    else:
        name = profile or catalogue.default_profile
        chosen = [
            m
            for m in wanted(catalogue, name, replacements_of(replacements)).values()
            if not isinstance(m, Path)
        ]
    pull_all(chosen, models_dir())


@models.command(epilog="Example: callfolio models verify --profile base")
@_profile
def verify(profile: str | None) -> None:
    """Read every file of a profile's models and compare its SHA-256."""
    from models.bundle import models_dir
    from models.bundle import verify as check
    from models.catalogue import load_catalogue

    catalogue = load_catalogue()
    for model in catalogue.profile(profile or catalogue.default_profile).models:
        located = check(model, models_dir())
        click.echo(f"{model.name}: {len(located.files)} files are as they should be", err=True)
