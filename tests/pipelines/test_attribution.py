"""Every word gets a speaker, and says how sure that is and why."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_calls import DURATION, diarizations, timed_words

from models.speech import Diarization, Segment, SpeakerSpan, TimedWord
from pipelines.attribution import NEAREST_CONFIDENCE, NEAREST_HALF_S, attribute
from pipelines.channels import Channels
from pipelines.tables import UNKNOWN
from pipelines.transcript import Word

SILENCE = np.zeros(16_000, np.float32)
MONO = Channels("mono", (SILENCE,), (1,), "")
SPLIT = Channels("split", (SILENCE, SILENCE), (1, 3), "")


def word(start: float, end: float, text: str = "word") -> TimedWord:
    return TimedWord(start, end, text, 0.9, "cross_attention")


def track(*words: TimedWord) -> tuple[Segment, ...]:
    return (Segment(0.0, DURATION, words, -0.3),)


def speaking(*spans: tuple[float, float, str]) -> Diarization:
    made = tuple(SpeakerSpan(*span) for span in spans)
    return Diarization(made, exclusive=made)


def only(words: Sequence[Word]) -> tuple[object, ...]:
    [found] = words
    return found.speaker, found.speaker_confidence, found.speaker_source, found.overlapped


def test_a_word_is_the_speakers_who_speaks_all_of_it() -> None:
    found = attribute([track(word(1.0, 1.5))], speaking((0.5, 2.0, "A"), (3.0, 4.0, "B")), MONO)
    assert only(found) == ("A", pytest.approx(1.0), "diarization", False)


def test_a_word_at_a_turn_change_is_the_speakers_who_has_most_of_it_by_as_much() -> None:
    found = attribute([track(word(1.0, 2.0))], speaking((0.0, 1.3, "A"), (1.3, 4.0, "B")), MONO)
    assert only(found) == ("B", pytest.approx(0.7), "diarization", False)


def test_silence_within_a_word_takes_from_its_speakers_confidence() -> None:
    found = attribute([track(word(1.0, 2.0))], speaking((0.0, 1.6, "A")), MONO)
    assert only(found) == ("A", pytest.approx(0.6), "diarization", False)


@pytest.mark.parametrize(("start", "end", "speaker"), [(2.0, 2.5, "A"), (7.0, 7.5, "B")])
def test_a_word_in_nobodys_speech_is_the_nearest_speakers_the_less_surely_the_further(
    start: float, end: float, speaker: str
) -> None:
    found = attribute([track(word(start, end))], speaking((0.0, 1.0, "A"), (8.5, 9.0, "B")), MONO)
    expected = NEAREST_CONFIDENCE * 0.5 ** (1.0 / NEAREST_HALF_S)
    assert only(found) == (speaker, pytest.approx(expected), "nearest", False)


def test_where_nobody_was_heard_the_speaker_is_unknown() -> None:
    found = attribute([track(word(1.0, 1.5))], Diarization((), ()), MONO)
    assert only(found) == (UNKNOWN, 0.0, "none", False)


def test_in_a_split_call_the_channel_is_the_speaker_whoever_else_speaks() -> None:
    both = speaking((0.0, 5.0, "1"), (0.0, 5.0, "3"))
    found = attribute([track(word(1.0, 1.5, "hello")), track(word(1.2, 1.4, "yes"))], both, SPLIT)
    assert [(w.text, w.speaker, w.speaker_confidence, w.speaker_source) for w in found] == [
        ("hello", "1", 1.0, "channel"),
        ("yes", "3", 1.0, "channel"),
    ]


def test_a_word_is_overlapped_where_two_speak_and_only_there() -> None:
    spans = (SpeakerSpan(0.0, 3.0, "A"), SpeakerSpan(2.0, 4.0, "B"))
    exclusive = (SpeakerSpan(0.0, 2.5, "A"), SpeakerSpan(2.5, 4.0, "B"))
    words = track(word(1.0, 2.0), word(2.2, 2.4), word(3.0, 3.5))
    found = attribute([words], Diarization(spans, exclusive), MONO)
    assert [each.overlapped for each in found] == [False, True, False]


@pytest.mark.timeout(60)
def test_a_recording_of_many_hours_is_attributed_in_seconds() -> None:
    spans = [(float(i), i + 1.0, "AB"[i % 2]) for i in range(20_000)]
    words = track(*(word(i / 2 + 0.1, i / 2 + 0.4) for i in range(40_000)))
    found = attribute([words], speaking(*spans), MONO)
    assert all(each.speaker == "AB"[int(each.start) % 2] for each in found)


@given(st.lists(timed_words()), diarizations())
def test_a_word_is_the_speakers_with_most_of_it_or_the_nearest(
    words: list[TimedWord], diarization: Diarization
) -> None:
    for each in words:
        speaker, _, source, _ = only(attribute([track(each)], diarization, MONO))
        shares = Counter[str]()
        for span in diarization.exclusive:
            shares[span.speaker] += each.overlap(span)  # type: ignore[assignment]
        gaps = {
            span: max(span.start - each.end, each.start - span.end, 0.0) for span in diarization.exclusive
        }
        if any(shares.values()):
            assert (shares[str(speaker)], source) == (max(shares.values()), "diarization")
        elif gaps:
            least = {span.speaker for span, gap in gaps.items() if gap == min(gaps.values())}
            assert speaker in least
            assert source == "nearest"


@given(st.lists(timed_words()), diarizations())
def test_no_word_is_lost_or_changed_and_all_are_in_order(
    words: list[TimedWord], diarization: Diarization
) -> None:
    found = attribute([track(*words)], diarization, MONO)
    assert sorted((w.start, w.end, w.text, w.confidence) for w in found) == sorted(
        (w.start, w.end, w.text, w.confidence) for w in words
    )
    assert [w.start for w in found] == sorted(w.start for w in found)
    labels = {span.speaker for span in diarization.exclusive} or {UNKNOWN}
    assert all(w.speaker in labels and 0.0 <= w.speaker_confidence <= 1.0 for w in found)
