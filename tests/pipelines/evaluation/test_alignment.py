"""The alignment has as few errors as any, and as few words of the wrong speaker as such a one can have."""

import tracemalloc

import jiwer
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.alignment import align
from pipelines.evaluation.document import Word

SAID = st.lists(st.builds(Word, st.sampled_from("abcd"), st.sampled_from("XY")), max_size=12)
SAME = {"X": "X", "Y": "Y"}


def words(text: str) -> list[Word]:
    return [Word(part[0], part[1]) for part in text.split()]


@given(SAID, SAID)
def test_it_has_every_word_once_in_order_and_the_fewest_errors(one: list[Word], other: list[Word]) -> None:
    pairs = align(one, other, SAME)
    assert [pair.reference for pair in pairs if pair.reference] == one
    assert [pair.hypothesis for pair in pairs if pair.hypothesis] == other
    by_jiwer = jiwer.process_words(" ".join(w.text for w in one), " ".join(w.text for w in other))
    assert (
        sum(not pair.matches for pair in pairs)
        == by_jiwer.substitutions + by_jiwer.deletions + by_jiwer.insertions
    )


def test_of_two_that_say_the_same_the_one_who_is_heard_is_matched() -> None:
    first = align(words("aX aY"), words("aX"), SAME)
    second = align(words("aX aY"), words("aY"), SAME)
    assert [pair.matches for pair in first] == [True, False]
    assert [pair.matches for pair in second] == [False, True]


def test_speakers_are_compared_by_the_mapping() -> None:
    pairs = align(words("aX aY"), words("a1"), {"1": "Y"})
    assert [pair.matches for pair in pairs] == [False, True]


def test_words_are_aligned_before_speakers() -> None:
    assert [pair.matches for pair in align(words("aX bX"), words("aY bY"), SAME)] == [True, True]


def test_hours_that_are_nearly_the_same_take_little_memory() -> None:
    said = [Word(str(number % 97), "X") for number in range(20_000)]
    heard = [word for number, word in enumerate(said) if number % 1000]
    tracemalloc.start()
    pairs = align(said, heard, SAME)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(not pair.matches for pair in pairs) == 20
    # A byte for every pair of words would be 400 MB.
    assert peak < 40e6


def test_a_side_may_be_empty() -> None:
    assert align([], [], {}) == ()
    assert [pair.hypothesis for pair in align(words("aX"), [], {})] == [None]
    assert [pair.reference for pair in align([], words("aX"), {})] == [None]
