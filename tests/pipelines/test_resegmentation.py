"""Who says an utterance is told by its own voice, and how many there are by how many voices there are."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_calls import DURATION, diarizations, said, timed_words
from made_voices import Conversation, Line, conversation, total_s, voice_of

from models.speech import VOICE_FRAME_S, Diarization, Segment, SpeakerSpan, TimedWord, Voice
from pipelines.attribution import attribute
from pipelines.channels import Channels
from pipelines.resegmentation import resegment
from pipelines.speakers import merge
from pipelines.transcript import Word

MONO = Channels("mono", (), (1,), "")
LONG = "I have been waiting for that parcel of mine since last week"
ROUNDING_S = 1e-6


def alternating(*heard: str, voices: int = 2) -> list[Line]:
    """Long lines of voices that take turns, each taken for the speaker given."""
    return [Line(number % voices, speaker, f"{LONG}.") for number, speaker in enumerate(heard)]


def speakers(spoken: Sequence[Word | SpeakerSpan]) -> set[str]:
    return {each.speaker for each in spoken}


def given_to(made: Conversation, spoken: Sequence[Word]) -> dict[int, set[str]]:
    """The speakers that the words of each voice are given to."""
    return {
        voice: {word.speaker for word, of in zip(spoken, made.voices, strict=True) if of == voice}
        for voice in set(made.voices)
    }


def speaking_at(spans: Sequence[SpeakerSpan], time: float) -> set[str]:
    return {span.speaker for span in spans if span.start <= time < span.end}


@pytest.fixture
def misheard() -> Conversation:
    """Two who take turns; a short answer of the second one is taken for the first one's."""
    return conversation(
        [
            *alternating("A", "B", "A", "B"),
            Line(0, "A", f"{LONG}, is that right?"),
            Line(1, "A", "Yes."),
            Line(0, "A", f"{LONG}."),
            Line(1, "B", f"{LONG}."),
        ]
    )


def test_a_short_answer_that_was_given_to_the_wrong_speaker_is_set_right_by_its_voice(
    misheard: Conversation,
) -> None:
    found, _ = resegment(misheard.words, misheard.diarization)
    assert given_to(misheard, found) == {0: {"A"}, 1: {"B"}}
    [answer] = [word for word in found if word.text == "Yes."]
    assert answer.speaker_source == "voice"
    assert answer.speaker_confidence > 0.5


def test_the_time_of_an_answer_goes_to_its_speaker_and_no_other_time_does(misheard: Conversation) -> None:
    [answer] = [word for word in misheard.words if word.text == "Yes."]
    found, decided = resegment(misheard.words, misheard.diarization)
    for spans in (decided.spans, decided.exclusive):
        assert speaking_at(spans, (answer.start + answer.end) / 2) == {"B"}
        for word in found:
            assert speaking_at(spans, (word.start + word.end) / 2) == {word.speaker}
        assert total_s(spans) == pytest.approx(total_s(misheard.diarization.exclusive))


def test_where_two_speak_at_once_two_still_do_when_the_words_are_the_others(misheard: Conversation) -> None:
    [answer] = [word for word in misheard.words if word.text == "Yes."]
    beside = SpeakerSpan(answer.start, answer.end, "B")
    heard = replace(misheard.diarization, spans=(*misheard.diarization.spans, beside))
    _, decided = resegment(misheard.words, heard)
    middle = (answer.start + answer.end) / 2
    assert speaking_at(decided.spans, middle) == {"A", "B"}
    assert speaking_at(decided.exclusive, middle) == {"B"}
    assert total_s(decided.spans) == pytest.approx(total_s(heard.spans))


@pytest.mark.parametrize("found", [1, 2])
def test_one_voice_that_was_cut_in_two_is_one_speaker(found: int) -> None:
    made = conversation(alternating(*"ABABABABAB", voices=1), found=found)
    spoken, decided = resegment(made.words, made.diarization)
    assert len(speakers(spoken)) == 1
    assert speakers(decided.spans) == speakers(decided.exclusive) == speakers(spoken)
    assert total_s(decided.exclusive) == pytest.approx(total_s(made.diarization.exclusive))


