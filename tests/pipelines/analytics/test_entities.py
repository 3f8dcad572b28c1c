"""Entities of turns, from the model and from the rules, and who has his way where both find something."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.parser import Parser
from pipelines.analytics.entities import find_entities
from pipelines.tables import ENTITY_DETECTORS, ENTITY_KINDS


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


def entities(parser: Parser, turns: Sequence[str], language: str = "en") -> list[list[tuple[str, str, str]]]:
    texts = parser.parse(turns, language)
    return [
        [(entity.kind, entity.of(text.text), entity.detector) for entity in of_text]
        for text, of_text in zip(texts, find_entities(texts, language), strict=True)
    ]


def test_names_and_days_are_the_models_and_numbers_the_rules(parser: Parser) -> None:
    assert entities(
        parser,
        ["Hi, this is Jennifer Williams from Boston.", "You paid $89 last Thursday, at half past two."],
    ) == [
        [("person", "Jennifer Williams", "spacy"), ("location", "Boston", "spacy")],
        [("money", "$89", "rules"), ("date", "last Thursday", "spacy"), ("time", "half past two", "rules")],
    ]


def test_where_the_model_finds_more_of_the_same_the_longer_stands(parser: Parser) -> None:
    [found] = entities(parser, ["It costs more than five dollars."])
    assert found == [("money", "more than five dollars", "spacy")]


def test_digits_are_not_what_the_model_takes_them_for(parser: Parser) -> None:
    [_, found] = entities(parser, ["What is your account number?", "It is 7151 3907."])
    assert found == [("account_number", "7151 3907", "rules")]


def test_a_great_day_is_no_date(parser: Parser) -> None:
    assert entities(parser, ["Thank you for calling. Have a great day."]) == [[]]


def test_a_word_that_is_also_said_in_lower_case_is_no_name(parser: Parser) -> None:
    turns = ["I'd say it's pretty sharp, yeah.", "Sharp, okay. Anything else since last night?"]
    assert entities(parser, turns)[1] == [("time", "last night", "spacy")]


def test_an_age_is_no_date(parser: Parser) -> None:
    [found] = entities(parser, ["My father had a heart attack when he was 45."])
    assert found == [("number", "45", "spacy")]


def test_without_a_model_the_rules_find_what_they_can(parser: Parser) -> None:
    assert entities(parser, ["Soy Ana García, mi correo es ana@example.com"], "es") == [
        [("email", "ana@example.com", "rules")]
    ]


@settings(max_examples=60)
@given(
    st.lists(
        st.text(max_size=40)
        | st.lists(
            st.sampled_from(
                ["Laura", "five", "dollars", "Monday", "at", "3", "pm", "card", "4111", ".", "?"]
            ),
            max_size=12,
        ).map(" ".join),
        max_size=4,
    ),
    st.sampled_from(["en", "es"]),
)
def test_entities_of_any_text_lie_in_it_in_order_and_apart(
    parser: Parser, texts: list[str], language: str
) -> None:
    for text, of_text in zip(texts, find_entities(parser.parse(texts, language), language), strict=True):
        end = 0
        for entity in of_text:
            assert end <= entity.start < entity.end <= len(text)
            assert entity.kind in ENTITY_KINDS
            assert entity.detector in ENTITY_DETECTORS
            end = entity.end
