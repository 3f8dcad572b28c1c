"""Word and character error rate, whoever speaks: of the words in the order of the transcript."""

from collections.abc import Sequence

import jiwer

from pipelines.evaluation.document import Word
from pipelines.evaluation.rates import ErrorRate


def word_errors(reference: Sequence[Word], hypothesis: Sequence[Word]) -> ErrorRate:
    """WER, by jiwer."""
    return _rate(jiwer.process_words(_text(reference), _text(hypothesis)))


def character_errors(reference: Sequence[Word], hypothesis: Sequence[Word], blank: str = " ") -> ErrorRate:
    """CER, by jiwer: the blanks between words are characters too, where the language has some."""
    return _rate(jiwer.process_characters(_text(reference, blank), _text(hypothesis, blank)))


def _text(words: Sequence[Word], blank: str = " ") -> str:
    return blank.join(word.text for word in words)


def _rate(found: jiwer.WordOutput | jiwer.CharacterOutput) -> ErrorRate:
    length = found.hits + found.substitutions + found.deletions
    return ErrorRate(found.substitutions, found.deletions, found.insertions, length)
