"""Words into utterances: what one speaker says in one go, so far as pauses, sentences and voices tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.speech import SENTENCE_ENDS, Interval
from pipelines.transcript import Turn, Word

PAUSE_S = 0.3
"""A pause after which somebody else may be speaking: longer than the closure of a consonant (about 0.2 s),
shorter than most gaps between turns."""

LONGEST_S = 4.0
"""What goes on for longer may be of two speakers, where the recogniser writes no full stops and one answers
without a pause. Of one such call (made, in Spanish) 33 % of the words had the wrong speaker; with any limit
of 3 or 4 s it is 1 %, with 2 s 3 %. No other call changes."""


@dataclass(frozen=True)
class Utterance(Turn):
    """What one speaker is thought to say in one go; a turn has one or several."""

    @property
    def seconds(self) -> float:
        """How long it is spoken, pauses left out."""
        return sum(word.duration for word in self.words)

    @property
    def asks(self) -> bool:
        """Whether it ends as a question."""
        return self.words[-1].text.endswith(("?", "？"))

    @property
    def ends_sentence(self) -> bool:
        """Whether a sentence ends with it."""
        return self.words[-1].text.endswith(SENTENCE_ENDS)


def utterances(words: Sequence[Word]) -> tuple[Utterance, ...]:
    """Cut words at pauses, at ends of sentences, where the speaker changes, and what goes on for too long."""
    groups: list[list[Word]] = []
    for word in words:
        before = groups[-1][-1] if groups else None
        if (
            before is None
            or word.speaker != before.speaker
            or word.start - before.end > PAUSE_S
            or before.text.endswith(SENTENCE_ENDS)
        ):
            groups.append([])
        groups[-1].append(word)
    return tuple(Utterance(tuple(part)) for group in groups for part in _parted(group))


def _parted(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Cut words at the longest gap, of several the one in the middle, until none lasts over `LONGEST_S`."""
    start, end = words[0].start, words[-1].end
    if end - start <= LONGEST_S or len(words) == 1:
        yield words
        return

    def merit(i: int) -> tuple[float, float]:
        left, right = words[i - 1].end, words[i].start
        return round(right - left, 2), -abs(left + right - start - end)

    cut = max(range(1, len(words)), key=merit)
    yield from _parted(words[:cut])
    yield from _parted(words[cut:])


def stretches(utterance: Utterance) -> tuple[Interval, ...]:
    """Where the words of an utterance are."""
    return tuple(Interval(word.start, word.end) for word in utterance.words)
