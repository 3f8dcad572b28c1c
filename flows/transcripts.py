"""A call as a person reads it, and as a program does."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.tables import CallRows, Row

_WIDTH = 100
_QUIET = {"silence": "silence", "hold": "hold", "dead_air_start": "silence", "dead_air_end": "silence"}
"""The moments that a reader is shown, and what they are called."""
_DOUBTFUL = 0.5
"""A word or speaker with less confidence is marked with a question mark."""


def as_text(rows: CallRows) -> str:
    """The transcript: a head, then a paragraph a turn."""
    call = rows.call
    head = [
        f"{Path(call['source']).name}  {call['call_id']}",
        f"{call['started_at']:%Y-%m-%d %H:%M} · {clock(call['duration_s'])} · {call['language']} · "
        f"{call['channel_mode']} · speakers: {call['speaker_count']} · words: {call['word_count']}",
    ]
    if call["damage"]:
        head.append(f"Damaged: {call['damage']}")
    if call["review_flags"]:
        head.append(f"For review: {', '.join(call['review_flags'])}")
    return "\n".join([*head, "", *_lines(rows)])


def _lines(rows: CallRows) -> Iterator[str]:
    """The turns, and between them where nobody speaks for long."""
    quiet = [moment for moment in rows.moments if moment["kind"] in _QUIET]
    for turn in rows.turns:
        while quiet and quiet[0]["start_s"] <= turn["start_s"]:
            yield _quiet_line(quiet.pop(0))
        yield line_of(turn)
    yield from map(_quiet_line, quiet)


def _quiet_line(moment: Row) -> str:
    return f"        [{_QUIET[moment['kind']]} {moment['end_s'] - moment['start_s']:.1f} s]"


def line_of(turn: Row) -> str:
    """A turn as `[m:ss] speaker: words`, wrapped, with a mark where the speaker is doubtful."""
    who = turn["speaker"] if turn["role"] == "unknown" else f"{turn['speaker']} ({turn['role']})"
    mark = "?" if turn["speaker_confidence"] < _DOUBTFUL else ""
    lead = f"[{clock(turn['start_s'])}] {who}{mark}: "
    return textwrap.fill(lead + turn["text"], _WIDTH, subsequent_indent=" " * 8)


def as_json(rows: CallRows) -> str:
    """All rows of the call as one JSON object, times in ISO 8601, without the embeddings of sentences."""
    content: dict[str, Any] = {
        "call": rows.call,
        "speakers": list(rows.speakers),
        "turns": list(rows.turns),
        "words": list(rows.words),
        "moments": list(rows.moments),
        "sentences": [
            {name: value for name, value in row.items() if name != "embedding"} for row in rows.sentences
        ],
        "entities": list(rows.entities),
    }
    return json.dumps(content, default=str, ensure_ascii=False, indent=2)


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
