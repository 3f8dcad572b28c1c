"""Recordings whose truth is known, through all models: the smallest ones, so that words are often wrong.

Each speaker on a channel of their own: counts are exact, and times within 0.15 s.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from made_audio import wav_bytes
from made_calls import said
from made_conversations import of_kind
from made_music import melody, on_the_line, quiet
from sample_calls import SAMPLE_CALLS, Processed, SampleCall, samples_of

from models.loaded import LoadedModels
from models.speech import SAMPLE_RATE, Samples
from pipelines.analytics.conversation import measure_conversation
from pipelines.analytics.moments import Conversation
from pipelines.analytics.stretches import joined, seconds
from pipelines.call import process
from pipelines.recording import identify
from pipelines.settings import CallSettings
from pipelines.sources import Source
from pipelines.transcript import Call, Speaker
from pipelines.turns import make_turns

pytestmark = pytest.mark.slow

SPLIT = ("broadband_outage", "hotel_booking", "knee_pain")


def near(time: float) -> Any:
    """Within the 0.15 s that are promised."""
    return pytest.approx(time, abs=0.15)


def owner(call: Call, truth: SampleCall, name: str) -> str:
    """Who of the truth is the speaker of a split call."""
    channel = next(speaker.channel for speaker in call.speakers if speaker.name == name)
    return next(person for person, own in truth.channels.items() if own == channel)


@pytest.mark.parametrize(("name", "interruptions", "backchannels"), [
    ("broadband_outage", 3, 2), ("hotel_booking", 0, 0), ("knee_pain", 0, 1),
])  # fmt: skip
def test_interruptions_and_backchannels_are_those_of_the_dialogue(
    processed: Callable[[str], Processed], name: str, interruptions: int, backchannels: int
) -> None:
    found = processed(name).call.conversation
    assert len(of_kind(found, "interruption")) == found.interruptions == interruptions
    assert len(of_kind(found, "backchannel")) == backchannels


def test_who_interrupts_whom_and_when(processed: Callable[[str], Processed]) -> None:
    call, truth = processed("broadband_outage").call, SAMPLE_CALLS["broadband_outage"]
    made = [
        (owner(call, truth, m.speaker), owner(call, truth, m.other_speaker), m.start, m.end)
        for m in of_kind(call.conversation, "interruption")
    ]
    assert made == [
        ("Daniel", "Michael", near(14.79), near(15.24)),
        ("Daniel", "Michael", near(32.29), near(32.79)),
        ("Michael", "Daniel", near(38.085), near(38.385)),
    ]


def of_truth(call: Call, truth: SampleCall) -> tuple[Conversation, dict[str, str]]:
    """The conversation as measured on the words of the truth, and who of it is which speaker of the call.

    Only the call's sound is taken from the recording, for loudness, which is not compared.
    """
    spoken = sorted(truth.words, key=lambda word: word.start)
    turns = make_turns([said(word.start, word.end, word.speaker, word.written) for word in spoken])
    people = [
        Speaker(
            name,
            truth.roles[name],
            1.0,
            channel,
            joined([word for word in spoken if word.speaker == name], 0.2),
        )
        for name, channel in truth.channels.items()
    ]
    found = measure_conversation(
        turns, people, call.channels, [(), ()], truth.duration, truth.language, silence_s=3.0
    )
    return found, {owner(call, truth, speaker.name): speaker.name for speaker in call.speakers}


@pytest.mark.parametrize("name", SPLIT)
def test_each_speakers_seconds_are_those_of_the_truth(
    processed: Callable[[str], Processed], name: str
) -> None:
    """Also added up over all that somebody says, still within 0.15 s."""
    call = processed(name).call
    expected, names = of_truth(call, SAMPLE_CALLS[name])
    for person, speaker in names.items():
        found, true = call.conversation.speakers[speaker], expected.speakers[person]
        for figure in SECONDS:
            assert (figure, getattr(found, figure)) == (figure, near(getattr(true, figure)))


SECONDS = (
    "talk_s",
    "longest_turn_s",
    "mean_turn_s",
    "longest_monologue_s",
    "interruption_s",
    "overlap_s",
    "response_median_s",
    "response_p90_s",
    "first_word_s",
)


@pytest.mark.parametrize("name", SPLIT)
def test_the_calls_seconds_are_those_of_the_truth(processed: Callable[[str], Processed], name: str) -> None:
    call = processed(name).call
    found, (true, _) = call.conversation, of_truth(call, SAMPLE_CALLS[name])
    for figure in ("non_talk_s", "hold_s", "first_agent_word_s", "first_customer_word_s"):
        assert (figure, getattr(found, figure)) == (figure, near(getattr(true, figure)))
    assert found.overlap_share == pytest.approx(true.overlap_share, abs=0.01)
    moments = [[moment for moment in of.moments if moment.kind != "music"] for of in (found, true)]
    assert [(m.kind, m.start, m.end) for m in moments[0]] == [
        (m.kind, near(m.start), near(m.end)) for m in moments[1]
    ]


@pytest.mark.parametrize("name", SPLIT)
def test_responses_take_as_long_as_the_truth_says(processed: Callable[[str], Processed], name: str) -> None:
    call, truth = processed(name).call, SAMPLE_CALLS[name]
    lines = sorted(truth.lines, key=lambda line: line.start)
    turns = [line for line in lines if not any(line.start > o.start and line.end < o.end for o in lines)]
    pairs = [(a, b) for a, b in pairwise(turns) if a.speaker != b.speaker]
    expected = [b.start - a.end for a, b in pairs if b.start - a.end < 5.0]  # a hold is no response time
    found = [turn.response_s for turn in call.conversation.turns if turn.response_s is not None]
    assert found == [near(response) for response in expected]


@pytest.mark.parametrize("name", SPLIT)
def test_dead_air_is_that_of_the_truth(processed: Callable[[str], Processed], name: str) -> None:
    found, truth = processed(name).call.conversation, SAMPLE_CALLS[name]
    assert found.dead_air_start_s == near(min(word.start for word in truth.words))
    assert found.dead_air_end_s == near(truth.duration - max(word.end for word in truth.words))


def test_the_hold_and_its_music_are_those_of_the_truth(processed: Callable[[str], Processed]) -> None:
    found = processed("hotel_booking").call.conversation
    [hold], [music] = of_kind(found, "hold"), of_kind(found, "music")
    assert (hold.start, hold.end) == (near(12.66), near(19.66))
    assert (music.start, music.end) == (near(13.26), near(19.26))
    assert of_kind(found, "silence") == []
    assert (found.hold_s, found.music_s, found.non_talk_s) == (near(7.0), near(6.0), near(7.0))


@pytest.mark.parametrize("name", ["card_dispute", "blood_pressure_review"])
def test_on_one_channel_two_distinct_voices_are_told_almost_as_well(
    processed: Callable[[str], Processed], name: str
) -> None:
    """Nobody interrupts; talk is within 8 %, median response within 0.15 s. A backchannel may be missed."""
    call, truth = processed(name).call, SAMPLE_CALLS[name]
    found = call.conversation
    assert found.interruptions == 0
    assert len(of_kind(found, "backchannel")) <= 1
    assert of_kind(found, "silence", "hold", "music") == []
    lengths = sorted(
        seconds(joined([word for word in truth.words if word.speaker == person], 0.2))
        for person in truth.roles
    )
    talk = sorted(seconds(speaker.talk) for speaker in call.speakers)
    assert talk == [pytest.approx(length, rel=0.08) for length in lengths]
    waits = [b.start - a.end for a, b in pairwise(truth.lines)]
    responses = [turn.response_s for turn in found.turns if turn.response_s is not None]
    assert np.median(responses) == near(float(np.median([wait for wait in waits if wait > -1.0])))


Place = tuple[float, float]
"""Start and end in seconds."""


@pytest.fixture(scope="module")
def scripted(loaded: LoadedModels, tmp_path_factory: pytest.TempPathFactory) -> tuple[Call, dict[str, Place]]:
    """Lines of a sample call at times of our own, and where that makes what happen."""
    script = Script()
    script.add("Laura", 1.0, 0)
    _, told = script.add("George", 6.0, 1)
    backchannel = script.add("Laura", 8.5, 8, until=2)  # "All right."
    _, cut = script.add("Laura", told + 2.9, 2, until=14)  # broken off after "the front of your"
    interrupter, stopped = script.add("George", cut - 0.8, 7)
    _, seen = script.add("Laura", stopped + 3.1, 6)
    early, thanked = script.add("George", seen - 0.25, 9)
    music = script.music(thanked + 1.0, 8.0)
    back, _ = script.add("Laura", music[1] + 0.5, 8)
    path = tmp_path_factory.mktemp("scripted") / "scripted.wav"
    path.write_bytes(wav_bytes(script.channels(), SAMPLE_RATE))
    return process(identify(Source(path)), loaded, CallSettings()), {
        "backchannel": backchannel,
        "interruption": (interrupter, cut),
        "silence": (stopped, stopped + 3.1),
        "overlap": (early, seen),
        "hold": (thanked, back),
        "music": music,
    }


class Script:
    """Two channels to which lines of `card_dispute` are added."""

    def __init__(self) -> None:
        self.end = 0.0
        self._placed: list[tuple[int, float, Samples]] = []

    def add(self, speaker: str, start: float, line: int, until: int | None = None) -> Place:
        """The line from `start` on, or its first `until` words."""
        truth = SAMPLE_CALLS["card_dispute"]
        said = truth.lines[line]
        words = [w for w in truth.words if w.speaker == speaker and said.start <= w.start < said.end][:until]
        assert said.speaker == speaker
        samples = samples_of("card_dispute")
        part = samples[int(words[0].start * SAMPLE_RATE) : int(words[-1].end * SAMPLE_RATE)]
        return self._place(int(speaker == "Laura"), start, part)

    def music(self, start: float, length: float) -> Place:
        """Music on the agent's channel."""
        return self._place(1, start, on_the_line(melody(length)))

    def channels(self) -> Samples:
        """Shape `(2, n)`: the customer's and the agent's, with a second of the quiet line at the end."""
        tracks = np.stack([quiet(self.end + 1.0, seed) for seed in (1, 2)])
        for channel, start, part in self._placed:
            at = round(start * SAMPLE_RATE)
            tracks[channel, at : at + len(part)] += part
        return tracks

    def _place(self, channel: int, start: float, part: Samples) -> Place:
        self._placed.append((channel, start, part))
        end = start + len(part) / SAMPLE_RATE
        self.end = max(self.end, end)
        return start, end


def test_what_was_put_into_a_call_on_purpose_is_found_where_it_is_and_nothing_else(
    scripted: tuple[Call, dict[str, Place]],
) -> None:
    """A pause of 2.9 s is none of it, one of 3.1 s is."""
    call, expected = scripted
    found = [moment for moment in call.conversation.moments if moment.kind != "monologue"]
    assert [(moment.kind, moment.start, moment.end) for moment in found] == [
        (kind, near(start), near(end)) for kind, (start, end) in expected.items()
    ]
