"""Turns read as text: sentences with their meaning and sentiment, entities, key phrases and questions."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from models.language import ParsedText, Span
from models.speech import Interval
from pipelines.analytics.call_sentiment import scored_text
from pipelines.analytics.entities import find_entities
from pipelines.analytics.key_phrases import find_key_phrases
from pipelines.analytics.questions import is_question
from pipelines.transcript import Entity, Reading, Sentence, Turn

if TYPE_CHECKING:
    from models.embedder import Embedder
    from models.parser import Parser
    from models.sentiment import SentimentModel


def read(
    turns: Sequence[Turn],
    language: str,
    parser: "Parser",
    sentiment: "SentimentModel",
    embedder: "Embedder | None",
) -> Reading:
    """Read the turns of a call in `language`, an ISO 639-1 code, as far as there are models for it."""
    texts = parser.parse([turn.text for turn in turns], language)
    return Reading(
        tuple(_sentences(turns, texts, language, sentiment, embedder)),
        tuple(_entities(turns, texts, language)),
        find_key_phrases(texts),
        _notes(language, parser, sentiment, embedder),
    )


def _sentences(
    turns: Sequence[Turn],
    texts: Sequence[ParsedText],
    language: str,
    sentiment: "SentimentModel",
    embedder: "Embedder | None",
) -> Iterator[Sentence]:
    said = [span.of(text.text) for text in texts for span in text.sentences]
    scored = [scored_text(span, text) for text in texts for span in text.sentences]
    scores = iter(sentiment.score(scored) if sentiment.serves(language) else [None] * len(said))
    embeddings = iter(
        embedder.embed(said) if embedder is not None and embedder.serves(language) else [None] * len(said)
    )
    for number, (turn, text) in enumerate(zip(turns, texts, strict=True)):
        for span, tokens in zip(text.sentences, text.by_sentence, strict=True):
            spoken = when(turn, span)
            yield Sentence(
                spoken.start,
                spoken.end,
                turn=number,
                speaker=turn.speaker,
                text=span.of(text.text),
                start_char=span.start,
                end_char=span.end,
                lemmas=tuple(token.lemma for token in tokens if token.is_word),
                question=is_question(span.of(text.text), tokens),
                sentiment=next(scores),
                embedding=next(embeddings),
            )


def _entities(turns: Sequence[Turn], texts: Sequence[ParsedText], language: str) -> Iterator[Entity]:
    entities = find_entities(texts, language)
    for number, (turn, text, of_text) in enumerate(zip(turns, texts, entities, strict=True)):
        for found in of_text:
            spoken = when(turn, found)
            yield Entity(
                spoken.start,
                spoken.end,
                turn=number,
                speaker=turn.speaker,
                kind=found.kind,
                text=found.of(text.text),
                start_char=found.start,
                end_char=found.end,
                detector=found.detector,
            )


def when(turn: Turn, span: Span) -> Interval:
    """When a stretch of a turn's text is said: from the first to the last of the words that it touches."""
    ends = accumulate(turn.words, lambda end, word: end + 1 + len(word.text), initial=-1)
    touched = [
        word
        for word, before in zip(turn.words, ends, strict=False)
        if span.overlaps(Span(before + 1, before + 1 + len(word.text)))
    ]
    return Interval(touched[0].start, max(word.end for word in touched))


def _notes(
    language: str, parser: "Parser", sentiment: "SentimentModel", embedder: "Embedder | None"
) -> Mapping[str, str]:
    notes = {}
    if not parser.models(language):
        notes["lemmas"] = f"Words in lower case stand for lemmas: no model reads the language {language}."
        notes["entities"] = f"Rules found these; no model finds names in the language {language}."
        notes["key_phrases"] = f"Left out: no model finds noun phrases in the language {language}."
        notes["questions"] = (
            f"Known by their question marks only: no model knows the form of questions in {language}."
        )
    if not sentiment.serves(language):
        notes["sentiment"] = f"Left out: there is no lexicon for the language {language}."
    if embedder is None:
        notes["embedding"] = (
            "Left out: the model for sentence embeddings is not on this machine. "
            'Run "callfolio models pull" and process the recording again.'
        )
    elif not embedder.serves(language):
        notes["embedding"] = f"Left out: the model for sentence embeddings does not know {language}."
    return notes
