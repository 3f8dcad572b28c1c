"""The rows that a call gets: results, points, confidence, reasons and evidence; and who is asked instead."""

import pytest
from cards_in_text import judged, result_of, rulebook
from spoken_rows import embed_by_words, spoken

from pipelines.scorecards.scoring import Scorer
from pipelines.tables import CATEGORIES, SCORES

LINES = (("agent", "Hello, how can I help?"), ("customer", "My parcel is lost."), ("agent", "I am sorry."))
CALL = spoken(*LINES)
SORRY = {"said": {"exact": "I am sorry", "by": "agent"}}
REFUND = {"said": {"exact": "refund", "by": "agent", "within": {"first": "5 s"}}}


def test_a_criterion_has_a_row_with_every_column_of_the_table() -> None:
    card = """
        scorecard: house
        version: 2024-05
        sections:
          - section: Care
            weight: 2
            criteria:
              - criterion: sorry
                points: 4
                weight: 1.5
                critical: true
                pass_if: {said: {exact: I am sorry, by: agent}}
    """
    [row] = judged(CALL, card).scores
    assert list(row) == [column.name for column in SCORES.columns]
    [scorecard] = rulebook(card).scorecards
    assert row == {
        "call_id": "c",
        "scorecard": "house",
        "version": "2024-05",
        "section": "Care",
        "criterion": "sorry",
        "result": "pass",
        "points": 4.0,
        "max_points": 4.0,
        "weight": 3.0,
        "critical": True,
        "confidence": 0.9,
        "computed": True,
        "reason": "The agent says at 0:06: “I am sorry.”.",
        "evidence": [
            {
                "turn": 2,
                "start_s": 6.5,
                "end_s": 8.0,
                "speaker": "S1",
                "role": "agent",
                "text": "I am sorry.",
                "note": "",
            }
        ],
        "scorecard_sha256": scorecard.sha256,
    }


def test_the_hash_of_a_card_is_that_of_its_content() -> None:
    card = "category: lost\nversion: 1\nwhen: {said: lost}\n"
    [one], [same], [other] = (rulebook(text).categories for text in (card, card, card + "# changed\n"))
    assert one.sha256 == same.sha256 != other.sha256


def test_of_absence_the_evidence_is_the_stretch_that_was_searched() -> None:
    row = result_of(CALL, REFUND)
    assert (row["result"], row["points"]) == ("fail", 0.0)
    assert row["evidence"] == [
        {
            "turn": None,
            "start_s": 0.0,
            "end_s": 5.0,
            "speaker": "",
            "role": "agent",
            "text": "",
            "note": "searched",
        }
    ]
    assert row["reason"] == "The agent does not say “refund” in 0:00–0:05."


def test_of_a_meaning_that_is_absent_the_evidence_names_what_came_nearest() -> None:
    row = result_of(CALL, {"said": {"meaning": "I am very happy", "threshold": 0.8, "by": "agent"}})
    assert row["result"] == "fail"
    [place] = row["evidence"]
    assert place["note"] == "searched; nearest, 0.58 and below 0.8: “I am sorry.”"


def test_what_is_not_there_passes_with_the_stretch_that_was_searched() -> None:
    row = result_of(CALL, {"not": REFUND})
    assert row["result"] == "pass"
    assert [(place["turn"], place["end_s"]) for place in row["evidence"]] == [(None, 5.0)]


# Applicability


def test_a_criterion_that_does_not_apply_has_no_points() -> None:
    row = result_of(CALL, SORRY, applies_if={"said": "refund"})
    assert (row["result"], row["points"], row["max_points"]) == ("not_applicable", None, 4.0)
    assert row["reason"] == "Not applicable: somebody does not say “refund” in 0:00–0:09."


def test_a_criterion_that_applies_is_judged() -> None:
    assert result_of(CALL, SORRY, applies_if={"said": "lost"})["result"] == "pass"


APPLIES = """
    scorecard: house
    version: 1
    applies_if: {said: CARD}
    sections:
      - section: Care
        applies_if: {said: SECTION}
        criteria: [{criterion: sorry, points: 1, applies_if: {said: ITSELF}, pass_if: {said: sorry}}]
"""


@pytest.mark.parametrize("place", ["CARD", "SECTION", "ITSELF"])
def test_card_section_and_criterion_each_say_when_they_apply(place: str) -> None:
    texts = {"CARD": "lost", "SECTION": "parcel", "ITSELF": "hello"}
    card = APPLIES
    for name, said in {**texts, place: "refund"}.items():
        card = card.replace(name, said)
    [row] = judged(CALL, card).scores
    assert row["result"] == "not_applicable"


