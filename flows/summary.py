"""What a run did and what a store holds, in words for the person at the terminal."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.processing import Summary
from flows.transcripts import clock, line_of
from pipelines.ledger import Ledger
from pipelines.query import query
from pipelines.store import Store

_SHOWN_FAILURES = 10
_SHOWN_TURNS = 3
_MOST_TELLING = "order by run_id = '{}' desc, speaker_count = 2 desc, turn_count desc limit 1"
_QUESTION = "select source, speaker, role, talk_s, words from speakers join calls using (call_id)"


def summarise(summary: Summary, root: Path) -> str:
    """What a run did: the sentences after its progress, with three turns of a transcript."""
    lines = ["", _counts(summary)]
    if summary.processed:
        speed = summary.audio_s / max(summary.working_s, 1e-6)
        audio = f"{summary.audio_s / 60:.1f} minutes of audio"
        lines.append(f"{audio} in {clock(summary.working_s)}, {speed:.1f} times as fast as real time")
    lines += _failures(summary)
    state = state_of(root)
    lines.append(
        f"The store {root} has {state['calls']} calls, {state['hours']:.2f} hours, "
        f"{state['speakers']} speakers and {state['words']} words."
    )
    return "\n".join(lines + _example(root, summary.run_id))


def _counts(summary: Summary) -> str:
    parts = [f"{summary.processed} processed"]
    if summary.skipped:
        anew = f" ({summary.restated} with metadata brought up to date)" if summary.restated else ""
        parts.append(f"{summary.skipped} in the store already{anew}")
    if summary.set_aside:
        parts.append(f"{len(summary.set_aside)} set aside")
    if summary.set_aside_before:
        parts.append(f"{summary.set_aside_before} set aside before (callfolio retry sets them free)")
    if summary.elsewhere:
        parts.append(f"{summary.elsewhere} being processed elsewhere")
    if summary.left:
        parts.append(f"{summary.left} left for another run")
    if summary.settling:
        parts.append(f"{summary.settling} still being written, left for another run")
    return "Recordings: " + ", ".join(parts)


def _failures(summary: Summary) -> list[str]:
    lines = [f"  {outcome.failure}" for outcome in summary.set_aside[:_SHOWN_FAILURES]]
    if (more := len(summary.set_aside) - _SHOWN_FAILURES) > 0:
        lines.append(f"  … and {more} more: see table failures")
    return lines


def _example(root: Path, run_id: str) -> list[str]:
    """The first turns of a call, of this run where it made one, and what to try next."""
    store = Store(root, create=False)
    calls = query(store, f"select source, call_id from calls {_MOST_TELLING.format(run_id)}").to_pylist()
    if not calls:
        return []
    name = Path(calls[0]["source"]).name
    turns = store.read_call(calls[0]["call_id"]).turns[:_SHOWN_TURNS]
    said = ["", f"From {name}:", *(f"  {line_of(turn)}" for turn in turns)] if turns else []
    at = f"--store {shlex.quote(str(root))}"
    return [
        *said,
        *("", "Try next:"),
        f"  {_callfolio()} show {shlex.quote(name)} {at}",
        f'  {_callfolio()} query "{_QUESTION}" {at}',
        f"  {_callfolio()} status {at}",
    ]


def _callfolio() -> str:
    """How this command can be called again from here."""
    if shutil.which("callfolio"):
        return "callfolio"
    relative = os.path.relpath(sys.argv[0])
    return sys.argv[0] if relative.startswith("..") else relative


def state_of(root: Path) -> dict[str, Any]:
    """Counts of what is in the store, failures by reason and the last run."""
    store = Store(root, create=False)
    [calls] = query(
        store,
        """
        select count(*) as calls, coalesce(sum(duration_s), 0) / 3600 as hours,
          coalesce(sum(speaker_count), 0)::int as speakers, coalesce(sum(word_count), 0)::int as words,
          count(*) filter (len(review_flags) > 0) as to_review, count(distinct language) as languages
        from calls
        """,
    ).to_pylist()
    failures = Counter(row["reason"] for row in store.failures())
    runs = query(
        store,
        """
        select run_id, status, started_at, processed, skipped, set_aside
        from runs order by started_at desc limit 1
        """,
    ).to_pylist()
    return {
        "store": str(root),
        **calls,
        "failures": dict(failures),
        "last_run": runs[0] if runs else None,
        "ledger": _of_ledger(Ledger(store.root)),
    }


def _of_ledger(ledger: Ledger) -> dict[str, Any]:
    """What is to be done, and by whom: with times in UTC, and `lost` where nobody is at work any more."""
    waiting = ledger.entries("waiting")
    return {
        **{str(state): count for state, count in ledger.counts().items()},
        "at_work": [
            {
                "source": entry.source,
                "worker": str(entry.worker),
                "since": _moment(entry.claimed_at),
                "attempt": entry.attempts,
                "lost": ledger.is_orphaned(entry),
            }
            for entry in ledger.entries("working")
        ],
        "tried_again": [
            {"source": entry.source, "reason": entry.reason, "not_before": _moment(entry.not_before)}
            for entry in waiting
            if entry.reason
        ],
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def describe(state: Mapping[str, Any]) -> str:
    """A store's state in a few lines."""
    lines = [
        f"Store {state['store']}",
        f"  {state['calls']} calls, {state['hours']:.2f} hours, {state['words']} words, "
        f"{state['languages']} languages",
        f"  {state['to_review']} calls with a reason for review (calls.review_flags)",
    ]
    lines += [f"  set aside: {count} × {reason}" for reason, count in sorted(state["failures"].items())]
    known = state["ledger"]
    if known["waiting"]:
        lines.append(f"  waiting: {known['waiting']}")
    lines += [
        f"  waiting: {each['source']} after {each['reason']}"
        + (f", not before {each['not_before'].astimezone():%H:%M:%S}" if each["not_before"] else "")
        for each in known["tried_again"][:_SHOWN_FAILURES]
    ]
    lines += [
        f"  at work from {each['since'].astimezone():%m-%d %H:%M:%S}: {each['source']} by {each['worker']}"
        + (", which is dead: the next run takes it over" if each["lost"] else "")
        for each in known["at_work"]
    ]
    if run := state["last_run"]:
        lines.append(
            f"  last run {run['run_id']}: {run['status']}, {run['processed']} processed, "
            f"{run['skipped']} skipped, {run['set_aside']} set aside"
        )
    return "\n".join(lines)
