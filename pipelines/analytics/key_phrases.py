"""The key phrases of turns: noun phrases, ranked over the whole call by their C-value.

C-value (Frantzi, Ananiadou and Mima 2000, Automatic recognition of multi-word terms) is how often a phrase
occurs, less what it owes to longer phrases that contain it, times the logarithm of its length.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from models.language import ParsedText, Token

MOST: Final = 5
"""Key phrases of a turn, at most."""

_SAYING_NOTHING: Final = """
    afternoon anything bit bunch bye couple course day evening everything goodbye guy hello hi hour kind
    lot ma'am madam matter minute miss mister mm moment month morning name night nothing okay one part
    point reason regard rest sec second side sir something sort stuff thank thanks thing time today
    tomorrow tonight type way week yeah year yesterday
"""
_EMPTY: Final = frozenset(_SAYING_NOTHING.split())
"""Nouns that say nothing of what a call is about, and what is built on them: "little bit", "great day"."""

_POINTING: Final = frozenset({"other", "same", "such", "own", "like", "much", "many", "more", "whole"})
"""Words that spaCy may take for adjectives and that say nothing at the beginning of a phrase."""

_OUTER: Final = frozenset({"NOUN", "PROPN", "ADJ"})
_INNER: Final = _OUTER | {"NUM", "ADP", "PART", "PUNCT", "VERB", "CCONJ"}
"""Parts of speech that a phrase may begin with, and those that may be in it."""

_ENTITIES: Final = frozenset({"PERSON", "DATE", "TIME", "MONEY", "PERCENT", "CARDINAL", "ORDINAL"})
"""Names and numbers have a table of their own."""

_Phrase = tuple[str, ...]


def find_key_phrases(texts: Sequence[ParsedText]) -> tuple[tuple[str, ...], ...]:
    """The key phrases of each text, at most `MOST`, best first, in lower case and the noun in the singular.

    `texts` are the turns of one call. Where no model read them there are none.
    """
    phrases = [dict(_phrases(text)) for text in texts]
    values = _c_values(Counter(phrase for of_text in phrases for phrase in of_text))
    return tuple(
        tuple(of_text[phrase] for phrase in sorted(of_text, key=values.__getitem__, reverse=True)[:MOST])
        for of_text in phrases
    )


def _phrases(text: ParsedText) -> Iterator[tuple[_Phrase, str]]:
    """The words of each phrase of a text, and how it is written."""
    names = [entity for entity in text.entities if entity.label in _ENTITIES]
    for span in text.noun_phrases:
        tokens = _core(text.within(span))
        if not tokens or any(name.overlaps(token) for name in names for token in tokens):
            continue
        *before, head = tokens
        start = tokens[0].start
        written = text.text[start : head.start].lower() + head.lemma
        yield (*(token.text.lower() for token in before), head.lemma), written


def _core(tokens: Sequence[Token]) -> Sequence[Token]:
    """A noun phrase without the words at its edges that only point; nothing where it says nothing."""
    while tokens and (
        tokens[0].pos not in _OUTER or tokens[0].lemma in _POINTING or len(tokens[0].text) == 1
    ):
        tokens = tokens[1:]
    while tokens and tokens[-1].pos not in ("NOUN", "PROPN"):
        tokens = tokens[:-1]
    if not tokens or tokens[-1].lemma in _EMPTY or any(token.pos not in _INNER for token in tokens):
        return ()
    return tokens


def _c_values(counts: Mapping[_Phrase, int]) -> Mapping[_Phrase, float]:
    values = {}
    for phrase, count in counts.items():
        longer = [other for other in counts if len(other) > len(phrase) and _contains(other, phrase)]
        nested = sum(counts[other] for other in longer) / len(longer) if longer else 0.0
        # One is added to the length: Frantzi and others rank phrases of several words only.
        values[phrase] = math.log2(len(phrase) + 1) * (count - nested)
    return values


def _contains(longer: _Phrase, shorter: _Phrase) -> bool:
    width = len(shorter)
    return any(longer[at : at + width] == shorter for at in range(len(longer) - width + 1))
