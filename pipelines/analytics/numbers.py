"""Numbers as people say them: which stretches of a text are numbers, written or spoken, and their digits.

text2num reads number words; telephone speech adds "oh" for zero and "double five" for two fives.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from text_to_num import find_numbers

from models.language import Span

LANGUAGES: Final = frozenset({"en", "fr", "es", "pt", "de", "nl", "da", "it"})
"""Languages whose number words text2num reads."""

_WORD: Final = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*")
_ZERO: Final = frozenset({"oh", "o"})
_REPEAT: Final = {"double": 2, "triple": 3}


@dataclass(frozen=True)
class SaidNumber(Span):
    """A whole number in a text; `digits` are its digits as said, leading zeros included.

    `written` tells numerals from words.
    """

    digits: str
    written: bool


@dataclass(frozen=True)
class _Word:
    """A word as text2num wants it."""

    start: int
    end: int
    content: str
    separated: bool

    def text(self) -> str:
        return self.content

    def nt_separated(self, _previous: "_Word") -> bool:
        return self.separated

    def not_a_number_part(self) -> bool:
        return False


def find_said_numbers(text: str, language: str) -> tuple[SaidNumber, ...]:
    """The whole numbers of a text in order, ordinals and fractions left out.

    Number words are read in `LANGUAGES`, numerals in all.
    """
    words = tuple(_words(text))
    numbers = {word.start: SaidNumber(word.start, word.end, word.content, True) for word in words
               if word.content.isdecimal()}  # fmt: skip
    if language in LANGUAGES:
        numbers.update((number.start, number) for number in _spoken(words, language))
    if language == "en":
        _add_telephone_speech(words, numbers)
    return tuple(numbers[start] for start in sorted(numbers))


def _words(text: str) -> Iterator[_Word]:
    end = 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        yield _Word(match.start(), match.end(), match[0], between.strip("-‐– \t\n\u00a0") != "")
        end = match.end()


def _spoken(words: Sequence[_Word], language: str) -> Iterator[SaidNumber]:
    for found in find_numbers(list(words), language, 0.0):
        if not found.is_ordinal and found.text.isdecimal() and found.start < found.end:
            yield SaidNumber(words[found.start].start, words[found.end - 1].end, found.text, False)


def _add_telephone_speech(words: Sequence[_Word], numbers: dict[int, SaidNumber]) -> None:
    """Add "oh" beside a number, and "double" and "triple" before a digit."""
    for here, after in pairwise(words):
        repeated, follower = _REPEAT.get(here.content.lower()), numbers.get(after.start)
        if repeated and follower and len(follower.digits) == 1:
            del numbers[after.start]
            numbers[here.start] = SaidNumber(
                here.start, follower.end, follower.digits * repeated, follower.written
            )
    pairs = list(pairwise(words))
    ends = {number.end for number in numbers.values()}
    for before, here in pairs:
        if here.content.lower() in _ZERO and before.end in ends:
            numbers[here.start] = SaidNumber(here.start, here.end, "0", False)
            ends.add(here.end)
    for here, after in reversed(pairs):
        # "Oh, one more thing" has no zero in it.
        if here.content.lower() in _ZERO and after.start in numbers and not after.separated:
            numbers[here.start] = SaidNumber(here.start, here.end, "0", False)
