"""The values that the model adapters hand out: intervals, words, segments, speakers.

Times are seconds from the start of the samples that the adapter was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of every waveform in this system."""

Samples = NDArray[np.float32]
"""A mono waveform, float32 in -1…1 at `SAMPLE_RATE`, shape `(samples,)`."""


@dataclass(frozen=True)
class Interval:
    """A stretch of time, `start` ≤ `end`."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def overlap(self, other: "Interval") -> float:
        """Seconds that both cover."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True)
class SpeechActivity:
    """Where there is speech, and the stretches that the recogniser can decode at once."""

    speech: tuple[Interval, ...]
    chunks: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        """Total speech in seconds."""
        return sum(interval.duration for interval in self.speech)


@dataclass(frozen=True)
class TimedWord(Interval):
    """A recognised word; `confidence` in 0…1; `timing_source` says where its times come from."""

    text: str
    confidence: float
    timing_source: str


@dataclass(frozen=True)
class Segment(Interval):
    """A stretch that the recogniser decoded at once, with its words in order.

    `mean_logprob` is the mean log-probability of a decoded token.
    """

    words: tuple[TimedWord, ...]
    mean_logprob: float


@dataclass(frozen=True)
class LanguageGuess:
    """The language of a recording as a code such as `en`, and how sure that is, 0…1."""

    code: str
    confidence: float


@dataclass(frozen=True)
class SpeakerSpan(Interval):
    """A stretch in which one speaker is active; `speaker` is a label of the diarizer's own."""

    speaker: str


@dataclass(frozen=True)
class Diarization:
    """Who speaks when.

    `spans` may overlap; of `exclusive` no two do. `embeddings` maps a speaker's label to the mean
    voice embedding, shape `(dimension,)`.
    """

    spans: tuple[SpeakerSpan, ...]
    exclusive: tuple[SpeakerSpan, ...]
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Vocabulary:
    """What the recogniser is told beforehand: words to expect, and a text that sets the style."""

    hotwords: str = ""
    prompt: str = ""
