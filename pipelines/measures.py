"""What is measured of a whole call, and what of it a person should look at."""

from collections.abc import Sequence

import numpy as np

from models.speech import (
    SAMPLE_RATE,
    Diarization,
    Interval,
    LanguageGuess,
    Samples,
    SpeakerSpan,
    SpeechActivity,
)
from pipelines.analytics.talk import OVERLAP_PAUSE_S, talk_of_all
from pipelines.decoding import Damage
from pipelines.diarization import overlaps
from pipelines.speakers import merge
from pipelines.transcript import Measures, Speaker, Word

_WORD_REACH_S = 0.5
"""Speech within this of a word counts as covered: detection and words do not begin at the same instant."""

_LEAST_PAUSE_S = 0.5
"""Pauses that add up to less say nothing about the noise."""

_FRAME_S = 0.02

UNCOVERED_SHARE = 0.2
UNCOVERED_S = 5.0
LOW_WORD_CONFIDENCE = 0.5
LOW_SPEAKER_CONFIDENCE = 0.7
LOW_LANGUAGE_CONFIDENCE = 0.5
LOW_SNR_DB = 10.0
"""Where a call is flagged for review; see `review_flags`."""


def measure(
    tracks: Sequence[Samples],
    activity: Sequence[SpeechActivity],
    people: Sequence[Speaker],
    words: Sequence[Word],
) -> Measures:
    """Measure a call; each figure is defined in the table `calls`."""
    speech = merge([interval for heard in activity for interval in heard.speech])
    reached = merge([Interval(word.start - _WORD_REACH_S, word.end + _WORD_REACH_S) for word in words])
    return Measures(
        speech_s=_seconds(speech),
        overlap_s=_seconds(overlaps(_talk(people))),
        uncovered_speech_s=max(0.0, _seconds(speech) - _shared(speech, reached)),
        snr_db=_snr_db(tracks, activity),
    )


def review_flags(
    measures: Measures,
    language: LanguageGuess,
    words: Sequence[Word],
    diarization: Diarization,
    damage: Damage | None,
) -> tuple[str, ...]:
    """Why a person should listen to the call, as short names; none when there is no reason."""
    uncovered = measures.uncovered_speech_s
    reasons = {
        "damaged": damage is not None,
        "no_words": not words,
        "speech_without_words": uncovered > max(UNCOVERED_S, UNCOVERED_SHARE * measures.speech_s),
        "low_word_confidence": _mean([word.confidence for word in words]) < LOW_WORD_CONFIDENCE,
        "low_speaker_confidence": _mean([word.speaker_confidence for word in words]) < LOW_SPEAKER_CONFIDENCE,
        "voices_alike": diarization.voices_alike,
        "language_unsure": language.confidence < LOW_LANGUAGE_CONFIDENCE,
        "noisy": measures.snr_db is not None and measures.snr_db < LOW_SNR_DB,
    }
    return tuple(name for name, holds in reasons.items() if holds)


def _talk(people: Sequence[Speaker]) -> Diarization:
    spans = [
        SpeakerSpan(span.start, span.end, name)
        for name, talk in talk_of_all(people, OVERLAP_PAUSE_S).items()
        for span in talk
    ]
    return Diarization(tuple(spans), ())


def _seconds(intervals: Sequence[Interval]) -> float:
    return sum(interval.duration for interval in intervals)


def _shared(first: Sequence[Interval], second: Sequence[Interval]) -> float:
    """Seconds that two sets of intervals, each without overlap, have in common."""
    return sum(one.overlap(other) for one in first for other in second)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def _snr_db(tracks: Sequence[Samples], activity: Sequence[SpeechActivity]) -> float | None:
    """Mean power of speech over that of pauses, in dB, with the power of the pauses taken off the speech.

    On several tracks the worst counts. None where the pauses are digital silence or too short.
    """
    ratios = []
    for track, heard in zip(tracks, activity, strict=True):
        frame = int(_FRAME_S * SAMPLE_RATE)
        power = (track[: len(track) // frame * frame].reshape(-1, frame).astype(np.float64) ** 2).mean(axis=1)
        spoken = np.zeros(len(power), bool)
        for interval in heard.speech:
            spoken[int(interval.start / _FRAME_S) : int(np.ceil(interval.end / _FRAME_S))] = True
        if not spoken.any() or (~spoken).sum() * _FRAME_S < _LEAST_PAUSE_S:
            continue
        # The median: music on hold and clicks are no measure of a line's noise.
        noise = float(np.median(power[~spoken]))
        if noise > 1e-12:
            signal = max(float(power[spoken].mean()) - noise, noise * 1e-3)
            ratios.append(10 * float(np.log10(signal / noise)))
    return min(ratios, default=None)
