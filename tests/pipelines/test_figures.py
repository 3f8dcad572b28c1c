"""The sample calls do not score worse than they did."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from expected_figures import CALLS, EXPECTED, FIGURES, figures, scored
from sample_calls import Processed

from pipelines.evaluation import Evaluation

KNOWN = json.loads(EXPECTED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def evaluation(processed: Callable[[str], Processed]) -> Evaluation:
    return scored({name: processed(name).call for name in CALLS})


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_is_worse_than_its_interval(evaluation: Evaluation, name: str) -> None:
    value, known = figures(evaluation)[name]["value"], KNOWN[name]
    assert value <= known["high"], (
        f"{name} was {known['value']} ({known['low']} to {known['high']}) and is {value}. If that is meant, "
        "write the figures anew with: python tests/expected_figures.py"
    )


@pytest.mark.slow
def test_words_are_where_they_are_said(evaluation: Evaluation) -> None:
    found = {name: of["value"] for name, of in figures(evaluation).items()}
    assert max(found["word_start_median"], found["word_end_median"]) <= 0.05
    assert max(found["word_start_p95"], found["word_end_p95"]) <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["broadband_outage", "knee_pain"])
def test_a_call_that_is_lost_is_beyond_the_intervals(
    processed: Callable[[str], Processed], name: str
) -> None:
    calls = {each: processed(each).call for each in CALLS}
    worse = figures(scored({**calls, name: replace(calls[name], turns=calls[name].turns[:1])}))
    assert worse["wer"]["value"] > KNOWN["wer"]["high"]
