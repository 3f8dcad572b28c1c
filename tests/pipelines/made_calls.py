"""Calls that nobody made: words, speech and speakers wherever the models may put them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from models.language import EMBEDDING_SIZE
from models.speech import (
    SAMPLE_RATE,
    Diarization,
    Interval,
    LanguageGuess,
    Samples,
    Segment,
    SpeakerSpan,
    SpeechActivity,
    TimedWord,
)
from pipelines.analytics.conversation import analyse_conversation
from pipelines.analytics.moments import Conversation, SpeakerFigures, TurnFigures
from pipelines.attribution import attribute
from pipelines.channels import Channels
from pipelines.decoding import Audio, Damage
from pipelines.measures import measure, review_flags
from pipelines.recording import Recording
from pipelines.sources import CallMetadata
from pipelines.speakers import name_speakers
from pipelines.transcript import (
    Call,
    Entity,
    Gist,
    Quote,
    Reading,
    Sentence,
    Speaker,
    Topic,
    Turn,
    Word,
)
from pipelines.turns import make_turns
from pipelines.word_times import settle_times

DURATION = 10.0
NOTHING_KNOWN = CallMetadata()

times = st.floats(0.0, DURATION)
confidences = st.floats(0.0, 1.0)
# What a recogniser writes has no white space within a word; its letters are of any script.
texts = st.text(st.characters(categories=["L", "N", "P", "Sc"]), min_size=1, max_size=8)


def said(start: float, end: float, speaker: str = "S1", text: str = "word", **changes: object) -> Word:
    """A word with everything that a test does not care for."""
    word = Word(start, end, text, 0.75, "cross_attention", speaker, 0.5, "diarization", False)
    return Word(**{**vars(word), **changes})


@st.composite
def intervals(draw: st.DrawFn, most: int = 8) -> tuple[Interval, ...]:
    """Stretches in order and without overlap, as voice activity detection gives them."""
    edges = sorted(draw(st.lists(times, max_size=2 * most, unique=True)))
    return tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False))


def sounding(where: Sequence[Interval | tuple[float, float]]) -> Samples:
    """A track with noise in the given stretches and digital silence elsewhere."""
    samples = np.zeros(int(DURATION * SAMPLE_RATE), np.float32)
    noise = np.random.default_rng(0).normal(0.0, 0.1, len(samples)).astype(np.float32)
    for stretch in where:
        start, end = stretch if isinstance(stretch, tuple) else (stretch.start, stretch.end)
        part = slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
        samples[part] = noise[part]
    return samples


@st.composite
def timed_words(draw: st.DrawFn) -> TimedWord:
    """A word as attention may place it: anywhere, of any length."""
    start, end = sorted((draw(times), draw(times)))
    return TimedWord(start, end, draw(texts), draw(confidences), "cross_attention")


segments = st.lists(
    st.lists(timed_words(), max_size=5).map(lambda words: Segment(0.0, DURATION, tuple(words), -0.5)),
    max_size=3,
).map(tuple)


@st.composite
def words(draw: st.DrawFn, speakers: Sequence[str] = ("a", "b", "UNKNOWN")) -> tuple[Word, ...]:
    """Words of several speakers in order of their start."""
    made = draw(st.lists(st.tuples(timed_words(), st.sampled_from(speakers)), max_size=12))
    return tuple(
        said(word.start, word.end, speaker, f"{number}-{word.text}")
        for number, (word, speaker) in enumerate(sorted(made, key=lambda pair: pair[0].start))
    )


@st.composite
def diarizations(draw: st.DrawFn, labels: Sequence[str] = ("A", "B", "C")) -> Diarization:
    """Spans of several speakers that overlap as they like, and an exclusive version of them."""
    spans = [
        SpeakerSpan(interval.start, interval.end, label)
        for label in labels
        for interval in draw(intervals(most=3))
    ]
    exclusive: list[SpeakerSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        start = max(span.start, exclusive[-1].end if exclusive else 0.0)
        if start < span.end:
            exclusive.append(SpeakerSpan(start, span.end, span.speaker))
    return Diarization(tuple(sorted(spans, key=lambda span: span.start)), tuple(exclusive))


@st.composite
def calls(draw: st.DrawFn) -> tuple[Call, tuple[tuple[Segment, ...], ...]]:
    """A call that went through all steps but the models', and the segments that it was made of."""
    mode = draw(st.sampled_from(["mono", "split", "mixed"]))
    numbers = {"mono": (1,), "split": (1, 2), "mixed": (1, 2)}[mode]
    activity = tuple(SpeechActivity(draw(intervals()), ()) for _ in range(2 if mode == "split" else 1))
    tracks = tuple(sounding(heard.speech) for heard in activity)
    channels = Channels(mode, tracks, numbers, "made")  # type: ignore[arg-type]
    given = tuple(draw(segments) for _ in tracks)
    transcripts = tuple(settle_times(said, track) for said, track in zip(given, tracks, strict=True))
    if mode == "split":
        spans = tuple(
            SpeakerSpan(interval.start, interval.end, str(number))
            for number, heard in zip(numbers, activity, strict=True)
            for interval in heard.speech
        )
        diarization = Diarization(spans, spans)
    else:
        diarization = draw(diarizations())
    roles = draw(st.dictionaries(st.sampled_from([1, 2]), st.sampled_from(["agent", "customer"])))
    attributed, people = name_speakers(
        attribute(transcripts, diarization, channels), diarization, channels, roles
    )
    turns = make_turns(attributed)
    code = draw(st.sampled_from(["en", "es", "ja"]))
    people, conversation = analyse_conversation(turns, people, channels, DURATION, code, silence_s=3.0)
    measures = measure(tracks, activity, people, attributed)
    damage = draw(st.sampled_from([None, Damage("It ends in the middle", 2.0), Damage("Noise in it", None)]))
    language = LanguageGuess(code, draw(confidences))
    call = Call(
        made_recording(draw(st.binary(max_size=4))),
        draw(st.sampled_from(["contact_center", "consultation"])),
        draw(st.booleans()),
        Audio(
            np.zeros((len(numbers), len(tracks[0])), np.float32),
            8000,
            "opus",
            "ogg",
            DURATION,
            None,
            damage,
            None,
        ),
        channels,
        language,
        turns,
        people,
        made_reading(turns),
        made_gist(turns),
        measures,
        conversation,
        review_flags(measures, language, attributed, diarization, damage),
        {"decode": 0.5},
    )
    return call, given


