"""What the rules find, written as recognisers write it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.analytics.patterns import find_patterns
from pipelines.tables import ENTITY_KINDS


def found(text: str, language: str = "en", before: str = "") -> list[tuple[str, str]]:
    return [(pattern.kind, pattern.of(text)) for pattern in find_patterns(text, language, before)]


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("Your balance is $1,860.50.", "money", "$1,860.50"),
        ("it was twenty-two dollars and fifty cents", "money", "twenty-two dollars and fifty cents"),
        ("about 20 bucks", "money", "20 bucks"),
        ("a loan of eight hundred thousand euros", "money", "eight hundred thousand euros"),
        ("I pay 35 pounds every month", "money", "35 pounds"),
        ("It's 249 pounds and 99 pence", "money", "249 pounds and 99 pence"),
        ("only 3.5 percent", "percent", "3.5 percent"),
        ("at three thirty pm", "time", "three thirty pm"),
        ("at 3:30 p.m. then", "time", "3:30 p.m."),
        ("half past four", "time", "half past four"),
        ("ten o'clock", "time", "ten o'clock"),
        ("on March 5th, 2024", "date", "March 5th, 2024"),
        ("the 22nd of June", "date", "the 22nd of June"),
        ("born 03/05/1984", "date", "03/05/1984"),
        ("take 500 milligrams twice", "quantity", "500 milligrams"),
        ("five five two one", "digits", "five five two one"),
        ("the last four digits of my card are 5-5-2-1", "digits", "5-5-2-1"),
        ("the pin is 9026", "digits", "9026"),
        ("my card is 4111 1111 1111 1111", "card_number", "4111 1111 1111 1111"),
        ("4111-1111-1111-1111", "card_number", "4111-1111-1111-1111"),
        ("(415) 555-2671", "phone_number", "(415) 555-2671"),
        ("four one five, five five five, two six seven one", "phone_number", ""),
        ("+44 20 7946 0958", "phone_number", "+44 20 7946 0958"),
        ("call me at 555-0147", "phone_number", "555-0147"),
        ("my account, fifty five twenty one eighty", "account_number", "fifty five twenty one eighty"),
        ("order AB-12345", "account_number", "AB-12345"),
        ("my social is 123-45-6789", "national_id", "123-45-6789"),
        ("ZIP code 9 4 1 0 5", "postal_code", "9 4 1 0 5"),
        ("San Francisco, CA 94105", "postal_code", "94105"),
        ("London SW1A 1AA", "postal_code", "SW1A 1AA"),
        ("john.smith@example.com", "email", "john.smith@example.com"),
        ("it's john dot smith at gmail dot com", "email", "john dot smith at gmail dot com"),
        ("my email is kate at example.com", "email", "kate at example.com"),
    ],
)
def test_a_thing_is_found_by_how_it_is_said(text: str, kind: str, what: str) -> None:
    assert found(text) == [(kind, what or text)]


@pytest.mark.parametrize(
    "text",
    [
        "On a scale of 1 to 10, 10 being the worst",
        "for the past 10 to 15 years, one or two drinks",
        "I lost 20 pounds",
        "back in 2004 with 3 kids",
        "visit us at example.com",
        "one, two, three",
        "It may be a second.",
        "seven or eight thousand people",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_number_is_what_was_asked_for_in_the_turn_before() -> None:
    number = "Sure. It's 5521 8."
    assert found("It's 55218 4.", before="And your account number, please?") == [
        ("account_number", "55218 4")
    ]
    assert found("It's 55218.", before="What is the zip code there?") == [("postal_code", "55218")]
    assert found(number) == []
    assert found(number, before="Can I have your PIN?") == [("digits", "5521 8")]


def test_other_languages_have_numbers_and_addresses_too() -> None:
    assert found("llame al 912 345 678, son ochenta y cuatro euros", "es") == [
        ("phone_number", "912 345 678"),
        ("money", "ochenta y cuatro euros"),
    ]
    assert found("ana@example.com でお願いします 03-1234-5678", "ja") == [
        ("email", "ana@example.com"),
        ("phone_number", "03-1234-5678"),
    ]


_PIECES = """
    five oh 5 1234 at dot com $ £ + ( ) - , . card pm AB % pounds may May of e-mail @ ٣ and cents 2024 :
"""
PIECES = [*_PIECES.split(), "half past"]
SAID = st.lists(st.sampled_from(PIECES), max_size=15)


@settings(max_examples=300)
@given(st.text() | SAID.map(" ".join) | SAID.map("".join), st.sampled_from(["en", "es", "ru"]))
def test_patterns_of_any_text_lie_in_it_in_order_and_apart(text: str, language: str) -> None:
    end = 0
    for pattern in find_patterns(text, language):
        assert end <= pattern.start < pattern.end <= len(text)
        assert pattern.of(text).strip()
        assert pattern.kind in ENTITY_KINDS
        end = pattern.end
