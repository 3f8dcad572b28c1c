"""What is known of a call, from a reference or from a system: its words, who speaks when, and the roles."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Final

from pipelines.tables import UNKNOWN

JOIN_GAP_S: Final = 0.5
"""Where a format has words and no segments, words of one speaker this close make one stretch of speech."""

ROLE_OF_NAME: Final = {
    "agent": "agent",
    "caller": "customer",
    "client": "customer",
    "customer": "customer",
    "doctor": "doctor",
    "patient": "patient",
    "ivr": "ivr",
}
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which put no blanks between words."""
_TAG: Final = re.compile(r"\[[^\]]*\]|<[^>]*>")


@dataclass(frozen=True)
class Word:
    """A word as written, or as normalised. Speaker and times (in seconds) are None where nothing is known.

    `speaker_confidence` is how sure the source says it is of the speaker, 0 to 1.
    """

    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    speaker_confidence: float | None = None


@dataclass(frozen=True)
class Span:
    """From `start` to `end`, in seconds; `speaker` is the one who speaks, where somebody does."""

    start: float
    end: float
    speaker: str = ""


@dataclass(frozen=True)
class Segment:
    """A piece of a file: what one speaker says, and from when to when, in seconds, where that is known."""

    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None:
            check_times(self.start, self.end)


@dataclass(frozen=True)
class Document:
    """One call by one source. What the source says nothing about is None, which is not the same as empty.

    `words` are in the order of the transcript; `word_times` says whether their times were given for each
    or only for the segments they are in. `scored` is where diarization is to be scored, and what lies in
    `ignored` is not scored at all. `roles` has the speakers whose role is known. `facts` has columns to
    slice by. `named` is the name that a file about one call gives it, which goes by that of the file.
    """

    call: str
    source: str
    words: tuple[Word, ...] | None = None
    speech: tuple[Span, ...] | None = None
    scored: tuple[Span, ...] | None = None
    word_times: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[Span, ...] = ()
    language: str = ""
    named: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def speakers(self) -> frozenset[str]:
        """Names of those who say a word or, where no words are known, who speak."""
        spoken = self.words if self.words is not None else self.speech or ()
        return frozenset(said.speaker for said in spoken if said.speaker is not None)

    @property
    def duration(self) -> float:
        """Length of the call in seconds where it is known, else until when something is known of it."""
        spans = (*(self.speech or ()), *(self.scored or ()))
        return float(self.facts.get("duration_s") or max((span.end for span in spans), default=0.0))


def check_times(start: float, end: float) -> None:
    """Raises ValueError unless the times are finite and in order."""
    if not (isfinite(start) and isfinite(end) and start <= end):
        raise ValueError(f"a time from {start} to {end} s")


def from_segments(call: str, source: str, segments: Iterable[Segment], are_words: bool = False) -> Document:
    """A document with the words of segments, which are put in order of start where all have times.

    Tags such as `[noise]` and `<unk>` are no words, and segments of nothing else no speech. Words of a
    longer segment share its time in proportion to their letters. Where no segment has more than one word,
    these are timed words: they are joined into stretches of one speaker first, so that words of people who
    speak at once do not alternate. In scripts without blanks between words that is so only where segments
    are known to be words. Where some segments have no speaker, theirs is `UNKNOWN`.
    """
    said = [
        replace(segment, text=text)
        for segment in segments
        if (text := _TAG.sub(" ", segment.text).strip()) or not segment.text.strip()
    ]
    if any(segment.speaker for segment in said):
        said = [replace(segment, speaker=segment.speaker or UNKNOWN) for segment in said]
    timed = all(segment.start is not None and segment.end is not None for segment in said)
    if timed:
        said.sort(key=_start)
    parts = [(segment, shared_time(segment.text.split(), segment)) for segment in said]
    word_times = timed and all(
        len(words) == 1 and (are_words or not _UNSPACED.search(words[0].text)) for _, words in parts
    )
    if word_times:
        stretches = _stretches(word for _, [word] in parts)
        words = tuple(word for stretch in stretches for word in stretch)
        speech = joined(words)
    else:
        words = tuple(word for _, of_segment in parts for word in of_segment)
        speech = spans(segment for segment, _ in parts) if timed else None
    if any(word.speaker is None for word in words):
        speech = None
    roles = {name: role for name in {word.speaker for word in words} if name and (role := role_of(name))}
    return Document(call, source, words, speech, word_times=word_times, roles=roles)


def role_of(name: str) -> str | None:
    """The role that a speaker's name says, if it says one."""
    return ROLE_OF_NAME.get(name.lower())


def shared_time(texts: Sequence[str], whole: Segment | Word) -> tuple[Word, ...]:
    """Words that share the time of `whole` by their letters, as MeetEval's `character_based` does."""
    sure = whole.speaker_confidence if isinstance(whole, Word) else None
    if whole.start is None or whole.end is None:
        return tuple(Word(text, whole.speaker, speaker_confidence=sure) for text in texts)
    letter = (whole.end - whole.start) / max(sum(map(len, texts)), 1)
    words, before = [], 0
    for text in texts:
        start, before = whole.start + letter * before, before + len(text)
        words.append(Word(text, whole.speaker, start, min(whole.start + letter * before, whole.end), sure))
    return tuple(words)


def joined(words: Iterable[Word]) -> tuple[Span, ...] | None:
    """Where people speak, from words: None where times or speakers are lacking."""
    listed = list(words)
    if any(word.speaker is None or word.start is None or word.end is None for word in listed):
        return None
    return tuple(
        Span(_start(stretch[0]), max(word.end or 0.0 for word in stretch), stretch[0].speaker or "")
        for stretch in _stretches(sorted(listed, key=_start))
    )


def spans(segments: Iterable[Segment]) -> tuple[Span, ...]:
    """Where people speak, from segments with times, in order; those of one speaker that overlap are one."""
    found: dict[str, list[Span]] = defaultdict(list)
    for segment in sorted(segments, key=_start):
        start, end, speaker = _start(segment), segment.end or 0.0, segment.speaker or ""
        own = found[speaker]
        if own and start < own[-1].end:
            own[-1] = replace(own[-1], end=max(end, own[-1].end))
        elif start < end:
            own.append(Span(start, end, speaker))
    return tuple(sorted((span for own in found.values() for span in own), key=lambda span: span.start))


def _stretches(words: Iterable[Word]) -> list[list[Word]]:
    """Words in order of start, put together where a speaker goes on; stretches are in order of start."""
    stretches: list[list[Word]] = []
    latest: dict[str | None, list[Word]] = {}
    for word in words:
        stretch = latest.get(word.speaker)
        if stretch is None or _start(word) - max(said.end or 0.0 for said in stretch[-3:]) > JOIN_GAP_S:
            stretch = latest[word.speaker] = []
            stretches.append(stretch)
        stretch.append(word)
    return stretches


def _start(timed: Segment | Word) -> float:
    assert timed.start is not None
    return timed.start
