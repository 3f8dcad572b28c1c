"""Regular expressions of cards, which may take no longer than a limit on the words of a call.

An expression such as `(\\w+,? ?)+\\d` tries more ways than there is time for where it fails in the end. The
package `regex` finds out most of these at once, and gives up the others when their time is over.
"""

import re
import time
from functools import cache
from typing import Final

import regex

LIMIT_S: Final = 0.5
"""Seconds of processor time for one expression on one call. The slowest of the shipped ones takes 0.01 s on
an hour of talk."""

_PROBE_S: Final = 0.1
_PROBE_CHARACTERS: Final = 4000
_PROBES: Final = ("a", "1", "1 ", "a ", "word ", "so, I said that I ", "so I said yes. ", "aB1-")
"""What `is_slow` repeats: letters, digits, words, and speech with and without its punctuation."""


class TooSlow(Exception):
    """An expression has taken longer than its limit."""


@cache
def compiled(pattern: str) -> "regex.Pattern[str]":
    """A regular expression of a card: case aside, `^` and `$` at the ends of a turn.

    It is what Python's `re` takes for one; raises `re.error` where it is none.
    """
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    try:
        return regex.compile(pattern, regex.IGNORECASE | regex.MULTILINE)
    except regex.error as error:
        raise re.error(str(error), pattern) from error


def spans_in(pattern: str, text: str, limit_s: float = LIMIT_S) -> list[tuple[int, int]]:
    """Where the expression is found in `text`, from and to. Raises `TooSlow` after `limit_s` seconds."""
    # The time of the processor, which `regex` counts too: a busy machine makes no expression slower.
    until = time.thread_time() + limit_s
    found = []
    try:
        for hit in compiled(pattern).finditer(text, timeout=limit_s):
            found.append(hit.span())
            if time.thread_time() > until:
                raise TooSlow(pattern)
    except TimeoutError as error:
        raise TooSlow(pattern) from error
    return found


def is_slow(pattern: str) -> bool:
    """Whether the expression takes too long on one of some texts that are easily too much for one.

    They are repetitions of what it is written with and of what people say. A pattern that is not slow on
    them may be so on others.
    """
    own = tuple(f"{text} " for text in re.findall(r"(?<!\\)\b[^\W_]{1,20}", pattern))
    for text in dict.fromkeys((*_PROBES, *own, "".join(own))):
        probe = (text * (_PROBE_CHARACTERS // max(1, len(text))))[:_PROBE_CHARACTERS]
        try:
            spans_in(pattern, f"{probe}\x00", _PROBE_S)
        except TooSlow:
            return True
    return False
