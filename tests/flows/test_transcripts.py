"""A call as a person reads it: who says what and when, and what is doubtful."""

from dataclasses import replace
from typing import Any

import pytest
from made_rows import made_call

from flows.transcripts import as_text, clock, line_of

TURN: dict[str, Any] = {
    "speaker": "S1",
    "role": "agent",
    "start_s": 65.9,
    "text": "Good morning.",
    "speaker_confidence": 0.9,
}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00"),
        (59.99, "0:59"),
        (60.0, "1:00"),
        (3599.0, "59:59"),
        (3600.0, "1:00:00"),
        (36610.5, "10:10:10"),
    ],
)
def test_a_clock_shows_hours_where_there_are_any(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_turn_says_when_it_begins_who_speaks_and_what() -> None:
    assert line_of(TURN) == "[1:05] S1 (agent): Good morning."


def test_a_role_that_is_not_known_is_not_shown() -> None:
    assert line_of({**TURN, "role": "unknown"}) == "[1:05] S1: Good morning."


@pytest.mark.parametrize(("confidence", "mark"), [(0.5, ""), (0.49, "?")])
def test_a_doubtful_speaker_has_a_question_mark(confidence: float, mark: str) -> None:
    assert line_of({**TURN, "speaker_confidence": confidence}) == f"[1:05] S1 (agent){mark}: Good morning."


def test_long_turns_are_wrapped_and_lose_no_word() -> None:
    text = " ".join(f"word{i}" for i in range(100))
    lines = line_of({**TURN, "text": text}).splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert all(line.startswith(" " * 8) for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == f"[1:05] S1 (agent): {text}"


def test_a_transcript_has_a_head_and_a_paragraph_a_turn() -> None:
    rows = made_call("a")
    lines = as_text(rows).splitlines()
    assert lines[0] == f"a.wav  {rows.call['call_id']}"
    assert lines[1].startswith("2024-03-05 09:30 · 0:13 · en · mono")
    assert lines[2] == "For review: low_confidence"
    assert lines[4:] == [
        "[0:00] S1 (agent): v0. v0. v0. v0.",
        "[0:04] S2 (customer): v0. v0. v0. v0.",
        "[0:08] S1 (agent): v0. v0. v0. v0.",
    ]


def quiet(kind: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"kind": kind, "start_s": start_s, "end_s": end_s}


def test_long_silences_and_holds_stand_where_they_are_and_other_moments_do_not() -> None:
    moments = [
        quiet("monologue", 0.5, 4.25),
        quiet("silence", 4.25, 7.5),
        quiet("music", 4.5, 6.0),
        quiet("hold", 8.25, 20.31),
        quiet("dead_air_end", 24.0, 28.0),
    ]
    rows = made_call("a")
    turns = [{**turn, "start_s": 8.0 * turn["turn"]} for turn in rows.turns]
    lines = as_text(replace(rows, turns=turns, moments=moments)).splitlines()
    assert lines[4:] == [
        "[0:00] S1 (agent): v0. v0. v0. v0.",
        "        [silence 3.2 s]",
        "[0:08] S2 (customer): v0. v0. v0. v0.",
        "        [hold 12.1 s]",
        "[0:16] S1 (agent): v0. v0. v0. v0.",
        "        [silence 4.0 s]",
    ]


def test_damage_is_told_in_the_head() -> None:
    rows = made_call("a")
    damaged = replace(rows, call={**rows.call, "damage": "It ends in the middle"})
    assert "Damaged: It ends in the middle" in as_text(damaged).splitlines()
