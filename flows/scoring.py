"""The commands `callfolio score` and `callfolio scorecards`: thin layers over `pipelines.scorecards`."""

import json
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.options import store_option
from models.errors import UsageError

if TYPE_CHECKING:
    from models.embedder import Embedder
    from pipelines.scorecards.cards import Rulebook
    from pipelines.scorecards.rescoring import Rescored
    from pipelines.scorecards.scoring import Scorer
    from pipelines.tables import Row

_DATA = Path(__file__).resolve().parents[1] / "data"
_SHOWN = 5
_WIDTH = 100
_Path = click.Path(path_type=Path)

scorecards_option = click.option(
    "--scorecards",
    type=_Path,
    default=_DATA / "scorecards",
    envvar="CALLFOLIO_SCORECARDS",
    help="Folder of the scorecards; else those that come with Callfolio.",
)
categories_option = click.option(
    "--categories",
    type=_Path,
    default=_DATA / "categories",
    envvar="CALLFOLIO_CATEGORIES",
    help="Folder of the categories; else those that come with Callfolio.",
)


@click.command(epilog="Example: callfolio score --store night/ --scorecards our-scorecards/")
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@store_option
@scorecards_option
@categories_option
@click.option(
    "--explain", metavar="CALL", help="Print each criterion of one call with its evidence; write nothing."
)
@click.option("--profile", envvar="CALLFOLIO_PROFILE", help="Set of models whose sentence embedding is used.")
@click.option("--model", "replacements", multiple=True, metavar="ROLE=MODEL", help="As for `callfolio run`.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def score(
    calls: tuple[str, ...],
    store: Path,
    scorecards: Path,
    categories: Path,
    explain: str | None,
    profile: str | None,
    replacements: tuple[str, ...],
    form: str,
) -> None:
    """Judge calls of a store by scorecards and categories, and say what that changes.

    Nothing is transcribed: what the store holds of the calls is enough. A CALL is an id, the first digits
    of one, or the name of a file; without any, all calls are judged. Their rows in the tables `scores` and
    `categories` are replaced.
    """
    from pipelines.scorecards.parsing import load
    from pipelines.scorecards.rescoring import conversation_of_stored, rescore
    from pipelines.store import Store

    rulebook = load(scorecards, categories)
    opened = Store(store, create=False)
    if explain is not None:
        if calls:
            raise UsageError("--explain CALL is for that call alone; leave the others out.")
        stored = opened.read_stored(one_call(opened, explain))
        judgement = scorer_of(rulebook, profile, replacements).score(conversation_of_stored(stored))
        if form == "json":
            content = {"scores": judgement.scores, "categories": judgement.categories}
            click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        else:
            click.echo(explanation(stored.row, judgement.scores, judgement.categories, rulebook))
        return
    chosen = [one_call(opened, call) for call in calls] if calls else list(opened.processed())
    scorer = scorer_of(rulebook, profile, replacements)
    begun = time.monotonic()
    rescored = rescore(opened, list(dict.fromkeys(chosen)), scorer, progress_of(len(chosen)))
    took = time.monotonic() - begun
    if form == "json":
        click.echo(json.dumps({**asdict(rescored), "seconds": round(took, 3)}, ensure_ascii=False, indent=2))
    else:
        click.echo(report(rescored, rulebook, took))


@click.group()
def scorecards() -> None:
    """The scorecards and categories that calls are judged by."""


