"""A call on the desk: its rows, the names that a card gives, and what has been found out so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval
from pipelines.scorecards.cards import Thresholds
from pipelines.scorecards.conditions import Condition
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.findings import Finding


@dataclass(frozen=True)
class Case:
    """A call that is judged by a card.

    `similarity` has a row for each sentence of `sentence_places` and a column for each example, numbered
    in `examples`; it is None where the meaning of the call's sentences or of the examples is not known.
    """

    conversation: Conversation
    named: Mapping[str, Condition]
    thresholds: Thresholds
    similarity: NDArray[np.float32] | None = None
    sentence_places: NDArray[np.int64] | None = None
    examples: Mapping[str, int] = field(default_factory=dict)
    it: Interval | None = None
    found: dict[int, Finding] = field(default_factory=dict)
