"""A call and its speakers measured, against what is known of the call beforehand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from made_calls import calls, said
from made_conversations import Line, conversation, near, noise, turns_of

from models.speech import SAMPLE_RATE, Interval
from pipelines.analytics.conversation import analyse_conversation
from pipelines.channels import Channels
from pipelines.transcript import Call, Speaker, Turn

LINES: list[Line] = [
    ("S1", 1.0, 4.0, "Um, good morning, how may I help?"),
    ("S2", 4.5, 10.5, "My uh card is uhm gone."),
    ("S1", 11.0, 14.0, "I am sorry."),
]


def test_talk_is_shared_among_the_speakers() -> None:
    found = conversation(LINES)
    shares = {name: speaker.talk_share for name, speaker in found.speakers.items()}
    assert shares == {"S1": pytest.approx(0.5, abs=0.005), "S2": pytest.approx(0.5, abs=0.005)}
    assert sum(shares.values()) == pytest.approx(1.0)


def test_turns_have_a_longest_and_a_mean_length() -> None:
    first = conversation([*LINES, ("S2", 14.5, 15.5, "Yes."), ("S1", 16.0, 22.0, "So.")]).speakers["S1"]
    assert (first.longest_turn_s, first.mean_turn_s) == (near(6.0), near(4.0))


def test_a_turn_is_as_long_as_its_speaker_is_heard() -> None:
    """Also where a word of it was placed in silence, before or after."""
    turns = (Turn((said(1.0, 2.0, "S1", "Thank"), said(5.0, 7.0, "S1", "you."))),)
    track = noise([("S1", 5.0, 7.0, "")], "S1", 8.0)
    people = [Speaker("S1", "unknown", 0.0, 0, (Interval(4.9, 7.1),))]
    _, found = analyse_conversation(turns, people, Channels("mono", (track,), (1,), "made"), 8.0, "en", 3.0)
    assert found.speakers["S1"].longest_turn_s == near(2.0)


def test_words_per_minute_are_those_of_ones_own_talk() -> None:
    """Seven words in 3 s are 140 a minute; who pauses for more than a second does not talk more slowly."""
    found = conversation([("S1", 1.0, 2.0, "one two three"), ("S1", 3.4, 5.4, "four five six seven")])
    assert found.speakers["S1"].words_per_minute == pytest.approx(140, rel=0.03)
    assert [turn.words_per_minute for turn in found.turns] == [pytest.approx(140, rel=0.03)]


@pytest.mark.parametrize(("second", "other", "talk_s"), [
    ((3.9, 5.0), None, 4.0),  # a pause of 0.9 s is part of talk
    ((4.1, 5.2), None, 3.1),  # one of 1.1 s is not
    ((3.9, 5.0), (3.2, 3.7), 3.1),  # nor is one in which the other says something
    ((3.9, 5.0), (2.5, 4.5), 4.0),  # who speaks before, meanwhile and after, says nothing in it
])  # fmt: skip
def test_talk_time_has_the_short_pauses_in_which_nobody_else_says_anything(
    second: tuple[float, float], other: tuple[float, float] | None, talk_s: float
) -> None:
    lines: list[Line] = [("S1", 1.0, 3.0, "Good morning."), ("S1", *second, "How are you?")]
    found = conversation([*lines, *([("S2", *other, "Fine.")] if other else [])], duration=6.0)
    assert found.speakers["S1"].talk_s == near(talk_s, 0.05)


def test_a_turn_of_a_moment_has_no_pace() -> None:
    found = conversation([("S1", 1.0, 1.4, "Bye."), ("S2", 2.0, 4.0, "Bye.")])
    assert [turn.words_per_minute for turn in found.turns] == [None, pytest.approx(30, rel=0.03)]


def test_filled_pauses_are_counted_and_other_words_are_not() -> None:
    found = conversation([*LINES, ("S2", 15.0, 17.0, "Umm, I like, you know, err.")])
    assert [turn.fillers for turn in found.turns] == [1, 2, 0, 2]
    assert (found.speakers["S2"].fillers, found.speakers["S2"].filler_rate) == (4, 100 * 4 / 12)


def test_where_no_filled_pauses_are_listed_their_number_is_not_known() -> None:
    found = conversation(LINES, language="ja")
    assert [turn.fillers for turn in found.turns] == [None, None, None]
    assert (found.speakers["S1"].fillers, found.speakers["S1"].filler_rate) == (None, None)


@pytest.mark.parametrize(("agent", "customer"), [("agent", "customer"), ("doctor", "patient")])
def test_the_first_words_of_both_sides_are_told_by_role(agent: str, customer: str) -> None:
    found = conversation(LINES, roles={"S1": agent, "S2": customer})
    assert (found.first_agent_word_s, found.first_customer_word_s) == (1.0, 4.5)


def test_without_roles_nobody_knows_whose_words_come_first() -> None:
    found = conversation(LINES, roles={"S1": "ivr"})
    assert (found.first_agent_word_s, found.first_customer_word_s) == (None, None)
    assert (found.speakers["S1"].first_word_s, found.speakers["S2"].first_word_s) == (1.0, 4.5)


def test_overlap_is_a_share_of_the_time_in_which_anybody_talks() -> None:
    found = conversation([("S1", 0.5, 4.5, "Have a nice day."), ("S2", 4.0, 8.5, "You too, goodbye.")])
    assert found.overlap_share == pytest.approx(0.5 / 8.0, abs=0.005)
    assert found.speakers["S1"].overlap_s == near(0.5)


def one_track(lines: list[Line], people: dict[str, list[tuple[float, float]]]) -> Any:
    """The lines on a single channel, where the speakers were heard to talk as `people` says."""
    track = sum(noise(lines, name, 20.0, 0.1 * number) for number, name in enumerate(people, 1))
    speakers = [
        Speaker(name, "unknown", 0.0, 0, tuple(Interval(*talk) for talk in own))
        for name, own in people.items()
    ]
    channels = Channels("mono", (np.asarray(track, np.float32),), (1,), "made")
    return analyse_conversation(turns_of(lines), speakers, channels, 20.0, "en", 3.0)


def test_on_one_channel_loudness_is_measured_where_nobody_else_talks() -> None:
    lines: list[Line] = [("S1", 1.0, 6.0, "Have a nice day."), ("S2", 4.0, 9.0, "You too, goodbye.")]
    _, found = one_track(lines, {"S1": [(1.0, 6.0)], "S2": [(4.0, 9.0)]})
    first, second = found.turns
    assert first.loudness_dbfs == pytest.approx(10 * np.log10(2 * 0.1**2), abs=0.1)
    assert second.loudness_dbfs == pytest.approx(10 * np.log10(2 * 0.2**2), abs=0.1)


def test_detected_talk_is_settled_on_the_sound() -> None:
    """Detection that begins early and ends late, and spans a pause of a second."""
    lines: list[Line] = [("S1", 1.0, 3.0, "Good morning,"), ("S1", 4.0, 6.0, "how are you?")]
    people, _ = one_track(lines, {"S1": [(0.7, 6.4)]})
    assert [(t.start, t.end) for t in people[0].talk] == [
        (near(1.0), near(3.0)),
        (near(4.0), near(6.0)),
    ]


def test_on_a_channel_of_ones_own_talk_reaches_out_to_where_its_sound_begins() -> None:
    lines: list[Line] = [("S1", 1.0, 3.0, "Good morning."), ("S2", 5.0, 6.0, "Hello.")]
    tracks = [noise(lines, name, 8.0) for name in ("S1", "S2")]
    channels = Channels("split", (tracks[0], tracks[1]), (1, 2), "made")
    heard = [Speaker("S1", "unknown", 0.0, 1, (Interval(1.08, 2.95),)), Speaker("S2", "unknown", 0.0, 2, ())]
    people, _ = analyse_conversation(turns_of(lines), heard, channels, 8.0, "en", 3.0)
    assert [(t.start, t.end) for t in people[0].talk] == [(near(1.0), near(3.0))]
    assert people[1].talk == ()


def test_what_is_said_more_softly_has_soft_ends_too() -> None:
    """Its last consonant, 20 dB below it, is 38 dB below what was said before."""
    loud, soft, end = [
        noise([("S1", *place, "")], "S1", 8.0, 10 ** (level / 20))
        for place, level in (((1.0, 3.0), -20.0), ((5.0, 7.0), -38.0), ((7.0, 7.2), -58.0))
    ]
    turns = turns_of([("S1", 1.0, 3.0, "Good morning."), ("S1", 5.0, 7.2, "Yes.")])
    heard = [Speaker("S1", "unknown", 0.0, 0, (Interval(0.9, 3.2), Interval(4.9, 7.4)))]
    channels = Channels("mono", (np.asarray(loud + soft + end, np.float32),), (1,), "made")
    people, _ = analyse_conversation(turns, heard, channels, 8.0, "en", 3.0)
    assert [(t.start, t.end) for t in people[0].talk] == [(near(1.0), near(3.0)), (near(5.0), near(7.2))]


def test_words_of_nobody_are_measured_as_far_as_they_can_be() -> None:
    turns = (Turn((said(1.0, 2.0, "UNKNOWN", "um"),)),)
    channels = Channels("mono", (np.zeros(5 * SAMPLE_RATE, np.float32),), (1,), "made")
    nobody = Speaker("UNKNOWN", "unknown", 0.0, 0, ())
    _, found = analyse_conversation(turns, [nobody], channels, 5.0, "en", 3.0)
    figures = found.turns[0]
    assert (figures.words_per_minute, figures.loudness_dbfs, figures.fillers) == (None, None, 1)
    assert found.speakers["UNKNOWN"].talk_share == 0.0


@given(calls())
def test_figures_of_any_call_are_within_their_bounds(made: tuple[Call, object]) -> None:
    call = made[0]
    found, duration = call.conversation, call.audio.duration
    assert len(found.turns) == len(call.turns)
    assert found.speakers.keys() == {speaker.name for speaker in call.speakers}
    assert 0.0 <= found.overlap_share <= 1.0
    assert 0.0 <= found.hold_s <= found.non_talk_s <= duration + 1e-6
    for speaker in call.speakers:
        figures = found.speakers[speaker.name]
        assert 0.0 <= figures.talk_share <= 1.0
        assert 0.0 <= figures.overlap_s <= figures.talk_s + 1e-6
        assert 0.0 <= figures.mean_turn_s <= figures.longest_turn_s + 1e-9
        assert 0.0 <= figures.clipped_share <= 1.0
        assert len(figures.loudness_by_second) == int(np.ceil(duration))
        for before, after in zip(speaker.talk, speaker.talk[1:], strict=False):
            assert before.end < after.start


@given(calls())
def test_nobody_talks_during_a_moment_of_silence(made: tuple[Call, object]) -> None:
    call = made[0]
    for moment in call.conversation.moments:
        assert 0.0 <= moment.start <= moment.end <= call.audio.duration + 1e-6
        if moment.kind in ("silence", "hold", "music", "dead_air_start", "dead_air_end"):
            talk = sum(moment.overlap(stretch) for speaker in call.speakers for stretch in speaker.talk)
            assert talk == pytest.approx(0.0, abs=1e-6)
