"""Speech is decoded in chunks that hold all of it, and that are cut where the pauses are longest."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chunks import MARGIN_S, cut_at_pauses
from models.speech import Interval

LONGEST_S = 10.0
ROUNDING_S = 1e-9


@st.composite
def speech(draw: st.DrawFn) -> tuple[tuple[Interval, ...], float]:
    """Stretches that can be decoded at once, with pauses between them; and the length of the recording."""
    found: list[Interval] = []
    time = 0.0
    for _ in range(draw(st.integers(0, 12))):
        start = time + draw(st.floats(0.0, 3.0))
        time = start + draw(st.floats(0.01, LONGEST_S))
        # Sums of floats: a stretch that is as long as can be must not be longer by rounding.
        found.append(Interval(start, min(time, start + LONGEST_S - ROUNDING_S)))
    return tuple(found), time + draw(st.floats(0.0, 1.0))


def spoken(*stretches: tuple[float, float]) -> tuple[Interval, ...]:
    return tuple(Interval(*stretch) for stretch in stretches)


def test_without_speech_there_is_no_chunk() -> None:
    assert cut_at_pauses((), LONGEST_S, 60.0) == ()


def test_what_can_be_decoded_at_once_is_one_chunk_with_a_margin() -> None:
    [chunk] = cut_at_pauses(spoken((1.0, 3.0), (5.0, 6.0)), LONGEST_S, 60.0)
    assert (chunk.start, chunk.end) == pytest.approx((1.0 - MARGIN_S, 6.0 + MARGIN_S))


@pytest.mark.parametrize(
    ("stretches", "cut"),
    [
        # Filled up to the limit, the first chunk would end at 9 s, within a sentence.
        ([(0.0, 4.0), (5.0, 7.0), (7.1, 9.0), (9.1, 12.0)], 4.5),
        ([(0.0, 4.0), (4.1, 7.0), (8.0, 9.0), (9.1, 12.0)], 7.5),
        ([(0.0, 3.0), (3.4, 6.0), (6.3, 9.0), (9.2, 12.0)], 3.2),
    ],
)
def test_a_cut_is_made_in_the_longest_pause(stretches: list[tuple[float, float]], cut: float) -> None:
    first, second = cut_at_pauses(spoken(*stretches), LONGEST_S, 60.0)
    assert first.end <= cut <= second.start
    assert (first.end + second.start) / 2 == pytest.approx(cut)


def test_margins_on_both_sides_of_a_short_pause_do_not_overlap() -> None:
    first, second = cut_at_pauses(spoken((0.0, 8.0), (8.1, 16.0)), LONGEST_S, 60.0)
    assert first.end == second.start == pytest.approx(8.05)


def test_margins_end_with_the_recording() -> None:
    [chunk] = cut_at_pauses(spoken((0.1, 4.95)), LONGEST_S, 5.0)
    assert chunk == Interval(0.0, 5.0)


def test_a_stretch_as_long_as_a_chunk_can_be_has_no_room_for_a_margin() -> None:
    assert cut_at_pauses(spoken((1.0, 11.0)), LONGEST_S, 60.0) == spoken((1.0, 11.0))


def test_speech_that_is_detected_beyond_the_end_is_no_longer_than_the_recording() -> None:
    [chunk] = cut_at_pauses(spoken((1.0, 5.02)), LONGEST_S, 5.0)
    assert chunk.end == 5.0


@given(speech())
def test_chunks_hold_all_speech_in_order_and_overlap_nowhere(
    made: tuple[tuple[Interval, ...], float],
) -> None:
    stretches, duration = made
    chunks = cut_at_pauses(stretches, LONGEST_S, duration)
    assert all(before.end <= after.start + ROUNDING_S for before, after in pairwise(chunks))
    for stretch in stretches:
        holding = [c for c in chunks if c.start <= stretch.start and stretch.end <= c.end]
        assert len(holding) == 1
    assert all(any(chunk.overlap(stretch) > 0.0 for stretch in stretches) for chunk in chunks)


@given(speech())
def test_no_chunk_is_longer_than_can_be_decoded_or_leaves_the_recording(
    made: tuple[tuple[Interval, ...], float],
) -> None:
    stretches, duration = made
    for chunk in cut_at_pauses(stretches, LONGEST_S, duration):
        assert 0.0 <= chunk.start < chunk.end <= duration
        assert chunk.duration <= LONGEST_S + ROUNDING_S


@given(speech())
def test_a_chunk_begins_and_ends_with_speech_but_for_a_margin(
    made: tuple[tuple[Interval, ...], float],
) -> None:
    stretches, duration = made
    for chunk in cut_at_pauses(stretches, LONGEST_S, duration):
        inside = [stretch for stretch in stretches if chunk.overlap(stretch) > 0.0]
        assert inside[0].start - chunk.start <= MARGIN_S + ROUNDING_S
        assert chunk.end - inside[-1].end <= MARGIN_S + ROUNDING_S


@given(speech())
def test_context_is_kept_wherever_two_chunks_could_be_one(made: tuple[tuple[Interval, ...], float]) -> None:
    stretches, duration = made
    chunks = cut_at_pauses(stretches, LONGEST_S, duration)
    for before, after in pairwise(chunks):
        first = next(stretch for stretch in stretches if before.overlap(stretch) > 0.0)
        last = [stretch for stretch in stretches if after.overlap(stretch) > 0.0][-1]
        assert last.end - first.start > LONGEST_S - 2 * MARGIN_S - ROUNDING_S
