"""Sentiment of turns, speakers and quarters of a call, from that of sentences."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from models.language import ParsedText, Span, Token
from models.speech import Interval
from pipelines.tables import QUARTERS
from pipelines.transcript import Sentence

_ANSWERS: Final = frozenset(
    {
        "yes",
        "no",
        "yeah",
        "yep",
        "yup",
        "nope",
        "nah",
        "okay",
        "ok",
        "sure",
        "right",
        "well",
        "alright",
        "like",
    }
)


def scored_text(sentence: Span, text: ParsedText) -> str:
    """The sentence without words that only answer or fill.

    VADER's lexicon is of social media: to it a "Yes." is glad, a "No." sad, and "I would like to cancel" and
    "it's like a burning" are warm. Speech is full of them, so they are left out where the parser takes them
    for interjections, and "like" wherever nobody likes anything.
    """
    kept, end = [], sentence.start
    tokens = text.within(sentence)
    for before, token in zip((None, *tokens), tokens, strict=False):
        if _only_fills(token, before):
            kept.append(text.text[end : token.start])
            end = token.end
    return "".join([*kept, text.text[end : sentence.end]]).strip()


def _only_fills(token: Token, before: Token | None) -> bool:
    word = token.text.lower()
    if word not in _ANSWERS:
        return False
    if word == "like":
        wished = before is not None and before.lemma in ("would", "'d")
        return token.pos != "VERB" or wished
    return token.pos == "INTJ"


def sentiment_of(sentences: Iterable[Sentence]) -> float | None:
    """The mean of the sentences' sentiment, each with the weight of its words; None where none has any."""
    return _mean(sentences, lambda sentence: float(len(sentence.lemmas)))


def sentiment_by_quarter(sentences: Sequence[Sentence], duration: float) -> tuple[float | None, ...]:
    """The sentiment of each quarter of a call of `duration` seconds, None where nothing was said.

    As Amazon Transcribe Call Analytics does, the call is cut into four parts of equal time; a sentence
    counts in each with the seconds of it that lie there.
    """
    width = duration / QUARTERS
    quarters = [Interval(width * number, width * (number + 1)) for number in range(QUARTERS)]
    return tuple(_mean(sentences, quarter.overlap) for quarter in quarters)


def sentiment_change(by_quarter: Sequence[float | None]) -> float | None:
    """The sentiment of the last quarter that has one, less that of the first; None with fewer than two."""
    known = [value for value in by_quarter if value is not None]
    return known[-1] - known[0] if len(known) > 1 else None


def _mean(sentences: Iterable[Sentence], weight: Callable[[Sentence], float]) -> float | None:
    weighted = [
        (sentence.sentiment, weight(sentence)) for sentence in sentences if sentence.sentiment is not None
    ]
    total = sum(share for _, share in weighted)
    return sum(value * share for value, share in weighted) / total if total > 0 else None
