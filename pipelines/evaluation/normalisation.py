"""Texts made comparable: what is written differently and said alike becomes alike, and keeps its times."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from pipelines.evaluation.document import Word, shared_time

Normalise = Callable[[str], str]
NORMALISERS: Final = ("auto", "english", "basic", "none")


def normaliser(name: str, language: str) -> str:
    """The normaliser that `auto` means for a language: `english` for `en`, else `basic`."""
    if name != "auto":
        return name
    return "english" if language.lower().partition("-")[0] == "en" else "basic"


@cache
def normalise_by(name: str) -> Normalise:
    """Whisper's normaliser of that name; `none` leaves the text as it is."""
    if name == "none":
        return str
    normalise = EnglishTextNormalizer() if name == "english" else BasicTextNormalizer()
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
    matcher = SequenceMatcher(None, [word.text for word in single], whole, autojunk=False)
    for same, first, last, new_first, new_last in matcher.get_opcodes():
        if same == "equal":
            result += single[first:last]
        elif new_first < new_last:
            result += shared_time(whole[new_first:new_last], _covering(single[first:last] or turn))
    return result


def _covering(words: list[Word]) -> Word:
    return replace(words[0], end=words[-1].end)
