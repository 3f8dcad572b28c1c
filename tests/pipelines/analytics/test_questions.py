"""Questions, with the mark that a recogniser gives them and without."""

import pytest

from models.parser import Parser
from pipelines.analytics.questions import is_question


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


def asks(parser: Parser, sentence: str, language: str = "en") -> bool:
    [text] = parser.parse([sentence], language)
    return is_question(sentence, text.tokens)


@pytest.mark.parametrize(
    "sentence",
    [
        "Your name?",
        'He said "really?"',
        "May I have your order number.",
        "Can you spell that for me.",
        "Okay, so is it possible to come tomorrow.",
        "What is your date of birth.",
        "And what kind of card is it.",
        "How many times did you try.",
        "Where do you live",
        "Who is calling please.",
        "And how has",
        "Don't you have another one.",
        "Is the card lost.",
        "Um, and are you taking anything for it.",
        "That is high, isn't it.",
        "Does the pain go anywhere else.",
        "What happened.",
        "Okay, any allergies to medication.",
        "And how about tomorrow.",
    ],
)
def test_what_asks_is_a_question(parser: Parser, sentence: str) -> None:
    assert asks(parser, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Have a nice day.",
        "Do not worry about it.",
        "Do the same again.",
        "Any of these is fine.",
        "Will Smith called.",
        "Will do.",
        "Can do.",
        "What I need is a new card.",
        "When I get home I will call.",
        "Whatever you say.",
        "Which is fine.",
        "That's what it is.",
        "I can do that.",
        "Should you need anything else, call us.",
        "How nice.",
        "No, it isn't.",
        "Thank you.",
        "...",
    ],
)
def test_what_only_begins_like_one_is_none(parser: Parser, sentence: str) -> None:
    assert not asks(parser, sentence)


def test_other_languages_are_known_by_their_marks(parser: Parser) -> None:
    assert asks(parser, "¿Qué tal?", "es")
    assert asks(parser, "元気ですか？", "ja")
    assert asks(parser, "كيف حالك؟", "ar")
    assert not asks(parser, "Bien, gracias.", "es")
