import datetime as dt
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from made_rows import made_call, made_run

from pipelines.invariants import InvariantBroken, check_call, check_rows
from pipelines.tables import RUNS, CallRows, Row


def with_call(**changes: Any) -> CallRows:
    rows = made_call()
    return replace(rows, call={**rows.call, **changes})


def with_row(table: str, number: int, **changes: Any) -> CallRows:
    rows = made_call()
    changed = [dict(row) for row in getattr(rows, table)]
    changed[number].update(changes)
    of_table: dict[str, Any] = {table: tuple(changed)}
    return replace(rows, **of_table)


def lacking(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def unspaced() -> CallRows:
    rows = with_row("turns", 0, text="v0.v0.v0.v0.")
    whole = {**rows.sentences[0], "text": "v0.v0.v0.v0.", "end_char": 12}
    return replace(rows, sentences=(whole, *rows.sentences[1:]))


def asked() -> CallRows:
    rows = with_row("sentences", 0, question=True)
    turns = ({**rows.turns[0], "questions": 1}, *rows.turns[1:])
    return replace(rows, turns=turns, speakers=({**rows.speakers[0], "questions": 1}, *rows.speakers[1:]))


BROKEN = {
    "columns: one lacks": (lambda: replace(made_call(), call=lacking(made_call().call, "codec")), "columns"),
    "columns: one too many": (lambda: with_row("words", 2, mood="glad"), "columns"),
    "nulls: a call": (lambda: with_call(language=None), "nulls"),
    "nulls: a word": (lambda: with_row("words", 11, speaker=None), "nulls"),
    "values: a mode": (lambda: with_call(channel_mode="stereo"), "values"),
    "values: a source of times": (lambda: with_row("words", 0, timing_source="guess"), "values"),
    "values: a time without zone": (lambda: with_call(processed_at=dt.datetime(2024, 3, 5)), "values"),
    "finite: not a number": (lambda: with_call(overlap_s=float("nan")), "finite"),
    "finite: infinite": (lambda: with_call(snr_db=float("inf")), "finite"),
    "confidences: above 1": (lambda: with_row("words", 3, confidence=1.01), "confidences"),
    "confidences: below 0": (lambda: with_row("words", 3, speaker_confidence=-0.01), "confidences"),
    "confidences: of a role": (lambda: with_row("speakers", 0, role_confidence=2.0), "confidences"),
    "identity: not a hash": (lambda: with_call(call_id="../../etc"), "identity"),
    "identity: of another file": (lambda: with_call(source_sha256="0" * 64), "identity"),
    "identity: a word of another call": (lambda: with_row("words", 1, call_id="0" * 32), "identity"),
    "date: another day": (lambda: with_call(call_date=dt.date(2024, 3, 6)), "date"),
    "date: none": (lambda: replace(made_call(), call=lacking(made_call().call, "call_date")), "date"),
    "counts: words": (lambda: with_call(word_count=11), "counts"),
    "counts: turns": (lambda: with_call(turn_count=4), "counts"),
    "counts: speakers": (lambda: with_call(speaker_count=3), "counts"),
    "counts: words of a speaker": (lambda: with_row("speakers", 1, words=5), "counts"),
    "counts: turns of a speaker": (lambda: with_row("speakers", 0, turns=1), "counts"),
    "durations: speech and silence": (lambda: with_call(silence_s=0.0), "durations"),
    "durations: more than the call": (lambda: with_call(overlap_s=100.0), "durations"),
    "durations: less than nothing": (lambda: with_row("speakers", 0, talk_s=-1.0), "durations"),
    "times: a word ends before it starts": (lambda: with_row("words", 5, end_s=5.4), "times"),
    "times: a word before the call": (lambda: with_row("words", 0, start_s=-0.1), "times"),
    "times: a word after the call": (lambda: with_row("words", 11, end_s=13.1), "times"),
    "times: a word out of order": (lambda: with_row("words", 2, start_s=1.4), "times"),
    "times: a turn out of order": (lambda: with_row("turns", 1, start_s=0.4), "times"),
    "numbers: a position twice": (lambda: with_row("words", 5, position=4), "numbers"),
    "numbers: a turn left out": (lambda: with_row("turns", 2, turn=3), "numbers"),
    "speakers: without name": (lambda: with_row("words", 0, speaker=""), "counts"),
    "speakers: with another role": (lambda: with_row("words", 0, role="customer"), "speakers"),
    "speakers: without source": (lambda: with_row("words", 0, speaker_source=""), "speakers"),
    "turns: another text": (lambda: with_row("turns", 1, text="v0. v0. v0."), "turns"),
    "turns: another count": (lambda: with_row("turns", 1, word_count=3), "turns"),
    "turns: another start": (lambda: with_row("turns", 1, start_s=4.6), "turns"),
    "turns: another end": (lambda: with_row("turns", 0, end_s=4.5), "turns"),
    "durations: non-talk beyond the call": (lambda: with_call(non_talk_s=14.0), "durations"),
    "values: a kind of moment": (lambda: with_row("moments", 0, kind="laughter"), "values"),
    "identity: a moment of another call": (lambda: with_row("moments", 1, call_id="0" * 32), "identity"),
    "moments: after the call": (lambda: with_row("moments", 0, end_s=13.1), "moments"),
    "moments: ends before it starts": (lambda: with_row("moments", 0, end_s=0.4), "moments"),
    "moments: of nobody known": (lambda: with_row("moments", 0, speaker="S3"), "moments"),
    "moments: to nobody known": (lambda: with_row("moments", 0, other_speaker="S3"), "moments"),
    "moments: of no turn": (lambda: with_row("moments", 0, turn=3), "moments"),
    "moments: interruptions": (lambda: with_row("speakers", 0, interruptions=1), "moments"),
    "moments: interrupted": (lambda: with_row("speakers", 1, interrupted=1), "moments"),
    "moments: backchannels": (lambda: with_row("moments", 0, kind="backchannel"), "moments"),
    "moments: interruptions of the call": (lambda: with_call(interruptions=2), "moments"),
    "moments: time on hold": (lambda: with_call(hold_s=6.0), "moments"),
    "moments: shares of talk": (lambda: with_row("speakers", 0, talk_share=0.9), "moments"),
    "turns: an empty word": (lambda: with_row("words", 0, word=" "), "turns"),
    "values: a kind of entity": (lambda: with_row("entities", 0, kind="hobby"), "values"),
    "identity: a sentence of another call": (
        lambda: with_row("sentences", 1, call_id="0" * 32),
        "identity",
    ),
    "said: a sentence left out": (lambda: with_row("sentences", 1, sentence=2), "said"),
    "said: a turn that is not there": (lambda: with_row("entities", 2, turn=3), "said"),
    "said: another text": (lambda: with_row("sentences", 0, text="v0. v0. v0. v1."), "said"),
    "said: another place": (lambda: with_row("entities", 0, start_char=1), "said"),
    "said: nothing at all": (lambda: with_row("entities", 0, text="", end_char=0), "said"),
    "said: before the one before": (lambda: with_row("entities", 1, turn=0), "said"),
    "said: by another speaker": (lambda: with_row("entities", 0, speaker="S2"), "said"),
    "said: in another role": (lambda: with_row("sentences", 0, role="customer"), "said"),
    "said: after the turn": (lambda: with_row("sentences", 0, end_s=4.5), "said"),
    "said: short embedding": (lambda: with_row("sentences", 0, embedding=[1.0]), "said"),
    "said: long embedding": (lambda: with_row("sentences", 0, embedding=[0.1] * 384), "said"),
    "said: no number": (lambda: with_row("sentences", 0, embedding=[float("nan")] * 384), "said"),
    "questions: of a turn": (lambda: with_row("turns", 0, questions=1), "questions"),
    "questions: of a speaker": (lambda: with_row("speakers", 1, questions=1), "questions"),
    "sentiment: too glad": (lambda: with_row("turns", 0, sentiment=1.5), "sentiment"),
    "sentiment: of three quarters": (
        lambda: with_row("speakers", 0, sentiment_by_quarter=[0.0] * 3),
        "sentiment",
    ),
    "sentiment: too sad a quarter": (
        lambda: with_row("speakers", 0, sentiment_by_quarter=[None, -2.0, None, None]),
        "sentiment",
    ),
}


@pytest.mark.parametrize(("broken", "invariant"), BROKEN.values(), ids=BROKEN)
def test_rows_that_contradict_each_other_are_refused_by_name(
    broken: Callable[[], CallRows], invariant: str
) -> None:
    with pytest.raises(InvariantBroken) as caught:
        check_call(broken())
    assert caught.value.invariant == invariant
    assert str(caught.value).startswith("calls/a.wav was not stored because")


def test_a_speaker_who_is_not_listed_is_refused() -> None:
    rows = made_call()
    rows = replace(rows, speakers=rows.speakers[:1])
    with pytest.raises(InvariantBroken) as caught:
        check_call(replace(rows, call={**rows.call, "speaker_count": 1}))
    assert (caught.value.invariant, caught.value.detail) == (
        "speakers",
        "'S2' as 'customer' in turns is not in speakers",
    )


def test_a_speaker_who_is_listed_twice_is_refused() -> None:
    rows = made_call()
    twice = replace(rows, speakers=(*rows.speakers, rows.speakers[0]), call={**rows.call, "speaker_count": 3})
    with pytest.raises(InvariantBroken, match="a speaker is listed twice"):
        check_call(twice)


def test_a_turn_with_words_of_two_speakers_is_refused() -> None:
    rows = with_row("words", 1, speaker="S2", role="customer")
    words = [sum(word["speaker"] == name for word in rows.words) for name in ("S1", "S2")]
    counted = tuple({**row, "words": count} for row, count in zip(rows.speakers, words, strict=True))
    with pytest.raises(InvariantBroken, match="turn 0 has words of another speaker"):
        check_call(replace(rows, speakers=counted))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(made_call(), id="as made"),
        pytest.param(made_call(turns=0), id="nobody said a word"),
        pytest.param(made_call(turns=1, words=1), id="one word"),
        pytest.param(unspaced(), id="a language without spaces"),
        pytest.param(with_row("sentences", 0, embedding=[]), id="no embedding"),
        pytest.param(with_row("turns", 0, sentiment=None), id="no sentiment"),
        pytest.param(asked(), id="a question"),
        pytest.param(with_call(snr_db=12.5), id="where null is allowed, a value is"),
    ],
)
def test_rows_that_agree_pass(rows: CallRows) -> None:
    check_call(rows)


