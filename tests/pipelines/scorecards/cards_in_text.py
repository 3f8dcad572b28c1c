"""Scorecards and categories that a test writes, and what they say of a call."""

import json
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from spoken_rows import embed_by_words

from pipelines.scorecards.cards import Rulebook
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.document import Mistaken
from pipelines.scorecards.parsing import load_files
from pipelines.scorecards.scoring import Judgement, Scorer
from pipelines.tables import Row


def rulebook(*texts: str) -> Rulebook:
    """The cards in these YAML texts."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"card-{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load_files(paths)


def mistakes(text: str) -> list[str]:
    """What is wrong with a card, as `line:column: sentence`."""
    try:
        rulebook(text)
    except Mistaken as error:
        [found] = error.mistakes.values()
        return [f"{each.line}:{each.column}: {each.sentence}" for each in found]
    return []


def judged(conversation: Conversation, *texts: str) -> Judgement:
    """What these cards say of a call, with `embed_by_words` for the meaning of sentences."""
    return Scorer(rulebook(*texts), embed_by_words).score(conversation)


def result_of(
    conversation: Conversation,
    pass_if: Any,
    applies_if: Any = None,
    conditions: Mapping[str, Any] | None = None,
    confidence: Mapping[str, float] | None = None,
) -> Row:
    """The row of one criterion `asked`, whose conditions are YAML text or what YAML would read as."""
    criterion: dict[str, Any] = {"criterion": "asked", "points": 4, "pass_if": _content(pass_if)}
    if applies_if is not None:
        criterion["applies_if"] = _content(applies_if)
    card: dict[str, Any] = {"scorecard": "made", "version": 1}
    if conditions:
        card["conditions"] = {name: _content(each) for name, each in conditions.items()}
    if confidence:
        card["confidence"] = dict(confidence)
    card["sections"] = [{"section": "All", "criteria": [criterion]}]
    [row] = judged(conversation, json.dumps(card, ensure_ascii=False)).scores
    return row


def holds(conversation: Conversation, condition: Any, **more: Any) -> bool:
    """Whether a condition surely holds, or surely does not."""
    return {"pass": True, "fail": False}[result_of(conversation, condition, **more)["result"]]


def _content(condition: Any) -> Any:
    return yaml.safe_load(textwrap.dedent(condition)) if isinstance(condition, str) else condition