@pytest.mark.parametrize(
    ("applies_to", "rows"),
    [
        ("{kind: contact_center}", 1),
        ("{kind: consultation}", 0),
        ("{kind: [consultation, contact_center], language: en}", 1),
        ("{queue: sales}", 0),
        ("{metadata.campaign: spring}", 1),
        ("{metadata.campaign: [summer, autumn]}", 0),
        ("{metadata.nothing: x}", 0),
    ],
)
def test_a_card_is_for_calls_whose_columns_say_so_and_others_have_no_row(applies_to: str, rows: int) -> None:
    card = f"""
        scorecard: house
        version: 1
        applies_to: {applies_to}
        sections: [{{section: Care, criteria: [{{criterion: sorry, points: 1, pass_if: {{said: sorry}}}}]}}]
    """
    assert len(judged(CALL, card).scores) == rows
    category = f"category: lost\nversion: 1\napplies_to: {applies_to}\nwhen: {{said: lost}}\n"
    assert len(judged(CALL, category).categories) == rows


# A person has to judge


def test_words_that_were_hardly_understood_need_a_person() -> None:
    row = result_of(spoken(*LINES, confidence={2: 0.3}), SORRY)
    assert (row["result"], row["points"], row["computed"]) == ("needs_person", None, True)
    assert row["confidence"] == pytest.approx(0.3)
    assert "“I am sorry.” at 0:06 was recognised with confidence 0.30 only" in row["reason"]
    assert "It seems to pass" in row["reason"]
    assert [place["turn"] for place in row["evidence"]] == [2]


def test_doubt_about_who_speaks_needs_a_person_only_where_it_matters_who_does() -> None:
    call = spoken(*LINES, speaker_confidence={2: 0.3})
    assert result_of(call, SORRY)["result"] == "needs_person"
    assert result_of(call, {"said": "I am sorry"})["result"] == "pass"


def test_doubt_about_roles_needs_a_person() -> None:
    call = spoken(*LINES, role_confidence=0.4)
    for condition in (SORRY, REFUND, {"metric": {"of": "speakers.words", "by": "agent", "above": 0}}):
        row = result_of(call, condition)
        assert row["result"] == "needs_person"
        assert "it is not sure that S1 is the agent (confidence 0.40)" in row["reason"]


def test_a_stretch_that_was_hardly_understood_does_not_show_that_something_is_absent() -> None:
    row = result_of(spoken(*LINES, confidence={0: 0.2}), REFUND)
    assert row["result"] == "needs_person"
    assert "It seems to fail" in row["reason"]


def test_words_of_somebody_whose_speaker_is_doubtful_may_be_the_ones_that_lack() -> None:
    by_customer = {"said": {"exact": "I am sorry", "by": "customer"}}
    assert result_of(CALL, by_customer)["result"] == "fail"
    row = result_of(spoken(*LINES, speaker_confidence={2: 0.3}), by_customer)
    assert row["result"] == "needs_person"
    assert "“I am sorry.” at 0:06 may be said by the customer after all" in row["reason"]


def test_words_of_somebody_without_a_role_may_be_the_ones_that_lack() -> None:
    call = spoken(*LINES[:2], ("unknown", "I am sorry."))
    assert result_of(call, SORRY)["result"] == "needs_person"
    assert result_of(call, {"said": {"exact": "refund", "by": "agent"}})["result"] == "fail"


def test_where_nobody_has_the_role_and_somebody_has_none_nothing_is_known_of_the_role() -> None:
    call = spoken(("unknown", "Hello."), ("customer", "My parcel is lost."))
    row = result_of(call, REFUND)
    assert (row["result"], row["computed"], row["confidence"]) == ("needs_person", False, 0.0)
    assert "nobody in the call is known to be the agent" in row["reason"]
    everybody_known = spoken(("customer", "Hello, hello?"))
    assert result_of(everybody_known, REFUND)["result"] == "fail"


def test_a_doubt_counts_only_where_it_decides() -> None:
    call = spoken(*LINES, confidence={2: 0.3})
    sure, doubtful = {"said": "hello"}, SORRY
    assert result_of(call, {"any": [sure, doubtful]})["result"] == "pass"
    assert result_of(call, {"all": [sure, doubtful]})["result"] == "needs_person"
    assert result_of(call, {"all": [{"said": "refund"}, doubtful]})["result"] == "fail"
    twice = spoken(*LINES, *LINES, confidence={2: 0.3})
    row = result_of(twice, SORRY)
    assert row["result"] == "pass"
    assert [place["turn"] for place in row["evidence"]] == [5]


