"""The sample calls with their truth, for whatever test wants to compare against it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from models.speech import SAMPLE_RATE, Diarization, Interval, Segment
from pipelines.decoding import decode
from pipelines.transcript import Call

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "data" / "sample_calls"


@dataclass(frozen=True)
class SpokenWord(Interval):
    """A word of the truth; `written` is with its punctuation."""

    word: str
    speaker: str
    written: str


@dataclass(frozen=True)
class SpokenLine(Interval):
    """What one speaker says in one go."""

    speaker: str


@dataclass(frozen=True)
class SampleCall:
    """A recording and its truth; `channels` maps a speaker to a channel from 1, where they have one each."""

    path: Path
    language: str
    duration: float
    words: tuple[SpokenWord, ...]
    lines: tuple[SpokenLine, ...]
    roles: dict[str, str]
    channels: dict[str, int]

    def said_by(self, speaker: str) -> str:
        return " ".join(word.word for word in self.words if word.speaker == speaker)


@dataclass(frozen=True)
class Processed:
    """A sample call after `pipelines.call.process`, and what its steps handed to each other."""

    call: Call
    transcripts: tuple[tuple[Segment, ...], ...]
    diarization: Diarization


def _read(recording: Path) -> SampleCall:
    truth = json.loads((FOLDER / "truth" / f"{recording.stem}.json").read_text("utf-8"))
    speakers = truth["speakers"]
    return SampleCall(
        recording,
        truth["language"],
        truth["duration_s"],
        tuple(
            SpokenWord(w["start_s"], w["end_s"], w["word"], w["speaker"], w["written"])
            for w in truth["words"]
        ),
        tuple(SpokenLine(line["start_s"], line["end_s"], line["speaker"]) for line in truth["lines"]),
        {name: speaker["role"] for name, speaker in speakers.items()},
        {name: s["channel"] + 1 for name, s in speakers.items() if s["channel"] is not None},
    )


SAMPLE_CALLS = {path.stem: _read(path) for path in sorted([*FOLDER.glob("*.opus"), *FOLDER.glob("*.flac")])}


@cache
def samples_of(name: str) -> NDArray[np.float32]:
    """The mean of a sample call's channels, shape `(n,)` at 16 kHz."""
    mean: NDArray[np.float32] = decode(SAMPLE_CALLS[name].path).samples.mean(axis=0, dtype=np.float32)
    return mean


def lines_of(name: str, speaker: str) -> NDArray[np.float32]:
    """All that one speaker says, one line after another, without what others say meanwhile."""
    call, samples = SAMPLE_CALLS[name], samples_of(name)
    alone = [
        line
        for line in call.lines
        if line.speaker == speaker
        and not any(line.overlap(other) > 0.0 for other in call.lines if other.speaker != speaker)
    ]
    pause = np.zeros(SAMPLE_RATE // 4, np.float32)
    parts = [samples[int(line.start * SAMPLE_RATE) : int(line.end * SAMPLE_RATE)] for line in alone]
    return np.concatenate([piece for part in parts for piece in (part, pause)])


def word_error(reference: str, hypothesis: str, language: str = "en") -> float:
    """Errors by words of the reference, case and punctuation aside and numbers written alike."""
    normalise = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return float(jiwer.wer(normalise(reference), normalise(hypothesis)))
