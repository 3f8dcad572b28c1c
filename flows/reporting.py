"""`callfolio report`: what a run came to."""

from pathlib import Path

import click

from flows.options import store_option


@click.command(epilog="Example: callfolio report last --format json")
@click.argument("run", default="last", metavar="[RUN|last]")
@store_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def report(run: str, store: Path, form: str) -> None:
    """Say what a run came to: recordings, speed, failures, drift, and the calls to hear first.

    Every run leaves this in the store as well, as reports/RUN.md and reports/RUN.json. The quality figures
    are compared with those of the last 14 nights before it, where there are three or more.
    """
    from pipelines.night.reading import read_report
    from pipelines.night.rendering import as_json, as_markdown
    from pipelines.store import Store

    found = read_report(Store(store, create=False), run)
    click.echo(as_json(found) if form == "json" else as_markdown(found), nl=False)
