"""Words into turns."""

from collections.abc import Sequence
from itertools import takewhile

from pipelines.transcript import Turn, Word

PAUSE_S = 0.8
"""A pause of one speaker after which what the other said meanwhile comes first in the transcript."""


def make_turns(words: Sequence[Word]) -> tuple[Turn, ...]:
    """Join consecutive words of a speaker into turns, in order of their start.

    Where two speak at once, words are not shuffled together: each speaker's words up to a pause stay
    together, and these utterances take turns.
    """
    turns: list[list[Word]] = []
    for utterance in sorted(_utterances(words), key=lambda utterance: utterance[0].start):
        if turns and turns[-1][0].speaker == utterance[0].speaker:
            turns[-1] += utterance
        else:
            turns.append(utterance)
    return tuple(Turn(tuple(turn)) for turn in turns)


def _utterances(words: Sequence[Word]) -> list[list[Word]]:
    """Each speaker's words, in order, split at pauses and where another speaks a whole word in between."""
    utterances: list[list[Word]] = []
    open_: dict[str, list[Word]] = {}
    for word in words:
        current = open_.get(word.speaker)
        if (
            current is None
            or word.start - current[-1].end > PAUSE_S
            or _interrupted(current[-1], word, open_)
        ):
            current = open_[word.speaker] = []
            utterances.append(current)
        current.append(word)
    return utterances


def _interrupted(last: Word, word: Word, open_: dict[str, list[Word]]) -> bool:
    """Whether another speaker's word lies wholly in the gap between `last` and `word`."""
    return any(
        said.end <= word.start
        for speaker, other in open_.items()
        if speaker != word.speaker
        for said in takewhile(lambda said: last.end <= said.start, reversed(other))
    )
