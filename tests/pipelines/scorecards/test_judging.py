"""What each condition of the language means, on calls that are spoken at exact times.

A word takes half a second and a second of silence follows each line, so that the times can be counted.
"""

from typing import Any

import pytest
from cards_in_text import holds, result_of
from hypothesis import given, settings
from hypothesis import strategies as st
from spoken_rows import PAUSE_S, WORD_S, spoken

CALL = spoken(
    ("agent", "Hello, this is Anna of Northfield Bank. How can I help?"),
    ("customer", "I want to cancel my card. It was stolen yesterday!"),
    ("agent", "I'm so sorry. May I have your name?"),
    ("customer", "It's Tom O’Neill."),
    ("agent", "Thank you, Tom. The card has been cancelled."),
    ("customer", "Great, thank you. Bye."),
)
STARTS = [0.0, 6.5, 12.5, 17.5, 20.0, 25.0]


def test_the_made_call_has_the_times_that_the_tests_count_on() -> None:
    assert CALL.column("turns", "start_s") == STARTS
    assert CALL.duration == STARTS[-1] + 4 * WORD_S + PAUSE_S


# What is said


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("this is anna", True),
        ("THIS IS ANNA!", True),
        ("hello this", True),  # punctuation between the words is none of them
        ("anna this is", False),
        ("ann", False),
        ("o'neill", True),  # one apostrophe is as good as another
        ("help I want", False),  # a phrase does not go on in another turn
        ("hello … anna", True),
        ("hello ... anna", True),
        ("hello … northfield", True),
        ("hello … how", False),  # seven words between
        ("this … of … how", True),
    ],
)
def test_exact_words_are_said_in_one_turn_whatever_their_case_and_punctuation(
    phrase: str, said: bool
) -> None:
    assert holds(CALL, {"said": phrase}) is said


@pytest.mark.parametrize(
    ("lemmas", "said"),
    [
        ("cancel card", False),
        ("cancel … card", True),
        ("want to cancel", True),
        ("was stolen", False),
        ("be stolen", True),
    ],
)
def test_lemmas_are_base_forms_of_a_sentence(lemmas: str, said: bool) -> None:
    assert holds(CALL, {"said": {"lemma": lemmas}}) is said


def test_any_form_of_a_word_is_found_by_its_lemma() -> None:
    assert holds(CALL, {"said": {"lemma": "cancel", "by": "agent"}})
    assert not holds(CALL, {"said": {"exact": "cancel", "by": "agent"}})


def test_a_regular_expression_is_searched_in_each_turn_whatever_the_case() -> None:
    row = result_of(CALL, {"said": {"regex": r"northfield \w+"}})
    assert row["result"] == "pass"
    [place] = row["evidence"]
    assert (place["turn"], place["text"], place["start_s"], place["end_s"]) == (
        0,
        "Northfield Bank.",
        2.5,
        3.5,
    )


def test_a_meaning_is_that_of_a_sentence_near_enough_to_an_example() -> None:
    said = {"said": {"meaning": "May I have your surname?", "threshold": 0.7}}
    row = result_of(CALL, said)
    assert row["result"] == "pass"
    [place] = row["evidence"]
    assert (place["turn"], place["text"], place["start_s"]) == (2, "May I have your name?", 14.0)
    assert place["note"] == "0.80 like “May I have your surname?”"
    assert not holds(CALL, {"said": {**said["said"], "threshold": 0.9}})


def test_what_is_nearer_to_a_counterexample_is_not_meant() -> None:
    said = {"meaning": "May I have your number?", "threshold": 0.7}
    assert holds(CALL, {"said": said})
    assert not holds(CALL, {"said": {**said, "unlike": "May I have your name?"}})


def test_one_of_several_ways_is_enough() -> None:
    assert holds(CALL, {"said": {"exact": "no such words", "lemma": "no", "regex": "yesterday"}})
    assert holds(CALL, {"said": ["no such words", "was stolen"]})


def test_who_says_it_can_be_asked_for() -> None:
    assert holds(CALL, {"said": {"exact": "thank you", "by": "customer"}})
    assert not holds(CALL, {"said": {"exact": "may I", "by": "customer"}})
    assert holds(CALL, {"said": {"exact": "may I", "by": ["customer", "agent"]}})


def test_how_often_can_be_asked_for_and_one_place_counts_once() -> None:
    thanks = {"exact": ["thank you", "you"], "regex": "thank"}
    assert holds(CALL, {"said": {**thanks, "at_least": 2}})
    row = result_of(CALL, {"said": {**thanks, "at_least": 3}})
    assert row["result"] == "fail"
    assert [place["text"] for place in row["evidence"]] == ["", "Thank you,", "thank you."]
    assert "only 2 ×" in row["reason"]


