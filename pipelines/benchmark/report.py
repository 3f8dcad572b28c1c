"""What a benchmark or an ablation found: sentences, tables, and all of it as JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.benchmark.contest import ALL_ON, Ablation, Conditions, Contest, LeftOut
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.labelled import Labelled
from pipelines.benchmark.machine import Machine
from pipelines.benchmark.processes import OURS, THEIRS, SystemName
from pipelines.benchmark.scores import score_alike
from pipelines.benchmark.speed import WHOLE, WORD_TIMES, Speed, speeds
from pipelines.evaluation import Evaluation, Rules, as_json, report
from pipelines.evaluation.evaluation import Difference, differences, estimates, slices
from pipelines.evaluation.layout import Section, interval_text, markdown_section, text_section, value_text
from pipelines.evaluation.scoring import CallScore

HEADLINES = (
    "wer",
    "cpwer",
    "delta_cp",
    "speaker_error",
    "der",
    "der_collar",
    "word_start_p95",
    "word_end_p95",
)
"""The figures that slices and the ablation show, where the references allow them."""

_SLICED_BY = ("folder", "language")
_BUSY = 0.5
"""Processes that want to run, for each core, from which on the machine is said to have been busy."""
_SHOWN = "*"


@dataclass(frozen=True)
class Circumstances:
    """What a benchmark was run with and on. `began` is a time in UTC, as ISO 8601 has it."""

    conditions: Conditions
    machine: Machine
    versions: Mapping[str, str]
    command: str
    began: str


@dataclass(frozen=True)
class Findings:
    """What there is to read, and `content`, all of it for programs."""

    title: str
    head: tuple[str, ...]
    sections: tuple[Section, ...]
    content: Mapping[str, Any]


def as_text(found: Findings) -> str:
    """The findings for a terminal."""
    return "\n\n".join(["\n".join(found.head), *map(text_section, found.sections)])


def as_markdown(found: Findings) -> str:
    """The findings as a document."""
    head = "\n".join(f"- {line}" for line in found.head)
    return "\n\n".join([f"# {found.title}", head, *map(markdown_section, found.sections)]) + "\n"


def of_contest(
    calls: Sequence[Labelled],
    found: Contest,
    circumstances: Circumstances,
    rules: Rules,
    unreadable: Mapping[str, Exception],
) -> Findings:
    """Accuracy, speed and memory of both systems. There must be a recording that both could process."""
    documents = {
        name: {call: results[0].document for call, results in of_system.items()}
        for name, of_system in found.heard.items()
    }
    kept = [call for call in calls if call.name in documents[OURS]]
    scored = score_alike(kept, documents, rules)
    ours, theirs = scored[OURS], scored[THEIRS]
    taken = speeds(found.heard)
    audio_s = sum(results[0].duration_s for results in found.heard[THEIRS].values())
    columns = [name for name in _SLICED_BY if len(slices(ours.scores, name)) > 1]
    settings = [f"{name}: {_listed(found.settings[name])}" for name in (OURS, THEIRS)]
    repeats = circumstances.conditions.repeats
    head = (
        f"{OURS} and {THEIRS} side by side, in turns: {len(kept)} recordings, {audio_s / 60:.1f} minutes, "
        f"{repeats} {'repeat' if repeats == 1 else 'repeats'}",
        *_circumstances(circumstances),
        *settings,
        _rules(ours),
        *_two_channels(found.heard[OURS].values()),
    )
    sections = [
        _accuracy(ours, theirs),
        *(_by(column, ours.scores, theirs.scores) for column in columns),
        _speed(taken, audio_s),
        _memory(found.peak_bytes),
        *_left_out(found.left_out, unreadable),
    ]
    content = {
        **_content(kept, circumstances, found.left_out, unreadable),
        "settings": {name: dict(of_system) for name, of_system in found.settings.items()},
        "accuracy": as_json(report(ours, columns, theirs)),
        "whisperx": as_json(report(theirs, columns)),
        "speed": {
            "audio_s": audio_s,
            "stages": {
                row.stage: {
                    "callfolio_s": row.ours_s,
                    "whisperx_s": row.theirs_s,
                    "ratio": row.ratio,
                    "lowest_ratio": row.low,
                    "highest_ratio": row.high,
                }
                for row in taken
            },
        },
        "peak_bytes": dict(found.peak_bytes),
        "trials": [
            {
                "recording": call,
                "system": name,
                "repeat": repeat,
                "seconds": once.seconds,
                "stage_s": dict(once.stage_s),
            }
            for name, of_system in found.heard.items()
            for call, results in of_system.items()
            for repeat, once in enumerate(results)
        ],
    }
    return Findings("Benchmark", head, tuple(sections), content)


def of_ablation(
    calls: Sequence[Labelled],
    found: Ablation,
    circumstances: Circumstances,
    rules: Rules,
    unreadable: Mapping[str, Exception],
) -> Findings:
    """The figures without each lever. There must be a recording that could be processed."""
    documents = {
        name: {call: heard.document for call, heard in of_lever.items()}
        for name, of_lever in found.heard.items()
    }
    kept = [call for call in calls if call.name in documents[ALL_ON]]
    scored = score_alike(kept, documents, rules)
    whole = scored.pop(ALL_ON)
    changes = {name: differences(without.scores, whole.scores) for name, without in scored.items()}
    head = (
        f"{OURS} without each of its levers: {len(kept)} recordings",
        *_circumstances(circumstances),
        f"{OURS}: {_listed(found.settings)}",
        _rules(whole),
        f"In brackets the change against all on; {_SHOWN} where its 95 % interval leaves 0 out",
    )
    table = _ablation(whole, changes)
    content = {
        **_content(kept, circumstances, found.left_out, unreadable),
        "settings": dict(found.settings),
        "all_on": as_json(report(whole)),
        "without": {name: as_json(report(without, (), whole)) for name, without in scored.items()},
    }
    return Findings("Ablation", head, (table, *_left_out(found.left_out, unreadable)), content)


def _circumstances(of: Circumstances) -> list[str]:
    machine, selection = of.machine, of.conditions.selection
    models = ", ".join(sorted(selection.digests))
    lines = [
        f"Profile {selection.profile}: {models}",
        f"{machine.cpu}, {of.conditions.cores} of {machine.cores} cores for each system at its turn, "
        f"{machine.memory_bytes / 2**30:.0f} GiB, {machine.system}",
    ]
    if machine.load > _BUSY * machine.cores:
        lines.append(
            f"Others were at work on the machine (load {machine.load:.1f} on {machine.cores} cores): "
            "believe ratios rather than times"
        )
    return lines


def _listed(settings: Mapping[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in settings.items())


def _rules(evaluation: Evaluation) -> str:
    names = " and ".join(sorted({of.normaliser for of in evaluation.scores}))
    return f"Normaliser {names}; DER counts overlap; 95 % intervals are a bootstrap over recordings"


def _two_channels(heard: Iterable[Sequence[Heard]]) -> list[str]:
    modes = Counter(results[0].channel_mode for results in heard)
    if not modes["split"]:
        return []
    return [
        f"{modes['split']} of the recordings have a channel for each speaker. {OURS} listens to each "
        f"channel; {THEIRS} has no offer for them and takes the mean of the two"
    ]


def _accuracy(ours: Evaluation, theirs: Evaluation) -> Section:
    head = ("Accuracy", OURS, THEIRS, "difference", "95 % interval", "")
    both = differences(ours.scores, theirs.scores)
    return "", [head, *((one.figure.label, *_compared(one)) for one in both)]


def _by(column: str, ours: Sequence[CallScore], theirs: Sequence[CallScore]) -> Section:
    rows: list[Sequence[str]] = [(column, "figure", OURS, THEIRS, "difference", "95 % interval", "")]
    for label, scores in slices(ours, column):
        for one in differences(scores, theirs):
            if one.figure.name in HEADLINES:
                rows.append((f"{label} ({len(scores)})", one.figure.label, *_compared(one)))
    return f"By {column} (recordings)", rows


def _compared(one: Difference) -> tuple[str, str, str, str, str]:
    unit = one.figure.unit
    return (
        value_text(one.value, unit),
        value_text(one.compared, unit),
        value_text(one.difference, unit, "+"),
        interval_text(one),
        one.verdict,
    )


def _speed(taken: Sequence[Speed], audio_s: float) -> Section:
    rows: list[Sequence[str]] = [
        ("Speed, times real time", OURS, THEIRS, f"{OURS} is faster by", "over repeats")
    ]
    for row in taken:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
        span = "" if row.low is None or row.high is None else f"{row.low:.2f} to {row.high:.2f}"
        rows.append(
            (_stage(row.stage), _times(audio_s, row.ours_s), _times(audio_s, row.theirs_s), ratio, span)
        )
    return "", rows


def _stage(name: str) -> str:
    notes = {
        WORD_TIMES: f"word times ({OURS}'s are part of transcribe)",
        WHOLE: f"whole ({OURS} transcribes and diarizes side by side)",
    }
    return notes.get(name, name)


def _times(audio_s: float, seconds: float | None) -> str:
    if not seconds:
        return "–"
    times = audio_s / seconds
    return f"{times:.1f}" if times < 100 else f"{times:,.0f}"


def _memory(peaks: Mapping[SystemName, int]) -> Section:
    ours, theirs = peaks[OURS], peaks[THEIRS]
    return "", [
        ("Memory", OURS, THEIRS, f"{OURS} takes"),
        (
            "peak of the process, GiB",
            f"{ours / 2**30:.2f}",
            f"{theirs / 2**30:.2f}",
            f"{ours / theirs:.2f} ×",
        ),
    ]


def _left_out(left_out: Sequence[LeftOut], unreadable: Mapping[str, Exception]) -> list[Section]:
    rows = [(one.name, one.by, one.why) for one in left_out]
    rows += [(name, "", str(failure)) for name, failure in unreadable.items()]
    return [("Left out", [("recording", "not processed by", "because"), *rows])] if rows else []


def _ablation(whole: Evaluation, changes: Mapping[str, Sequence[Difference]]) -> Section:
    shown = [of for of in estimates(whole.scores) if of.figure.name in HEADLINES]
    rows = [("without", *(of.figure.label for of in shown))]
    rows.append(("nothing: all on", *(value_text(of.value, of.figure.unit) for of in shown)))
    for name, found in changes.items():
        by_figure = {one.figure.name: one for one in found}
        cells = [_change(by_figure[of.figure.name]) for of in shown]
        rows.append((name.replace("_", " "), *cells))
    return "", rows


def _change(one: Difference) -> str:
    value = value_text(one.value, one.figure.unit)
    if one.difference == 0:
        return f"{value} (=)"
    decided = _SHOWN if one.verdict in ("better", "worse") else ""
    return f"{value} ({value_text(one.difference, one.figure.unit, '+').partition(' ')[0]}{decided})"


def _content(
    calls: Sequence[Labelled],
    of: Circumstances,
    left_out: Sequence[LeftOut],
    unreadable: Mapping[str, Exception],
) -> dict[str, Any]:
    conditions = of.conditions
    return {
        "began": of.began,
        "command": of.command,
        "machine": asdict(of.machine),
        "versions": dict(of.versions),
        "profile": conditions.selection.profile,
        "models": conditions.selection.digests,
        "call_settings": asdict(conditions.settings),
        "cores": conditions.cores,
        "repeats": conditions.repeats,
        "recordings": [
            {"name": call.name, "folder": call.folder, "sha256": call.recording.sha256} for call in calls
        ],
        "left_out": [
            *({"name": one.name, "by": one.by, "why": one.why} for one in left_out),
            *({"name": name, "by": None, "why": str(failure)} for name, failure in unreadable.items()),
        ],
    }
