"""The scorecards and categories that come with Callfolio, and the reference for those who write their own."""

import re
import textwrap
from pathlib import Path

import pytest
from cards_in_text import rulebook

from pipelines.scorecards.document import Document
from pipelines.scorecards.parsing import _Parser, load
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
