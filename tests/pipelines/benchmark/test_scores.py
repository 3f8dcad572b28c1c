"""Systems are scored by the same rules, whatever language each of them took a call for."""

import pytest

from pipelines.benchmark.labelled import Labelled
from pipelines.benchmark.scores import UNDETERMINED, score_alike
from pipelines.evaluation import Rules
from pipelines.evaluation.document import Document, Word

RULES = Rules()


def said(text: str, language: str = "") -> Document:
    words = tuple(Word(word, "a", float(i), i + 0.5) for i, word in enumerate(text.split()))
    return Document("", "", words=words, language=language)


def scored(reference: Document, ours: Document, theirs: Document, rules: Rules = RULES) -> dict[str, str]:
    """The normaliser of each system."""
    call = Labelled("a", "calls", None, reference)  # type: ignore[arg-type]
    found = score_alike([call], {"ours": {"a": ours}, "theirs": {"a": theirs}}, rules)
    return {system: evaluation.scores[0].normaliser for system, evaluation in found.items()}


@pytest.mark.parametrize(
    ("named", "ours", "theirs", "normaliser"),
    [
        ("", "en", "en", "english"),
        ("", "es", "es", "basic"),
        ("", "en", "es", "basic"),
        ("", "", "en", "english"),
        ("en", "en", "es", "english"),
        ("es", "en", "en", "basic"),
    ],
)
def test_one_normaliser_serves_both(named: str, ours: str, theirs: str, normaliser: str) -> None:
    found = scored(said("hello", named), said("hello", ours), said("hello", theirs))
    assert found == {"ours": normaliser, "theirs": normaliser}


def test_the_language_of_the_rules_counts_for_more_than_what_was_heard() -> None:
    found = scored(said("hola"), said("hola", "es"), said("hola", "es"), Rules(language="en"))
    assert set(found.values()) == {"english"}


def test_calls_can_be_sliced_by_their_language() -> None:
    call = Labelled("a", "calls", None, said("hello"))  # type: ignore[arg-type]
    [score] = score_alike([call], {"ours": {"a": said("hello", "en")}}, Rules())["ours"].scores
    assert score.facts["language"] == "en"
    [score] = score_alike([call], {"x": {"a": said("", "en")}, "y": {"a": said("", "es")}}, Rules())[
        "x"
    ].scores
    assert score.facts["language"] == UNDETERMINED