def nothing_found(turns: Sequence[Turn], speakers: Sequence[Speaker]) -> Conversation:
    """An analysis of a call that a test of something else does not care for."""
    of_speaker = SpeakerFigures(
        talk_s=2.0,
        talk_share=1 / max(1, len(speakers)),
        longest_turn_s=0.0,
        mean_turn_s=0.0,
        longest_monologue_s=0.0,
        interruptions=0,
        interruption_s=0.0,
        interrupted=0,
        backchannels=0,
        overlap_s=0.0,
        response_median_s=None,
        response_p90_s=None,
        words_per_minute=None,
        fillers=None,
        filler_rate=None,
        first_word_s=None,
        loudness_dbfs=None,
        loudness_by_second=(-20.0, None),
        clipped_share=0.0,
    )
    return Conversation(
        moments=(),
        turns=tuple(TurnFigures(None, None, None, None) for _ in turns),
        speakers={speaker.name: of_speaker for speaker in speakers},
        non_talk_s=0.0,
        hold_s=0.0,
        music_s=0.0,
        dead_air_start_s=0.0,
        dead_air_end_s=0.0,
        interruptions=0,
        overlap_share=0.0,
        first_agent_word_s=None,
        first_customer_word_s=None,
    )


def made_reading(turns: Sequence[Turn]) -> Reading:
    """A reading that takes each turn for one sentence, a question, with its first word for an entity."""
    return Reading(
        tuple(
            Sentence(
                turn.start,
                turn.end,
                turn=number,
                speaker=turn.speaker,
                text=turn.text,
                start_char=0,
                end_char=len(turn.text),
                lemmas=tuple(word.text.lower() for word in turn.words),
                question=True,
                sentiment=0.5 if number % 2 else -0.5,
                embedding=np.eye(1, EMBEDDING_SIZE, number % EMBEDDING_SIZE, dtype=np.float32)[0],
            )
            for number, turn in enumerate(turns)
        ),
        tuple(
            Entity(
                turn.words[0].start,
                turn.words[0].end,
                turn=number,
                speaker=turn.speaker,
                kind="person",
                text=turn.words[0].text,
                start_char=0,
                end_char=len(turn.words[0].text),
                detector="rules",
            )
            for number, turn in enumerate(turns)
        ),
        tuple((turn.words[0].text,) for turn in turns),
        {"sentiment": "It was made."},
    )


def made_gist(turns: Sequence[Turn]) -> Gist:
    """A gist by which the first turn is the reason, and the last one what comes next."""
    quotes = [Quote(number, number, turn.text) for number, turn in enumerate(turns)]
    topics = (Topic("lost_card", 0.75), Topic("complaint", 0.5))
    return Gist(
        topics, quotes[0] if quotes else None, None, tuple(quotes[-1:]), {"outcome": "Made."}, "ab" * 32
    )


def made_recording(content: bytes = b"", metadata: CallMetadata = NOTHING_KNOWN) -> Recording:
    sha256 = hashlib.sha256(content).hexdigest()
    modified = datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    return Recording(Path("/calls/a.opus"), "calls/a.opus", sha256[:32], sha256, 100, modified, metadata)
