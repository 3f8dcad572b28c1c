"""Dialogue files, and the placing of their lines on a call's time axis.

Nothing here needs a voice: whatever speaks is passed in, so that the placing can be tested without one.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPEECH_RATE = 24_000
LEAD_IN_S = 0.6
TAIL_S = 0.6
DEFAULT_GAP_S = 0.35
CUT_FADE_S = 0.03
EVENTS = ("hold", "silence", "beep")
CHOICES = {"channels": (1, 2), "format": ("opus", "flac"), "noise": ("line", "room")}
# Three tempos a line: a long call repeats its lines without repeating its audio each time, and each
# tempo is synthesised only once.
TEMPOS = (1.0, 0.93, 1.07)


class DialogueError(ValueError):
    """A dialogue file that cannot be made into a call; the message names the file and says what to change."""


@dataclass(frozen=True)
class TimedWord:
    """A word as written, punctuation included, with its start and end in seconds."""

    written: str
    start: float
    end: float

    @property
    def word(self) -> str:
        """The word without punctuation at its ends."""
        return re.sub(r"^\W+|\W+$", "", self.written)

    def shifted(self, by: float) -> "TimedWord":
        """The same word `by` seconds later."""
        return replace(self, start=self.start + by, end=self.end + by)


@dataclass(frozen=True)
class Speech:
    """One spoken line: float32 mono samples at 24 kHz, shape (samples,), and its words' times in them."""

    samples: NDArray[np.float32]
    words: tuple[TimedWord, ...]

    def cut_after(self, count: int) -> "Speech":
        """The same speech, broken off after its first `count` words."""
        words = self.words[:count]
        end = min(round(words[-1].end * SPEECH_RATE), len(self.samples))
        samples = self.samples[:end].copy()
        fade = min(round(CUT_FADE_S * SPEECH_RATE), end)
        samples[end - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return Speech(samples, words)


# text, voice, speed (1.0 is the voice's own) -> speech
Speak = Callable[[str, str, float], Speech]


@dataclass(frozen=True)
class Speaker:
    """Who speaks: `channel` counts from 0, None in a mono call; `gain_db` is added to the usual level."""

    name: str
    role: str
    voice: str
    channel: int | None = None
    gain_db: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class Line:
    """What one speaker says at once; times in seconds.

    `gap` counts from the end of what went before (negative: speaks over it), `backchannel` from the start
    of the line before, which goes on; `cut` is the last word said before the line was broken off.
    """

    speaker: str
    text: str
    gap: float = DEFAULT_GAP_S
    backchannel: float | None = None
    cut: str | None = None
    speed: float = 1.0


@dataclass(frozen=True)
class Event:
    """Something heard that is not speech, or nothing heard, for `duration` seconds."""

    kind: str
    duration: float
    gap: float = DEFAULT_GAP_S


@dataclass(frozen=True)
class Dialogue:
    """A dialogue file's content; `noise_db` relative to full scale, `crosstalk_db` to the other channel."""

    name: str
    kind: str
    language: str
    channels: int
    speakers: Mapping[str, Speaker]
    script: tuple[Line | Event, ...]
    metadata: Mapping[str, Any]
    format: str = "opus"
    noise: str = "line"
    noise_db: float = -60.0
    crosstalk_db: float | None = None
    seed: int = 1

    @property
    def event_channel(self) -> int:
        """The channel, from 0, that hold music and beeps are on: the agent's."""
        agents = [s.channel for s in self.speakers.values() if s.role == "agent" and s.channel is not None]
        return agents[0] if agents else 0


@dataclass(frozen=True)
class PlacedLine:
    """A line at its place: `words` and the line's `start` and `end` are in seconds from the call's start."""

    line: Line
    speech: Speech
    words: tuple[TimedWord, ...]

    @property
    def start(self) -> float:
        """The first word's start, in seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """The last word's end, in seconds."""
        return self.words[-1].end

    @property
    def audio_start(self) -> float:
        """Where the first sample of `speech` goes, in seconds: a breath before the first word."""
        return self.start - self.speech.words[0].start

    @property
    def text(self) -> str:
        """What was said, without what was cut off."""
        return " ".join(word.written for word in self.words)


@dataclass(frozen=True)
class PlacedEvent:
    """An event at its place, in seconds from the call's start."""

    kind: str
    start: float
    end: float


@dataclass(frozen=True)
class PlacedCall:
    """Everything that is heard in a call, with times, in the order of the dialogue; `duration` in seconds."""

    lines: tuple[PlacedLine, ...]
    events: tuple[PlacedEvent, ...]
    duration: float


def read_dialogue(path: Path) -> Dialogue:
    """Read a dialogue file (README.md has the format).

    Raises:
        DialogueError: something in it is missing or cannot be spoken as it is written.
    """
    import yaml

    try:
        return parse_dialogue(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (DialogueError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DialogueError(f"{path.name}: {reason}") from error


def parse_dialogue(content: Mapping[str, Any]) -> Dialogue:
    """The dialogue in a parsed dialogue file.

    Raises:
        DialogueError: a line cannot be spoken as it is written.
        KeyError, TypeError: a setting is missing or unknown.
    """
    settings = dict(content)
    for name, choices in CHOICES.items():
        if settings.get(name, choices[0]) not in choices:
            raise DialogueError(f"{name} is one of {choices}, not {settings[name]!r}")
    channels = settings["channels"]
    speakers = {name: _speaker(name, given, channels) for name, given in settings.pop("speakers").items()}
    script = tuple(_item(given, speakers) for given in settings.pop("lines"))
    return Dialogue(speakers=speakers, script=script, **settings)


def _speaker(name: str, given: Mapping[str, Any], channels: int) -> Speaker:
    settings = dict(given)
    channel = settings.pop("channel", None)
    if (channel is None) != (channels == 1) or (channel is not None and not 1 <= channel <= channels):
        raise DialogueError(
            f"{name} needs a channel from 1 to {channels} in a stereo call, none in a mono one"
        )
    return Speaker(name, channel=None if channel is None else channel - 1, **settings)


def _item(given: Mapping[str, Any], speakers: Mapping[str, Speaker]) -> Line | Event:
    settings = dict(given)
    for kind in EVENTS:
        if kind in settings:
            return Event(kind, settings.pop(kind), **settings)
    named = [key for key in settings if key in speakers]
    if len(named) != 1:
        raise DialogueError(f"{given}: start a line with the name of one of its speakers, or one of {EVENTS}")
    said = settings.pop(named[0])
    if not isinstance(said, str):
        raise DialogueError(f"{given}: put what {named[0]} says in quotation marks")
    text = " ".join(said.split())
    for written in text.split():
        if any(character.isdigit() for character in written):
            raise DialogueError(f"“{written}”: write numbers as they are spoken, in words")
        if not any(character.isalpha() for character in written):
            raise DialogueError(f"“{written}” is no word: attach punctuation to the word before it")
    return Line(named[0], text, **settings)


def repeated(dialogue: Dialogue, rounds: int | None = None) -> Iterator[Line | Event]:
    """The script over and over (without end where `rounds` is None), each round at another tempo and pace."""
    chance = random.Random(dialogue.seed)
    for round_ in itertools.count() if rounds is None else range(rounds):
        for item in dialogue.script:
            pause = 0.0 if round_ == 0 or item.gap < 0 else chance.uniform(0.0, 0.4)
            if isinstance(item, Line):
                yield replace(item, gap=item.gap + pause, speed=item.speed * TEMPOS[round_ % len(TEMPOS)])
            else:
                yield replace(item, gap=item.gap + pause)


def place(
    dialogue: Dialogue, speak: Speak, script: Iterable[Line | Event] | None = None, until: float | None = None
) -> PlacedCall:
    """Speak a script's lines and place them in time.

    Takes `dialogue.script` where no `script` is given. With `until` (seconds), no item is begun after it.

    Raises:
        DialogueError: a `cut` word is not in its line, a backchannel follows no line, or a speaker would
            speak over themselves.
    """
    lines: list[PlacedLine] = []
    events: list[PlacedEvent] = []
    floor: PlacedLine | None = None
    floor_end = LEAD_IN_S
    silent_until: dict[str, float] = {}
    gap_at_start = True
    for item in dialogue.script if script is None else script:
        if until is not None and floor_end >= until:
            break
        start = floor_end + (0.0 if gap_at_start else item.gap)
        gap_at_start = False
        if isinstance(item, Event):
            # A silence is what lies between its neighbours, so it begins where the one before ends.
            start = floor_end if item.kind == "silence" else start
            events.append(PlacedEvent(item.kind, start, start + item.duration))
            floor, floor_end = None, start + item.duration
            continue
        speech = _spoken(item, dialogue.speakers[item.speaker], speak)
        if item.backchannel is not None:
            if floor is None:
                raise DialogueError(f"“{item.text}”: a backchannel needs a line before it")
            start = floor.start + item.backchannel
        placed = PlacedLine(
            item, speech, tuple(w.shifted(start - speech.words[0].start) for w in speech.words)
        )
        if placed.start < silent_until.get(item.speaker, 0.0):
            raise DialogueError(f"“{item.text}”: {item.speaker} is still speaking; raise the gap")
        silent_until[item.speaker] = placed.end
        lines.append(placed)
        if item.backchannel is None:
            floor, floor_end = placed, placed.end
    last = max([LEAD_IN_S, *(line.end for line in lines), *(event.end for event in events)])
    return PlacedCall(tuple(lines), tuple(events), last + TAIL_S)


def _spoken(line: Line, speaker: Speaker, speak: Speak) -> Speech:
    speech = speak(line.text, speaker.voice, speaker.speed * line.speed)
    if line.cut is None:
        return speech
    said = [word.word for word in speech.words]
    if line.cut not in said:
        raise DialogueError(f"“{line.text}”: the line is to be cut after “{line.cut}”, which is not in it")
    return speech.cut_after(said.index(line.cut) + 1)


def truth(dialogue: Dialogue, call: PlacedCall, name: str, duration: float) -> dict[str, Any]:
    """The call's truth as README.md describes it, ready for JSON; `duration` is the audio's, in seconds."""
    words = [
        {
            "word": word.word,
            "written": word.written,
            "speaker": placed.line.speaker,
            "start_s": round(word.start, 3),
            "end_s": round(word.end, 3),
            "line": index,
        }
        for index, placed in enumerate(call.lines)
        for word in placed.words
    ]
    return {
        "name": name,
        "language": dialogue.language,
        "duration_s": round(duration, 3),
        "speakers": {s.name: {"role": s.role, "channel": s.channel} for s in dialogue.speakers.values()},
        "words": words,
        "lines": [
            {
                "speaker": placed.line.speaker,
                "text": placed.text,
                "start_s": round(placed.start, 3),
                "end_s": round(placed.end, 3),
                "backchannel": placed.line.backchannel is not None,
            }
            for placed in call.lines
        ],
        "events": [
            {"kind": event.kind, "start_s": round(event.start, 3), "end_s": round(event.end, 3)}
            for event in call.events
        ],
    }


def sidecar(dialogue: Dialogue) -> dict[str, Any]:
    """The metadata that a telephone system would put beside the recording, ready for JSON."""
    known: dict[str, Any] = {"kind": dialogue.kind, **dialogue.metadata}
    if dialogue.channels > 1:
        known["channel_roles"] = {
            str(s.channel + 1): s.role for s in dialogue.speakers.values() if s.channel is not None
        }
    return known
