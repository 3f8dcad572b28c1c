"""Levels are those of AES17, on signals whose level is known by their formula."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from made_audio import tone
from made_calls import intervals
from made_conversations import conversation, near

from models.speech import SAMPLE_RATE, Interval, Samples
from pipelines.analytics.loudness import SILENCE_DBFS, Meter

WHOLE = [Interval(0.0, 3.0)]
QUIET = np.zeros(3 * SAMPLE_RATE, np.float32)


def sine(level: float, seconds: float = 3.0) -> Samples:
    return tone(seconds, 1000.0, SAMPLE_RATE, level)


@pytest.mark.parametrize(("level", "dbfs"), [(1.0, 0.0), (0.5, -6.02), (0.1, -20.0), (0.001, -60.0)])
def test_a_sine_wave_that_just_reaches_full_scale_is_at_zero(level: float, dbfs: float) -> None:
    assert Meter(sine(level)).level_dbfs(WHOLE) == pytest.approx(dbfs, abs=0.01)


def test_a_square_wave_of_full_scale_is_three_decibels_above_it() -> None:
    square = np.sign(sine(1.0) + 1e-6).astype(np.float32)
    assert Meter(square).level_dbfs(WHOLE) == pytest.approx(3.01, abs=0.01)


def test_digital_silence_has_the_least_level() -> None:
    assert Meter(QUIET).level_dbfs(WHOLE) == SILENCE_DBFS


def test_only_what_is_asked_for_is_measured_all_of_it_together() -> None:
    track = np.concatenate([sine(0.1, 1.0), sine(1.0, 1.0), sine(0.5, 1.0)])
    meter = Meter(track)
    assert meter.level_dbfs([Interval(0.0, 1.0)]) == pytest.approx(-20.0, abs=0.01)
    both = meter.level_dbfs([Interval(0.0, 1.0), Interval(2.0, 3.0)])
    assert both == pytest.approx(10 * np.log10((0.01 + 0.25) / 2), abs=0.01)


def test_too_little_to_tell_has_no_level() -> None:
    meter = Meter(sine(0.5))
    assert meter.level_dbfs([]) is None
    assert meter.level_dbfs([Interval(0.0, 0.09)]) is None
    assert meter.level_dbfs([Interval(0.0, 0.06), Interval(1.0, 1.06)]) is not None


def test_each_second_has_its_own_level() -> None:
    track = np.concatenate([sine(0.1, 1.0), sine(1.0, 1.0), sine(0.5, 1.0)])
    levels = Meter(track).level_by_second([Interval(0.5, 1.05), Interval(2.0, 2.8)], 3.0)
    assert levels == (near(-20.0), None, near(-6.02))


def test_a_second_that_has_only_begun_counts() -> None:
    assert len(Meter(sine(0.5, 2.25)).level_by_second([Interval(0.0, 2.25)], 2.25)) == 3


@given(intervals())
def test_the_seconds_together_have_the_energy_of_the_whole(talk: Sequence[Interval]) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, 10 * SAMPLE_RATE).astype(np.float32)
    meter = Meter(noise)
    levels = meter.level_by_second(talk, 10.0)
    assert len(levels) == 10
    for second, level in enumerate(levels):
        inside = [
            Interval(max(t.start, second), min(t.end, second + 1.0))
            for t in talk
            if min(t.end, second + 1.0) > max(t.start, second)
        ]
        expected = meter.level_dbfs(inside)
        if level is not None and expected is not None:
            assert level == pytest.approx(expected, abs=0.01)
        else:
            # A sample more or less decides whether there is enough.
            assert level == expected or abs(sum(t.duration for t in inside) - 0.1) < 1e-3


@pytest.mark.parametrize(("gain", "share"), [(0.9, 0.0), (1.0, 0.128), (2.0, 0.674), (10.0, 0.938)])
def test_the_flat_tops_of_a_wave_are_clipped(gain: float, share: float) -> None:
    """A sine wave `gain` times too loud is above 0.98 for 1 - 2/π·asin(0.98/gain) of the time."""
    clipped = np.clip(gain * tone(3.0, 50.0, SAMPLE_RATE, 1.0), -1.0, 1.0).astype(np.float32)
    expected = 0.0 if gain < 0.98 else 1 - 2 / np.pi * np.arcsin(0.98 / gain)
    assert expected == pytest.approx(share, abs=0.01)
    assert Meter(clipped).clipped_share(WHOLE) == pytest.approx(expected, abs=0.01)


def test_a_lone_peak_is_not_clipped() -> None:
    track = QUIET.copy()
    track[1000], track[5000:5002] = 1.0, -1.0
    assert Meter(track).clipped_share(WHOLE) == 0.0


def test_nothing_said_is_nothing_clipped() -> None:
    assert Meter(np.ones(100, np.float32)).clipped_share([]) == 0.0


def test_each_turn_and_speaker_has_the_level_of_their_own_channel() -> None:
    lines = [
        ("S1", 1.0, 3.0, "How may I help?"),
        ("S2", 3.5, 5.5, "My card is gone."),
        ("S1", 6.0, 8.0, "I see."),
    ]
    loud, soft = np.zeros(9 * SAMPLE_RATE, np.float32), np.zeros(9 * SAMPLE_RATE, np.float32)
    loud[SAMPLE_RATE : 3 * SAMPLE_RATE] = sine(0.5, 2.0)
    loud[6 * SAMPLE_RATE : 8 * SAMPLE_RATE] = sine(0.25, 2.0)
    soft[int(3.5 * SAMPLE_RATE) : int(5.5 * SAMPLE_RATE)] = sine(0.1, 2.0)
    # Steady tones are music to anybody who listens; half of each is not what this is about.
    random = np.random.default_rng(0)
    loud, soft = (
        (track * random.choice([-1.0, 1.0], len(track))).astype(np.float32) for track in (loud, soft)
    )
    found = conversation(lines, 9.0, tracks={"S1": loud, "S2": soft})
    levels = [turn.loudness_dbfs for turn in found.turns]
    assert levels == [pytest.approx(level, abs=0.1) for level in (-6.02, -20.0, -12.04)]
    assert found.speakers["S2"].loudness_dbfs == pytest.approx(-20.0, abs=0.1)
    heard = [level is not None for level in found.speakers["S1"].loudness_by_second]
    assert heard == [False, True, True, False, False, False, True, True, False]
