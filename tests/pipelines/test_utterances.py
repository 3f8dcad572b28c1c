"""Words are put together to utterances: up to a pause, the end of a sentence, or somebody else."""

from itertools import pairwise

import pytest
from hypothesis import given
from made_calls import said, words

from models.speech import Interval
from pipelines.transcript import Word
from pipelines.utterances import LONGEST_S, PAUSE_S, Utterance, stretches, utterances


def texts(*spoken: Word) -> list[str]:
    return [" ".join(word.text for word in utterance.words) for utterance in utterances(spoken)]


def test_nobody_says_nothing() -> None:
    assert utterances(()) == ()


def test_words_close_to_each_other_are_one_utterance() -> None:
    found = texts(said(0.0, 0.5, text="Good"), said(0.5, 0.9, text="morning"), said(1.1, 1.5, text="to you"))
    assert found == ["Good morning to you"]


@pytest.mark.parametrize(("pause", "count"), [(0.9 * PAUSE_S, 1), (1.1 * PAUSE_S, 2)])
def test_after_a_pause_somebody_else_may_be_speaking(pause: float, count: int) -> None:
    assert len(utterances([said(0.0, 0.5), said(0.5 + pause, 2.0)])) == count


@pytest.mark.parametrize("end", [".", "?", "!", "…", "。", "？"])
def test_after_a_sentence_somebody_else_may_be_speaking(end: str) -> None:
    assert texts(said(0.0, 0.5, text=f"Really{end}"), said(0.5, 1.0, text="Yes")) == [f"Really{end}", "Yes"]


@pytest.mark.parametrize("text", ["well,", "3.50", "so:"])
def test_a_mark_that_ends_no_sentence_cuts_nothing(text: str) -> None:
    assert len(utterances([said(0.0, 0.5, text=text), said(0.5, 1.0)])) == 1


def test_where_another_speaks_there_is_another_utterance() -> None:
    found = utterances([said(0.0, 0.5, "A"), said(0.5, 1.0, "B"), said(1.0, 1.5, "B"), said(1.5, 2.0, "A")])
    assert [(each.speaker, len(each.words)) for each in found] == [("A", 1), ("B", 2), ("A", 1)]


def test_what_goes_on_for_too_long_is_cut_where_the_gap_is_longest() -> None:
    spoken = [said(0.0, 2.0, text="so"), said(2.1, 2.5, text="it"), said(2.7, 5.0, text="is")]
    assert texts(*spoken) == ["so it", "is"]


def test_words_without_gaps_are_cut_in_the_middle() -> None:
    spoken = [said(0.5 * i, 0.5 * (i + 1), text=str(i)) for i in range(12)]
    assert texts(*spoken) == ["0 1 2 3 4 5", "6 7 8 9 10 11"]


def test_a_word_is_never_cut() -> None:
    assert texts(said(0.0, 2 * LONGEST_S, text="well")) == ["well"]


def test_an_utterance_knows_its_times_its_seconds_and_where_its_words_are() -> None:
    [utterance] = utterances([said(1.0, 1.5), said(1.5, 1.5), said(1.75, 2.5)])
    assert (utterance.start, utterance.end, utterance.seconds) == (1.0, 2.5, 1.25)
    assert stretches(utterance) == (Interval(1.0, 1.5), Interval(1.5, 1.5), Interval(1.75, 2.5))


def test_an_utterance_ends_with_the_word_that_ends_last() -> None:
    [utterance] = utterances([said(1.0, 3.0), said(1.5, 2.0)])
    assert utterance.end == 3.0


@pytest.mark.parametrize(
    ("text", "asks", "ends"), [("Why?", True, True), ("So.", False, True), ("and", False, False)]
)
def test_the_last_mark_says_what_an_utterance_is(text: str, asks: bool, ends: bool) -> None:
    utterance = Utterance((said(0.0, 0.5, text="Really?"), said(0.5, 1.0, text=text)))
    assert (utterance.asks, utterance.ends_sentence) == (asks, ends)


@given(words())
def test_every_word_is_in_one_utterance_of_its_own_speaker_and_in_order(spoken: tuple[Word, ...]) -> None:
    found = utterances(spoken)
    assert tuple(word for utterance in found for word in utterance.words) == spoken
    for utterance in found:
        assert {word.speaker for word in utterance.words} == {utterance.speaker}
        assert all(after.start - before.end <= PAUSE_S for before, after in pairwise(utterance.words))
        assert not any(word.text.endswith((".", "?", "!")) for word in utterance.words[:-1])


@given(words())
def test_two_utterances_have_a_reason_to_be_two(spoken: tuple[Word, ...]) -> None:
    in_one_go: list[list[Utterance]] = []
    for utterance in utterances(spoken):
        before = in_one_go[-1][-1] if in_one_go else None
        if (
            before is None
            or before.speaker != utterance.speaker
            or utterance.start - before.words[-1].end > PAUSE_S
            or before.ends_sentence
        ):
            in_one_go.append([])
        in_one_go[-1].append(utterance)
    for parts in in_one_go:
        assert len(parts) == 1 or parts[-1].words[-1].end - parts[0].start > LONGEST_S
