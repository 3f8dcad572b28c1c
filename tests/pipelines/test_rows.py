"""A call becomes rows that contradict nothing, with every word that was recognised."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from hypothesis import given
from made_calls import calls, made_gist, made_reading, made_recording, nothing_found, said

from models.speech import Interval, LanguageGuess, Segment
from pipelines.analytics.moments import Moment, TurnFigures
from pipelines.channels import Channels
from pipelines.decoding import Audio, Damage
from pipelines.failures import EmptyFile, Unreadable
from pipelines.invariants import check_call, check_rows
from pipelines.rows import failure_row, rows_of
from pipelines.sources import CallMetadata
from pipelines.tables import FAILURES
from pipelines.transcript import Call, Measures, Speaker, Turn

PROVENANCE = {"profile": "tiny", "models": {"m": "ab" * 32}, "settings_sha256": "cd" * 32, "run_id": "run-1"}
SAMPLES = np.zeros((2, 160_000), np.float32)
AUDIO = Audio(SAMPLES, 8000, "opus", "ogg", 10.0, None, None, None)


def a_call() -> Call:
    """Two turns, of which the first overlaps with the second; the agent is on the second channel."""
    turns = (
        Turn(
            (said(1.0, 2.0, "S1", "Good", confidence=0.5), said(2.0, 3.0, "S1", "morning.", confidence=1.0))
        ),
        Turn((said(2.5, 4.0, "S2", "Hello.", overlapped=True),)),
    )
    speakers = (
        Speaker("S1", "agent", 1.0, 2, (Interval(1.0, 3.0),), detected=(Interval(0.5, 3.5),)),
        Speaker("S2", "unknown", 0.0, 1, (Interval(2.5, 4.0), Interval(6.0, 7.0))),
    )
    return Call(
        made_recording(b"a call"),
        "consultation",
        True,
        AUDIO,
        Channels("split", (SAMPLES[0], SAMPLES[1]), (1, 2), ""),
        LanguageGuess("en", 0.9),
        turns,
        speakers,
        made_reading(turns),
        made_gist(turns),
        Measures(4.0, 0.5, 0.25, None),
        nothing_found(turns, speakers),
        ("noisy",),
        {"decode": 0.25},
    )


def with_people(call: Call, turns: tuple[Turn, ...], speakers: tuple[Speaker, ...]) -> Call:
    return replace(
        call,
        turns=turns,
        speakers=speakers,
        reading=made_reading(turns),
        gist=made_gist(turns),
        conversation=nothing_found(turns, speakers),
    )


def test_each_word_has_its_place_its_turn_and_its_speakers_role() -> None:
    rows = rows_of(a_call(), PROVENANCE)
    assert [(w["position"], w["turn"], w["word"], w["speaker"], w["role"]) for w in rows.words] == [
        (0, 0, "Good", "S1", "agent"),
        (1, 0, "morning.", "S1", "agent"),
        (2, 1, "Hello.", "S2", "unknown"),
    ]
    assert [word["overlapped"] for word in rows.words] == [False, False, True]


def test_a_turn_has_its_words_as_text_and_their_mean_confidence() -> None:
    first, second = rows_of(a_call(), PROVENANCE).turns
    assert (first["text"], first["start_s"], first["end_s"], first["word_count"]) == (
        "Good morning.",
        1.0,
        3.0,
        2,
    )
    assert (first["word_confidence"], first["speaker_confidence"]) == (0.75, 0.5)
    assert (first["overlap_s"], second["overlap_s"]) == (0.5, 0.5)


def test_time_in_which_two_others_speak_counts_once_in_a_turns_overlap() -> None:
    call = a_call()
    third = Speaker("S3", "unknown", 0.0, 0, (Interval(2.0, 2.75),))
    rows = rows_of(with_people(call, call.turns, (*call.speakers, third)), PROVENANCE)
    assert rows.turns[0]["overlap_s"] == 1.0  # from 2.0 to 3.0 s: S3 first, S2 later, both in between


def test_a_speaker_has_all_that_is_his() -> None:
    first, second = rows_of(a_call(), PROVENANCE).speakers
    analysed = vars(a_call().conversation.speakers["S1"])
    assert first == {
        **analysed,
        "loudness_by_second": [-20.0, None],
        "call_id": made_recording(b"a call").call_id,
        "speaker": "S1",
        "role": "agent",
        "role_confidence": 1.0,
        "channel": 2,
        "talk_s": 2.0,
        "diarization": [{"start_s": 0.5, "end_s": 3.5}],
        "turns": 1,
        "words": 2,
        "word_confidence": 0.75,
        "speaker_confidence": 0.5,
        "sentiment": -0.5,
        "sentiment_by_quarter": [-0.5, -0.5, None, None],
        "sentiment_change": 0.0,
        "questions": 1,
    }
    assert (second["talk_s"], second["turns"], second["words"]) == (2.0, 1, 1)


def test_a_sentence_has_its_turns_speaker_and_its_embedding_with_eleven_bits() -> None:
    call = a_call()
    first, second = call.reading.sentences
    third = np.full(384, 1 / np.sqrt(384), np.float32)
    reading = replace(
        call.reading, sentences=(replace(first, embedding=third), replace(second, embedding=None))
    )
    rows = rows_of(replace(call, reading=reading), PROVENANCE).sentences
    assert [(row["sentence"], row["turn"], row["speaker"], row["role"]) for row in rows] == [
        (0, 0, "S1", "agent"),
        (1, 1, "S2", "unknown"),
    ]
    assert (rows[0]["text"], rows[0]["lemmas"]) == ("Good morning.", ["good", "morning."])
    assert rows[0]["embedding"] == [float(np.float16(1 / np.sqrt(384)))] * 384
    assert rows[1]["embedding"] == []


def test_a_turn_has_the_sentiment_of_its_sentences_their_questions_and_its_key_phrases() -> None:
    rows = rows_of(a_call(), PROVENANCE).turns
    assert [(row["sentiment"], row["questions"], row["key_phrases"]) for row in rows] == [
        (-0.5, 1, ["Good"]),
        (0.5, 1, ["Hello."]),
    ]


def test_a_calls_row_counts_and_measures_it() -> None:
    row = rows_of(a_call(), PROVENANCE).call
    expected = {
        "duration_s": 10.0,
        "channels": 2,
        "channel_mode": "split",
        "kind": "consultation",
        "kind_source": "given",
        "speaker_count": 2,
        "word_count": 3,
        "turn_count": 2,
        "speech_s": 4.0,
        "silence_s": 6.0,
        "overlap_s": 0.5,
        "uncovered_speech_s": 0.25,
        "snr_db": None,
        "damage": "",
        "review_flags": ["noisy"],
        "stage_s": {"decode": 0.25},
        "analysis_notes": {"sentiment": "It was made.", "outcome": "Made."},
        "topic": "lost_card",
        "topic_score": 0.75,
        "topics": [{"topic": "lost_card", "score": 0.75}, {"topic": "complaint", "score": 0.5}],
        "reason": {"turn": 0, "sentence": 0, "text": "Good morning."},
        "outcome": None,
        "next_steps": [{"turn": 1, "sentence": 1, "text": "Hello."}],
        "examples_sha256": "ab" * 32,
        **PROVENANCE,
    }
    assert {name: row[name] for name in expected} == expected


def test_nobody_is_not_counted_among_the_speakers() -> None:
    call = a_call()
    turn = Turn((said(8.0, 9.0, "UNKNOWN", "Mm."),))
    nobody = Speaker("UNKNOWN", "unknown", 0.0, 0, ())
    more = with_people(call, (*call.turns, turn), (*call.speakers, nobody))
    rows = rows_of(more, PROVENANCE)
    assert (rows.call["speaker_count"], len(rows.speakers)) == (2, 3)
    check_call(rows)


def test_a_call_without_words_has_rows_that_contradict_nothing() -> None:
    rows = rows_of(with_people(a_call(), (), ()), PROVENANCE)
    assert (rows.call["word_count"], rows.turns, rows.words, rows.speakers) == (0, [], [], [])
    check_call(rows)


def test_the_date_of_a_call_is_that_of_its_start_in_utc() -> None:
    late = datetime(2024, 3, 5, 23, 30, tzinfo=timezone(-timedelta(hours=5)))
    call = replace(a_call(), recording=made_recording(metadata=CallMetadata(started_at=late)))
    row = rows_of(call, PROVENANCE).call
    assert (row["started_at"], row["call_date"]) == (late, date(2024, 3, 6))


def test_a_call_started_when_the_metadata_says_else_the_file_itself_else_when_it_was_changed() -> None:
    told, tagged = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC)
    call = replace(a_call(), audio=replace(AUDIO, recorded_at=tagged))
    told_call = replace(call, recording=made_recording(metadata=CallMetadata(started_at=told)))
    found = [rows_of(each, PROVENANCE).call for each in (told_call, call, a_call())]
    assert [(row["started_at"], row["started_at_source"]) for row in found] == [
        (told, "metadata"),
        (tagged, "container"),
        (made_recording().modified_at, "file_modified"),
    ]


def test_what_the_metadata_says_is_in_the_calls_row_and_what_it_does_not_is_empty() -> None:
    known = CallMetadata(agent_id="A-1", queue="cards", metadata={"ticket": "7"})
    row = rows_of(replace(a_call(), recording=made_recording(metadata=known)), PROVENANCE).call
    assert (row["agent_id"], row["queue"], row["metadata"]) == ("A-1", "cards", {"ticket": "7"})
    assert (row["customer_id"], row["direction"]) == ("", "")


def test_what_is_found_in_the_conversation_is_in_the_rows_of_its_call_speakers_turns_and_moments() -> None:
    call = a_call()
    found = replace(
        call.conversation,
        moments=(Moment(2.5, 3.0, "interruption", "S2", "S1", 1, 0.5), Moment(4.0, 10.0, "hold", value=6.0)),
        turns=(TurnFigures(120.0, -19.5, 2, None), TurnFigures(None, None, None, -0.5)),
        hold_s=6.0,
        interruptions=1,
        first_agent_word_s=1.0,
    )
    rows = rows_of(replace(call, conversation=found), PROVENANCE)
    assert rows.moments[0] == {
        "call_id": rows.call["call_id"],
        "kind": "interruption",
        "start_s": 2.5,
        "end_s": 3.0,
        "speaker": "S2",
        "other_speaker": "S1",
        "turn": 1,
        "value": 0.5,
    }
    assert (rows.moments[1]["speaker"], rows.moments[1]["turn"], rows.moments[1]["value"]) == ("", None, 6.0)
    figures = [(t["words_per_minute"], t["loudness_dbfs"], t["fillers"], t["response_s"]) for t in rows.turns]
    assert figures == [(120.0, -19.5, 2, None), (None, None, None, -0.5)]
    assert (rows.call["hold_s"], rows.call["interruptions"], rows.call["first_agent_word_s"]) == (6.0, 1, 1.0)


def test_damage_is_told_in_the_calls_row() -> None:
    call = replace(a_call(), audio=replace(AUDIO, damage=Damage("It ends in the middle", 3.0)))
    assert rows_of(call, PROVENANCE).call["damage"] == "It ends in the middle"


def test_speech_that_detection_puts_beyond_the_end_is_not_more_than_the_call() -> None:
    row = rows_of(replace(a_call(), measures=Measures(10.5, 0.0, 0.0, None)), PROVENANCE).call
    assert (row["speech_s"], row["silence_s"]) == (10.0, 0.0)


@given(calls())
def test_the_rows_of_any_call_pass_every_check(made: tuple[Call, object]) -> None:
    check_call(rows_of(made[0], PROVENANCE))


@given(calls())
def test_every_word_that_was_recognised_is_in_the_table_and_no_other(
    made: tuple[Call, tuple[tuple[Segment, ...], ...]],
) -> None:
    call, transcripts = made
    heard = [word for track in transcripts for segment in track for word in segment.words]
    rows = rows_of(call, PROVENANCE)
    assert Counter((row["word"], row["confidence"]) for row in rows.words) == Counter(
        (word.text, word.confidence) for word in heard
    )


@given(calls())
def test_each_speakers_words_are_in_the_order_in_which_they_were_recognised(
    made: tuple[Call, tuple[tuple[Segment, ...], ...]],
) -> None:
    call, transcripts = made
    tracks = [[word.text for segment in track for word in segment.words] for track in transcripts]
    rows = rows_of(call, PROVENANCE)
    for speaker in rows.speakers:
        written = [row["word"] for row in rows.words if row["speaker"] == speaker["speaker"]]
        assert any(_is_within(written, track) for track in tracks)


def _is_within(some: list[str], every: list[str]) -> bool:
    """Whether `some` are among `every`, in the same order."""
    rest = iter(every)
    return all(word in rest for word in some)


def test_a_failure_has_a_row_that_its_table_accepts() -> None:
    failure = EmptyFile(Path("calls/a.wav"))
    row = failure_row("calls/a.wav", "ab" * 32, failure, "cd" * 32, "run-1")
    check_rows(FAILURES, [{**row, "attempts": 1}], "calls/a.wav")
    assert (row["call_id"], row["reason"], row["retryable"]) == ("ab" * 16, "empty_file", False)
    assert row["message"] == str(failure)


def test_a_recording_whose_bytes_cannot_be_read_has_no_call_id() -> None:
    row = failure_row("a.wav", "", Unreadable(Path("a.wav"), "it is gone"), "cd" * 32, "run-1")
    assert (row["call_id"], row["source_sha256"], row["retryable"]) == ("", "", True)