def test_a_doubt_about_what_a_window_refers_to_is_a_doubt_about_what_is_in_it() -> None:
    call = spoken(*LINES, confidence={1: 0.3})
    after = {"said": {"exact": "sorry", "within": {"after": {"said": "lost"}}}}
    assert result_of(call, after)["result"] == "needs_person"
    assert result_of(CALL, after)["result"] == "pass"


def test_doubt_whether_it_applies_needs_a_person() -> None:
    call = spoken(*LINES, confidence={1: 0.3})
    row = result_of(call, SORRY, applies_if={"said": "lost"})
    assert row["result"] == "needs_person"
    assert row["reason"].startswith("Whether it applies is for a person to say: ")


def test_a_card_sets_how_much_confidence_is_enough() -> None:
    call = spoken(*LINES, confidence={2: 0.3}, speaker_confidence={2: 0.3}, role_confidence=0.3)
    assert result_of(call, SORRY, confidence={"word": 0.3, "speaker": 0.3, "role": 0.3})["result"] == "pass"
    assert result_of(CALL, SORRY, confidence={"word": 0.95})["result"] == "needs_person"


# What cannot be computed


@pytest.mark.parametrize(
    ("condition", "lacks", "why"),
    [
        ({"said": {"meaning": "I want a refund"}}, "sentences", "the meaning of the sentences is not known"),
        ({"said": {"lemma": "refund"}}, "sentences", "the lemmas of the words are not in the store"),
        ({"entity": {"kind": "money"}}, "entities", "the entities of the call are not in the store"),
        ({"moment": {"kind": "hold"}}, "moments", "the moments of the call are not in the store"),
    ],
)
def test_what_cannot_be_computed_of_a_call_says_so(
    condition: dict[str, object], lacks: str, why: str
) -> None:
    row = result_of(spoken(*LINES, without=[lacks]), condition)
    assert (row["result"], row["points"], row["computed"]) == ("needs_person", None, False)
    assert row["confidence"] == 0.0
    assert why in row["reason"]
    assert result_of(CALL, condition)["result"] == "fail"


def test_a_figure_that_is_null_cannot_be_compared() -> None:
    call = spoken(*LINES, turn_columns={"sentiment": [None, None, None]})
    row = result_of(call, {"sentiment": {"by": "customer", "above": 0}})
    assert (row["result"], row["computed"]) == ("needs_person", False)
    assert "turns.sentiment of the customer has no value" in row["reason"]


def test_sentences_without_embeddings_have_no_meaning_that_is_known() -> None:
    meaning = {"said": {"exact": "hello", "meaning": "I want a refund", "threshold": 0.9}}
    without = spoken(*LINES, embed=None)
    assert result_of(without, {"said": {"meaning": "I want a refund"}})["computed"] is False
    assert result_of(without, meaning)["result"] == "pass"  # the words are enough


def test_sentences_that_another_model_embedded_have_no_meaning_that_is_known() -> None:
    book = rulebook("category: lost\nversion: 1\nwhen: {said: {meaning: My parcel is lost}}\n")
    scorer = Scorer(book, embed_by_words, "ab" * 32)
    [row] = scorer.score(spoken(*LINES, call={"models": {"other": "cd" * 32}})).categories
    assert row["result"] == "needs_person"
    [row] = scorer.score(spoken(*LINES, call={"models": {"minilm": "ab" * 32}})).categories
    assert row["result"] == "matched"


def test_nobody_who_says_anything_says_nothing_of_the_kind() -> None:
    silent = spoken()
    assert result_of(silent, {"said": {"meaning": "I want a refund", "lemma": "refund"}})["result"] == "fail"


# Categories


def test_a_category_has_a_row_for_a_call_that_is_of_it() -> None:
    lost = "category: lost\nversion: 3\nwhen: {said: lost}\npoints_of_interest: {said: [parcel, sorry]}\n"
    [row] = judged(CALL, lost).categories
    assert list(row) == [column.name for column in CATEGORIES.columns]
    assert (row["category"], row["version"], row["result"]) == ("lost", "3", "matched")
    assert [place["text"] for place in row["evidence"]] == ["parcel", "sorry."]
    assert judged(CALL, lost.replace("said: lost", "said: found")).categories == ()


def test_a_category_that_a_doubt_decides_is_not_lost() -> None:
    lost = "category: lost\nversion: 3\nwhen: {said: lost}\n"
    [row] = judged(spoken(*LINES, confidence={1: 0.3}), lost).categories
    assert row["result"] == "needs_person"
    assert [place["text"] for place in row["evidence"]] == ["lost."]


def test_the_same_call_and_cards_give_the_same_rows() -> None:
    lost = "category: lost\nversion: 3\nwhen: {said: lost}\n"
    assert judged(CALL, lost) == judged(spoken(*LINES), lost)
