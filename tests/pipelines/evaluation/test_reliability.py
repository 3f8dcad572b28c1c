"""A reliability table counts, for each bin of confidence, how many words have the right speaker."""

from dataclasses import replace

from pipelines.evaluation.document import Document, Word
from pipelines.evaluation.metrics.reliability import Bin, reliability
from pipelines.evaluation.scoring import Rules, score

SAID = (Word("good", "agent"), Word("morning", "agent"), Word("hello", "caller"), Word("there", "caller"))


def heard(*sure: tuple[str, float | None]) -> tuple[Word, ...]:
    return tuple(
        replace(word, speaker=speaker, speaker_confidence=confidence)
        for word, (speaker, confidence) in zip(SAID, sure, strict=True)
    )


def bins(*words: Word) -> tuple[Bin, ...]:
    return reliability([score(Document("a", "", SAID), Document("a", "", words), Rules("english"))])


def test_words_are_counted_in_the_bin_of_their_confidence() -> None:
    found = bins(*heard(("S1", 1.0), ("S1", 0.99), ("S2", 0.8), ("S1", 0.6)))
    assert found == (
        Bin(0.5, 0.7, 1, 0.6, 0),
        Bin(0.7, 0.9, 1, 0.8, 1),
        Bin(0.99, 1.0, 2, 0.995, 2),
    )


def test_words_that_were_not_said_or_say_nothing_of_it_are_left_out() -> None:
    words = heard(("S1", 0.95), ("S1", None), ("S2", 0.95), ("S2", 0.2))
    assert bins(*words[:3], replace(words[3], text="their")) == (Bin(0.9, 0.99, 2, 0.95, 2),)


def test_without_confidences_there_is_no_table() -> None:
    assert bins(*heard(("S1", None), ("S1", None), ("S2", None), ("S2", None))) == ()
