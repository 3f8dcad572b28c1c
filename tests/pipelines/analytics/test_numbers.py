"""Numbers as people say them, with where they are and their digits."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.analytics.numbers import LANGUAGES, find_said_numbers


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("five five two one", ["5", "5", "2", "1"]),
        ("fifty five, twenty-one", ["55", "21"]),
        ("two hundred fifty thousand", ["250000"]),
        ("double five, triple oh", ["55"]),
        ("oh one two, oh oh one", ["0", "1", "2", "0", "0", "1"]),
        ("5-5-21 and 007", ["5", "5", "21", "007"]),
        ("Oh, one more thing. Oh no.", ["1"]),
        ("the first of three point five", []),
        ("", []),
    ],
)
def test_number_words_and_numerals_are_read_in_english(text: str, digits: list[str]) -> None:
    assert [number.digits for number in find_said_numbers(text, "en")] == digits


def test_a_number_knows_where_it_is_and_whether_it_was_written() -> None:
    text = "It is twenty-two, or 23."
    assert [(number.of(text), number.written) for number in find_said_numbers(text, "en")] == [
        ("twenty-two", False),
        ("23", True),
    ]


def test_other_languages_have_words_of_their_own_and_some_only_numerals() -> None:
    assert [n.digits for n in find_said_numbers("ochenta y cuatro, 5", "es")] == ["84", "5"]
    assert [n.digits for n in find_said_numbers("восемь 5", "ru")] == ["5"]


SAID = st.lists(
    st.sampled_from(["oh", "five", "double", "twenty", "and", "point", ",", "7", "-"]), max_size=12
)


@example("oh oh double double oh 5 ٣ ½ ² five", "en")
@given(st.text() | SAID.map(" ".join), st.sampled_from([*sorted(LANGUAGES), "ru"]))
def test_numbers_of_any_text_are_in_order_and_have_digits(text: str, language: str) -> None:
    end = 0
    for number in find_said_numbers(text, language):
        assert end <= number.start < number.end <= len(text)
        assert number.digits.isdecimal()
        end = number.end