@scorecards.command(epilog="Example: callfolio scorecards check our-scorecards/sales.yaml")
@click.argument("paths", nargs=-1, type=_Path, metavar="[FILE|FOLDER]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(paths: tuple[Path, ...], form: str) -> None:
    """Check files of scorecards and categories, and explain what they ask.

    Without any, those that come with Callfolio. A mistake is told with file, line and column, what is
    expected there, and what may have been meant; all mistakes of all files at once, and exit status 2.
    """
    from pipelines.scorecards.document import Mistaken
    from pipelines.scorecards.expressions import LIMIT_S, is_slow
    from pipelines.scorecards.parsing import load_files

    try:
        rulebook = load_files(paths or (_DATA / "scorecards", _DATA / "categories"))
    except Mistaken as error:
        if form == "text":
            raise
        found = [
            {"file": str(path), **asdict(mistake)}
            for path, each in error.mistakes.items()
            for mistake in each
        ]
        click.echo(json.dumps({"mistakes": found}, ensure_ascii=False, indent=2))
        sys.exit(2)
    slow = [pattern for pattern in rulebook.expressions if is_slow(pattern)]
    if form == "json":
        cards = [
            {"file": str(card.path), kind: card.name, "version": card.version, "sha256": card.sha256}
            for kind, each in (("scorecard", rulebook.scorecards), ("category", rulebook.categories))
            for card in each
        ]
        content = {"mistakes": [], "slow_expressions": slow, "files": cards}
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    click.echo(meaning(rulebook))
    for pattern in slow:
        click.echo(
            f"Warning: the regular expression “{pattern}” can take very long. Where it takes longer than "
            f"{LIMIT_S:g} s on a call, what depends on it is needs_person. The usual cause is a repetition "
            r"within a repetition, such as (\w+ ?)+.",
            err=True,
        )


def one_call(store: Any, reference: str) -> str:
    """The id of the one call that is meant. Raises UsageError where there is none or several."""
    matches = store.find_calls(reference)
    if not matches:
        raise UsageError(f'There is no call "{reference}" in {store.root}. "callfolio status" says what is.')
    if len(matches) > 1:
        raise UsageError(f'"{reference}" may be any of {len(matches)} calls: {", ".join(matches[:5])} …')
    return str(matches[0])


def scorer_of(rulebook: "Rulebook", profile: str | None, replacements: Sequence[str]) -> "Scorer":
    """A scorer with the sentence embedding of a profile, loaded only where a card asks for a meaning."""
    from pipelines.scorecards.scoring import Scorer

    found = embedder_of(profile, replacements) if rulebook.examples else None
    return Scorer(rulebook, None) if found is None else Scorer(rulebook, found[0].embed, found[1])


def embedder_of(profile: str | None, replacements: Sequence[str]) -> "tuple[Embedder, str] | None":
    """The sentence embedding of a profile and the SHA-256 of its files; None where the profile has none."""
    from models.bundle import located_from_folder, models_dir, verify
    from models.catalogue import load_catalogue
    from models.selection import wanted

    catalogue = load_catalogue()
    for pair in replacements:
        if "=" not in pair:
            raise UsageError(f'--model takes ROLE=MODEL, such as recogniser=./my-model, and not "{pair}".')
    pairs = dict(pair.split("=", 1) for pair in replacements)
    model = wanted(catalogue, profile or catalogue.default_profile, pairs).get("sentence_embedding")
    if model is None:
        return None
    located = (
        located_from_folder("sentence_embedding", model)
        if isinstance(model, Path)
        else verify(model, models_dir())
    )
    from models.embedder import Embedder

    return Embedder(located.path, located.languages), located.sha256


def progress_of(count: int) -> Callable[[int], None]:
    """Tells people how far it is, where somebody watches."""

    def tell(done: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == count):
            click.echo(f"\r{done} of {count} calls", err=True, nl=done == count)

    return tell


def report(rescored: "Rescored", rulebook: "Rulebook", seconds: float) -> str:
    """What a new judgement changed, and how the calls stand."""
    lines = [
        f"Judged {rescored.calls} calls by {len(rulebook.scorecards)} scorecards and "
        f"{len(rulebook.categories)} categories in {seconds:.1f} s; the rows of {rescored.replaced} are not "
        "what they were."
    ]
    for standing in rescored.standings:
        mean = "no result" if standing.score is None else f"mean score {standing.score:.0%}"
        lines.append(
            f"{standing.scorecard} {standing.version}: {standing.calls} calls, {mean}, "
            f"{standing.failed} fail a critical criterion, {standing.to_judge} need a person"
        )
    if rescored.categories:
        lines.append("Categories: " + ", ".join(f"{name} {n}" for name, n in rescored.categories.items()))
    if rescored.changes:
        lines += ["", "What changed:"]
    for change in rescored.changes:
        name = f"{change.card} / {change.criterion}" if change.criterion else change.card
        sources = [Path(source).name for _, source in change.calls]
        more = f" and {len(sources) - _SHOWN} more" if len(sources) > _SHOWN else ""
        lines.append(
            f"  {name}: {change.before or 'nothing'} → {change.after or 'nothing'} in {len(sources)} calls: "
            f"{', '.join(sources[:_SHOWN])}{more}"
        )
    return "\n".join(lines)


def explanation(
    call: "Row", scores: Sequence["Row"], categories: Sequence["Row"], rulebook: "Rulebook"
) -> str:
    """Each criterion of a call with its result, reason and evidence."""
    from pipelines.scorecards.rescoring import score_of

    questions = {
        (card.name, criterion.name): criterion.question
        for card in rulebook.scorecards
        for criterion in card.criteria
    }
    lines = [f"{Path(call['source']).name}  {call['call_id']}"]
    for card in dict.fromkeys(row["scorecard"] for row in scores):
        rows = [row for row in scores if row["scorecard"] == card]
        total = score_of(rows)
        failed = [row["criterion"] for row in rows if row["critical"] and row["result"] == "fail"]
        lines += [
            "",
            f"{card} {rows[0]['version']}: {'no result' if total is None else f'{total:.0%}'}"
            + (f", failed by {', '.join(failed)} (critical)" if failed else ""),
        ]
        section = ""
        for row in rows:
            if row["section"] != section:
                section = row["section"]
                lines.append(f"  {section}")
            points = "" if row["points"] is None else f" {row['points']:g} of {row['max_points']:g}"
            mark = " (critical)" if row["critical"] else ""
            lines.append(
                f"    {row['result']:14} {row['criterion']}{mark}{points}, confidence {row['confidence']:.2f}"
            )
            lines.append(_wrapped(questions[card, row["criterion"]], 19))
            lines.append(_wrapped(row["reason"], 19))
            lines += [_place(place, 19) for place in row["evidence"]]
    if categories:
        lines += ["", "Categories"]
    for row in categories:
        lines.append(f"    {row['result']:14} {row['category']}, confidence {row['confidence']:.2f}")
        lines.append(_wrapped(row["reason"], 19))
        lines += [_place(place, 19) for place in row["evidence"]]
    return "\n".join(lines)


def meaning(rulebook: "Rulebook") -> str:
    """What the cards ask, in words."""
    from pipelines.scorecards.wording import in_words

    lines: list[str] = []
    for card in rulebook.scorecards:
        lines.append(
            f"{card.path}: scorecard {card.name} {card.version}, {len(card.criteria)} criteria, "
            f"for {_for(card)}"
        )
        for name, condition in card.named.items():
            if name not in {criterion.name for criterion in card.criteria}:
                lines.append(_wrapped(f"{name}: {in_words(condition)}.", 2))
        told: set[int] = set()
        for section in card.sections:
            lines.append(f"  {section.name}")
            for criterion in section.criteria:
                critical = ", critical" if criterion.critical else ""
                lines.append(
                    f"    {criterion.name} ({criterion.points:g} points × {criterion.weight:g}{critical}): "
                    f"{criterion.question}"
                )
                for condition in criterion.applies_if:
                    if id(condition) in told:  # said of the whole card or section before
                        continue
                    told.add(id(condition))
                    lines.append(_wrapped(f"Applies if {in_words(condition)}.", 6))
                lines.append(_wrapped(f"Passes if {in_words(criterion.pass_if)}.", 6))
    for category in rulebook.categories:
        lines.append(f"{category.path}: category {category.name} {category.version}, for {_for(category)}")
        for name, condition in category.named.items():
            lines.append(_wrapped(f"{name}: {in_words(condition)}.", 2))
        lines.append(_wrapped(f"Matches if {in_words(category.when)}.", 4))
        if category.points_of_interest:
            lines.append(_wrapped(f"Points of interest: {in_words(category.points_of_interest)}.", 4))
    return "\n".join(lines) if lines else "There are no scorecards and no categories."


def _for(card: Any) -> str:
    columns = [f"{name} {' or '.join(values)}" for name, values in card.applies_to.columns.items()]
    return ", ".join(columns) if columns else "all calls"


def _place(place: Any, indent: int) -> str:
    from pipelines.scorecards.wording import clock

    if place["turn"] is None:
        return _wrapped(f"[{clock(place['start_s'])}–{clock(place['end_s'])}] {place['note']}", indent)
    who = place["speaker"] if place["role"] in ("", "unknown") else f"{place['speaker']} ({place['role']})"
    note = f" ({place['note']})" if place["note"] else ""
    return _wrapped(
        f"[{clock(place['start_s'])}] turn {place['turn']}, {who}: “{place['text']}”{note}", indent
    )


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
