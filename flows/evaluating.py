"""The command `callfolio evaluate`: a thin layer over `pipelines.evaluation`."""

from pathlib import Path

import click

from models.errors import UsageError

_MANY = ("--reference", "--hypothesis", "--compare")
_SHOWN = 10
_INCOMPLETE = 1
_Path = click.Path(path_type=Path)


class _ManyValued(click.Command):
    """Lets an option take all values up to the next one, as a shell's `*` gives them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeated: list[str] = []
        option, taken = "", True
        for arg in args:
            if arg.startswith("-"):
                option, taken = (arg if arg in _MANY else ""), False
            elif option and taken:
                repeated.append(option)
            else:
                taken = True
            repeated.append(arg)
        return super().parse_args(ctx, repeated)


@click.command(
    cls=_ManyValued,
    epilog="Example: callfolio evaluate --store night/ --reference labelled/*.stm --by snr_db --report x.md",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    required=True,
    type=_Path,
    metavar="PATH...",
    help="What was said: files, folders of them, or a store.",
)
@click.option(
    "--hypothesis",
    "hypotheses",
    multiple=True,
    type=_Path,
    metavar="PATH...",
    help="What a system heard, in the same formats, instead of --store.",
)
@click.option(
    "--store",
    type=_Path,
    default=Path("store"),
    show_default=True,
    envvar="CALLFOLIO_STORE",
    help="Folder of the tables to score.",
)
@click.option(
    "--compare",
    "others",
    multiple=True,
    type=_Path,
    metavar="PATH...",
    help="Another store or other transcripts of the same calls: paired differences.",
)
@click.option(
    "--by",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Slice by a column of `calls`, such as snr_db, source, overlap_share or metadata.task; "
    "numbers by quartile. May be repeated.",
)
@click.option(
    "--normaliser",
    type=click.Choice(["auto", "english", "basic", "letters", "none"]),
    default="auto",
    show_default=True,
    help="Whisper's text normaliser; auto is english for English, letters, which takes each for a word, for "
    "languages without blanks such as Japanese, and basic for the rest.",
)
@click.option(
    "--language",
    default="",
    help="Language of all calls, such as es; else what the sources say, and en where they say nothing.",
)
@click.option(
    "--collar",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Collar of tcpWER in seconds.",
)
@click.option("--only-paired", is_flag=True, help="Leave out calls that have no hypothesis.")
@click.option(
    "--report", "report_file", type=_Path, metavar="FILE", help="Write all, with the errors, to .md or .json."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def evaluate(
    references: tuple[Path, ...],
    hypotheses: tuple[Path, ...],
    store: Path,
    others: tuple[Path, ...],
    columns: tuple[str, ...],
    normaliser: str,
    language: str,
    collar: float,
    only_paired: bool,
    report_file: Path | None,
    form: str,
) -> int:
    """Score a store, or transcripts of any other system, against references.

    Both may be STM, CTM, RTTM with UEM, SegLST JSON, TSV (`speaker<TAB>text`), WebVTT with voices, or a
    store. Calls are paired by the name of the recording without its suffix, or by the name that the lines
    of both files give them. WER is over the words in the order of the turns; where people speak at once
    it depends on that order, and cpWER does not.

    Errors and lengths are added up over calls. A call without a hypothesis counts as lost, and one
    without a reference is not scored; both are listed.

    Exit status: 0 all well, 1 some calls have no hypothesis, 2 nothing could be scored.
    """
    from pipelines.evaluation import Documents, Rules, as_markdown, as_text, report, write_json
    from pipelines.evaluation import evaluate as score

    if report_file is not None and report_file.suffix not in (".md", ".json"):
        raise UsageError(f"--report writes Markdown to FILE.md or JSON to FILE.json, and not {report_file}.")
    rules = Rules(normaliser, language, collar)
    said = Documents(references)
    evaluation = score(said, Documents(hypotheses or (store,)), rules, only_paired)
    lost = "Left out" if only_paired else "Counted as lost"
    _tell(lost, "no hypothesis", evaluation.without_hypothesis)
    _tell("Not scored", "no reference", evaluation.without_reference)
    compared = score(said, Documents(others), rules, only_paired, like=evaluation) if others else None
    if compared:
        _tell(lost, "missing in what is compared", compared.without_hypothesis)
    found = report(evaluation, columns, compared)
    if report_file is not None:
        report_file.write_text(
            as_markdown(found) if report_file.suffix == ".md" else write_json(found), encoding="utf-8"
        )
    click.echo(write_json(found) if form == "json" else as_text(found))
    return _INCOMPLETE if evaluation.without_hypothesis and not only_paired else 0


def _tell(what: str, why: str, calls: tuple[str, ...]) -> None:
    if calls:
        more = f" and {len(calls) - _SHOWN} more" if len(calls) > _SHOWN else ""
        click.echo(f"{what} ({len(calls)} × {why}): {', '.join(calls[:_SHOWN])}{more}", err=True)
