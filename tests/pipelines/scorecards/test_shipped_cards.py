"""The scorecards and categories that come with Callfolio, and the reference for those who write their own."""

import re
import textwrap
from pathlib import Path

import pytest
from cards_in_text import rulebook
from spoken_rows import embed_by_words, spoken

from pipelines.scorecards.document import Document
from pipelines.scorecards.parsing import _Parser, load
from pipelines.scorecards.scoring import Scorer
from pipelines.scorecards.wording import in_words
from pipelines.tables import MOMENT_KINDS

DATA = Path(__file__).resolve().parents[3] / "data"
REFERENCE = (DATA / "scorecards" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)


def test_the_shipped_cards_are_read_and_said_in_words() -> None:
    found = load(DATA / "scorecards", DATA / "categories")
    assert [card.name for card in found.scorecards] == ["clinical-interview", "contact-center"]
    assert len(found.categories) >= 5
    for card in found.scorecards:
        assert any(criterion.critical for criterion in card.criteria)
        for criterion in card.criteria:
            assert criterion.question.endswith(("?", ")"))
            assert in_words(criterion.pass_if)


def test_a_card_is_for_the_conversations_that_its_questions_fit() -> None:
    kinds = {
        card.name: card.applies_to.columns["kind"]
        for card in load(DATA / "scorecards", DATA / "categories").scorecards
    }
    assert kinds == {"contact-center": ("contact_center",), "clinical-interview": ("consultation",)}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_reference_is_read(example: str) -> None:
    whole = example.startswith(("scorecard:", "category:"))
    named = "conditions:\n  refund_asked: {said: refund}\n  verification: {said: date of birth}\n"
    condition = textwrap.indent(example, "  ")
    rulebook(example if whole else f"category: example\nversion: 1\n{named}when:\n{condition}")


def test_the_reference_shows_every_kind_of_condition_and_every_key() -> None:
    kinds = _Parser(Document(Path("none"), "a: 1"), "")._kinds()
    keys = ("exact", "lemma", "regex", "meaning", "unlike", "threshold", "by", "within", "at_least")
    windows = ("first", "last", "after", "before", "for", "while")
    shown = "\n".join(EXAMPLES)
    for key in (*kinds, *keys, *windows, "of", "aggregate", "matching", "longer_than", "to", "requires"):
        assert re.search(rf"\b{key}:", shown), key
    for kind in MOMENT_KINDS:
        assert f"`{kind}`" in REFERENCE


def verdict(criterion: str, *lines: tuple[str, str]) -> str:
    """What a shipped card says of one criterion in a call of these lines."""
    book = load(DATA / "scorecards", DATA / "categories")
    kind = "consultation" if lines[0][0] in ("doctor", "patient") else "contact_center"
    scores = Scorer(book, embed_by_words).score(spoken(*lines, call={"kind": kind, "language": "en"})).scores
    [row] = [row for row in scores if row["criterion"] == criterion]
    return str(row["result"])


@pytest.mark.parametrize(("asked", "result"), [
    ("Are you on any medications at the moment?", "pass"),
    ("What tablets were you prescribed?", "pass"),
    ("Are you allergic to any medication?", "fail"),  # which is another question
    ("Any allergies to medications or to the medicine you had?", "fail"),
    ("Do you use recreational drugs?", "fail"),
])  # fmt: skip
def test_medicines_are_asked_for_by_a_question_of_their_own(asked: str, result: str) -> None:
    talk = "I have had a pain in my back for about three weeks and it does not go away, not even at night."
    lines = [("doctor", "Hello, what brings you in today? Tell me all about it from the beginning, please.")]
    assert verdict("medication", *lines, ("patient", talk), ("doctor", asked), ("patient", "No.")) == result


def test_how_severe_a_pain_is_is_no_red_flag() -> None:
    talk = "I have had a pain in my back for about three weeks and it does not go away, not even at night."
    lines = [
        ("doctor", "Hello, what brings you in today? Tell me all about it from the beginning, please."),
        ("patient", talk),
        ("doctor", "How severe pain is it, if ten is the worst pain that you can imagine?"),
        ("patient", "A six."),
    ]
    assert verdict("red_flags", *lines) == "fail"
