"""A conversation measured: who talks how much, how they take turns, how loud they are, when nobody talks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from models.speech import Interval
from pipelines.analytics.floor import Floor, Utterance, take_turns, utterances_of
from pipelines.analytics.hold import without_talk
from pipelines.analytics.loudness import Meter
from pipelines.analytics.moments import Conversation, Moment, SpeakerFigures, TurnFigures
from pipelines.analytics.music import find_music
from pipelines.analytics.phrases import FILLERS, spoken
from pipelines.analytics.stretches import Stretches, beyond, seconds, shared
from pipelines.analytics.talk import (
    OVERLAP_PAUSE_S,
    TALK_PAUSE_S,
    detected_talk,
    settle_talk,
    talk_of_all,
    track_of,
)
from pipelines.channels import Channels
from pipelines.speakers import merge
from pipelines.transcript import Speaker, Turn, Word

AGENTS: Final = ("agent", "doctor")
CUSTOMERS: Final = ("customer", "patient")
"""The two sides of a conversation, by role."""

LEAST_PACED_S: Final = 0.5
"""Of less talk than this nobody can say how fast it is."""


def analyse_conversation(
    turns: Sequence[Turn],
    people: Sequence[Speaker],
    channels: Channels,
    duration: float,
    language: str,
    silence_s: float,
) -> tuple[tuple[Speaker, ...], Conversation]:
    """The speakers, their talk settled on the sound, and what is found in their conversation.

    `duration` is the call's, in seconds; stretches without talk count from `silence_s` on.
    """
    detected = detected_talk(people, channels)
    music = [find_music(track, talk) for track, talk in zip(channels.tracks, detected, strict=True)]
    people = settle_talk(people, channels, music)
    return people, measure_conversation(turns, people, channels, music, duration, language, silence_s)


def measure_conversation(
    turns: Sequence[Turn],
    people: Sequence[Speaker],
    channels: Channels,
    music: Sequence[Stretches],
    duration: float,
    language: str,
    silence_s: float,
) -> Conversation:
    """What is found in the conversation of speakers whose talk is settled.

    `music` has the stretches of music of each track; the rest is as for `analyse_conversation`.
    """
    voices = _voices(people, channels)
    words = sorted((word for turn in turns for word in turn.words), key=lambda word: word.start)
    anybody = merge([part for voice in voices.values() for part in voice.talk])
    everywhere = merge([part for own in music for part in own])
    quiet = without_talk(anybody, everywhere, words, duration, language, silence_s)
    floor = take_turns(
        utterances_of({name: voice.talk for name, voice in voices.items()}, _numbered(turns)), language
    )
    monologues = _longest_monologues(floor, quiet)
    of_turns = _measure_turns(turns, voices, floor, quiet, language)
    of_speakers = {
        person.name: _measure_speaker(person.name, turns, of_turns, voices, floor, monologues, duration)
        for person in people
    }
    overlap_s = seconds(merge([part for voice in voices.values() for part in voice.overlapped]))
    talk_s = seconds(merge([part for voice in voices.values() for part in voice.fluent]))
    found = sorted([*quiet, *floor.moments, *monologues.values()], key=lambda m: (m.start, m.end, m.kind))
    return Conversation(
        moments=tuple(found),
        turns=of_turns,
        speakers=of_speakers,
        non_talk_s=sum(moment.duration for moment in quiet if moment.kind != "music"),
        hold_s=sum(moment.duration for moment in quiet if moment.kind == "hold"),
        music_s=seconds(everywhere),
        dead_air_start_s=anybody[0].start if anybody else duration,
        dead_air_end_s=max(0.0, duration - anybody[-1].end) if anybody else duration,
        interruptions=sum(moment.kind == "interruption" for moment in floor.moments),
        overlap_share=overlap_s / talk_s if anybody else 0.0,
        first_agent_word_s=_first_word_s(turns, {p.name for p in people if p.role in AGENTS}),
        first_customer_word_s=_first_word_s(turns, {p.name for p in people if p.role in CUSTOMERS}),
    )


@dataclass(frozen=True)
class _Voice:
    """A speaker's talk and the meter of the track that it is on.

    `counted` is the talk with the pauses that talk time includes, `fluent` with those that overlap includes,
    `overlapped` what of that others talk over, `clear` the talk in which the track holds nobody else.
    """

    talk: Stretches
    counted: Stretches
    fluent: Stretches
    overlapped: Stretches
    clear: Stretches
    meter: Meter


def _voices(people: Sequence[Speaker], channels: Channels) -> Mapping[str, _Voice]:
    meters = [Meter(track) for track in channels.tracks]
    counted, fluent = talk_of_all(people, TALK_PAUSE_S), talk_of_all(people, OVERLAP_PAUSE_S)
    voices = {}
    for person in people:
        rest = [other for other in people if other.name != person.name]
        others = merge([part for other in rest for part in other.talk])
        # On a channel of one's own nobody else is heard.
        clear = person.talk if channels.mode == "split" else beyond(person.talk, others)
        overlapped = shared(fluent[person.name], merge([p for other in rest for p in fluent[other.name]]))
        meter = meters[track_of(person, channels)]
        voices[person.name] = _Voice(
            person.talk, counted[person.name], fluent[person.name], overlapped, clear, meter
        )
    return voices


def _numbered(turns: Sequence[Turn]) -> Mapping[str, Sequence[tuple[int, Word]]]:
    """Each speaker's words in order of start, each with the number of its turn."""
    said: dict[str, list[tuple[int, Word]]] = {}
    for number, turn in enumerate(turns):
        said.setdefault(turn.speaker, []).extend((number, word) for word in turn.words)
    return {name: sorted(words, key=lambda pair: pair[1].start) for name, words in said.items()}


