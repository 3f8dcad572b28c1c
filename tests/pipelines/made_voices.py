"""Conversations of made voices: how each sounds is a vector, and an embedding the mean of frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from made_calls import said
from numpy.typing import NDArray

from models.speech import VOICE_FRAME_S, Diarization, Interval, SpeakerSpan, Voice
from pipelines.transcript import Word

DIMENSION = 64
WORD_S = 0.3
PAUSE_S = 0.5


@dataclass(frozen=True)
class Line:
    """What somebody says in one go, who says it, and who a diarizer takes it for."""

    voice: int
    heard: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """Words with the speakers that the diarizer heard, and what is true: `voices`, a number for each word."""

    words: tuple[Word, ...]
    diarization: Diarization
    voices: tuple[int, ...]


def conversation(lines: Sequence[Line], alike: float = 0.0, found: int = 2) -> Conversation:
    """Lines one after the other, with a pause between them.

    The mean voices of any two have the cosine similarity `alike`. An utterance sounds like its voice and
    as much again like nothing else, so that two of one voice have a similarity of about 0.7 to 0.8.
    """
    sound = np.random.default_rng(0)
    shared, *own = np.eye(DIMENSION)
    words: list[Word] = []
    voices: list[int] = []
    spans: list[SpeakerSpan] = []
    lengths = [len(line.text.split()) * WORD_S + PAUSE_S for line in lines]
    frames = sound.normal(0.0, 0.02, (round(sum(lengths) / VOICE_FRAME_S) + 8, DIMENSION))
    start = PAUSE_S
    for line, length in zip(lines, lengths, strict=True):
        for number, text in enumerate(line.text.split()):
            begins = start + number * WORD_S
            words.append(said(begins, begins + WORD_S, line.heard, text))
            voices.append(line.voice)
        spans.append(SpeakerSpan(start, words[-1].end, line.heard))
        part = slice(round(start / VOICE_FRAME_S), round(words[-1].end / VOICE_FRAME_S))
        frames[part] += np.sqrt(alike) * shared + np.sqrt(1.0 - alike) * own[line.voice]
        frames[part] += sound.normal(0.0, 0.5 / np.sqrt(DIMENSION), DIMENSION)
        start += length
    return Conversation(
        tuple(words),
        Diarization(tuple(spans), tuple(spans), found, voice_of(frames)),
        tuple(voices),
    )


def voice_of(frames: NDArray[np.float64]) -> Voice:
    """A voice of which an embedding is the mean of the frames that it is made of."""
    dimension = frames.shape[1]
    weight = np.hstack([np.eye(dimension), np.zeros((dimension, dimension))])
    return Voice(frames.astype(np.float32), weight.astype(np.float32), np.zeros(dimension, np.float32))


def total_s(spans: Sequence[Interval]) -> float:
    """Seconds of all spans together."""
    return sum(span.duration for span in spans)
