"""The figures of a night, and when they have drifted."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import DAY

from pipelines.night.quality import (
    DRIFTED,
    FIGURES,
    LEAST_CALLS,
    LEAST_NIGHTS,
    NIGHTS,
    Drift,
    Night,
    drifts,
    night_of,
)


def call(**changes: Any) -> dict[str, Any]:
    return {
        "review_flags": [],
        "word_confidence": 0.8,
        "speech_s": 10.0,
        "uncovered_speech_s": 0.0,
        "speaker_count": 2,
        **changes,
    }


def night(flagged: float, day: int = 0, calls: int = LEAST_CALLS, **figures: float) -> Night:
    usual = {"word_confidence": 0.8, "uncovered_speech": 0.02, "speakers": 2.0}
    return Night(str(day), DAY + timedelta(days=day), calls, {"flagged": flagged, **usual, **figures})


def flagged(value: float, before: Sequence[float], day: int = 1000) -> Drift:
    nights = [night(each, number) for number, each in enumerate(before)]
    return next(drift for drift in drifts(night(value, day), nights) if drift.figure == "flagged")


def test_the_figures_of_a_night_are_those_of_its_calls() -> None:
    calls = [
        call(review_flags=["a", "b"], word_confidence=0.5, uncovered_speech_s=3.0, speaker_count=1),
        call(word_confidence=0.9, speech_s=20.0, speaker_count=3),
        call(word_confidence=0.6),
        call(word_confidence=None, speech_s=0.0, speaker_count=0),
    ]
    assert night_of("run", DAY, calls).figures == {
        "flagged": 0.25,  # one of four
        "word_confidence": 0.6,  # of 0.5, 0.6, 0.9
        "uncovered_speech": 3.0 / 40.0,
        "speakers": 1.5,  # six in four
    }
    assert night_of("run", DAY, []).figures == {}
    assert night_of("run", DAY, [call(word_confidence=None, speech_s=0.0)]).figures["uncovered_speech"] == 0.0


def test_z_is_the_distance_from_the_median_in_robust_standard_deviations() -> None:
    drift = flagged(0.30, [0.10, 0.12, 0.14, 0.20, 0.60])
    # median 0.14; deviations 0.04, 0.02, 0, 0.06, 0.46 with the median 0.04
    assert drift.median == 0.14
    assert drift.z == pytest.approx((0.30 - 0.14) / (1.4826 * 0.04))
    assert not drift.drifted


def test_one_odd_night_before_hides_no_drift() -> None:
    usual = [0.10, 0.11, 0.09, 0.10, 0.12, 0.10]
    assert flagged(0.40, usual).drifted
    assert flagged(0.40, [*usual, 0.90]).drifted


def test_nights_that_are_all_alike_do_not_make_a_hairs_breadth_a_drift() -> None:
    assert flagged(0.11, [0.10] * 5).z == pytest.approx(1.0)
    assert not flagged(0.134, [0.10] * 5).drifted
    assert flagged(0.136, [0.10] * 5).drifted


def test_less_than_usual_is_a_drift_as_well() -> None:
    drift = flagged(0.05, [0.50, 0.52, 0.48, 0.50])
    assert drift.drifted
    assert drift.z < 0
    assert "lower than the median 50.0 %" in str(drift)


def test_it_is_silent_with_too_few_nights_or_calls() -> None:
    before = [night(0.1, day) for day in range(LEAST_NIGHTS)]
    assert len(drifts(night(0.9, 100), before)) == len(FIGURES)
    assert drifts(night(0.9, 100), before[1:]) == ()
    assert drifts(night(0.9, 100, calls=LEAST_CALLS - 1), before) == ()
    assert drifts(night(0.9, 100), [*before[1:], night(0.1, 50, calls=LEAST_CALLS - 1)]) == ()


def test_only_the_last_nights_before_it_count() -> None:
    before = [night(0.9, day) for day in range(5)] + [night(0.1, 5 + day) for day in range(NIGHTS)]
    after = [night(0.9, 200 + day) for day in range(30)]
    [drift, *_] = drifts(night(0.1, 100), [*after, *before])
    assert (drift.median, drift.nights, drift.z) == (0.1, NIGHTS, 0.0)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=NIGHTS), st.floats(0, 1))
def test_a_night_like_the_median_never_drifts_and_the_sign_is_that_of_the_difference(
    before: list[float], value: float
) -> None:
    assert flagged(median(before), before).z == 0.0
    drift = flagged(value, before)
    assert drift.z * (value - median(before)) >= 0.0
    assert drift.drifted == (abs(drift.z) >= DRIFTED)
