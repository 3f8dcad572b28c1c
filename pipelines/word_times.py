"""Word times that can be relied on: inside the call, in order, and never stretched across a silence."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from models.speech import Interval, Segment, TimedWord

LONGEST_WORD_S = 2.0
"""No word lasts longer; what attention places beyond it is the pause that follows or comes before."""

_PAD_S = 0.1
"""Voice activity detection cuts off soft beginnings and ends; a word may reach this far beyond it."""


def settle_times(
    segments: Sequence[Segment], speech: Sequence[Interval], duration: float
) -> tuple[Segment, ...]:
    """Settle the times of all words of one track: `speech` is where voice activity detection heard any.

    Words stay in their order; starts never go back, and every word lies in 0…`duration`.
    """
    settled = []
    floor = 0.0
    for segment in segments:
        words = []
        for word in segment.words:
            held = _in_order(_within_speech(word, speech), floor, duration)
            floor = held.start
            words.append(held)
        settled.append(replace(segment, words=_without_overlap(words)))
    return tuple(settled)


def _within_speech(word: TimedWord, speech: Sequence[Interval]) -> TimedWord:
    """Cut the word back to the one stretch of speech that most of it lies in."""
    first = bisect_left(speech, word.start, key=lambda interval: interval.end)
    touched = []
    for interval in speech[first:]:
        if interval.start >= word.end:
            break
        touched.append(interval)
    if not touched:
        return _shortened(word)
    home = max(touched, key=word.overlap)
    start = max(word.start, home.start - _PAD_S)
    end = min(word.end, home.end + _PAD_S)
    return _shortened(replace(word, start=start, end=max(start, end)))


def _shortened(word: TimedWord) -> TimedWord:
    return replace(word, end=min(word.end, word.start + LONGEST_WORD_S))


def _in_order(word: TimedWord, floor: float, duration: float) -> TimedWord:
    start = min(max(word.start, floor), duration)
    return replace(word, start=start, end=min(max(word.end, start), duration))


def _without_overlap(words: Sequence[TimedWord]) -> tuple[TimedWord, ...]:
    """End each word before the next of the same track begins: one mouth says one word at a time."""
    following = [word.start for word in words[1:]]
    ends = [*following, words[-1].end] if words else []
    return tuple(replace(word, end=min(word.end, end)) for word, end in zip(words, ends, strict=True))
