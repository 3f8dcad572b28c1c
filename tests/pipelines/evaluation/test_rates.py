"""Errors and lengths add up; rates are made of the sums."""

from pipelines.evaluation.rates import DiarizationError, ErrorRate, Share, TimeErrors


def test_a_sum_has_the_rate_of_all_words_and_not_the_mean_of_rates() -> None:
    total = ErrorRate(1, 0, 0, 1) + ErrorRate(0, 0, 0, 99)
    assert total == ErrorRate(1, 0, 0, 100)
    assert total.rate == 0.01


def test_sum_adds_any_number_of_them() -> None:
    assert sum([ErrorRate(1, 2, 3, 4)] * 3) == ErrorRate(3, 6, 9, 12)
    assert sum([DiarizationError(1.0, 2.0, 3.0, 12.0)] * 2).rate == 0.5  # type: ignore[union-attr]


def test_nothing_of_nothing_has_no_rate() -> None:
    assert Share(0, 0).rate is None
    assert ErrorRate(0, 0, 5, 0).rate is None


def test_insertions_into_an_empty_reference_count_in_the_sum() -> None:
    assert (ErrorRate(0, 0, 5, 0) + ErrorRate(0, 0, 0, 10)).rate == 0.5


def test_times_are_put_together() -> None:
    assert TimeErrors((0.1,), (0.2,)) + TimeErrors((0.3,), (0.4,)) == TimeErrors((0.1, 0.3), (0.2, 0.4))