def test_not_said_is_the_opposite_of_said() -> None:
    assert holds(CALL, {"not_said": "refund"})
    assert not holds(CALL, {"not_said": "thank you"})


# Windows

EARLY, LATE = 6.5, 25.0
"""Where “I want to cancel” and “Great” begin."""


@pytest.mark.parametrize(
    ("within", "early", "late"),
    [
        ({"first": "6 s"}, False, False),
        ({"first": "7 s"}, True, False),
        ({"first": "0.5 min"}, True, True),
        ({"first": "25 %"}, True, False),
        ({"first": "1 turns"}, False, False),
        ({"first": "2 turns"}, True, False),
        ({"last": "3 s"}, False, True),
        ({"last": "2 s"}, False, False),
        ({"last": "25 %"}, False, True),
        ({"last": "1 turn"}, False, True),
        ({"last": "5 turns"}, True, True),
        ({"first": "50 %", "last": "100 %"}, True, False),
        ({"after": {"said": "may I"}}, False, True),
        ({"before": {"said": "may I"}}, True, False),
        ({"after": {"said": "how can I"}, "before": {"said": "bye"}}, True, True),
        ({"after": {"said": "help"}, "for": "3 s"}, True, False),
        ({"before": {"said": "bye"}, "for": "2 s"}, False, True),
        ({"while": {"moment": {"kind": "overlap"}}}, True, False),
        ({"while": {"not": {"moment": {"kind": "overlap"}}}}, False, True),
        ({"while": {"sentiment": {"by": "customer", "below": 0, "aggregate": "any"}}}, True, False),
        ({"while": {"metric": {"of": "calls.duration_s", "above": 1}}}, True, True),
        ({"while": {"metric": {"of": "calls.duration_s", "above": 100}}}, False, False),
    ],
)
def test_a_window_says_where_to_look(within: dict[str, Any], early: bool, late: bool) -> None:
    call = spoken(
        *[(CALL.column("turns", "role")[turn], CALL.column("turns", "text")[turn]) for turn in range(6)],
        moments=[{"kind": "overlap", "start_s": 6.0, "end_s": 8.0}],
        turn_columns={"sentiment": [0.0, -0.5, 0.0, 0.0, 0.2, 0.6]},
    )
    assert holds(call, {"said": {"exact": "I want to cancel", "within": within}}) is early
    assert holds(call, {"said": {"exact": "great", "within": within}}) is late


def test_turns_of_a_window_are_those_of_the_roles_that_are_asked_for() -> None:
    assert holds(CALL, {"said": {"exact": "thank you", "by": "agent", "within": {"first": "3 turns"}}})
    assert not holds(CALL, {"said": {"exact": "thank you", "by": "agent", "within": {"first": "2 turns"}}})


def test_a_window_may_refer_to_a_condition_by_its_name() -> None:
    named = {"named": {"said": "may I have"}}
    after = {"said": {"exact": "tom", "within": {"after": "named"}}}
    assert holds(CALL, after, conditions=named)
    before = {"said": {"exact": "tom", "within": {"before": "named"}}}
    assert not holds(CALL, before, conditions=named)


def test_after_begins_where_the_last_part_of_all_has_been_found() -> None:
    both = {"all": [{"said": "hello"}, {"said": "tom"}]}
    assert not holds(CALL, {"said": {"exact": "may I", "within": {"after": both}}})
    assert holds(CALL, {"said": {"exact": "cancelled", "within": {"after": both}}})


def test_there_is_nothing_before_or_after_what_does_not_occur() -> None:
    for key in ("before", "after"):
        within = {key: {"said": "refund"}}
        row = result_of(CALL, {"said": {"exact": "hello", "within": within}})
        assert row["result"] == "fail"
        assert f"there is nothing to be {key}" in row["reason"]
        assert row["evidence"] == []
        assert holds(CALL, {"not_said": {"exact": "hello", "within": within}})


# Metrics, sentiment, entities, moments


@pytest.mark.parametrize(
    ("comparison", "meets"),
    [
        ({"above": 10}, True),
        ({"above": 11}, False),
        ({"at_least": 11}, True),
        ({"at_least": 12}, False),
        ({"below": 11}, False),
        ({"below": 12}, True),
        ({"at_most": 11}, True),
        ({"at_most": 10}, False),
        ({"equals": 11}, True),
        ({"equals": [9, 10]}, False),
    ],
)
def test_a_metric_is_compared_with_a_number(comparison: dict[str, Any], meets: bool) -> None:
    first_turn = {"first": "1 turns"}
    assert holds(CALL, {"metric": {"of": "turns.word_count", "within": first_turn, **comparison}}) is meets


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [
        ("mean", 27 / 3),
        ("median", 8),
        ("min", 8),
        ("max", 11),
        ("sum", 27),
        ("count", 3),
        ("first", 11),
        ("last", 8),
    ],
)
def test_a_metric_of_turns_is_aggregated_over_the_turns_of_a_role(aggregate: str, value: float) -> None:
    metric = {"of": "turns.word_count", "by": "agent", "aggregate": aggregate}
    assert holds(CALL, {"metric": {**metric, "at_least": value}})
    assert not holds(CALL, {"metric": {**metric, "above": value}})