def test_the_unknown_speaker_does_not_count_as_one() -> None:
    rows = made_call()
    named = {"S1": "S1", "S2": "UNKNOWN"}

    def renamed(of_table: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple({**row, "speaker": named[row["speaker"]]} for row in of_table)

    check_call(
        CallRows(
            {**rows.call, "speaker_count": 1},
            renamed(tuple(rows.turns)),
            renamed(tuple(rows.words)),
            renamed(tuple(rows.speakers)),
            renamed(tuple(rows.moments)),
            renamed(tuple(rows.sentences)),
            renamed(tuple(rows.entities)),
        )
    )


def test_a_date_is_that_of_utc_whatever_the_zone_of_the_start() -> None:
    new_york = dt.timezone(dt.timedelta(hours=-5))
    late = dt.datetime(2024, 3, 4, 23, 0, tzinfo=new_york)
    check_call(with_call(started_at=late, call_date=dt.date(2024, 3, 5)))


def test_a_run_has_a_status_that_is_known() -> None:
    check_rows(RUNS, [made_run()], "The run")
    with pytest.raises(InvariantBroken, match=r"runs.status of row 0 is 'asleep'"):
        check_rows(RUNS, [made_run(status="asleep")], "The run")


def test_what_is_broken_is_known_across_processes() -> None:
    error = pickle.loads(pickle.dumps(InvariantBroken("a.wav", "counts", "word_count is 1, counted 2")))
    assert (error.invariant, error.detail) == ("counts", "word_count is 1, counted 2")
    assert (error.reason, error.retryable) == ("invariant_broken", False)
    assert str(error) == (
        "a.wav was not stored because what was made from it contradicts itself (counts: word_count is 1, "
        "counted 2). This is a fault of Callfolio, not of the recording; please report it."
    )
