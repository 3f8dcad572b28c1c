"""Where in a call one of several phrases is said, whoever says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval
from pipelines.scorecards.case import Case
from pipelines.scorecards.conditions import Phrases
from pipelines.scorecards.conversation import Conversation, tokens_of
from pipelines.scorecards.expressions import LIMIT_S, TooSlow, spans_in

GAP_WORDS: Final = 4
"""Words that may stand at an ellipsis in a phrase, at most."""

_EPSILON: Final = 1e-6


@dataclass(frozen=True)
class Match:
    """A place where somebody says what is looked for; `words` are places in the table `words`."""

    at: Interval
    turn: int
    speaker: str
    text: str
    note: str
    words: range


def matches_of(phrases: Phrases, case: Case) -> tuple[list[Match], list[str]]:
    """All places in the call where one of the phrases is said, in order; and what cannot be known."""
    found, missing = _patterns(phrases, case.conversation)
    found += _exact(phrases, case.conversation)
    if phrases.lemmas:
        if case.conversation.has("sentences", "lemmas"):
            found += _lemmas(phrases, case.conversation)
        else:
            missing.append("the lemmas of the words are not in the store (sentences.lemmas)")
    if phrases.examples:
        if case.similarity is not None:
            found += _meanings(phrases, case)
        elif case.conversation.has("sentences", "embedding") and not case.conversation.column(
            "sentences", "sentence"
        ):
            pass  # nobody says anything
        else:
            missing.append("the meaning of the sentences is not known (sentences.embedding is empty)")
    found.sort(key=lambda match: (match.at.start, -match.at.end))
    distinct: list[Match] = []
    for match in found:
        if (
            not distinct
            or distinct[-1].turn != match.turn
            or match.at.start >= distinct[-1].at.end - _EPSILON
        ):
            distinct.append(match)
    return distinct, missing


def _exact(phrases: Phrases, conversation: Conversation) -> list[Match]:
    found = []
    tokens = conversation.tokens
    for phrase in phrases.exact:
        pieces = _pieces(phrase)
        for first in conversation.token_places.get(pieces[0][0], ()):
            last = _follow(pieces, first, conversation.texts_of_turn(tokens[first].turn))
            if last is not None:
                words = range(tokens[first].word, tokens[last].word + 1)
                found.append(_match_of(words, tokens[first].turn, "", conversation))
    return found


def _patterns(phrases: Phrases, conversation: Conversation) -> tuple[list[Match], list[str]]:
    found, missing = [], []
    for pattern in phrases.patterns:
        if pattern not in conversation.searched:
            conversation.searched[pattern] = _hits(pattern, conversation.text)
        hits = conversation.searched[pattern]
        if hits is None:
            missing.append(too_slow(pattern))
        for start, end in hits or ():
            turn, words = conversation.words_between(start, end)
            if words:
                found.append(_match_of(words, turn, "", conversation))
    return found, missing


def _hits(pattern: str, text: str) -> list[tuple[int, int]] | None:
    """Where an expression is found in the call's text, within one turn each; None where it is too slow."""
    try:
        hits = spans_in(pattern, text)
        if not any("\n" in text[start:end] for start, end in hits):
            return hits
        # White space in the expression has led from one turn into the next: each by itself then.
        found, begin = [], 0
        for line in text.split("\n"):
            found += [(begin + start, begin + end) for start, end in spans_in(pattern, line)]
            begin += len(line) + 1
        return found
    except TooSlow:
        return None


def too_slow(pattern: str) -> str:
    """Why it is not known whether an expression is found."""
    return f"the regular expression “{pattern}” takes longer than {LIMIT_S:g} s on what is said"


def _lemmas(phrases: Phrases, conversation: Conversation) -> list[Match]:
    found: dict[int, Match] = {}
    for phrase in phrases.lemmas:
        pieces = _pieces(phrase)
        for row, place in conversation.lemma_places.get(pieces[0][0], ()):
            lemmas = conversation.column("sentences", "lemmas")[row]
            if row not in found and _follow(pieces, place, dict(enumerate(lemmas))) is not None:
                found[row] = _sentence_match(row, f"a form of “{phrase}”", conversation)
    return list(found.values())


def _meanings(phrases: Phrases, case: Case) -> list[Match]:
    assert case.similarity is not None
    assert case.sentence_places is not None
    like, best = likeness(phrases, case)
    found = []
    for row in np.flatnonzero(like):
        example = phrases.examples[int(best[row].argmax())]
        note = f"{best[row].max():.2f} like “{example}”"
        found.append(_sentence_match(int(case.sentence_places[row]), note, case.conversation))
    return found


def likeness(phrases: Phrases, case: Case) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which sentences have the meaning, and how near each is to each example."""
    assert case.similarity is not None
    best = case.similarity[:, [case.examples[text] for text in phrases.examples]]
    nearest = best.max(axis=1)
    like = nearest >= phrases.threshold
    if phrases.unlike:
        other = case.similarity[:, [case.examples[text] for text in phrases.unlike]].max(axis=1)
        like &= nearest > other
    return like, best


@cache
def _pieces(phrase: str) -> tuple[tuple[str, ...], ...]:
    """The words of a phrase between its ellipses."""
    pieces = [tuple(tokens_of(piece)) for piece in phrase.replace("...", "…").split("…")]
    return tuple(piece for piece in pieces if piece)


def _follow(pieces: Sequence[Sequence[str]], first: int, texts: Mapping[int, str]) -> int | None:
    """Where the last word stands when the pieces follow each other from `first` on, None if they do not."""
    if any(texts.get(first + offset) != word for offset, word in enumerate(pieces[0])):
        return None
    after = first + len(pieces[0])
    if len(pieces) == 1:
        return after - 1
    ends = (_follow(pieces[1:], after + gap, texts) for gap in range(GAP_WORDS + 1))
    return next((end for end in ends if end is not None), None)


def _match_of(words: range, turn: int, note: str, conversation: Conversation) -> Match:
    start = float(conversation.starts[words.start])
    end = float(conversation.ends[words.start : words.stop].max())
    text = " ".join(conversation.column("words", "word")[words.start : words.stop])
    return Match(
        Interval(start, end), turn, conversation.column("words", "speaker")[words.start], text, note, words
    )


def _sentence_match(row: int, note: str, conversation: Conversation) -> Match:
    turn, speaker, text, start, end = (
        conversation.column("sentences", column)[row]
        for column in ("turn", "speaker", "text", "start_s", "end_s")
    )
    at = Interval(start, end)
    return Match(at, turn, speaker, text, note, words_at(at, turn, conversation))


def words_at(at: Interval, turn: int, conversation: Conversation) -> range:
    """The words of a turn that begin in a stretch."""
    words = conversation.words_of_turn.get(turn, range(0))
    starts = conversation.starts[words.start : words.stop]
    inside = np.flatnonzero((starts >= at.start - _EPSILON) & (starts <= at.end + _EPSILON))
    return range(words.start + int(inside[0]), words.start + int(inside[-1]) + 1) if len(inside) else range(0)