def test_any_and_every_look_at_each_turn_by_itself() -> None:
    metric = {"of": "turns.word_count", "by": "agent"}
    assert holds(CALL, {"metric": {**metric, "aggregate": "any", "above": 10}})
    assert not holds(CALL, {"metric": {**metric, "aggregate": "every", "above": 10}})
    assert holds(CALL, {"metric": {**metric, "aggregate": "every", "above": 7}})


def test_a_metric_is_a_column_of_a_call_a_speaker_or_a_member_of_one() -> None:
    assert holds(CALL, {"metric": {"of": "calls.duration_s", "at_most": 28}})
    assert holds(CALL, {"metric": {"of": "speakers.words", "by": "customer", "equals": 17}})
    assert holds(CALL, {"metric": {"of": "calls.metadata.campaign", "equals": ["winter", "spring"]}})
    assert not holds(CALL, {"metric": {"of": "calls.queue", "equals": "sales"}})


def test_the_evidence_of_an_extreme_is_its_turn() -> None:
    row = result_of(CALL, {"metric": {"of": "turns.word_count", "aggregate": "max", "below": 11}})
    assert row["result"] == "fail"
    assert [(place["turn"], place["note"]) for place in row["evidence"]] == [(0, "turns.word_count 11")]


def test_sentiment_is_the_mean_of_the_turns_in_the_window() -> None:
    call = spoken(
        ("customer", "Bad bad bad."),
        ("agent", "Well, well."),
        ("customer", "Good good."),
        turn_columns={"sentiment": [-0.8, 0.1, 0.6]},
    )
    assert holds(call, {"sentiment": {"by": "customer", "below": 0}})
    assert holds(call, {"sentiment": {"by": "customer", "above": 0.5, "within": {"last": "40 %"}}})
    assert holds(call, {"sentiment": {"by": "customer", "below": -0.5, "aggregate": "any"}})


def test_an_entity_is_known_by_its_kind_its_text_and_who_names_it() -> None:
    amount = {
        "turn": 0,
        "speaker": "S1",
        "kind": "money",
        "text": "ten dollars",
        "start_s": 0.5,
        "end_s": 1.5,
    }
    call = spoken(("agent", "That's ten dollars."), ("customer", "Ten?"), entities=[amount])
    assert holds(call, {"entity": {"kind": "money"}})
    assert holds(call, {"entity": {"kind": ["date", "money"], "by": "agent", "matching": "dollar"}})
    assert not holds(call, {"entity": {"kind": "money", "matching": "euro"}})
    assert not holds(call, {"entity": {"kind": "date"}})
    assert not holds(call, {"entity": {"kind": "money", "by": "customer"}})
    assert not holds(call, {"entity": {"kind": "money", "at_least": 2}})
    [place] = result_of(call, {"entity": {"kind": "money"}})["evidence"]
    assert (place["turn"], place["start_s"], place["text"], place["note"]) == (0, 0.5, "ten dollars", "money")


INTERRUPTED = spoken(
    ("agent", "Well, as I said before"),
    ("customer", "No, you did not, and that is that."),
    moments=[
        {
            "kind": "interruption",
            "start_s": 2.0,
            "end_s": 3.0,
            "speaker": "S2",
            "other_speaker": "S1",
            "turn": 1,
        },
        {"kind": "silence", "start_s": 7.0, "end_s": 12.0},
    ],
)


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        ({"kind": "interruption"}, True),
        ({"kind": "interruption", "by": "customer"}, True),
        ({"kind": "interruption", "by": "customer", "to": "agent"}, True),
        ({"kind": "interruption", "by": "agent"}, False),
        ({"kind": "interruption", "to": "customer"}, False),
        ({"kind": "interruption", "at_least": 2}, False),
        ({"kind": ["interruption", "silence"], "at_least": 2}, True),
        ({"kind": "silence", "longer_than": "4 s"}, True),
        ({"kind": "silence", "longer_than": "5 s"}, False),
        ({"kind": "interruption", "within": {"first": "2 s"}}, False),
        ({"kind": "interruption", "within": {"first": "2.1 s"}}, True),
        ({"kind": "music"}, False),
    ],
)
def test_moments_are_counted_by_kind_people_length_and_place(moment: dict[str, Any], there: bool) -> None:
    assert holds(INTERRUPTED, {"moment": moment}) is there


# Combinations

