"""What a run did and what a store holds, in words for the person at the terminal."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.processing import Summary
from flows.transcripts import clock, line_of
from pipelines.query import query
from pipelines.store import Store

_SHOWN_FAILURES = 10


def summarise(summary: Summary, root: Path) -> str:
    """What a run did: the sentences after its progress, with three lines of a transcript."""
    store = Store(root, create=False)
    lines = ["", _counts(summary)]
    if summary.processed:
        speed = summary.audio_s / max(summary.processing_s, 1e-6)
        lines.append(
            f"{summary.audio_s / 60:.1f} minutes of audio in {clock(summary.processing_s)}: {speed:.1f}× real time"
        )
    lines += _failures(summary)
    state = state_of(root)
    lines.append(
        f"The store {root} now has {state['calls']} calls, {state['hours']:.2f} hours, "
        f"{state['speakers']} speakers and {state['words']} words"
    )
    call = _example(store, summary.run_id)
    if call is not None:
        name, excerpt = call
        lines += ["", f"From {name}:", *excerpt, "", "Try next:"]
        lines += [
            f"  callfolio show {name} --store {root}",
            f'  callfolio query "select source, speaker, talk_s, words from speakers join calls using (call_id)" --store {root}',
            f"  callfolio status --store {root}",
        ]
    return "\n".join(lines)


def _counts(summary: Summary) -> str:
    parts = [f"{summary.processed} processed"]
    if summary.skipped:
        parts.append(f"{summary.skipped} in the store already")
    if summary.set_aside:
        parts.append(f"{len(summary.set_aside)} set aside")
    if summary.set_aside_before:
        parts.append(f"{summary.set_aside_before} set aside before (see table failures; --force tries again)")
    return "Recordings: " + ", ".join(parts)


def _failures(summary: Summary) -> list[str]:
    lines = [f"  {outcome.failure}" for outcome in summary.set_aside[:_SHOWN_FAILURES]]
    if (more := len(summary.set_aside) - _SHOWN_FAILURES) > 0:
        lines.append(f"  … and {more} more: see table failures")
    return lines


def _example(store: Store, run_id: str) -> tuple[str, list[str]] | None:
    """The name of a call and its first three turns: of this run where it made one."""
    found = query(
        store,
        f"select call_id, source from calls order by run_id = '{run_id}' desc, speaker_count = 2 desc, source",
    ).slice(0, 1)
    if not found.num_rows:
        return None
    row = found.to_pylist()[0]
    turns = store.read_call(row["call_id"]).turns[:3]
    return Path(row["source"]).name, [f"  {line_of(turn)}" for turn in turns]


def state_of(root: Path) -> dict[str, Any]:
    """Counts of what is in the store, failures by reason and the last run."""
    store = Store(root, create=False)
    [calls] = query(
        store,
        "select count(*) as calls, coalesce(sum(duration_s), 0) / 3600 as hours, "
        "coalesce(sum(speaker_count), 0)::int as speakers, coalesce(sum(word_count), 0)::int as words, "
        "count(*) filter (len(review_flags) > 0) as to_review, count(distinct language) as languages from calls",
    ).to_pylist()
    failures = Counter(row["reason"] for row in store.failures())
    runs = query(
        store,
        "select run_id, status, started_at, processed, skipped, set_aside from runs order by started_at desc limit 1",
    ).to_pylist()
    return {"store": str(root), **calls, "failures": dict(failures), "last_run": runs[0] if runs else None}


def describe(state: Mapping[str, Any]) -> str:
    """A store's state in a few lines."""
    lines = [
        f"Store {state['store']}",
        f"  {state['calls']} calls, {state['hours']:.2f} hours, {state['words']} words, "
        f"{state['languages']} languages",
        f"  {state['to_review']} calls with a reason for review (calls.review_flags)",
    ]
    lines += [f"  set aside: {count} × {reason}" for reason, count in sorted(state["failures"].items())]
    if run := state["last_run"]:
        lines.append(
            f"  last run {run['run_id']}: {run['status']}, {run['processed']} processed, "
            f"{run['skipped']} skipped, {run['set_aside']} set aside"
        )
    return "\n".join(lines)
