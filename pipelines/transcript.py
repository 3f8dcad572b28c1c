"""The values a call turns into: words with their speakers, turns, speakers, and the call itself.

Times are seconds from the start of the recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval, LanguageGuess
from pipelines.analytics.moments import Conversation
from pipelines.channels import Channels
from pipelines.decoding import Audio
from pipelines.recording import Recording


@dataclass(frozen=True)
class Word(Interval):
    """A word that somebody said.

    `confidence` and `speaker_confidence` are probabilities; `timing_source` and `speaker_source` say
    where the times and the speaker came from, `overlapped` whether somebody else speaks meanwhile.
    """

    text: str
    confidence: float
    timing_source: str
    speaker: str
    speaker_confidence: float
    speaker_source: str
    overlapped: bool


@dataclass(frozen=True)
class Turn:
    """Consecutive words of one speaker; never empty."""

    words: tuple[Word, ...]

    @property
    def speaker(self) -> str:
        """Whose turn it is."""
        return self.words[0].speaker

    @property
    def start(self) -> float:
        """When its first word starts."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """When the last of its words to end ends."""
        return max(word.end for word in self.words)

    @property
    def text(self) -> str:
        """What is said."""
        return " ".join(word.text for word in self.words)


ROLE_GIVEN: Final = 1.0
"""`Speaker.role_confidence` of a role that was given for a channel, and of no other: none that is found is as
certain (`pipelines.analytics.roles.MOST`)."""


@dataclass(frozen=True)
class Speaker:
    """A speaker of a call; `channel` counts from 1 and is 0 where no channel is the speaker's own.

    `talk` is where the speaker speaks, in order and without overlap; `detected` is where diarization or voice
    activity detection had them, which takes short pauses in.
    """

    name: str
    role: str
    role_confidence: float
    channel: int
    talk: tuple[Interval, ...]
    detected: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class Sentence(Interval):
    """A sentence of a turn: `text` is the turn's from `start_char` to `end_char`.

    `lemmas` are the words in lower case, inflections taken off where a model knows the language.
    `sentiment`, -1…1, and `embedding`, shape `(384,)` and of unit length, are None where no model serves the
    language.
    """

    turn: int
    speaker: str
    text: str
    start_char: int
    end_char: int
    lemmas: tuple[str, ...]
    question: bool
    sentiment: float | None
    embedding: NDArray[np.float32] | None


@dataclass(frozen=True)
class Entity(Interval):
    """A name, number, sum or date that was said: `text` is the turn's from `start_char` to `end_char`."""

    turn: int
    speaker: str
    kind: str
    text: str
    start_char: int
    end_char: int
    detector: str


@dataclass(frozen=True)
class Reading:
    """What the words of a call say; `key_phrases` are those of each turn, best first.

    `notes` say which parts could not be had and why: name of the part to a sentence.
    """

    sentences: tuple[Sentence, ...]
    entities: tuple[Entity, ...]
    key_phrases: tuple[tuple[str, ...], ...]
    notes: Mapping[str, str]


@dataclass(frozen=True)
class Topic:
    """A topic and how well what is said fits it, 0…1."""

    name: str
    score: float


@dataclass(frozen=True)
class Quote:
    """A sentence as it was said: its turn, its number in the call, and its text."""

    turn: int
    sentence: int
    text: str


@dataclass(frozen=True)
class Gist:
    """What a call was about: topics, best first, and the sentences that say why, how it ended, and what next.

    `topics` is None where no model could tell. `notes` are as in `Reading`. `examples_sha256` says which
    example files all of it, and the roles, was found with.
    """

    topics: tuple[Topic, ...] | None
    reason: Quote | None
    outcome: Quote | None
    next_steps: tuple[Quote, ...]
    notes: Mapping[str, str]
    examples_sha256: str


@dataclass(frozen=True)
class Measures:
    """What is measured of a whole call, as the table `calls` defines it; `snr_db` None where it cannot be."""

    speech_s: float
    overlap_s: float
    uncovered_speech_s: float
    snr_db: float | None


@dataclass(frozen=True)
class Call:
    """Everything that is known of a recording once it has been processed.

    `kind_given` says whether metadata or settings gave the kind; else it was recognised by what is said.
    """

    recording: Recording
    kind: str
    kind_given: bool
    audio: Audio
    channels: Channels
    language: LanguageGuess
    turns: tuple[Turn, ...]
    speakers: tuple[Speaker, ...]
    reading: Reading
    gist: Gist
    measures: Measures
    conversation: Conversation
    review_flags: tuple[str, ...]
    stage_s: Mapping[str, float]

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in the order of the transcript."""
        return tuple(word for turn in self.turns for word in turn.words)
