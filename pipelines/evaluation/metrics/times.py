"""When each word is said, against references that know it."""

from collections.abc import Sequence

from pipelines.evaluation.alignment import Pair
from pipelines.evaluation.rates import TimeErrors


def time_errors(pairs: Sequence[Pair]) -> TimeErrors:
    """How far matched words are from where they are in the reference; both sides must have times."""
    matched = [
        (pair.reference, pair.hypothesis)
        for pair in pairs
        if pair.matches and pair.reference is not None and pair.hypothesis is not None
    ]
    return TimeErrors(
        tuple(abs((one.start or 0.0) - (other.start or 0.0)) for one, other in matched),
        tuple(abs((one.end or 0.0) - (other.end or 0.0)) for one, other in matched),
    )
