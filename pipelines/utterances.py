"""Words into utterances: what one speaker says in one go, so far as pauses, sentences and voices tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.speech import Interval
from pipelines.transcript import Turn, Word

PAUSE_S = 0.3
"""A pause after which somebody else may be speaking: longer than the closure of a consonant (about 0.2 s),
shorter than most gaps between turns."""

_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "…")


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
        return self.words[-1].text.endswith(_SENTENCE_ENDS)


def utterances(words: Sequence[Word]) -> tuple[Utterance, ...]:
    """Cut words at pauses, at ends of sentences, and where the speaker changes."""
    groups: list[list[Word]] = []
    for word in words:
        before = groups[-1][-1] if groups else None
        if (
            before is None
            or word.speaker != before.speaker
            or word.start - before.end > PAUSE_S
            or before.text.endswith(_SENTENCE_ENDS)
        ):
            groups.append([])
        groups[-1].append(word)
    return tuple(Utterance(tuple(group)) for group in groups)


def stretches(utterance: Utterance) -> tuple[Interval, ...]:
    """Where the words of an utterance are."""
    return tuple(Interval(word.start, word.end) for word in utterance.words)
