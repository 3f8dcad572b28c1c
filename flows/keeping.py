"""The commands that keep a store in order: thin layers over `pipelines.store`."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.options import store_option
from flows.scoring import one_call
from models.errors import UsageError

if TYPE_CHECKING:
    from pipelines.store import Store
    from pipelines.store.doctor import Examined
    from pipelines.store.erasure import Doomed

_SHOWN = 20
_FOUND = 1
_CALL_ID = re.compile(r"[0-9a-f]{32}")
_Path = click.Path(path_type=Path)

_format = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.command(epilog="Example: callfolio compact --store night/ --before 2026-11-01")
@store_option
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only days before this one; else all of them.",
)
@_format
def compact(store: Path, before: datetime | None, form: str) -> None:
    """Merge the files of calls into few large ones a day, without changing a row.

    It may run while calls are processed and while the tables are read, and may be killed at any moment.
    """
    from pipelines.store import Store
    from pipelines.store.compaction import compact as merge

    done = merge(Store(store, create=False), before.date() if before else None, _progress())
    if form == "json":
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(f"Merged {done.files_before} files of {done.days} days into {done.files_after}.")
    if done.left_alone:
        click.echo(
            f"{done.left_alone} days were left alone, as calls were being written to them. Run it again."
        )


@click.command(epilog="Example: callfolio doctor --store night/ --sources")
@store_option
@click.option(
    "--sources", is_flag=True, help="Look at the recordings too: whether they are there, unchanged."
)
@_format
def doctor(store: Path, sources: bool, form: str) -> int:
    """Check every file, call and count of a store, and say what to do about what is wrong.

    Exit status: 0 all is well, 1 something is wrong, 2 nothing could be looked at.
    """
    from pipelines.store import Store
    from pipelines.store.doctor import examine

    examined = examine(Store(store, create=False), sources, _progress())
    click.echo(json.dumps(asdict(examined), ensure_ascii=False) if form == "json" else diagnosis(examined))
    return _FOUND if examined.findings else 0


def diagnosis(examined: "Examined") -> str:
    """What was looked at and what is wrong, by kind, with what to do."""
    lines = [
        f"Looked at {examined.files} files with {sum(examined.rows.values())} rows of {examined.calls} calls."
    ]
    by_kind: dict[tuple[str, str], list[str]] = {}
    for finding in examined.findings:
        by_kind.setdefault((finding.kind, finding.advice), []).append(f"{finding.where}: {finding.what}")
    for (kind, advice), found in by_kind.items():
        lines += ["", f"{kind} ({len(found)})", *(f"  {each}" for each in found[:_SHOWN])]
        if len(found) > _SHOWN:
            lines.append(f"  … and {len(found) - _SHOWN} more: see --format json")
        lines.append(f"  What to do: {advice}")
    return "\n".join(lines if examined.findings else [*lines, "All is well."])


@click.command(epilog="Example: callfolio migrate --store night/")
@store_option
@_format
def migrate(store: Path, form: str) -> None:
    """Bring a store that an earlier version of Callfolio wrote up to the present tables.

    What the earlier version did not find out of a call is null or empty, and calls.analysis_notes says so;
    `callfolio run` with the recordings processes such calls again. It may be killed and run again.
    """
    from pipelines.store.migrations import migrate as bring_up

    done = bring_up(store, _progress())
    if form == "json":
        click.echo(json.dumps(asdict(done)))
    elif done.before == done.after:
        click.echo(f"The tables of {store} are of version {done.after} already.")
    else:
        click.echo(
            f"The tables of {store} were of version {done.before} and are of version {done.after}: "
            f"{done.files} files were written."
        )


@click.command(epilog="Example: callfolio erase --customer 4711 --store night/ --reason 'request of 3 May'")
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@store_option
@click.option("--customer", metavar="ID", help="All calls with this calls.customer_id.")
@click.option("--older-than", metavar="AGE", help="All calls that began so long ago: 400d, 12w, 2y.")
@click.option("--reason", default="", help="Goes into the record, which is kept: name nobody in it.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--lift",
    is_flag=True,
    help="Erase nothing: allow erased calls, by id or recording, to be processed again.",
)
@_format
def erase(
    calls: tuple[str, ...],
    store: Path,
    customer: str | None,
    older_than: str | None,
    reason: str,
    dry_run: bool,
    yes: bool,
    lift: bool,
    form: str,
) -> int:
    """Remove calls from every table, the failures, the ledger and all exports, for good.

    A CALL is an id, the first digits of one, or the name of a file. Recordings are not touched: delete
    them where they lie. One that lies there still is not processed again, not even with `callfolio run
    --force`, unless --lift allows it. A record in the store's folder `erasures` proves what was erased to
    whoever has the call's id or its recording, and tells nobody else.

    Exit status: 0 all is erased, 1 an export could not be reached, 2 nothing could start.
    """
    from pipelines.store import Store, erasure
    from pipelines.store.export import refresh

    opened = Store(store, create=False)
    if sum([bool(calls), customer is not None, older_than is not None]) != 1:
        raise UsageError("Say which calls: CALL..., --customer ID or --older-than AGE, one of these.")
    if lift:
        record = erasure.lift(opened, [_erased_id(call) for call in calls], reason)
        click.echo(f"They may be processed again, as erasures/{record} says.", err=True)
        return 0
    if customer is not None:
        doomed = erasure.doomed_customer(opened, customer)
    elif older_than is not None:
        doomed = erasure.doomed_before(opened, datetime.now(UTC) - erasure.age(older_than))
    else:
        doomed = erasure.doomed_calls(opened, [_meant(opened, call) for call in calls])
    if dry_run or not (doomed.call_ids or doomed.failure_keys):
        click.echo(json.dumps(asdict(doomed), ensure_ascii=False) if form == "json" else _announced(doomed))
        return 0
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nothing was erased: say --yes where nobody can be asked, or --dry-run to see.")
        click.echo(_announced(doomed), err=True)
        click.confirm("Erase them for good?", abort=True, err=True)
    done = erasure.erase(opened, doomed, reason)
    sentences = refresh(opened)
    left = [source for source in doomed.sources if Path(source).exists()]
    if form == "json":
        content = {**asdict(done), "exports": sentences, "recordings": left}
        click.echo(json.dumps(content, ensure_ascii=False))
    else:
        click.echo(f"Erased {done.calls} calls and {done.failures} failures, as erasures/{done.record} says.")
    for sentence in sentences:
        click.echo(sentence, err=True)
    if left:
        click.echo(_listed("These recordings still lie where they were; delete them there:", left), err=True)
    return _FOUND if sentences else 0


def _meant(store: "Store", reference: str) -> str:
    """The id of a call. A whole id is one also where the store has no such call: it then stays away."""
    return reference if _CALL_ID.fullmatch(reference) else one_call(store, reference)


def _erased_id(reference: str) -> str:
    """The id of a call, given as such or by its recording."""
    from pipelines.recording import identify
    from pipelines.sources import find_sources

    if Path(reference).is_file():
        [source] = find_sources([reference])
        return identify(source).call_id
    return reference.lower()


def _announced(doomed: "Doomed") -> str:
    head = f"{len(doomed.call_ids)} calls and {len(doomed.failure_keys)} failures:"
    anything = doomed.call_ids or doomed.failure_keys
    return _listed(head, doomed.sources) if anything else "There is nothing to erase."


def _listed(head: str, sources: Sequence[str]) -> str:
    more = [f"  … and {len(sources) - _SHOWN} more"] if len(sources) > _SHOWN else []
    return "\n".join([head, *(f"  {source}" for source in sources[:_SHOWN]), *more])


@click.command(epilog="Example: callfolio export s3://analytics/calls --store night/ --since 2026-10-01")
@click.argument("destination")
@store_option
@click.option("--tables", metavar="NAMES", help="Tables, with commas between them; else all.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Leave out days before this one.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["parquet", "jsonl", "csv"]),
    default="parquet",
    show_default=True,
    help="Format of the files.",
)
@_format
def export(
    destination: str, store: Path, tables: str | None, since: datetime | None, kind: Any, form: str
) -> None:
    """Copy the tables to a folder or an object store: s3://, gs:// or abfs:// with its own credentials.

    Days that have not changed since the last export are left as they are. callfolio-export.json there says
    which files belong to it. The store remembers the DESTINATION: what is erased here is erased there.
    """
    from pipelines.store import Store
    from pipelines.store.export import Destination
    from pipelines.store.export import export as copy
    from pipelines.tables import TABLES

    chosen = tuple(name.strip() for name in tables.split(",")) if tables else tuple(TABLES)
    wanted = Destination(destination, chosen, since.date() if since else None, kind)
    done = copy(Store(store, create=False), wanted, tell=_progress())
    if form == "json":
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(
        f"{destination} has {done.rows} rows: {done.written} days of tables were written, {done.unchanged} "
        f"had not changed, {done.removed} were removed."
    )


def _progress() -> Callable[[str], None] | None:
    """Tells people where it is, where somebody watches."""
    if not sys.stderr.isatty():
        return None
    return lambda what: click.echo(f"\r{what}\x1b[K", err=True, nl=False)


def register(main: click.Group) -> None:
    """Make these commands of `main`."""
    for command in (compact, doctor, erase, export, migrate):
        main.add_command(command)