TRUE, FALSE = {"said": "hello"}, {"said": "refund"}


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ({"all": [TRUE, TRUE]}, True),
        ({"all": [TRUE, FALSE]}, False),
        ({"any": [FALSE, TRUE]}, True),
        ({"any": [FALSE, FALSE]}, False),
        ({"not": FALSE}, True),
        ({"not": {"all": [TRUE, {"not": FALSE}]}}, False),
    ],
)
def test_all_any_and_not_are_those_of_logic(condition: dict[str, Any], value: bool) -> None:
    assert holds(CALL, condition) is value


@pytest.mark.parametrize(
    ("order", "value"),
    [
        (["hello", "may I", "bye"], True),
        (["may I", "hello"], False),
        (["thank you", "thank you"], True),
        (["thank you", "thank you", "thank you"], False),
        (["tom", "thank you", "tom"], True),
        (["hello", "refund"], False),
        (["hello", "hello"], False),  # one place is not after itself
    ],
)
def test_an_order_is_kept_when_each_begins_after_the_one_before_has_ended(
    order: list[str], value: bool
) -> None:
    assert holds(CALL, {"in_order": [{"said": phrase} for phrase in order]}) is value


def test_each_asks_something_of_every_occurrence() -> None:
    thanked = {
        "each": {
            "of": {"said": "thank you"},
            "requires": {"said": {"exact": "bye", "within": {"after": "it"}}},
        }
    }
    assert holds(CALL, thanked)
    at_once = {"said": {"exact": "bye", "within": {"after": "it", "for": "1 s"}}}
    row = result_of(CALL, {"each": {"of": {"said": "thank you"}, "requires": at_once}})
    assert row["result"] == "fail"
    assert [place["start_s"] for place in row["evidence"]] == [
        21.0
    ]  # after the first thanks, and not the second
    assert holds(CALL, {"each": {"of": {"said": "refund"}, "requires": at_once}})


def test_a_name_stands_for_what_it_names() -> None:
    conditions = {"thanks": {"said": "thank you"}, "twice": {"all": ["thanks", "thanks"]}}
    assert holds(CALL, {"all": ["thanks", "twice"]}, conditions=conditions)


# Properties

WORDS = ("red", "green", "blue")
LINES = st.lists(
    st.tuples(
        st.sampled_from(("agent", "customer")),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
    ),
    min_size=1,
    max_size=6,
)
SAID = st.builds(
    lambda word, by: {"said": {"exact": word, **({"by": by} if by else {})}},
    st.sampled_from(WORDS),
    st.sampled_from(("", "agent", "customer")),
)
CONDITIONS = st.recursive(
    SAID,
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"all": several}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"any": several}),
    ),
    max_leaves=5,
)
UNSURE = st.dictionaries(st.integers(0, 5), st.sampled_from((0.2, 0.9)))


@settings(max_examples=40)
@given(LINES, CONDITIONS, UNSURE, UNSURE)
def test_what_is_not_not_so_is_so(
    lines: list[Any], condition: Any, words: dict[int, float], speakers: dict[int, float]
) -> None:
    call = spoken(*lines, confidence=words, speaker_confidence=speakers)
    once, thrice = (
        {**result_of(call, each), "scorecard_sha256": ""} for each in (condition, {"not": {"not": condition}})
    )
    assert once == thrice


@settings(max_examples=40)
@given(LINES, st.lists(CONDITIONS, min_size=1, max_size=3), UNSURE, UNSURE)
def test_not_all_is_any_not(
    lines: list[Any], several: list[Any], words: dict[int, float], speakers: dict[int, float]
) -> None:
    call = spoken(*lines, confidence=words, speaker_confidence=speakers)
    one = result_of(call, {"not": {"all": several}})
    other = result_of(call, {"any": [{"not": each} for each in several]})
    for column in ("result", "confidence", "evidence", "reason"):
        assert one[column] == other[column]


@settings(max_examples=40)
@given(LINES, st.sampled_from(WORDS), st.integers(1, 20), st.integers(1, 20))
def test_what_is_said_in_a_window_is_said_in_every_larger_one(
    lines: list[Any], word: str, seconds: int, more: int
) -> None:
    call = spoken(*lines)
    for key in ("first", "last"):
        small, large = (
            holds(call, {"said": {"exact": word, "within": {key: f"{length} s"}}})
            for length in (seconds, seconds + more)
        )
        assert large or not small


@settings(max_examples=40)
@given(LINES, CONDITIONS, CONDITIONS, UNSURE)
def test_points_and_confidence_are_within_their_bounds(
    lines: list[Any], condition: Any, applies_if: Any, words: dict[int, float]
) -> None:
    row = result_of(spoken(*lines, confidence=words), condition, applies_if=applies_if)
    assert row["points"] == {"pass": 4.0, "fail": 0.0}.get(row["result"])
    assert row["max_points"] == 4.0
    assert 0.0 <= row["confidence"] <= 1.0
    assert row["reason"].endswith(".")
