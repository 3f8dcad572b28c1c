"""The values that the language adapters hand out: parsed texts and embeddings.

Offsets count the characters of the text that the adapter was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

EMBEDDING_SIZE = 384
"""Length of a sentence's embedding."""

Embeddings = NDArray[np.float32]
"""Sentence embeddings of unit length, float32, shape `(sentences, EMBEDDING_SIZE)`."""


@dataclass(frozen=True)
class Span:
    """A stretch of a text: `text[start:end]`, never empty."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The stretch itself."""
        return text[self.start : self.end]

    def overlaps(self, other: "Span") -> bool:
        """Whether both cover some character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Token(Span):
    """A word, a part of one ("do" and "n't"), or a punctuation mark.

    `lemma` is in lower case. `pos` is the Universal POS tag and `tag` the Penn Treebank one; both are empty
    where no model read the text, and `pos` is then `PUNCT` for what has no letter or digit.
    """

    text: str
    lemma: str
    pos: str
    tag: str

    @property
    def is_word(self) -> bool:
        """Whether it is said, which punctuation is not."""
        return self.pos not in ("PUNCT", "SPACE")


@dataclass(frozen=True)
class NamedEntity(Span):
    """A name or quantity; `label` is the model's, such as `PERSON`."""

    label: str


@dataclass(frozen=True)
class ParsedText:
    """A text read by a parser: its sentences and tokens in order, noun phrases and entities.

    Sentences and tokens do not overlap, and neither begins or ends with white space. `modelled` is false
    where rules stood in for a model of the language: then there are no noun phrases and no entities.
    """

    text: str
    sentences: tuple[Span, ...]
    tokens: tuple[Token, ...]
    noun_phrases: tuple[Span, ...]
    entities: tuple[NamedEntity, ...]
    modelled: bool

    @cached_property
    def by_sentence(self) -> Sequence[tuple[Token, ...]]:
        """The tokens of each sentence."""
        return [self.within(sentence) for sentence in self.sentences]

    def within(self, span: Span) -> tuple[Token, ...]:
        """The tokens that lie in a stretch of the text."""
        return tuple(token for token in self.tokens if span.start <= token.start and token.end <= span.end)
