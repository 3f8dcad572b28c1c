"""What the sample calls score with the profile `tiny`, and how much worse they may score before a test fails.

`make figures` writes them anew. Do so when they became better, or worse for a reason that the commit can
give.
"""

import json
import os
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from statistics import NormalDist

from sample_calls import FOLDER, SAMPLE_CALLS

from pipelines.benchmark.heard import document_of
from pipelines.evaluation import Documents, Evaluation, Rules, evaluate
from pipelines.evaluation.evaluation import Estimate, estimates
from pipelines.evaluation.rates import TimeErrors
from pipelines.transcript import Call

EXPECTED = Path(__file__).with_suffix(".json")
WRITTEN = ("en",)
"""Languages of the sample calls that `tiny` can write."""

CALLS = tuple(name for name, call in SAMPLE_CALLS.items() if call.language in WRITTEN)
FIGURES = (
    "wer",
    "cpwer",
    "speaker_error",
    "der",
    "word_start_median",
    "word_start_p95",
    "word_end_median",
    "word_end_p95",
)


def scored(calls: Mapping[str, Call]) -> Evaluation:
    """The calls, by the names of their recordings, against the truth."""
    truth = Documents([FOLDER / "truth"])
    heard = {name: document_of(call, name) for name, call in calls.items()}
    return evaluate({name: truth[name] for name in heard}, heard, Rules())


def figures(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Value and 95 % interval of each figure: rates as fractions, times in seconds."""
    found = {}
    for of in estimates(evaluation.scores):
        if of.figure.name in FIGURES:
            low, high = _interval(of)
            found[of.figure.name] = {
                "value": round(of.value, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
    return found


def _interval(of: Estimate) -> tuple[float, float]:
    """The calls are always the same, so that a rate varies as its words (or seconds) do: Wilson's interval.

    Wilson 1927, Probable inference, the law of succession, and statistical inference. Of times it is the
    bootstrap over calls.
    """
    if isinstance(of.of, TimeErrors):
        assert of.low is not None
        assert of.high is not None
        return of.low, of.high
    n, z = of.of.counts[-1], NormalDist().inv_cdf(0.975)
    centre = (of.value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(of.value * (1 - of.value) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), centre + half


def _process_all() -> dict[str, Call]:
    from models.bundle import models_dir
    from models.catalogue import load_catalogue
    from models.loaded import load
    from models.selection import select
    from pipelines.call import process
    from pipelines.recording import identify
    from pipelines.settings import CallSettings
    from pipelines.sources import find_sources

    models = load(select(load_catalogue(), "tiny", {}, models_dir()), os.cpu_count() or 1)
    calls = {}
    for name in CALLS:
        [source] = find_sources([str(SAMPLE_CALLS[name].path)])
        calls[name] = process(identify(source), models, CallSettings())
    return calls


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(figures(scored(_process_all())), indent=2) + "\n", encoding="utf-8")
