"""Normalised words keep the time and the speaker of the words that they come from."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken import conversations

from pipelines.evaluation.document import Document, Word
from pipelines.evaluation.normalisation import normalise_by, normalised, normaliser

ENGLISH = normalise_by("english")
TRICKY = ("one", "two", "hundred", "I'm", "it's", "uh", "dollars", "and", "5", "card", "3.5", "o'clock")


def timed(text: str, speaker: str = "A", start: float = 0.0) -> list[Word]:
    return [Word(word, speaker, start + index, start + index + 1) for index, word in enumerate(text.split())]


def test_auto_is_english_for_english_and_basic_for_the_rest() -> None:
    assert [normaliser("auto", name) for name in ("en", "en-GB", "es", "")] == [
        "english",
        "english",
        "basic",
        "basic",
    ]
    assert normaliser("none", "en") == "none"


def test_languages_without_blanks_are_scored_by_the_letter() -> None:
    assert [normaliser("auto", name) for name in ("ja", "zh-TW", "th")] == ["letters"] * 3
    assert normalised([Word("はい。", "A", 0.0, 3.0)], normalise_by("letters")) == (
        Word("は", "A", 0.0, 1.5),
        Word("い", "A", 1.5, 3.0),
    )


@pytest.mark.parametrize("text", ["हिन्दी में", "ключ йод", "mañana"])
def test_marks_are_parts_of_words(text: str) -> None:
    assert normalise_by("basic")(text) == text


def test_an_hour_in_one_turn_takes_seconds() -> None:
    words = timed("the card and a one hundred dollars " * 1500)
    started = perf_counter()
    assert len(normalised(words, ENGLISH)) == 1500 * 5
    assert perf_counter() - started < 20


def test_words_that_stay_words_keep_their_times() -> None:
    assert normalised(timed("Hello, Mister Brown."), ENGLISH) == (
        Word("hello", "A", 0.0, 1.0),
        Word("mister", "A", 1.0, 2.0),
        Word("brown", "A", 2.0, 3.0),
    )


def test_words_that_become_one_have_the_time_of_all_of_them() -> None:
    assert normalised(timed("send one hundred and five dollars now"), ENGLISH) == (
        Word("send", "A", 0.0, 1.0),
        Word("$105", "A", 1.0, 6.0),
        Word("now", "A", 6.0, 7.0),
    )


def test_a_word_that_becomes_two_shares_its_time_by_letters() -> None:
    assert normalised([Word("I'm", "A", 0.0, 3.0)], ENGLISH) == (
        Word("i", "A", 0.0, 1.0),
        Word("am", "A", 1.0, 3.0),
    )


def test_a_number_ends_where_another_speaks() -> None:
    words = [*timed("one two", "A"), *timed("one two", "B", 2.0)]
    assert [(word.speaker, word.text) for word in normalised(words, ENGLISH)] == [("A", "12"), ("B", "12")]


def test_words_without_times_stay_so() -> None:
    words = [Word(word, "A") for word in ["it", "is", "one", "hundred", "dollars"]]
    assert normalised(words, ENGLISH) == (Word("it", "A"), Word("is", "A"), Word("$100", "A"))


def test_none_leaves_everything() -> None:
    assert [word.text for word in normalised(timed("Hm, $5!"), normalise_by("none"))] == ["Hm,", "$5!"]


@given(st.lists(st.sampled_from(TRICKY)))
def test_the_text_is_the_normalised_text_of_the_turn_and_times_are_within_it(texts: list[str]) -> None:
    words = timed(" ".join(texts))
    found = normalised(words, ENGLISH)
    assert [word.text for word in found] == ENGLISH(" ".join(texts)).split()
    assert all(0.0 <= (word.start or 0.0) <= (word.end or 0.0) <= len(texts) for word in found)


@given(conversations())
def test_normalising_twice_changes_nothing(document: Document) -> None:
    once = normalised(document.words or (), ENGLISH)
    assert [w.text for w in normalised(once, ENGLISH)] == [w.text for w in once]
