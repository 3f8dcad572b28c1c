"""What a system heard in a recording, as it is scored, and what it took."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.evaluation.document import Document, Span, Word
from pipelines.tables import UNKNOWN
from pipelines.transcript import Call


@dataclass(frozen=True)
class Heard:
    """A transcript and its cost. `seconds` is the time of it all; stages may run side by side within it.

    `peak_bytes` is the most memory that the system's process has had until then.
    """

    document: Document
    channel_mode: str
    duration_s: float
    seconds: float
    stage_s: Mapping[str, float] = field(default_factory=dict)
    peak_bytes: int = 0


def document_of(call: Call, name: str) -> Document:
    """A call as its rows are scored."""
    return Document(
        name,
        call.recording.source,
        words=tuple(Word(word.text, word.speaker, word.start, word.end) for word in call.words),
        speech=tuple(
            Span(at.start, at.end, speaker.name)
            for speaker in call.speakers
            if speaker.name != UNKNOWN
            for at in speaker.detected
        ),
        word_times=True,
        language=call.language.code,
    )


def nothing(name: str, source: str) -> Document:
    """A recording in which no speech was found: that is an answer, and may be wrong."""
    return Document(name, source, words=(), speech=(), word_times=True)
