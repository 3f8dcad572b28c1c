"""Turns: consecutive words of one speaker, and a readable order where two speak at once."""

from itertools import pairwise

from hypothesis import given
from made_calls import said, words

from pipelines.transcript import Word
from pipelines.turns import PAUSE_S, make_turns


def script(*spoken: Word) -> list[str]:
    return [f"{turn.speaker}: {turn.text}" for turn in make_turns(spoken)]


def test_no_words_make_no_turns() -> None:
    assert make_turns(()) == ()


def test_consecutive_words_of_a_speaker_are_one_turn_whatever_the_pause() -> None:
    assert script(
        said(0.0, 0.5, "S1", "Hello"), said(0.5, 1.0, "S1", "there."), said(60.0, 60.5, "S1", "Anyone?")
    ) == ["S1: Hello there. Anyone?"]


def test_speakers_alternate() -> None:
    assert script(
        said(0.0, 0.5, "S1", "Ready?"), said(0.6, 0.9, "S2", "Yes."), said(1.0, 1.4, "S1", "Good.")
    ) == ["S1: Ready?", "S2: Yes.", "S1: Good."]


def test_words_of_two_who_speak_at_once_are_not_shuffled_together() -> None:
    assert script(
        said(0.0, 0.4, "S1", "I"),
        said(0.3, 0.6, "S2", "But"),
        said(0.4, 0.8, "S1", "said"),
        said(0.6, 1.0, "S2", "why?"),
        said(0.8, 1.2, "S1", "so."),
    ) == ["S1: I said so.", "S2: But why?"]


def test_what_is_said_in_a_pause_comes_between() -> None:
    assert script(said(0.0, 0.5, "S1", "One"), said(0.6, 0.7, "S2", "Mm."), said(0.8, 1.2, "S1", "two.")) == [
        "S1: One",
        "S2: Mm.",
        "S1: two.",
    ]


def test_a_word_in_a_pause_counts_though_its_speaker_goes_on_over_the_first() -> None:
    assert script(
        said(0.0, 0.5, "S1", "One"),
        said(0.6, 0.7, "S2", "No,"),
        said(0.7, 1.0, "S2", "three."),
        said(0.9, 1.2, "S1", "two."),
    ) == ["S1: One", "S2: No, three.", "S1: two."]


def test_after_a_long_pause_what_the_other_began_meanwhile_comes_first() -> None:
    late = 0.5 + PAUSE_S + 0.1
    assert script(
        said(0.0, 0.5, "S1", "One"),
        said(0.4, late + 1.0, "S2", "Hmmm."),
        said(late, late + 0.5, "S1", "two."),
    ) == ["S1: One", "S2: Hmmm.", "S1: two."]


def test_a_turn_ends_with_the_word_that_ends_last() -> None:
    [turn] = make_turns([said(1.0, 3.0), said(2.0, 2.5)])
    assert (turn.start, turn.end) == (1.0, 3.0)


@given(words())
def test_turns_partition_the_words(spoken: tuple[Word, ...]) -> None:
    turns = make_turns(spoken)
    assert sorted(word.text for turn in turns for word in turn.words) == sorted(word.text for word in spoken)
    assert all(turn.words for turn in turns)
    assert all({word.speaker for word in turn.words} == {turn.speaker} for turn in turns)


@given(words())
def test_each_speakers_words_stay_in_order(spoken: tuple[Word, ...]) -> None:
    written = [word for turn in make_turns(spoken) for word in turn.words]
    for speaker in {word.speaker for word in spoken}:
        assert [word for word in written if word.speaker == speaker] == [
            word for word in spoken if word.speaker == speaker
        ]


@given(words())
def test_turns_alternate_in_order_of_their_start(spoken: tuple[Word, ...]) -> None:
    turns = make_turns(spoken)
    assert all(before.speaker != after.speaker for before, after in pairwise(turns))
    assert all(before.start <= after.start for before, after in pairwise(turns))
    assert all(turn.start == min(word.start for word in turn.words) for turn in turns)
