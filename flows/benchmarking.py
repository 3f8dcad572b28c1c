"""The command `callfolio benchmark`: a thin layer over `pipelines.benchmark`."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.options import replacements_of
from models.errors import UsageError

if TYPE_CHECKING:
    from pipelines.benchmark.contest import LeftOut
    from pipelines.benchmark.labelled import LabelledCalls

_SHOWN = 10
_INCOMPLETE = 1
_Path = click.Path(path_type=Path)


@click.command(
    epilog="Example: callfolio benchmark labelled/calls --repeats 3 --out benchmarks/today",
)
@click.argument("labelled", nargs=-1, required=True, type=_Path, metavar="LABELLED...")
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=_Path,
    metavar="PATH",
    help="What was said: a file or a folder, as for `callfolio evaluate`. May be repeated.",
)
@click.option(
    "--profile", envvar="CALLFOLIO_PROFILE", help="Set of models: tiny, base (the default) or standard."
)
@click.option("--model", "replacements", multiple=True, metavar="ROLE=MODEL", help="As for `callfolio run`.")
@click.option(
    "--language", help="Language of all recordings, such as en, told to both; else each detects it."
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How often each system processes each recording; times are the medians.",
)
@click.option(
    "--cores",
    type=click.IntRange(1),
    help="Cores for each system at its turn.  [default: all of the machine]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="Chunks that WhisperX decodes at once.  [default: its own, 8 on a CPU and 16 on a GPU]",
)
@click.option(
    "--normaliser",
    type=click.Choice(["auto", "english", "basic", "letters", "none"]),
    default="auto",
    show_default=True,
    help="Whisper's text normaliser, as for `callfolio evaluate`.",
)
@click.option(
    "--collar",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Collar of tcpWER in seconds.",
)
@click.option(
    "--ablation", is_flag=True, help="Only our path: with everything, and without each of its levers in turn."
)
@click.option(
    "--out", type=_Path, metavar="DIR", help="Write what was found into DIR, as Markdown and as JSON."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def benchmark(
    labelled: tuple[Path, ...],
    references: tuple[Path, ...],
    profile: str | None,
    replacements: tuple[str, ...],
    language: str | None,
    repeats: int,
    cores: int | None,
    batch_size: int | None,
    normaliser: str,
    collar: float,
    ablation: bool,
    out: Path | None,
    form: str,
) -> int:
    """Run our path and WhisperX's own recipe side by side on labelled recordings.

    A LABELLED is a folder of recordings, or one recording. The reference of NAME.wav is NAME.stm (or any
    other format of `callfolio evaluate`) beside it, in a folder `reference` of its folder or of one above,
    or in --reference.

    Both systems have the same weights, the same cores and the same knowledge, take turns recording by
    recording, each in a process of its own, and have their models loaded before the clock starts.
    WhisperX's is its batched transcription, its alignment where the profile has an aligner, stock pyannote
    diarization, and its `assign_word_speakers`.

    Exit status: 0 all well, 1 some recordings could not be processed and count for neither, 2 nothing could
    start.
    """
    from models.bundle import models_dir
    from models.catalogue import load_catalogue
    from models.selection import select
    from pipelines.benchmark.contest import Conditions, contest
    from pipelines.benchmark.contest import ablation as ablate
    from pipelines.benchmark.labelled import find_labelled
    from pipelines.benchmark.machine import this_machine
    from pipelines.benchmark.report import Circumstances, as_markdown, as_text, of_ablation, of_contest
    from pipelines.evaluation import Rules
    from pipelines.settings import CallSettings
    from pipelines.versions import versions

    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out writes into a folder, and {out} is a file.")
    found = find_labelled(labelled, references)
    _tell(found)
    _check(found, ())
    catalogue = load_catalogue()
    selection = select(
        catalogue, profile or catalogue.default_profile, replacements_of(replacements), models_dir()
    )
    settings = CallSettings(language=language)
    conditions = Conditions(selection, settings, cores or os.cpu_count() or 1, repeats, batch_size)
    rules = Rules(normaliser, language or "", collar)
    command = shlex.join(["callfolio", *sys.argv[1:]])
    began = datetime.now(UTC).isoformat(timespec="seconds")
    circumstances = Circumstances(conditions, this_machine(), versions(), command, began)
    if ablation:
        with _progress(len(found.calls)) as progress:
            ablated = ablate(found.calls, conditions, progress)
        left_out = ablated.left_out
        _check(found, left_out)
        findings = of_ablation(found.calls, ablated, circumstances, rules, found.unreadable)
    else:
        with _progress(2 * repeats * len(found.calls)) as progress:
            compared = contest(found.calls, conditions, progress)
        left_out = compared.left_out
        _check(found, left_out)
        findings = of_contest(found.calls, compared, circumstances, rules, found.unreadable)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        name = findings.title.lower()
        (out / f"{name}.md").write_text(as_markdown(findings), encoding="utf-8")
        (out / f"{name}.json").write_text(_json(findings.content), encoding="utf-8")
        click.echo(f"Written: {out / name}.md and .json", err=True)
    click.echo(_json(findings.content) if form == "json" else as_text(findings))
    return _INCOMPLETE if left_out or found.unreadable else 0


def _tell(found: "LabelledCalls") -> None:
    if names := found.without_reference:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        click.echo(f"Not used ({len(names)} × no reference): {', '.join(names[:_SHOWN])}{more}", err=True)


def _check(found: "LabelledCalls", left_out: "Sequence[LeftOut]") -> None:
    """Raises UsageError where nothing is left to be scored."""
    if len(left_out) == len(found.calls):
        reasons = [one.why for one in left_out] or [str(why) for why in found.unreadable.values()]
        raise UsageError(f"No recording could be processed by all; the first: {reasons[0]}")


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, and nothing elsewhere."""
    with click.progressbar(
        length=steps, file=sys.stderr, item_show_func=lambda item: item or "", show_pos=True
    ) as bar:
        yield lambda doing: bar.update(1, doing)


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)
