"""Regular expressions of cards: those of Python's `re`, within a limit of time."""

import json
import re
import time

import pytest
from cards_in_text import judged, result_of
from sample_calls import ROOT
from spoken_rows import spoken

from pipelines.scorecards.expressions import LIMIT_S, TooSlow, is_slow, spans_in
from pipelines.scorecards.parsing import load_files

CATASTROPHIC = r"(?:(?:\w|\w\w)+\s?)+\d"
"""It fails where there is no digit, having tried every way to cut each word into ones and twos."""

CALL = spoken(
    ("agent", "Hello, how can I help you today?"),
    ("customer", " ".join(["I was told that somebody would call me back about the refund"] * 60)),
    ("agent", "I am sorry about that."),
)


@pytest.mark.parametrize(("pattern", "text"), [
    (r"\bcard\b", "My card, the CARD, discard"), (r"^my\b|\d$", "My card\nmy 7"), (r"(?i:a)b{2}", "abb ABB"),
    (r"\b(?!a)\w+'s", "Anna's, Tom's"), (r"\d(?:[ -]?\d){3,}", "12 34 and 1-2-3"),
])  # fmt: skip
def test_they_are_found_where_re_finds_them(pattern: str, text: str) -> None:
    expected = [hit.span() for hit in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE)]
    assert spans_in(pattern, text) == expected


def test_one_that_takes_too_long_is_given_up() -> None:
    begun = time.thread_time()
    with pytest.raises(TooSlow):
        spans_in(CATASTROPHIC, CALL.text)
    assert time.thread_time() - begun < 4 * LIMIT_S


def test_a_criterion_that_hangs_on_it_needs_a_person_and_says_which_it_is() -> None:
    row = result_of(CALL, {"said": {"regex": CATASTROPHIC, "by": "customer"}})
    assert (row["result"], row["computed"], row["points"]) == ("needs_person", False, None)
    assert f"the regular expression “{CATASTROPHIC}” takes longer than {LIMIT_S:g} s" in row["reason"]


def test_what_is_found_without_it_is_found_all_the_same() -> None:
    asked = {"said": {"regex": [CATASTROPHIC, r"\bsorry\b"], "by": "agent"}}
    assert result_of(CALL, asked)["result"] == "pass"
    assert (
        result_of(CALL, {"any": ["greeting", asked]}, conditions={"greeting": {"said": "hello"}})["result"]
        == "pass"
    )


def test_it_is_tried_once_a_call_however_often_it_is_asked_for() -> None:
    """Forty criteria ask for it, after each of two greetings."""
    call = spoken(*[("agent", "Hello."), ("customer", "I was told so by somebody " * 100)] * 2)
    requires = {"said": {"regex": CATASTROPHIC, "by": "customer", "within": {"after": "it"}}}
    pass_if = {"each": {"of": {"said": "hello"}, "requires": requires}}
    criteria = [{"criterion": f"c{n}", "points": 1, "pass_if": pass_if} for n in range(40)]
    card = {"scorecard": "made", "version": 1, "sections": [{"section": "All", "criteria": criteria}]}
    begun = time.thread_time()
    scores = judged(call, json.dumps(card)).scores
    assert {row["result"] for row in scores} == {"needs_person"}
    assert time.thread_time() - begun < 6 * LIMIT_S


def test_an_entity_that_is_to_match_it_needs_a_person_too() -> None:
    name = "so it goes on and on " * 200
    call = spoken(("customer", name), entities=[{"turn": 0, "speaker": "S1", "kind": "person", "text": name}])
    row = result_of(call, {"entity": {"kind": "person", "matching": CATASTROPHIC}})
    assert (row["result"], row["computed"]) == ("needs_person", False)
    assert "takes longer" in row["reason"]


@pytest.mark.parametrize(
    "pattern", [CATASTROPHIC, r"(?:\w+ ?)+[:;]", r"(?:a|\w)*(?:\s|\w)*(?:\w|\s)*(?:\w|\s)*[0-9]"]
)
def test_those_that_repeat_repetitions_are_slow(pattern: str) -> None:
    assert is_slow(pattern)


@pytest.mark.parametrize(
    "pattern", [r"\bcard\b", r"\d+", r"\bif (it|you)\b.{0,60}\bworse\b", r"(\w+ ){0,3}number"]
)
def test_ordinary_ones_are_not(pattern: str) -> None:
    assert not is_slow(pattern)


def test_none_of_the_shipped_ones_is_slow() -> None:
    shipped = load_files([ROOT / "data" / "scorecards", ROOT / "data" / "categories"]).expressions
    assert len(shipped) > 50
    assert [pattern for pattern in shipped if is_slow(pattern)] == []