def _measure_turns(
    turns: Sequence[Turn],
    voices: Mapping[str, _Voice],
    floor: Floor,
    quiet: Sequence[Moment],
    language: str,
) -> tuple[TurnFigures, ...]:
    holds = [moment for moment in quiet if moment.kind == "hold"]
    responses: dict[int, float] = {}
    for exchange in floor.exchanges:
        between = Interval(exchange.before.end, exchange.after.start)
        if exchange.after.turn is not None and not any(hold.overlap(between) for hold in holds):
            responses.setdefault(exchange.after.turn, exchange.offset)
    figures = []
    for number, turn in enumerate(turns):
        voice, whole = voices[turn.speaker], [Interval(turn.start, turn.end)]
        figures.append(
            TurnFigures(
                words_per_minute=_pace(len(turn.words), seconds(shared(whole, voice.counted))),
                loudness_dbfs=voice.meter.level_dbfs(shared(whole, voice.clear)),
                fillers=_fillers(turn, language),
                response_s=responses.get(number),
            )
        )
    return tuple(figures)


def _measure_speaker(
    name: str,
    turns: Sequence[Turn],
    of_turns: Sequence[TurnFigures],
    voices: Mapping[str, _Voice],
    floor: Floor,
    monologues: Mapping[str, Moment],
    duration: float,
) -> SpeakerFigures:
    voice = voices[name]
    everybody = sum(seconds(other.counted) for other in voices.values())
    own = [(turn, figures) for turn, figures in zip(turns, of_turns, strict=True) if turn.speaker == name]
    lengths = [_length(turn, voice.talk) for turn, _ in own]
    responses = [figures.response_s for _, figures in own if figures.response_s is not None]
    fillers = [figures.fillers for _, figures in own if figures.fillers is not None]
    words = sum(len(turn.words) for turn, _ in own)
    made = [moment for moment in floor.moments if moment.speaker == name]
    interruptions = [moment for moment in made if moment.kind == "interruption"]
    return SpeakerFigures(
        talk_s=seconds(voice.counted),
        talk_share=seconds(voice.counted) / everybody if everybody else 0.0,
        longest_turn_s=max(lengths, default=0.0),
        mean_turn_s=sum(lengths) / len(lengths) if lengths else 0.0,
        longest_monologue_s=monologues[name].duration if name in monologues else 0.0,
        interruptions=len(interruptions),
        interruption_s=sum(moment.value or 0.0 for moment in interruptions),
        interrupted=sum(m.kind == "interruption" and m.other_speaker == name for m in floor.moments),
        backchannels=sum(moment.kind == "backchannel" for moment in made),
        overlap_s=seconds(voice.overlapped),
        response_median_s=float(np.median(responses)) if responses else None,
        response_p90_s=float(np.percentile(responses, 90)) if responses else None,
        words_per_minute=_pace(words, seconds(voice.counted)),
        fillers=sum(fillers) if len(fillers) == len(own) else None,
        filler_rate=100 * sum(fillers) / words if words and len(fillers) == len(own) else None,
        first_word_s=_first_word_s(turns, {name}),
        loudness_dbfs=voice.meter.level_dbfs(voice.clear),
        loudness_by_second=voice.meter.level_by_second(voice.clear, duration),
        clipped_share=voice.meter.clipped_share(voice.clear),
    )


def _length(turn: Turn, talk: Stretches) -> float:
    """From where the speaker is heard first to where last in a turn; as its words say if never.

    A recogniser may place the first word after a hold in the music.
    """
    heard = shared([Interval(turn.start, turn.end)], talk)
    return heard[-1].end - heard[0].start if heard else turn.end - turn.start


def _longest_monologues(floor: Floor, quiet: Sequence[Moment]) -> Mapping[str, Moment]:
    """The longest monologue of each speaker."""
    longest: dict[str, Moment] = {}
    for first, last in _runs(floor.turns, quiet):
        length = last.end - first.start
        if first.speaker not in longest or length > longest[first.speaker].duration:
            longest[first.speaker] = Moment(
                first.start, last.end, "monologue", first.speaker, turn=first.turn, value=length
            )
    return longest


def _runs(turns: Sequence[Utterance], quiet: Sequence[Moment]) -> Iterator[tuple[Utterance, Utterance]]:
    """First and last of the turns at talk that one speaker has without a break or another in between."""
    if not turns:
        return
    first = turns[0]
    for before, after in pairwise(turns):
        between = Interval(before.end, after.start)
        if before.speaker != after.speaker or any(moment.overlap(between) for moment in quiet):
            yield first, before
            first = after
    yield first, turns[-1]


def _first_word_s(turns: Sequence[Turn], speakers: set[str]) -> float | None:
    return min((turn.start for turn in turns if turn.speaker in speakers), default=None)


def _pace(words: int, talk_s: float) -> float | None:
    return 60.0 * words / talk_s if talk_s >= LEAST_PACED_S else None


def _fillers(turn: Turn, language: str) -> int | None:
    """How many of the words are filled pauses; None in a language whose filled pauses are not listed."""
    known = FILLERS.get(language)
    return None if known is None else sum(spoken(word.text) in known for word in turn.words)