def test_a_speaker_who_was_joined_to_another_is_gone_from_the_others_turns_too() -> None:
    made = conversation(alternating(*"ABABABABAB", voices=1))
    first, second = made.diarization.spans[:2]
    stray = [
        replace(span, end=span.start + 0.5, speaker=name) for span, name in ((first, "B"), (second, "A"))
    ]
    heard = replace(made.diarization, spans=(*made.diarization.spans, *stray))
    spoken, decided = resegment(made.words, heard)
    assert len(speakers(spoken)) == 1
    assert speakers(decided.spans) == speakers(spoken)


def test_where_two_are_known_to_speak_two_stay_however_alike() -> None:
    made = conversation(alternating(*"ABABABABAB", voices=1))
    spoken, decided = resegment(made.words, made.diarization, known=2)
    assert speakers(spoken) == speakers(decided.exclusive) == {"A", "B"}


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.5])
def test_two_voices_stay_two_although_they_are_alike(alike: float) -> None:
    made = conversation(alternating(*"ABABABABAB"), alike)
    spoken, _ = resegment(made.words, made.diarization)
    assert given_to(made, spoken) == {0: {"A"}, 1: {"B"}}


@pytest.mark.parametrize(
    ("alike", "doubtful"), [(0.0, False), (0.5, False), (0.72, True)], ids=["different", "similar", "alike"]
)
def test_voices_that_are_hard_to_tell_apart_are_said_to_be(alike: float, doubtful: bool) -> None:
    made = conversation(alternating(*"ABABABABAB"), alike)
    for known in (None, 2):
        assert resegment(made.words, made.diarization, known)[1].voices_alike == doubtful


def test_one_voice_alone_is_not_hard_to_tell_apart() -> None:
    made = conversation(alternating(*"ABABABABAB", voices=1))
    assert not resegment(made.words, made.diarization)[1].voices_alike


def test_two_voices_are_told_apart_although_the_diarizer_mixed_them_up() -> None:
    made = conversation(alternating(*"AABBABBAAB"))
    spoken, _ = resegment(made.words, made.diarization)
    first, second = given_to(made, spoken).values()
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.parametrize(("found", "count"), [(0, 1), (1, 1), (2, 2)])
def test_where_little_is_said_there_are_as_many_as_were_found(found: int, count: int) -> None:
    made = conversation(alternating("A", "B"), found=found)
    spoken, decided = resegment(made.words, made.diarization)
    assert len(speakers(spoken)) == len(speakers(decided.exclusive)) == count


def test_three_voices_stay_three_and_a_short_answer_is_set_right() -> None:
    made = conversation(
        [*alternating(*"ABCABCABC", voices=3), Line(0, "A", f"{LONG}?"), Line(2, "A", "No, he has not.")],
        found=3,
    )
    spoken, _ = resegment(made.words, made.diarization)
    assert given_to(made, spoken) == {0: {"A"}, 1: {"B"}, 2: {"C"}}


def test_of_three_speakers_two_with_one_voice_are_one() -> None:
    lines = [Line(min(number % 3, 1), "ABC"[number % 3], f"{LONG}.") for number in range(12)]
    made = conversation(lines, found=3)
    spoken, decided = resegment(made.words, made.diarization)
    first, second = given_to(made, spoken).values()
    assert len(first) == len(second) == 1
    assert first != second
    assert speakers(decided.exclusive) == speakers(spoken)


def test_one_speaker_stays_one() -> None:
    made = conversation(alternating("A", "A", "A", voices=1), found=1)
    spoken, decided = resegment(made.words, made.diarization)
    assert {(word.speaker, word.speaker_confidence) for word in spoken} == {("A", 1.0)}
    assert speakers(decided.exclusive) == {"A"}


def test_a_turn_of_another_who_talks_meanwhile_stays_the_others(misheard: Conversation) -> None:
    [answer] = [word for word in misheard.words if word.text == "Yes."]
    behind = SpeakerSpan(answer.start - 1.0, answer.start - 0.6, "B")
    heard = replace(misheard.diarization, spans=(*misheard.diarization.spans, behind))
    _, decided = resegment(misheard.words, heard)
    assert speaking_at(decided.spans, answer.start - 0.8) == {"A", "B"}
    assert speaking_at(decided.exclusive, answer.start - 0.8) == {"A"}


