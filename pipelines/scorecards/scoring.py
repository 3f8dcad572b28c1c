"""A call's rows of `scores` and `categories`, from the rows that a store holds of the call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.scorecards.cards import Applies, Category, Criterion, Rulebook, Scorecard, Thresholds
from pipelines.scorecards.case import Case
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.findings import Evidence, Finding, conjunction
from pipelines.scorecards.judging import find
from pipelines.tables import TABLES, CallRows, Row

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Turns texts into embeddings of unit length, shape `(len(texts), 384)`: those of `sentences.embedding`."""


@dataclass(frozen=True)
class Judgement:
    """What the cards say of a call: rows of `scores` and rows of `categories`."""

    scores: tuple[Row, ...]
    categories: tuple[Row, ...]


class Scorer:
    """Judges calls by the cards of a rulebook, whose examples are embedded once, here."""

    def __init__(self, rulebook: Rulebook, embed: Embed | None, model_sha256: str = "") -> None:
        """`embed` is None where there is no model of meaning: what asks for meaning is then not computed.

        Nor is it for calls whose sentences another model than that of `model_sha256` embedded, where given.
        """
        self.rulebook = rulebook
        self._model_sha256 = model_sha256
        self._places = {text: place for place, text in enumerate(rulebook.examples)}
        self._examples = embed(rulebook.examples) if embed and rulebook.examples else None

    def score(self, conversation: Conversation) -> Judgement:
        """The rows of one call. The same conversation and cards give the same rows."""
        case = self._case(conversation)
        scores = [
            row
            for card in self.rulebook.scorecards
            if _is_for(card.applies_to, conversation)
            for row in _scores(card, replace(case, named=card.named, thresholds=card.thresholds, found={}))
        ]
        categories = [
            row
            for category in self.rulebook.categories
            if _is_for(category.applies_to, conversation)
            for row in _categories(
                category, replace(case, named=category.named, thresholds=category.thresholds, found={})
            )
        ]
        return Judgement(tuple(scores), tuple(categories))

    def score_rows(self, rows: CallRows) -> CallRows:
        """The rows of a call with those of `scores` and `categories`."""
        judgement = self.score(conversation_of(rows))
        return replace(rows, scores=judgement.scores, categories=judgement.categories)

    def _case(self, conversation: Conversation) -> Case:
        case = Case(conversation, {}, Thresholds())
        models = dict(conversation.call.get("models") or {})
        if self._model_sha256 and self._model_sha256 not in models.values():
            return case
        if self._examples is None or conversation.embeddings is None:
            return case
        places, embeddings = conversation.embeddings
        return replace(
            case, similarity=embeddings @ self._examples.T, sentence_places=places, examples=self._places
        )


def conversation_of(rows: CallRows) -> Conversation:
    """What judging sees of a call that was just processed."""
    names = [each.name for each in fields(rows) if each.name in TABLES]
    tables = {
        name: pa.Table.from_pylist([dict(row) for row in getattr(rows, name)], schema=TABLES[name].schema)
        for name in names
        if name not in ("scores", "categories")
    }
    return Conversation(rows.call, tables)


def _is_for(applies: Applies, conversation: Conversation) -> bool:
    return all(_value(name, conversation.call) in values for name, values in applies.columns.items())


def _value(name: str, call: Row) -> str:
    if name.startswith("metadata."):
        metadata: Mapping[str, str] = dict(call.get("metadata") or {})
        return metadata.get(name.removeprefix("metadata."), "")
    return str(call.get(name, ""))


def _scores(card: Scorecard, case: Case) -> list[Row]:
    return [
        {
            "call_id": case.conversation.call_id,
            "scorecard": card.name,
            "version": card.version,
            "section": section.name,
            "criterion": criterion.name,
            **_judged(criterion, case),
            "scorecard_sha256": card.sha256,
        }
        for section in card.sections
        for criterion in section.criteria
    ]


def _judged(criterion: Criterion, case: Case) -> Row:
    applies = (
        conjunction([find(each, case) for each in criterion.applies_if]) if criterion.applies_if else None
    )
    finding = find(criterion.pass_if, case)
    if applies and applies.verdict is False:
        result, finding, reason = "not_applicable", applies, f"Not applicable: {_because(applies)}."
    elif applies and applies.verdict is None:
        seems = "" if applies.holds is None else f" It seems {'so' if applies.holds else 'not so'}."
        result, finding = "needs_person", applies
        reason = f"Whether it applies {_doubted(applies)}{seems}"
    elif finding.verdict is None:
        seems = (
            ""
            if finding.holds is None
            else f" It seems to {'pass' if finding.holds else 'fail'}: {_because(finding)}."
        )
        result, reason = "needs_person", f"Whether it passes {_doubted(finding)}{seems}"
    else:
        result, reason = ("pass" if finding.verdict else "fail"), f"{_sentence(_because(finding))}."
    return {
        "result": result,
        "points": {"pass": criterion.points, "fail": 0.0}.get(result),
        "max_points": criterion.points,
        "weight": criterion.weight,
        "critical": criterion.critical,
        "confidence": finding.confidence,
        "computed": finding.holds is not None,
        "reason": reason,
        "evidence": _evidence(finding.evidence),
    }


def _categories(category: Category, case: Case) -> list[Row]:
    finding = find(category.when, case)
    if finding.verdict is False:
        return []
    evidence = finding.evidence
    if finding.holds and category.points_of_interest:
        points = find(category.points_of_interest, case)
        evidence = points.evidence if points.holds else finding.evidence
    if finding.verdict:
        result, reason = "matched", f"{_sentence(_because(finding))}."
    else:
        seems = (
            ""
            if finding.holds is None
            else f" It seems {'so' if finding.holds else 'not so'}: {_because(finding)}."
        )
        result, reason = "needs_person", f"Whether it is of this category {_doubted(finding)}{seems}"
    return [
        {
            "call_id": case.conversation.call_id,
            "category": category.name,
            "version": category.version,
            "result": result,
            "confidence": finding.confidence,
            "reason": reason,
            "evidence": _evidence(evidence),
            "category_sha256": category.sha256,
        }
    ]


def _because(finding: Finding) -> str:
    return "; ".join(finding.because) or "nothing speaks against it"


def _doubted(finding: Finding) -> str:
    why = "; ".join(finding.doubts)
    return f"cannot be computed: {why}." if finding.holds is None else f"is for a person to say: {why}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _evidence(found: Sequence[Evidence]) -> list[Row]:
    """Evidence as the tables hold it, in order of time."""
    return [
        {
            "turn": each.turn,
            "start_s": each.start,
            "end_s": each.end,
            "speaker": each.speaker,
            "role": each.role,
            "text": each.text,
            "note": each.note,
        }
        for each in sorted(found, key=lambda each: (each.start, each.end, each.turn is None))
    ]
