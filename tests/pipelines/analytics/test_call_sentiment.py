"""Sentiment of whatever is made of sentences, where the truth can be worked out by hand."""

import pytest

from models.parser import Parser
from models.sentiment import SentimentModel
from pipelines.analytics.call_sentiment import (
    scored_text,
    sentiment_by_quarter,
    sentiment_change,
    sentiment_of,
)
from pipelines.transcript import Sentence


def sentence(start: float, end: float, sentiment: float | None, words: int = 1) -> Sentence:
    return Sentence(start, end, 0, "S1", "x", 0, 1, ("word",) * words, False, sentiment, None)


def test_each_word_has_the_sentiment_of_its_sentence() -> None:
    assert sentiment_of([sentence(0, 1, 0.5, 3), sentence(1, 2, -0.3, 1)]) == pytest.approx(0.3)
    assert sentiment_of([sentence(0, 1, None, 3)]) is None
    assert sentiment_of([sentence(0, 1, 0.5, 0)]) is None
    assert sentiment_of([]) is None


def test_a_sentence_counts_in_each_quarter_with_its_seconds_there() -> None:
    said = [sentence(0, 2, 0.5), sentence(4, 7, -0.5), sentence(7, 10, 0.25)]
    # Quarters of 5 s: the second sentence has 1 s in the first and 2 s in the second.
    first, second, *rest = sentiment_by_quarter(said, 20.0)
    assert first == pytest.approx((2 * 0.5 - 0.5) / 3)
    assert second == pytest.approx((2 * -0.5 + 3 * 0.25) / 5)
    assert rest == [None, None]


def test_without_sentiment_no_quarter_has_any() -> None:
    assert sentiment_by_quarter([sentence(0, 9, None)], 10.0) == (None,) * 4


def test_the_change_is_from_the_first_quarter_with_data_to_the_last() -> None:
    assert sentiment_change((None, -0.25, 0.9, 0.5)) == 0.75
    assert sentiment_change((None, 0.5, None, None)) is None
    assert sentiment_change((None,) * 4) is None


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


@pytest.mark.parametrize(
    ("said", "scored"),
    [
        ("No, thank you.", ", thank you."),
        ("Yes.", "."),
        ("I would like to cancel.", "I would  to cancel."),
        ("It's like a sharp pain.", "It's  a sharp pain."),
        ("I like it very much.", "I like it very much."),
        ("There is no problem.", "There is no problem."),
    ],
)
def test_words_that_only_answer_or_fill_have_no_sentiment(parser: Parser, said: str, scored: str) -> None:
    [text] = parser.parse([said], "en")
    assert scored_text(text.sentences[0], text) == scored


def test_an_answer_is_neutral(parser: Parser) -> None:
    texts = parser.parse(["No.", "Yes, it is.", "Okay.", "I'd like a card."], "en")
    assert SentimentModel().score([scored_text(text.sentences[0], text) for text in texts]) == (0, 0, 0, 0)
