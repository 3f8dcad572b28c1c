"""Texts made comparable: what is written differently and said alike becomes alike, and keeps its times."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from rapidfuzz.distance import Levenshtein
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from pipelines.evaluation.document import Word, shared_time

Normalise = Callable[[str], str]
NORMALISERS: Final = ("auto", "english", "basic", "letters", "none")
UNSPACED: Final = ("zh", "yue", "ja", "th", "lo", "my", "km")
"""Languages that put no blanks between words; Whisper's paper takes each letter of theirs for a word."""


def normaliser(name: str, language: str) -> str:
    """The normaliser that `auto` means for a language: `english`, `letters` where it is unspaced, `basic`."""
    if name != "auto":
        return name
    code = language.lower().partition("-")[0]
    return "english" if code == "en" else "letters" if code in UNSPACED else "basic"


@cache
def normalise_by(name: str) -> Normalise:
    """Whisper's normaliser of that name; `none` leaves the text as it is.

    Marks stay, which Whisper's own basic one makes blanks of, so that Hindi falls apart into consonants.
    """
    if name == "none":
        return str
    normalise = (
        EnglishTextNormalizer()
        if name == "english"
        else BasicTextNormalizer(split_letters=name == "letters", preserve_marks=True)
    )
    return lru_cache(maxsize=50_000)(normalise)


def normalised(words: Iterable[Word], normalise: Normalise) -> tuple[Word, ...]:
    """Normalised words, turn by turn, because `one hundred dollars` is one of them.

    Each has the speaker of its turn and the time of the words that it comes from.
    """
    turns = (list(turn) for _, turn in groupby(words, lambda word: word.speaker))
    return tuple(word for turn in turns for word in _normalised_turn(turn, normalise))


def _normalised_turn(turn: list[Word], normalise: Normalise) -> list[Word]:
    whole = normalise(" ".join(word.text for word in turn)).split()
    single = [part for word in turn for part in shared_time(normalise(word.text).split(), word)]
    # Most words come out the same by themselves, and know their time; the others share that of what is
    # between those.
    result: list[Word] = []
    last = new_last = 0
    same = Levenshtein.opcodes([word.text for word in single], whole).as_matching_blocks()
    for first, new_first, length in same:
        if new_last < new_first:
            result += shared_time(whole[new_last:new_first], _covering(single[last:first] or turn))
        last, new_last = first + length, new_first + length
        result += single[first:last]
    return result


def _covering(words: list[Word]) -> Word:
    return replace(words[0], end=words[-1].end)