@pytest.mark.parametrize(
    ("spans", "voice"),
    [((SpeakerSpan(0.0, 9.0, "A"),), None), ((), voice_of(np.ones((99, 4))))],
    ids=["no voice", "nobody heard"],
)
def test_without_voices_all_stays_as_it_was(spans: tuple[SpeakerSpan, ...], voice: Voice | None) -> None:
    spoken = (said(1.0, 2.0, "A", "hello"), said(4.0, 4.0, "UNKNOWN", "there"))
    heard = Diarization(spans, spans, 1, voice)
    assert resegment(spoken, heard) == (spoken, heard)


def test_without_words_the_diarization_stays_as_it_was() -> None:
    heard = conversation(alternating("A", "B")).diarization
    words, decided = resegment((), heard)
    assert words == ()
    assert decided is heard


@pytest.mark.parametrize("known", [None, 2])
def test_words_without_any_duration_have_a_speaker(known: int | None) -> None:
    made = conversation(alternating("A", "B", "A", "B"))
    instants = tuple(replace(word, end=word.start) for word in made.words)
    spoken, _ = resegment(instants, made.diarization, known)
    assert len(spoken) == len(instants)
    assert speakers(spoken) <= {"A", "B"}


@st.composite
def heard_calls(draw: st.DrawFn) -> tuple[tuple[Word, ...], Diarization]:
    """Words and speakers wherever the models may put them, voices at random or, in part, too short."""
    timed: list[TimedWord] = []
    for word in draw(st.lists(timed_words(), max_size=15)):
        end = word.start if draw(st.booleans()) else min(word.end, word.start + 1.0)
        timed.append(replace(word, end=end, text=word.text + draw(st.sampled_from(["", ".", "?"]))))
    diarization = draw(diarizations(labels=("A", "B", "C")[: draw(st.integers(1, 3))]))
    shape = (draw(st.sampled_from([0, 5, round(DURATION / VOICE_FRAME_S)])), 4)
    frames = np.random.default_rng(draw(st.integers(0, 9))).normal(0.0, 1.0, shape)
    voice = voice_of(frames * draw(st.sampled_from([0.0, 1.0])))
    heard = replace(diarization, found=draw(st.integers(0, 3)), voice=voice)
    segment = Segment(0.0, DURATION, tuple(timed), -0.5)
    return attribute([[segment]], heard, MONO), heard


def nobodys(word: Word) -> Word:
    return replace(word, speaker="", speaker_confidence=0.0, speaker_source="")


known_counts = st.sampled_from([None, 1, 2, 3])


@given(heard_calls(), known_counts)
def test_every_word_stays_with_its_text_and_its_times_and_has_a_speaker(
    call: tuple[tuple[Word, ...], Diarization], known: int | None
) -> None:
    words, heard = call
    found, _ = resegment(words, heard, known)
    assert [nobodys(word) for word in found] == [nobodys(word) for word in words]
    assert speakers(found) <= (speakers(heard.exclusive) or {"UNKNOWN"})
    assert all(0.0 <= word.speaker_confidence <= 1.0 + ROUNDING_S for word in found)


@given(heard_calls(), known_counts)
def test_no_time_is_lost_and_of_exclusive_spans_no_two_overlap(
    call: tuple[tuple[Word, ...], Diarization], known: int | None
) -> None:
    words, heard = call
    _, decided = resegment(words, heard, known)
    assert all(before.end <= after.start for before, after in pairwise(decided.exclusive))
    assert total_s(decided.exclusive) == pytest.approx(total_s(heard.exclusive), abs=ROUNDING_S)
    for before, after in ((heard.spans, decided.spans), (heard.exclusive, decided.exclusive)):
        assert total_s(merge(after)) == pytest.approx(total_s(merge(before)), abs=ROUNDING_S)
    assert speakers(decided.spans) <= speakers(heard.spans)
    assert speakers(decided.exclusive) <= speakers(heard.exclusive)


@given(heard_calls())
def test_a_speakers_spans_are_in_order_and_do_not_overlap(
    call: tuple[tuple[Word, ...], Diarization],
) -> None:
    words, heard = call
    _, decided = resegment(words, heard)
    for spans in (decided.spans, decided.exclusive):
        assert [span.start for span in spans] == sorted(span.start for span in spans)
        for speaker in speakers(spans):
            own = [span for span in spans if span.speaker == speaker]
            assert all(before.end <= after.start for before, after in pairwise(own))
