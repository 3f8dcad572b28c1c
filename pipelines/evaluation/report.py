"""What an evaluation found, as a value, and its three views: text, Markdown and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from pipelines.evaluation.document import JOIN_GAP_S
from pipelines.evaluation.errors import Errors, errors_of
from pipelines.evaluation.evaluation import (
    DRAWS,
    LEVEL,
    SEED,
    Difference,
    Estimate,
    Evaluation,
    differences,
    estimates,
    slices,
)
from pipelines.evaluation.layout import Section, interval_text, markdown_section, text_section, value_text
from pipelines.evaluation.metrics.reliability import Bin, reliability
from pipelines.evaluation.metrics.silence import MARGIN_S
from pipelines.evaluation.rates import Sum, TimeErrors
from pipelines.evaluation.scoring import DER_COLLARS_S


@dataclass(frozen=True)
class Report:
    """An evaluation in figures: of all calls, of each slice, and in comparison."""

    evaluation: Evaluation
    figures: Sequence[Estimate]
    slices: dict[str, list[tuple[str, int, list[Estimate]]]]
    differences: Sequence[Difference]
    errors: Errors
    reliability: Sequence[Bin]


def report(evaluation: Evaluation, columns: Sequence[str] = (), compared: Evaluation | None = None) -> Report:
    """The figures, sliced by columns of `calls`. Raises UsageError when there is no such column."""
    return Report(
        evaluation,
        estimates(evaluation.scores),
        {
            column: [
                (label, len(scores), estimates(scores)) for label, scores in slices(evaluation.scores, column)
            ]
            for column in columns
        },
        differences(evaluation.scores, compared.scores) if compared else (),
        errors_of(evaluation.scores),
        reliability(evaluation.scores),
    )


def as_text(found: Report) -> str:
    """Head, figures, slices and comparison, for a terminal."""
    return "\n\n".join([_head(found), *map(text_section, _figures(found))])


def as_markdown(found: Report) -> str:
    """Everything, with the errors."""
    sections = [*_figures(found), *_errors(found.errors)]
    return "\n\n".join(["# Evaluation", _head(found), *map(markdown_section, sections)]) + "\n"


def as_json(found: Report) -> dict[str, Any]:
    """Everything, as one object: rates as fractions, times in seconds, values of each call included."""
    evaluation = found.evaluation
    return {
        "settings": {
            "normaliser": _normalisers(evaluation),
            "tcpwer_collar_s": evaluation.rules.collar,
            "der_collars_s": DER_COLLARS_S,
            "join_gap_s": JOIN_GAP_S,
            "silence_margin_s": MARGIN_S,
            "bootstrap": {"draws": DRAWS, "seed": SEED, "level": LEVEL},
        },
        "calls": len(evaluation.scores),
        "without_hypothesis": evaluation.without_hypothesis,
        "without_reference": evaluation.without_reference,
        "figures": _by_name(found.figures),
        "slices": {
            column: [
                {"value": label, "calls": calls, "figures": _by_name(figures)}
                for label, calls, figures in groups
            ]
            for column, groups in found.slices.items()
        },
        "comparison": {
            one.figure.name: {
                "value": one.value,
                "compared": one.compared,
                "difference": one.difference,
                "low": one.low,
                "high": one.high,
                "verdict": one.verdict,
            }
            for one in found.differences
        },
        "speaker_confidence": [asdict(bin_) for bin_ in found.reliability],
        "errors": asdict(found.errors),
        "by_call": {
            of.call: {name: _counts(value) for name, value in of.values.items()} for of in evaluation.scores
        },
    }


def write_json(found: Report) -> str:
    """`as_json` as text."""
    return json.dumps(as_json(found), ensure_ascii=False, indent=2)


def _head(found: Report) -> str:
    evaluation = found.evaluation
    collars = " and ".join(f"±{collar:g} s" for collar in DER_COLLARS_S.values())
    scored = {of.call for of in evaluation.scores}
    lost = sum(call in scored for call in evaluation.without_hypothesis)
    left_out = len(evaluation.without_hypothesis) - lost
    missing = (f", {lost} of them lost" if lost else "") + (f", {left_out} left out" if left_out else "")
    return (
        f"{len(evaluation.scores)} calls{missing} · normaliser {_normalisers(evaluation)} · tcpWER collar "
        f"{evaluation.rules.collar:g} s · DER collar {collars}, overlap included\n"
        f"Speech of a source that has only words is its words, joined over pauses up to {JOIN_GAP_S:g} s · "
        f"{LEVEL:.0%} intervals from {DRAWS} draws of calls"
    )


def _normalisers(evaluation: Evaluation) -> str:
    return " and ".join(sorted({of.normaliser for of in evaluation.scores}))


def _figures(found: Report) -> list[Section]:
    head = ("", "", "95 % interval", "")
    sections: list[Section] = [
        ("", [head, *(_row(of, len(found.evaluation.scores)) for of in found.figures)])
    ]
    for column, groups in found.slices.items():
        labels = {figure.figure.name: figure.figure.label for _, _, figures in groups for figure in figures}
        rows = [("", *(f"{label} ({calls})" for label, calls, _ in groups))]
        for name, label in labels.items():
            cells = [
                next((value_text(of.value, of.figure.unit) for of in figures if of.figure.name == name), "–")
                for _, _, figures in groups
            ]
            rows.append((label, *cells))
        sections.append((f"By {column} (calls)", rows))
    if found.differences:
        rows = [("", "this", "compared", "difference", "95 % interval", "")]
        rows += [
            (
                one.figure.label,
                value_text(one.value, one.figure.unit),
                value_text(one.compared, one.figure.unit),
                value_text(one.difference, one.figure.unit, "+"),
                interval_text(one),
                one.verdict,
            )
            for one in found.differences
        ]
        sections.append(("Paired differences, on the same calls", rows))
    if found.reliability:
        rows = [("confidence", "words", "mean confidence", "right")]
        rows += [
            (
                f"{one.low:g} to {one.high:g}",
                str(one.words),
                f"{one.confidence:.3f}",
                value_text(one.right / one.words, "%"),
            )
            for one in found.reliability
        ]
        sections.append(("Speaker confidence of the matched words", rows))
    return sections


def _row(of: Estimate, calls: int) -> tuple[str, str, str, str]:
    return of.figure.label, value_text(of.value, of.figure.unit), interval_text(of), _parts(of, calls)


def _parts(of: Estimate, calls: int) -> str:
    """The counts that a rate is made of, what they are counted in, and the calls where some lack it."""
    only = f" ({of.calls} of {calls} calls)" if of.calls < calls else ""
    if isinstance(of.of, TimeErrors):
        return f"{len(of.of.starts)} words{only}"
    if of.figure.name == "delta_cp":
        return only.strip()
    *counts, length = fields(of.of)
    told = [f"{_number(getattr(of.of, count.name))} {count.name.replace('_', ' ')}" for count in counts]
    if told[0].endswith(" count"):
        told = [told[0].removesuffix(" count")]
    return f"{', '.join(told)} of {_number(getattr(of.of, length.name))}{only}"


def _number(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.1f}"


def _errors(errors: Errors) -> list[Section]:
    return [
        (
            "Most frequent substitutions",
            [
                ("said", "heard", "times"),
                *((ref, hyp, str(count)) for ref, hyp, count in errors.substitutions),
            ],
        ),
        ("Words most often lost", [("word", "times"), *((word, str(count)) for word, count in errors.lost)]),
        (
            "Words most often inserted",
            [("word", "times"), *((word, str(count)) for word, count in errors.inserted)],
        ),
        (
            "Worst calls",
            [
                ("call", "WER", "errors", "words", "words of the wrong speaker"),
                *(
                    (
                        call.call,
                        "–" if call.words.rate is None else value_text(call.words.rate, "%"),
                        str(sum(call.words.counts[:-1])),
                        str(call.words.length),
                        str(call.misattributed),
                    )
                    for call in errors.calls
                ),
            ],
        ),
        (
            "Worst stretches",
            [
                ("call", "from", "to", "errors", "said", "heard"),
                *(
                    (
                        one.call,
                        _clock(one.start),
                        _clock(one.end),
                        str(one.errors),
                        one.reference,
                        one.hypothesis,
                    )
                    for one in errors.stretches
                ),
            ],
        ),
    ]


def _clock(seconds: float | None) -> str:
    if seconds is None or not isfinite(seconds):
        return "–"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _by_name(figures: Sequence[Estimate]) -> dict[str, Any]:
    return {
        of.figure.name: {
            "value": of.value,
            "low": of.low,
            "high": of.high,
            "unit": "s" if of.figure.unit == "s" else "1/min" if of.figure.unit == "/min" else "fraction",
            "of": _counts(of.of),
            "calls": of.calls,
        }
        for of in figures
    }


def _counts(value: Sum) -> dict[str, Any]:
    if isinstance(value, TimeErrors):
        return {"words": len(value.starts)}
    return asdict(value)
