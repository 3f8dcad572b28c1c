"""Which speaker said each word, and how sure that is."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Generic, TypeVar

from models.speech import Diarization, Interval, Segment, SpeakerSpan, TimedWord
from pipelines.channels import Channels
from pipelines.diarization import overlaps
from pipelines.tables import UNKNOWN
from pipelines.transcript import Word

_T = TypeVar("_T", bound=Interval)

NEAREST_CONFIDENCE = 0.6
NEAREST_HALF_S = 1.0
"""A word in nobody's speech is the nearest speaker's: with this confidence where it touches it, and
with half of it for each further second between them."""


def attribute(
    transcripts: Sequence[Sequence[Segment]], diarization: Diarization, channels: Channels
) -> tuple[Word, ...]:
    """Give every word of every track one of the diarization's speakers; words are in order of their start.

    In a `split` call that is the speaker of the word's channel. Otherwise it is the one who speaks most
    of the word, else the one who speaks nearest to it, or `UNKNOWN` where the diarizer heard nobody.
    """
    both, exclusive = _Stretches(overlaps(diarization)), _Stretches(diarization.exclusive)
    words = []
    for track, segments in enumerate(transcripts):
        for word in (word for segment in segments for word in segment.words):
            if channels.mode == "split":
                speaker, confidence, source = str(channels.source_channels[track]), 1.0, "channel"
            else:
                speaker, confidence, source = _claim(word, exclusive)
            words.append(
                Word(
                    word.start,
                    word.end,
                    text=word.text,
                    confidence=word.confidence,
                    timing_source=word.timing_source,
                    speaker=speaker,
                    speaker_confidence=confidence,
                    speaker_source=source,
                    overlapped=any(word.overlap(stretch) > 0.0 for stretch in both.touching(word)),
                )
            )
    return tuple(sorted(words, key=lambda word: word.start))


class _Stretches(Generic[_T]):
    """Stretches in order and without overlap, those near a word found without going through all of them."""

    def __init__(self, stretches: Sequence[_T]) -> None:
        self._stretches = stretches
        self._starts = [stretch.start for stretch in stretches]
        self._ends = [stretch.end for stretch in stretches]

    def touching(self, word: Interval, beside: int = 0) -> Sequence[_T]:
        """Those that have time in common with the word, and so many before and after them."""
        first, last = bisect_right(self._ends, word.start), bisect_left(self._starts, word.end)
        return self._stretches[max(min(first, last) - beside, 0) : max(first, last) + beside]


def _claim(word: TimedWord, spans: _Stretches[SpeakerSpan]) -> tuple[str, float, str]:
    """Speaker, confidence and source of a word in a call whose speakers do not overlap."""
    shares: dict[str, float] = {}
    for span in spans.touching(word):
        if seconds := word.overlap(span):
            shares[span.speaker] = shares.get(span.speaker, 0.0) + seconds
    if shares:
        speaker = max(shares, key=shares.__getitem__)
        return speaker, shares[speaker] / max(word.duration, sum(shares.values())), "diarization"
    near = spans.touching(word, beside=1)
    if not near:
        return UNKNOWN, 0.0, "none"
    nearest = min(near, key=lambda span: _gap(word, span))
    return nearest.speaker, NEAREST_CONFIDENCE * 0.5 ** (_gap(word, nearest) / NEAREST_HALF_S), "nearest"


def _gap(word: TimedWord, span: SpeakerSpan) -> float:
    return max(span.start - word.end, word.start - span.end, 0.0)
