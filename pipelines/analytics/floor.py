"""Who holds the floor, who takes it, and what is said without wanting it.

The terms are those of conversation analysis (Sacks, Schegloff and Jefferson 1974) as speech science
measures them. Talk of one speaker with pauses of up to half a second is an utterance. An utterance is

- a *backchannel* (Yngve 1970) where it is short, is said while another goes on with an unfinished turn, and
  leaves the floor to that other;
- an *interruption* where it begins while another is in the middle of a turn, the other falls silent before
  finishing, and the one who began goes on: Gravano and Hirschberg 2012 (after Beattie 1982) label an
  exchange so that has simultaneous speech, a change of the floor, and an utterance left incomplete;
- otherwise a turn at talk. Where it meets the end of the other's turn, where both begin at once, or where it
  comes to nothing, the simultaneous talk is an accidental *overlap*.

The time from the end of one speaker's turn to the beginning of the next one's is the floor transfer offset:
a gap where it is positive, an overlap where it is negative (Heldner and Edlund 2010, "Pauses, gaps and
overlaps in conversations").

Talk says when, words say what: talk is detected whether or not it is recognised, and its edges are exact.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.speech import Interval
from pipelines.analytics.moments import Moment
from pipelines.analytics.phrases import is_backchannel
from pipelines.analytics.stretches import Stretches, joined, seconds, shared
from pipelines.transcript import Word

UTTERANCE_PAUSE_S: Final = 0.5
"""A speaker's talk with shorter pauses is one utterance."""

LEAST_OVERLAP_S: Final = 0.12
"""Shorter simultaneous talk is not noticed (Heldner 2011, "Detection thresholds for gaps, overlaps, and
no-gap-no-overlaps"), and no measure of ours is sure of it."""

BACKCHANNEL_WORDS: Final = 3
BACKCHANNEL_S: Final = 0.8
"""A backchannel has no more than these words, all of the list by language; or it is no longer than this,
whatever its words: Whisper drops "mm-hm", or writes for it what would fit the sentence. To go by length is
usual where words are not to be had ("very short utterances": Edlund, Heldner and Pelcé 2009)."""

LEAST_WORDLESS_BACKCHANNEL_S: Final = 0.4
"""Shorter sounds without a word are breaths, and slips of a diarizer that hears one channel: it made one of
0.3 s in two of six bank calls, where the two channels of the same calls have none."""

RESUMES_S: Final = 1.0
"""Whoever holds the floor talks on within this of a backchannel's end."""

TERMINAL_OVERLAP_S: Final = 0.35
"""Who begins this short a time before the other's end has heard that it comes (Jefferson's transitional
onset): no interruption, unless the words are left unfinished. In telephone calls half of all overlaps at
turn changes are shorter than about 0.2 s (Levinson and Torreira 2015). Words alone do not tell: Whisper
closes the sentence of most who are interrupted with a full stop."""

YIELDS_S: Final = 3.0
"""Who is interrupted stops within this; two who talk on side by side for longer share the floor."""

GOES_ON_S: Final = 0.3
"""Who interrupts is heard for at least this once the other has stopped."""

TOGETHER_S: Final = 0.3
"""Two who begin within this of each other began at once."""

LEAST_WORDLESS_S: Final = 1.0
"""Shorter talk without a recognised word is no turn but a breath or a noise."""

_WORD_REACH_S: Final = 0.3
"""An utterance without a word in it has the one that is this close."""

_LONGEST_REACH_S: Final = 2.5
"""No word that belongs to an utterance begins earlier: the longest word, and what it may be off."""

_SENTENCE_END: Final = (".", "?", "!", "。", "？", "！", "।", "؟")


@dataclass(frozen=True)
class Utterance(Interval):
    """What a speaker says without a longer pause; `turn` is that of its first word, None without words."""

    speaker: str
    talk: Stretches
    words: tuple[Word, ...]
    turn: int | None

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Exchange:
    """A change of the floor: who had it, who has it now, and the floor transfer offset in seconds."""

    before: Utterance
    after: Utterance
    offset: float


