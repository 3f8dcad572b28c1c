"""How positive sentences are."""

import pytest

from models.sentiment import SentimentModel


@pytest.fixture(scope="module")
def sentiment() -> SentimentModel:
    return SentimentModel()


def test_thanks_are_positive_complaints_negative_and_the_rest_neutral(sentiment: SentimentModel) -> None:
    pleased, angry, plain, empty = sentiment.score(
        ["Thank you so much, that was great!", "This is terrible and I'm angry.", "It is a card.", ""]
    )
    assert -1 <= angry < -0.5
    assert 0.5 < pleased <= 1
    assert plain == empty == 0


def test_it_scores_english_only(sentiment: SentimentModel) -> None:
    assert sentiment.serves("en")
    assert not sentiment.serves("de")
