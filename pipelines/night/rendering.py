"""A night's report as Markdown for people and as JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from pipelines.night.report import ENDS, NightReport


def as_markdown(report: NightReport) -> str:
    """The report as a page."""
    return "\n".join(_lines(report)) + "\n"


def as_json(report: NightReport) -> str:
    """The report as a JSON object; times as ISO 8601."""
    derived = {"unaccounted": report.unaccounted, "speed": report.speed}
    drifts = [{**asdict(drift), "drifted": drift.drifted, "sentence": str(drift)} for drift in report.drifts]
    facts = {**asdict(report), **derived, "drifts": drifts}
    return json.dumps(facts, indent=2, default=lambda value: value.isoformat()) + "\n"


def _lines(report: NightReport) -> Iterator[str]:
    yield f"# Night {report.run_id}"
    yield ""
    ended = f"{report.finished_at:%Y-%m-%d %H:%M} UTC" if report.finished_at else "not ended"
    yield f"{report.status}, {report.started_at:%Y-%m-%d %H:%M} to {ended}, profile {report.profile}"
    yield from ("", "## Recordings", "")
    counts = [f"{report.ends[name]} {meaning}" for name, meaning in ENDS.items() if report.ends[name]]
    if report.unaccounted:
        counts.append(f"{report.unaccounted} not reached")
    yield f"{report.recordings} in = {' + '.join(counts) or 'none'}"
    if report.speed is not None:
        yield ""
        yield (
            f"{report.audio_s / 60:.1f} minutes of audio in {report.wall_s / 60:.1f} minutes, "
            f"{report.speed:.1f} times as fast as real time"
        )
    if report.failures:
        yield from ("", "## Set aside", "", "| reason | recordings | tried again |", "|---|---|---|")
        for each in report.failures:
            yield f"| {each.reason} | {each.recordings} | {'yes' if each.retryable else 'no'} |"
    if report.drifts:
        yield from ("", "## Against the nights before", "")
        for drift in report.drifts:
            yield f"- {'**Drifted.** ' if drift.drifted else ''}{drift}"
    if report.worst:
        yield from ("", "## Calls to hear first", "")
        yield "| call | review flags | word confidence | speech without words | minutes |"
        yield "|---|---|---|---|---|"
        for call in report.worst:
            sure = "–" if call.word_confidence is None else f"{call.word_confidence:.2f}"
            yield (
                f"| {call.call_id} | {', '.join(call.review_flags) or '–'} | {sure} "
                f"| {100 * call.uncovered_share:.0f} % | {call.duration_s / 60:.1f} |"
            )
