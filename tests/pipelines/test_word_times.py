"""Word times are in order, inside the call, and never stretched across a silence."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from made_calls import DURATION, intervals, segments, sounding

from models.speech import SAMPLE_RATE, Interval, Segment, TimedWord
from pipelines.word_times import (
    DICTATED_DIGITS,
    LONGEST_DIGIT_S,
    LONGEST_WORD_S,
    REACH_S,
    find_sound,
    settle_times,
)

FRAME_S = 0.01
EDGE_S = 2 * FRAME_S
"""How exactly an edge of the sound is found: levels are taken over three frames of 10 ms."""


def settled(
    words: list[tuple[float, float]], sound: list[tuple[float, float]], text: str = "word"
) -> list[tuple[float, float]]:
    """Start and end of each word after settling on the given stretches of sound."""
    made = tuple(TimedWord(start, end, text, 0.9, "ctc") for start, end in words)
    [segment] = settle_times([Segment(0.0, DURATION, made, -0.5)], sounding(sound))
    return [(word.start, word.end) for word in segment.words]


def near(*times: tuple[float, float]) -> list[object]:
    return [pytest.approx(pair, abs=EDGE_S) for pair in times]


def test_a_word_inside_speech_keeps_its_times() -> None:
    assert settled([(2.0, 2.5), (2.5, 3.0)], [(0.5, 5.0)]) == [(2.0, 2.5), (2.5, 3.0)]


def test_a_word_stretched_over_a_pause_ends_with_the_sound_that_most_of_it_is_in() -> None:
    assert settled([(1.0, 4.0)], [(0.2, 2.5), (3.8, 5.0)]) == near((1.0, 2.5))


def test_words_may_be_left_where_they_were_placed_as_long_as_they_are_in_order() -> None:
    made = tuple(TimedWord(start, end, "word", 0.9, "ctc") for start, end in [(1.0, 4.0), (3.9, 4.5)])
    sound = sounding([(0.2, 2.5), (3.8, 5.0)])
    [segment] = settle_times([Segment(0.0, DURATION, made, -0.5)], sound, on_sound=False)
    assert [(word.start, word.end) for word in segment.words] == [(1.0, 3.9), (3.9, 4.5)]


def test_a_word_that_is_begun_in_the_pause_before_it_begins_with_the_sound() -> None:
    assert settled([(2.0, 4.0)], [(0.0, 1.2), (3.0, 5.0)]) == near((3.0, 4.0))


def test_a_word_reaches_out_to_the_edges_of_the_sound_beside_it() -> None:
    assert settled([(2.0, 2.5)], [(2.0 - REACH_S / 2, 2.5 + REACH_S / 2)]) == near(
        (2.0 - REACH_S / 2, 2.5 + REACH_S / 2)
    )


def test_an_edge_of_the_sound_that_is_further_away_is_not_the_words() -> None:
    assert settled([(2.0, 2.5)], [(1.9 - REACH_S, 2.6 + REACH_S)]) == [(2.0, 2.5)]


@pytest.mark.parametrize(
    ("before", "sound", "placed"),
    [
        ("Okay.", [(1.0, 2.2), (5.8, 8.0)], (5.8, 6.0)),
        ("Okay.", [(1.0, 2.2), (7.5, 8.0)], (7.5, 7.75)),
        ("Okay.", [(1.0, 2.2), (4.0, 8.0)], (5.7, 6.0)),
        ("Okay.", [(1.0, 2.2)], (6.0, 6.0 + REACH_S)),
        ("the", [(1.0, 2.2), (5.8, 8.0)], (1.5, 2.2)),
    ],
    ids=[
        "it is heard where it ends",
        "sound comes later",
        "there is room in the sound",
        "there is no sound",
        "within a sentence",
    ],
)
def test_the_first_word_of_a_sentence_is_not_said_before_the_pause_that_it_is_stretched_over(
    before: str, sound: list[tuple[float, float]], placed: tuple[float, float]
) -> None:
    said = [(1.0, 1.5, before), (1.5, 6.0, "I"), (6.0, 8.0, "got")]
    made = tuple(TimedWord(start, end, text, 0.9, "cross_attention") for start, end, text in said)
    [segment] = settle_times([Segment(0.0, DURATION, made, -0.5)], sounding(sound))
    word, following = segment.words[1:]
    assert (word.start, word.end) == pytest.approx(placed, abs=EDGE_S)
    assert following.start >= word.end


def test_a_word_does_not_reach_into_its_neighbours() -> None:
    [first, second] = settled([(2.0, 2.3), (2.4, 2.6)], [(2.0, 2.6)])
    assert first[1] <= second[0]


def test_a_word_does_not_reach_into_its_neighbour_in_the_next_segment() -> None:
    first, second = (
        Segment(start, end, (TimedWord(*said, "word", 0.9, "ctc"),), -0.5)
        for start, end, said in [(0.0, 5.0, (4.6, 4.95)), (5.0, DURATION, (5.02, 5.4))]
    )
    empty = Segment(5.0, 5.0, (), -0.5)
    sound = sounding([(4.75, 5.15), (6.0, 9.0)])
    before, between, after = settle_times([first, empty, second], sound)
    assert between == empty
    [word], [following] = before.words, after.words
    assert [(word.start, word.end), (following.start, following.end)] == near((4.75, 4.95), (4.95, 5.15))


def test_a_word_in_silence_keeps_its_start_and_is_no_longer_than_a_word() -> None:
    assert settled([(5.0, 8.5)], [(0.0, 1.0), (9.0, 9.5)]) == [(5.0, 5.0 + LONGEST_WORD_S)]


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("71513", 5 * LONGEST_DIGIT_S),
        ("0800-700.", 7 * LONGEST_DIGIT_S),
        ("105", 3 * LONGEST_DIGIT_S),
        ("A1", LONGEST_WORD_S),
    ],
)
def test_a_number_may_be_as_long_as_it_takes_to_say_its_digits(text: str, longest: float) -> None:
    for sound in ([(0.0, 10.0)], [(0.0, 0.2)]):  # in sound as in silence
        assert settled([(1.0, 9.0)], sound, text) == [pytest.approx((1.0, 1.0 + longest))]


@pytest.mark.parametrize(
    ("first", "placed"),
    [
        ((2.8, 2.9), (4.0, 4.0 + REACH_S)),  # in silence
        ((2.3, 2.4), (4.0, 4.0 + REACH_S)),  # in silence, soon after the sentence before
        ((1.5, 2.0), (1.5, 2.2)),  # in sound
        ((3.5, 3.75), (3.5, 3.75)),  # so near that it may be soft
    ],
)
def test_the_first_word_of_a_sentence_is_not_left_in_a_silence(
    first: tuple[float, float], placed: tuple[float, float]
) -> None:
    said = [(1.0, 1.5, "Okay."), (*first, "Of"), (4.0, 5.0, "course.")]
    made = tuple(TimedWord(start, end, text, 0.9, "cross_attention") for start, end, text in said)
    sound = sounding([(1.0, 2.2), (4.0, 5.0)])
    [segment] = settle_times([Segment(0.0, DURATION, made, -0.5)], sound)
    assert (segment.words[1].start, segment.words[1].end) == pytest.approx(placed, abs=EDGE_S)


@pytest.mark.parametrize(("text", "placed"), [("71513.", (2.0, 6.0)), ("713", (3.0, 4.5))])
def test_a_number_that_is_dictated_has_pauses_in_it(text: str, placed: tuple[float, float]) -> None:
    sound = [(0.2, 1.5), (2.0, 2.5), (3.0, 4.5), (5.0, 6.0), (6.5, 8.0)]
    assert settled([(1.2, 6.7)], sound, text) == near(placed)


def test_a_number_that_is_said_fast_is_as_long_as_it_is() -> None:
    assert settled([(2.0, 2.5)], [(0.5, 5.0)], "71513") == [(2.0, 2.5)]


def test_a_word_ends_before_the_next_one_begins() -> None:
    assert settled([(2.0, 3.0), (2.5, 3.2)], [(0.0, 5.0)]) == [(2.0, 2.5), (2.5, 3.2)]


def test_a_word_does_not_start_before_the_one_it_follows() -> None:
    [first, second] = settled([(3.0, 3.5), (2.0, 2.4)], [(0.0, 6.0)])
    assert first[0] == second[0] == 3.0


def test_a_word_beyond_the_end_of_the_call_is_at_its_end() -> None:
    assert settled([(DURATION + 1.0, DURATION + 2.0)], []) == [(DURATION, DURATION)]


def test_no_segments_are_no_segments() -> None:
    assert settle_times([], sounding([])) == ()


def test_sound_is_found_where_it_is_and_short_silences_in_it_are_bridged() -> None:
    found = find_sound(sounding([(1.0, 2.0), (2.1, 3.0), (4.0, 4.5)]))
    assert [start * FRAME_S for start in found.starts] == pytest.approx([1.0, 4.0], abs=EDGE_S)
    assert [end * FRAME_S for end in found.ends] == pytest.approx([3.0, 4.5], abs=EDGE_S)


def test_the_noise_of_a_line_is_no_sound() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1 / 10 ** (20 / 20), int(DURATION * SAMPLE_RATE))
    found = find_sound(sounding([(2.0, 4.0), (6.0, 8.0)]) + noise.astype(np.float32))
    assert [start * FRAME_S for start in found.starts] == pytest.approx([2.0, 6.0], abs=EDGE_S)


@pytest.mark.parametrize(("samples", "stretches"), [(0, 0), (1, 0), (159, 0), (160, 1), (16_000, 1)])
def test_a_track_of_one_level_is_one_stretch(samples: int, stretches: int) -> None:
    found = find_sound(np.zeros(samples, np.float32))
    assert len(found.starts) == len(found.ends) == stretches


@given(segments, intervals())
def test_words_lie_in_order_inside_the_call_and_do_not_overlap(
    spoken: tuple[Segment, ...], sound: tuple[Interval, ...]
) -> None:
    result = settle_times(spoken, sounding(sound))
    every = [word for segment in result for word in segment.words]
    assert all(0.0 <= word.start <= word.end <= DURATION for word in every)
    assert all(before.end <= after.start for before, after in pairwise(every))


@given(segments, intervals())
def test_no_word_is_stretched_across_a_silence(
    spoken: tuple[Segment, ...], sound: tuple[Interval, ...]
) -> None:
    samples = sounding(sound)
    found = find_sound(samples)
    stretches = [
        Interval(start * FRAME_S, end * FRAME_S) for start, end in zip(found.starts, found.ends, strict=True)
    ]
    for segment in settle_times(spoken, samples):
        for word in segment.words:
            digits = sum(letter.isdigit() for letter in word.text)
            assert word.duration <= max(LONGEST_WORD_S, digits * LONGEST_DIGIT_S) + 1e-9
            sounded = [stretch for stretch in stretches if word.overlap(stretch) > 1e-9]
            silent = word.duration - sum(word.overlap(stretch) for stretch in sounded)
            dictated = digits >= DICTATED_DIGITS
            assert not sounded or dictated or (len(sounded) == 1 and silent < 1e-9)


@given(segments, intervals())
def test_nothing_but_times_is_changed(spoken: tuple[Segment, ...], sound: tuple[Interval, ...]) -> None:
    def without_times(of: tuple[Segment, ...]) -> list[list[tuple[str, float, str]]]:
        return [[(word.text, word.confidence, word.timing_source) for word in each.words] for each in of]

    result = settle_times(spoken, sounding(sound))
    assert without_times(result) == without_times(spoken)
    assert [(each.start, each.end) for each in result] == [(each.start, each.end) for each in spoken]