@dataclass(frozen=True)
class Floor:
    """The turns at talk in order of their start, the changes between them, and what happened meanwhile."""

    turns: tuple[Utterance, ...]
    exchanges: tuple[Exchange, ...]
    moments: tuple[Moment, ...]


def utterances_of(
    talk: Mapping[str, Stretches], words: Mapping[str, Sequence[tuple[int, Word]]]
) -> tuple[Utterance, ...]:
    """The utterances of all speakers in order of their start.

    `talk` has each speaker's talk, `words` their words in order of start, each with its turn's number. A
    pause in which somebody else says something from beginning to end divides what is said before and after.
    """
    found: list[Utterance] = []
    for speaker, own in talk.items():
        others = sorted((s.start, s.end) for name, theirs in talk.items() if name != speaker for s in theirs)
        said = list(words.get(speaker, ()))
        starts = [word.start for _, word in said]
        for parts in _without_pauses(own, others):
            whole = Interval(parts[0].start, parts[-1].end)
            low = bisect_left(starts, whole.start - _LONGEST_REACH_S)
            high = bisect_right(starts, whole.end + _WORD_REACH_S)
            found.append(_utterance(speaker, whole, parts, said[low:high]))
    return tuple(sorted(found, key=lambda utterance: (utterance.start, utterance.end)))


def take_turns(utterances: Sequence[Utterance], language: str) -> Floor:
    """Decide of each utterance, in order of start, what it is; `language` is that of the words."""
    heard = _Heard(utterances)
    moments: list[Moment] = []
    candidates: list[Utterance] = []
    for utterance in utterances:
        if (holder := _holder_behind(utterance, heard, language)) is not None:
            common = seconds(shared(utterance.talk, holder.talk))
            moments.append(_moment("backchannel", utterance, holder, utterance, common))
        elif utterance.words or utterance.duration >= LEAST_WORDLESS_S:
            candidates.append(utterance)
    taking = _Heard(candidates)
    turns: list[Utterance] = []
    exchanges: list[Exchange] = []
    for utterance in candidates:
        other = taking.covering(utterance)
        if other is not None:
            both = Interval(utterance.start, min(utterance.end, other.end))
            if both.duration >= LEAST_OVERLAP_S and shared(utterance.talk, other.talk):
                kind = "interruption" if _interrupts(utterance, other, taking) else "overlap"
                moments.append(_moment(kind, utterance, other, both, both.duration))
            if utterance.end <= other.end:
                continue  # it came to nothing: the other has kept the floor
        if turns and turns[-1].speaker != utterance.speaker:
            exchanges.append(Exchange(turns[-1], utterance, utterance.start - turns[-1].end))
        turns.append(utterance)
    return Floor(tuple(turns), tuple(exchanges), tuple(sorted(moments, key=lambda moment: moment.start)))


class _Heard:
    """Utterances, found by time; those of one speaker do not overlap."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._by_speaker: dict[str, list[Utterance]] = {}
        for utterance in utterances:
            self._by_speaker.setdefault(utterance.speaker, []).append(utterance)
        self._starts = {name: [u.start for u in own] for name, own in self._by_speaker.items()}

    def covering(self, utterance: Utterance) -> Utterance | None:
        """The other's utterance that is going on as this one begins; of several, the last to end."""
        going_on = [other for other in self.before(utterance) if other.end > utterance.start]
        return max(going_on, key=lambda other: other.end, default=None)

    def before(self, utterance: Utterance) -> Iterator[Utterance]:
        """Each other speaker's last utterance that begins before this one."""
        for name in self._by_speaker:
            if name != utterance.speaker:
                place = bisect_left(self._starts[name], utterance.start)
                if place:
                    yield self._by_speaker[name][place - 1]

    def next_of(self, speaker: str, time: float) -> Utterance | None:
        """The speaker's first utterance that begins at `time` or later."""
        own = self._by_speaker[speaker]
        place = bisect_left(self._starts[speaker], time)
        return own[place] if place < len(own) else None


