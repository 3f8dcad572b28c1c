"""Phrases as users write them, found in what was said whatever its case and punctuation."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

_WORD: Final = re.compile(r"\w+(?:'\w+)*")
_GAP: Final = r"(?:\S+ ){1,3}"
"""What a `*` that stands alone in a phrase may be: one word to three."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; `what's` is one and `puis-je` two."""
    return _WORD.findall(text.lower().replace("’", "'"))


class Phrases:
    """Phrases to look for. In a phrase, `word*` is any word that begins so and `*` one word to three."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        """Compile; a phrase without a word is left out."""
        patterns = {phrase: _pattern(phrase) for phrase in phrases}
        self._patterns = {phrase: re.compile(pattern) for phrase, pattern in patterns.items() if pattern}
        self._any = re.compile("|".join(f"(?:{pattern})" for pattern in patterns.values() if pattern))

    def within(self, words: Sequence[str]) -> frozenset[str]:
        """Which of the phrases these words, as `words_of` gives them, have somewhere."""
        text = f" {' '.join(words)} "
        if not self._patterns or not self._any.search(text):
            return frozenset()
        return frozenset(phrase for phrase, pattern in self._patterns.items() if pattern.search(text))


def _pattern(phrase: str) -> str:
    parts = [_part(part) for part in phrase.lower().replace("’", "'").replace("-", " ").split()]
    return " " + "".join(parts) if any(part and part != _GAP for part in parts) else ""


def _part(part: str) -> str:
    if part == "*":
        return _GAP
    words = words_of(part)
    return "".join(f"{re.escape(word)} " for word in words[:-1]) + (
        f"{re.escape(words[-1])}{r'[^ ]*' if part.endswith('*') else ''} " if words else ""
    )
