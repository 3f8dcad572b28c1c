"""Silence, hold and dead air: each where it is, and none of them for another."""

import numpy as np
import pytest
from made_conversations import Line, conversation, near, noise, of_kind, told
from made_music import melody, on_the_line

from models.speech import SAMPLE_RATE

NON_TALK = ("silence", "hold", "music", "dead_air_start", "dead_air_end")


def two_lines(pause: float, first: str = "That is all.", second: str = "Good.") -> list[Line]:
    return [("S1", 0.0, 4.0, first), ("S2", 4.0 + pause, 8.0 + pause, second)]


@pytest.mark.parametrize(("pause", "counts"), [(2.9, False), (3.1, True)])
def test_a_silence_is_as_long_as_three_seconds(pause: float, counts: bool) -> None:
    found = conversation(two_lines(pause))
    assert told(found, *NON_TALK) == ([("silence", "", 4.0, 7.1)] if counts else [])
    assert found.non_talk_s == near(pause if counts else 0.0, 0.05)


@pytest.mark.parametrize(("silence_s", "silences"), [(2.0, 1), (5.0, 0)])
def test_how_long_that_is_can_be_set(silence_s: float, silences: int) -> None:
    assert len(of_kind(conversation(two_lines(3.1), silence_s=silence_s), "silence")) == silences


def test_the_dead_air_at_both_ends_is_told_from_the_silences_between() -> None:
    lines = [("S1", 3.5, 6.0, "Hello, who is there?"), ("S2", 10.0, 12.0, "It is me.")]
    found = conversation(lines, 15.5)
    assert told(found, *NON_TALK) == [
        ("dead_air_start", "", 0.0, 3.5),
        ("silence", "", 6.0, 10.0),
        ("dead_air_end", "", 12.0, 15.5),
    ]
    assert (found.dead_air_start_s, found.dead_air_end_s) == (
        near(3.5, 0.05),
        near(3.5, 0.05),
    )
    assert found.non_talk_s == near(11.0, 0.1)


def test_short_dead_air_is_measured_and_no_moment() -> None:
    found = conversation([("S1", 1.0, 6.0, "Hello, who is there?")], 8.0)
    assert told(found, *NON_TALK) == []
    assert (found.dead_air_start_s, found.dead_air_end_s) == (
        near(1.0, 0.05),
        near(2.0, 0.05),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Please hold.", "So."),
        ("Could you bear with me, it takes a while.", "So."),
        ("That is all.", "Thank you for holding."),
        ("I will look.", "Thanks for your patience, I have it."),
    ],
)
def test_a_silence_that_is_announced_is_a_hold(first: str, second: str) -> None:
    found = conversation(two_lines(8.0, first, second))
    assert told(found, *NON_TALK) == [("hold", "", 4.0, 12.0)]
    assert found.hold_s == near(8.0, 0.05)
    assert found.music_s == 0.0


def test_a_short_wait_is_no_hold_whatever_is_announced() -> None:
    assert told(conversation(two_lines(4.5, "One moment, please.")), *NON_TALK) == [("silence", "", 4.0, 8.5)]


def test_a_hold_is_announced_right_before_it() -> None:
    first = "One moment, please. " + "There it is, and now I can see all that you did on that day. " * 2
    assert [m.kind for m in of_kind(conversation(two_lines(8.0, first)), *NON_TALK)] == ["silence"]


@pytest.mark.parametrize(
    ("language", "first", "kind"),
    [
        ("es", "Un momento, por favor.", "hold"),
        ("de", "Einen Moment bitte.", "hold"),
        ("fr", "Un instant, ne quittez pas.", "hold"),
        ("en", "Einen Moment bitte.", "silence"),
        ("pl", "Please hold.", "silence"),
    ],
)
def test_holds_are_announced_in_the_language_of_the_call(language: str, first: str, kind: str) -> None:
    found = conversation(two_lines(8.0, first), language=language)
    assert [moment.kind for moment in of_kind(found, *NON_TALK)] == [kind]


def test_music_makes_a_hold_of_the_time_without_talk_around_it() -> None:
    lines = two_lines(8.0)
    track = noise(lines, "S1", 16.0)
    track[5 * SAMPLE_RATE : 11 * SAMPLE_RATE] += on_the_line(melody(6.0))
    found = conversation(lines, tracks={"S1": track})
    assert told(found, *NON_TALK) == [("hold", "", 4.0, 12.0), ("music", "", 5.0, 11.0)]
    assert (found.hold_s, found.music_s, found.non_talk_s) == (
        near(8.0, 0.05),
        near(6.0, 0.15),
        near(8.0, 0.05),
    )


def test_talk_that_was_detected_in_music_is_not_talk() -> None:
    lines = [*two_lines(8.0), ("S1", 6.0, 7.5, "")]
    track = np.zeros(16 * SAMPLE_RATE, np.float32)
    track[: 4 * SAMPLE_RATE] = np.random.default_rng(0).normal(0.0, 0.1, 4 * SAMPLE_RATE)
    track[5 * SAMPLE_RATE : 11 * SAMPLE_RATE] = on_the_line(melody(6.0))
    found = conversation(lines, tracks={"S1": track})
    assert told(found, *NON_TALK) == [("hold", "", 4.0, 12.0), ("music", "", 5.0, 11.0)]


def test_music_under_five_seconds_makes_no_hold() -> None:
    lines = two_lines(4.0)
    track = noise(lines, "S1", 12.0)
    track[int(4.5 * SAMPLE_RATE) : int(7.5 * SAMPLE_RATE)] = on_the_line(melody(3.0))
    found = conversation(lines, tracks={"S1": track})
    assert told(found, *NON_TALK) == [("silence", "", 4.0, 8.0), ("music", "", 4.5, 7.5)]


def test_where_nobody_says_anything_all_is_dead_air() -> None:
    found = conversation([], 10.0)
    assert told(found, *NON_TALK) == [("dead_air_start", "", 0.0, 10.0)]
    assert (found.dead_air_start_s, found.dead_air_end_s, found.non_talk_s) == (10.0, 10.0, 10.0)
