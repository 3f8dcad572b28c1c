"""The command `callfolio analyse`: a thin layer over `pipelines.rereading`."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from flows.options import store_option
from flows.scoring import categories_option, embedder_of, one_call, progress_of, scorecards_option
from models.errors import UsageError


@click.command(epilog="Example: callfolio analyse --store night/ --examples our-examples/")
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@store_option
@click.option(
    "--examples",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with your own examples in `roles`, `topics` or `gist`, as for `callfolio run`.",
)
@scorecards_option
@categories_option
@click.option("--profile", envvar="CALLFOLIO_PROFILE", help="Set of models whose sentence embedding is used.")
@click.option("--model", "replacements", multiple=True, metavar="ROLE=MODEL", help="As for `callfolio run`.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def analyse(
    calls: tuple[str, ...],
    store: Path,
    examples: Path | None,
    scorecards: Path,
    categories: Path,
    profile: str | None,
    replacements: tuple[str, ...],
    form: str,
) -> None:
    """Find roles, topics, reasons, outcomes and next steps in the calls of a store anew.

    For when the files in `data` that say what they sound like have changed. Nothing is transcribed: the words
    are read again, as `callfolio run` would, and judged again. A CALL is an id, the first digits of one, or
    the name of a file; without any, all calls are read.
    """
    from models.parser import Parser
    from models.sentiment import SentimentModel
    from pipelines.analytics.examples import SHIPPED, examples_in
    from pipelines.rereading import Reader, reread
    from pipelines.scorecards.parsing import load
    from pipelines.scorecards.scoring import Scorer
    from pipelines.store import Store

    rulebook = load(scorecards, categories)
    folder = examples or SHIPPED
    examples_in(folder)  # what is wrong with them stops this before any call is touched
    opened = Store(store, create=False)
    chosen = [one_call(opened, call) for call in calls] if calls else list(opened.processed())
    found = embedder_of(profile, replacements)
    if found is None:
        raise UsageError("The profile has no model of the meaning of sentences, and calls are read with one.")
    embedder, sha256 = found
    reader = Reader(
        Parser(),
        SentimentModel(),
        embedder,
        sha256,
        examples_in(folder, embedder),
        Scorer(rulebook, embedder.embed, sha256),
    )
    begun = time.monotonic()
    result = reread(opened, list(dict.fromkeys(chosen)), reader, progress_of(len(chosen)))
    took = time.monotonic() - begun
    if form == "json":
        click.echo(json.dumps({**asdict(result), "seconds": round(took, 3)}, ensure_ascii=False, indent=2))
        return
    changed = f"the rows of {result.replaced} are not what they were"
    click.echo(f"Read {result.calls} calls in {took:.1f} s; {changed}.")
    for name, number in result.changed.items():
        click.echo(f"  {name.replace('_', ' ')} changed in {number} calls")
    if result.left_alone:
        click.echo(
            f"{len(result.left_alone)} calls were read with another model of the meaning of sentences, and "
            'stay as they are until "callfolio run" processes them again.',
            err=True,
        )