def _without_pauses(talk: Stretches, others: Sequence[tuple[float, float]]) -> Iterator[tuple[Interval, ...]]:
    """Talk in groups without a pause of more than `UTTERANCE_PAUSE_S`, or one in which another speaks."""
    group: list[Interval] = []
    for stretch in talk:
        if group:
            pause = group[-1].end, stretch.start
            place = bisect_left(others, (pause[0], pause[0]))
            answered = place < len(others) and others[place][1] <= pause[1]
            if answered or pause[1] - pause[0] > UTTERANCE_PAUSE_S:
                yield tuple(group)
                group = []
        group.append(stretch)
    if group:
        yield tuple(group)


def _utterance(
    speaker: str, whole: Interval, parts: Stretches, near: Sequence[tuple[int, Word]]
) -> Utterance:
    within = [(t, word) for t, word in near if whole.start <= (word.start + word.end) / 2 <= whole.end]
    # A word that was placed just beside its talk.
    own = within or [(t, word) for t, word in near if word.end >= whole.start - _WORD_REACH_S]
    turn = own[0][0] if own else None
    return Utterance(whole.start, whole.end, speaker, parts, tuple(word for _, word in own), turn)


def _holder_behind(utterance: Utterance, heard: _Heard, language: str) -> Utterance | None:
    """Whose unfinished turn the utterance is a backchannel to; None where it is none."""
    listed = len(utterance.words) <= BACKCHANNEL_WORDS and is_backchannel(utterance.text, language)
    least = LEAST_OVERLAP_S if utterance.words else LEAST_WORDLESS_BACKCHANNEL_S
    short = least <= utterance.duration <= BACKCHANNEL_S
    if not listed and not short:
        return None
    again = heard.next_of(utterance.speaker, utterance.end)
    for holder in heard.before(utterance):
        if holder.end > utterance.end + LEAST_OVERLAP_S:
            return holder
        if not listed or holder.end < utterance.start - RESUMES_S or _finished(holder):
            continue
        resumed = heard.next_of(holder.speaker, utterance.start)
        if (
            resumed is not None
            and resumed.start <= utterance.end + RESUMES_S
            and resumed.end > utterance.end
            and (again is None or resumed.start < again.start)
        ):
            return holder
    return None


def _interrupts(utterance: Utterance, other: Utterance, heard: _Heard) -> bool:
    """Whether an utterance that begins during another's is an interruption of it."""
    left = other.end - utterance.start
    begun = [part for part in joined(other.talk, TOGETHER_S) if part.start < utterance.start < part.end]
    return (
        bool(begun)
        and utterance.start - other.start >= TOGETHER_S
        and (left > TERMINAL_OVERLAP_S or not _finished(other))
        and left <= YIELDS_S
        and _goes_on(utterance, other, heard)
    )


def _goes_on(utterance: Utterance, other: Utterance, heard: _Heard) -> bool:
    """Whether who began is heard once the other has stopped, and before the other is heard again."""
    if utterance.end <= other.end:
        return False
    own, theirs = heard.next_of(utterance.speaker, utterance.end), heard.next_of(other.speaker, other.end)
    first = own is not None and (theirs is None or own.start < theirs.start)
    return first or utterance.end - other.end >= GOES_ON_S


def _finished(utterance: Utterance) -> bool:
    """Whether the words end a sentence; unknown words may have done so."""
    text = utterance.text
    return not text or (text.endswith(_SENTENCE_END) and not text.endswith(".."))


def _moment(kind: str, by: Utterance, other: Utterance, span: Interval, value: float) -> Moment:
    return Moment(span.start, span.end, kind, by.speaker, other.speaker, by.turn, value)
