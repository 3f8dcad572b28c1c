"""Names, numbers, sums and dates in what was said: those that a model finds and those that rules find."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.language import NamedEntity, ParsedText, Span
from pipelines.analytics.patterns import find_patterns

MODEL: Final = "spacy"
RULES: Final = "rules"

_KINDS: Final[Mapping[str, str]] = {
    "PERSON": "person",
    "ORG": "organization",
    "GPE": "location",
    "LOC": "location",
    "FAC": "location",
    "NORP": "group",
    "PRODUCT": "product",
    "DATE": "date",
    "TIME": "time",
    "MONEY": "money",
    "PERCENT": "percent",
    "QUANTITY": "quantity",
    "ORDINAL": "ordinal",
    "CARDINAL": "number",
}
"""The labels of OntoNotes 5 that the model knows, as kinds. Works of art, laws, languages and events are left
out: in calls, what the model takes for them is nearly always something else."""

_NAMES: Final = frozenset({"person", "organization", "location", "group", "product"})

_MEANING: Final = frozenset({"PROPN", "NOUN", "NUM", "ADJ", "SYM", "X", "VERB", "ADV"})
"""Parts of speech of which an entity needs one: interjections and function words alone are none."""

_PLEASANT: Final = frozenset(
    {"good", "great", "nice", "wonderful", "lovely", "fantastic", "pleasant", "beautiful"}
)
"""The model takes the "great day" that callers are wished for a date."""

_YEAR: Final = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class FoundEntity(Span):
    """An entity in a text; `kind` and `detector` as in the table `entities`."""

    kind: str
    detector: str


def find_entities(texts: Sequence[ParsedText], language: str) -> tuple[tuple[FoundEntity, ...], ...]:
    """The entities of each text, in order and without overlap; `texts` are the turns of one call.

    A rule knows its kind of thing better than the model, so it has its stretch; only where the model found
    more of the same thing, as in "about five dollars", the longer stretch stands.
    """
    plain = frozenset(token.text for text in texts for token in text.tokens if token.text.islower())
    asked = ["", *(text.text for text in texts)]
    return tuple(_of_text(text, language, before, plain) for text, before in zip(texts, asked, strict=False))


def _of_text(text: ParsedText, language: str, before: str, plain: frozenset[str]) -> tuple[FoundEntity, ...]:
    modelled = [found for entity in text.entities if (found := _judged(entity, text, plain))]
    kept: list[FoundEntity] = []
    for pattern in find_patterns(text.text, language, before):
        longer = [
            entity
            for entity in modelled
            if entity.kind == pattern.kind and entity.start <= pattern.start and pattern.end <= entity.end
        ]
        kept += longer or [FoundEntity(pattern.start, pattern.end, pattern.kind, RULES)]
    kept += [entity for entity in modelled if not any(entity.overlaps(other) for other in kept)]
    return tuple(sorted(dict.fromkeys(kept), key=lambda entity: entity.start))


def _judged(entity: NamedEntity, text: ParsedText, plain: frozenset[str]) -> FoundEntity | None:
    """What the model found, None where it does not stand up; `plain` are words of the call in lower case."""
    kind = _KINDS.get(entity.label)
    words = [token for token in text.within(entity) if token.is_word]
    if kind is None or not any(word.pos in _MEANING for word in words):
        return None
    said, end = entity.of(text.text), entity.end
    if kind in _NAMES:
        # Recognisers write names with a capital; "Sharp, okay." is none where "sharp" is said elsewhere.
        if said == said.lower() or (len(words) == 1 and said.lower() in plain):
            return None
        # The full stop of "a Tesla Model F." ends the sentence.
        end -= said.endswith(".") and "." not in said[:-1]
    if kind in ("date", "time") and any(word.lemma in _PLEASANT for word in words):
        return None
    if kind == "date" and said.isdecimal() and not _YEAR.fullmatch(said):
        kind = "number"
    return FoundEntity(entity.start, end, kind, MODEL)
