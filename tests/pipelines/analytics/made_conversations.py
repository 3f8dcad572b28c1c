"""Conversations put together to the hundredth of a second: who talks from when to when, and what is said."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from made_calls import said

from models.speech import SAMPLE_RATE, Interval, Samples
from pipelines.analytics.conversation import analyse_conversation
from pipelines.analytics.moments import Conversation, Moment
from pipelines.channels import Channels
from pipelines.transcript import Speaker, Turn, Word
from pipelines.turns import make_turns

Line = tuple[str, float, float, str]
"""Speaker, start and end in seconds, and the words, which share that time evenly; there may be none."""


def conversation(
    lines: Sequence[Line],
    duration: float | None = None,
    language: str = "en",
    silence_s: float = 3.0,
    tracks: Mapping[str, Samples] | None = None,
    roles: Mapping[str, str] | None = None,
) -> Conversation:
    """What is found where the lines are spoken, each speaker on a channel of their own.

    `tracks` takes the place of the noise that is heard wherever a speaker talks; without `duration` the
    call ends with the last line.
    """
    duration = duration if duration is not None else max(end for _, _, end, _ in lines)
    speakers = sorted({speaker for speaker, *_ in lines}) or ["S1"]
    speakers = [*speakers, "S2"] if speakers == ["S1"] else speakers
    heard = [(tracks or {}).get(name, noise(lines, name, duration)) for name in speakers]
    channels = Channels("split", tuple(heard), tuple(range(1, len(speakers) + 1)), "made")
    people = [
        Speaker(
            name,
            (roles or {}).get(name, "unknown"),
            1.0,
            channel,
            tuple(Interval(start, end) for speaker, start, end, _ in sorted(lines) if speaker == name),
        )
        for channel, name in enumerate(speakers, 1)
    ]
    turns = make_turns(sorted(words_of(lines), key=lambda word: word.start))
    return analyse_conversation(turns, people, channels, duration, language, silence_s)[1]


def words_of(lines: Sequence[Line]) -> list[Word]:
    words = []
    for speaker, start, end, text in lines:
        parts = text.split()
        edges = np.linspace(start, end, len(parts) + 1).tolist()
        words += [said(a, b, speaker, part) for part, a, b in zip(parts, edges, edges[1:], strict=False)]
    return words


def turns_of(lines: Sequence[Line]) -> tuple[Turn, ...]:
    return make_turns(sorted(words_of(lines), key=lambda word: word.start))


def near(value: float, within: float = 0.021) -> Any:
    """A figure within a little of another: the frames of the sound are a hundredth of a second each."""
    return pytest.approx(value, abs=within)


def noise(lines: Sequence[Line], speaker: str, duration: float, level: float = 0.1) -> Samples:
    """Noise where the speaker talks, digital silence elsewhere."""
    track = np.zeros(round(duration * SAMPLE_RATE), np.float32)
    random = np.random.default_rng(len(speaker))
    for name, start, end, _ in lines:
        if name == speaker:
            part = slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
            track[part] = random.normal(0.0, level, part.stop - part.start)
    return track


def of_kind(found: Conversation, *kinds: str) -> list[Moment]:
    return [moment for moment in found.moments if moment.kind in kinds]


def told(found: Conversation, *kinds: str) -> list[tuple[str, str, float, float]]:
    """Kind, speaker, start and end of the moments of these kinds; the sound is known to a hundredth."""
    return [(m.kind, m.speaker, _twentieths(m.start), _twentieths(m.end)) for m in of_kind(found, *kinds)]


def _twentieths(seconds: float) -> float:
    return round(20 * seconds) / 20
