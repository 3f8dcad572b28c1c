"""Key phrases of turns, by how often they come up in the call."""

from collections.abc import Sequence

import pytest

from models.parser import Parser
from pipelines.analytics.key_phrases import MOST, find_key_phrases


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


def phrases(parser: Parser, turns: Sequence[str], language: str = "en") -> tuple[tuple[str, ...], ...]:
    return find_key_phrases(parser.parse(turns, language))


def test_phrases_are_noun_phrases_without_what_only_points(parser: Parser) -> None:
    assert phrases(parser, ["I lost my debit card.", "Which cards do you want to replace?", "Yes."]) == (
        ("debit card",),
        ("card",),
        (),
    )


def test_what_comes_up_often_comes_first(parser: Parser) -> None:
    turns = ["The router has a red light.", "Is the router new?", "I bought the router and a cable."]
    assert phrases(parser, turns)[2] == ("router", "cable")


def test_a_phrase_owes_to_longer_ones_what_it_shares_with_them(parser: Parser) -> None:
    # "account" occurs once by itself and twice in a longer phrase: 3 - 2 is not more than the longer one's 2.
    turns = ["My savings account.", "The savings account is closed.", "The account and the savings account."]
    assert phrases(parser, turns)[2][0] == "savings account"


def test_pleasantries_names_and_numbers_are_none(parser: Parser) -> None:
    assert phrases(parser, ["Have a great day, Laura.", "A little bit.", "It costs five dollars."]) == (
        (),
        (),
        (),
    )


def test_a_turn_has_a_few_at_most(parser: Parser) -> None:
    [long] = phrases(
        parser, ["We sell boats, tents, lamps, knives, ropes, maps, boots and coats to a friend."]
    )
    assert len(long) == MOST


def test_without_a_model_there_are_none(parser: Parser) -> None:
    assert phrases(parser, ["He perdido mi tarjeta."], "es") == ((),)
