"""Which speaker said each word, and how sure that is."""

from collections.abc import Sequence

from models.speech import Diarization, Segment, SpeakerSpan, TimedWord
from pipelines.channels import Channels
from pipelines.diarization import overlaps
from pipelines.tables import UNKNOWN
from pipelines.transcript import Word

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
    both = overlaps(diarization)
    words = []
    for track, segments in enumerate(transcripts):
        for word in (word for segment in segments for word in segment.words):
            if channels.mode == "split":
                speaker, confidence, source = str(channels.source_channels[track]), 1.0, "channel"
            else:
                speaker, confidence, source = _claim(word, diarization.exclusive)
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
                    overlapped=any(word.overlap(interval) > 0.0 for interval in both),
                )
            )
    return tuple(sorted(words, key=lambda word: word.start))


def _claim(word: TimedWord, spans: Sequence[SpeakerSpan]) -> tuple[str, float, str]:
    """Speaker, confidence and source of a word in a call whose speakers do not overlap."""
    shares: dict[str, float] = {}
    for span in spans:
        if seconds := word.overlap(span):
            shares[span.speaker] = shares.get(span.speaker, 0.0) + seconds
    if shares:
        speaker = max(shares, key=shares.__getitem__)
        return speaker, shares[speaker] / max(word.duration, sum(shares.values())), "diarization"
    if not spans:
        return UNKNOWN, 0.0, "none"
    nearest = min(spans, key=lambda span: _gap(word, span))
    return nearest.speaker, NEAREST_CONFIDENCE * 0.5 ** (_gap(word, nearest) / NEAREST_HALF_S), "nearest"


def _gap(word: TimedWord, span: SpeakerSpan) -> float:
    return max(span.start - word.end, word.start - span.end, 0.0)
