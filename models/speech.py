"""The values that the model adapters hand out: intervals, words, segments, speakers.

Times are seconds from the start of the samples that the adapter was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of every waveform in this system."""

Samples = NDArray[np.float32]
"""A mono waveform, float32 in -1…1 at `SAMPLE_RATE`, shape `(samples,)`."""

SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "…")
"""What the last word of a sentence ends with."""


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
        return self.common(other).duration

    def common(self, other: "Interval") -> "Interval":
        """What both cover; of no length where that is nothing."""
        start = max(self.start, other.start)
        return Interval(start, max(start, min(self.end, other.end)))


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


VOICE_FRAME_S = 0.08
"""Seconds from one frame of a voice to the next."""


@dataclass(frozen=True)
class Voice:
    """The sound of a recording as a speaker embedding network sees it, before it is pooled in time.

    `frames`, shape `(frames, channels)`, has one every `VOICE_FRAME_S`. `weight`, shape `(dimension, 2 ×
    channels)`, and `bias`, shape `(dimension,)`, make an embedding of the mean and deviation of frames.
    """

    frames: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def embed(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed the frames that `weights`, shape `(frames,)`, in 0…1, picks out; NaN when it picks none.

        They are pooled as by pyannote's StatsPool: weighted mean and unbiased weighted deviation.
        """
        [picked] = np.nonzero(weights)
        frames, weights = self.frames[picked], weights[picked]
        total = weights.sum()
        if total <= 1.0:
            return np.full(len(self.bias), np.nan, np.float32)
        mean = weights @ frames / total
        correction = total - (weights**2).sum() / total
        deviation = np.sqrt(weights @ (frames - mean) ** 2 / max(correction, 1e-8) + 1e-7)
        pooled = np.concatenate([mean, deviation])
        return np.asarray(self.weight @ pooled + self.bias, np.float32)

    def embed_intervals(self, intervals: Sequence[Interval]) -> NDArray[np.float32]:
        """Embed the sound of the intervals together, shape `(dimension,)`; NaN when there is too little."""
        weights = np.zeros(len(self.frames), np.float32)
        for interval in intervals:
            start, end = max(interval.start / VOICE_FRAME_S, 0.0), interval.end / VOICE_FRAME_S
            covered = np.arange(int(start), min(int(np.ceil(end)), len(weights)))
            share = np.minimum(covered + 1, end) - np.maximum(covered, start)
            weights[covered] = np.maximum(weights[covered], share)
        return self.embed(weights)


@dataclass(frozen=True)
class Diarization:
    """Who speaks when.

    `spans` may overlap; of `exclusive` no two do. `found` speakers were found before more were looked for.
    `voice` is there where what is said can be embedded. `voices_alike` where two voices are so alike that
    they may have been mixed up, or taken for one.
    """

    spans: tuple[SpeakerSpan, ...]
    exclusive: tuple[SpeakerSpan, ...]
    found: int = 0
    voice: Voice | None = None
    voices_alike: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """What the recogniser is told beforehand: words to expect, and a text that sets the style."""

    hotwords: str = ""
    prompt: str = ""
