"""Words where nobody speaks, and speech without words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.document import Document, Span, Word
from pipelines.evaluation.rates import Share

MARGIN_S = 0.25
"""Silence begins so long after speech, because nobody knows a boundary to the hundredth of a second."""


def words_in_silence(reference: Document, hypothesis: Sequence[Word], duration: float) -> Share:
    """Words whose middle is where the reference has no speech, over the minutes of such silence.

    `duration` is the length of the call in seconds; where the reference says what is scored, only that is.
    """
    silences = _silences(reference.speech or (), reference.scored or (Span(0.0, duration),))
    starts, ends = (np.array([span[side] for span in silences]) for side in (0, 1))
    middles = np.array([((word.start or 0.0) + (word.end or 0.0)) / 2 for word in hypothesis])
    count = np.searchsorted(starts, middles, side="right") - np.searchsorted(ends, middles, side="right")
    return Share(int(count.sum()), float((ends - starts).sum()) / 60)


def _silences(speech: Sequence[Span], scored: Sequence[Span]) -> list[tuple[float, float]]:
    silences = []
    for whole in sorted(scored, key=lambda span: span.start):
        silent_from = whole.start
        for span in sorted(speech, key=lambda span: span.start):
            if span.end + MARGIN_S > silent_from:
                silent_until = min(span.start - MARGIN_S, whole.end)
                if silent_from < silent_until:
                    silences.append((silent_from, silent_until))
                silent_from = span.end + MARGIN_S
        if silent_from < whole.end:
            silences.append((silent_from, whole.end))
    return silences


def speech_without_words(call: Mapping[str, Any]) -> Share | None:
    """Seconds of detected speech without a word, of all detected speech; None where that is not known."""
    if "uncovered_speech_s" not in call:
        return None
    return Share(call["uncovered_speech_s"], call["speech_s"])
