"""Whether a speaker's confidence holds what it says: of words marked 0.9, nine in ten should be right."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pipelines.evaluation.metrics.speakers import is_misattributed
from pipelines.evaluation.scoring import CallScore

EDGES: Final = (0.0, 0.5, 0.7, 0.9, 0.99)
"""Where bins of confidence begin; most words are in the last."""


@dataclass(frozen=True)
class Bin:
    """Matched words whose speaker's confidence is from `low` to below `high`, and how they fared.

    `confidence` is the mean of what they say, `right` how many have the right speaker.
    """

    low: float
    high: float
    words: int
    confidence: float
    right: int


def reliability(scores: Iterable[CallScore]) -> tuple[Bin, ...]:
    """A reliability table (Murphy and Winkler 1977) of the matched words that say how sure they are."""
    sure: list[list[float]] = [[] for _ in EDGES]
    right = [0] * len(EDGES)
    for of in scores:
        for pair in of.pairs:
            if not pair.matches or pair.hypothesis is None or pair.hypothesis.speaker_confidence is None:
                continue
            bin_ = bisect_right(EDGES, pair.hypothesis.speaker_confidence) - 1
            sure[bin_].append(pair.hypothesis.speaker_confidence)
            right[bin_] += not is_misattributed(pair, of.speakers)
    return tuple(
        Bin(low, high, len(said), sum(said) / len(said), good)
        for low, high, said, good in zip(EDGES, (*EDGES[1:], 1.0), sure, right, strict=True)
        if said
    )
