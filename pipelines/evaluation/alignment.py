"""Which word of a hypothesis stands for which word of a reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from pipelines.evaluation.document import Word

_DIAGONAL, _DELETION, _INSERTION = range(3)
_ANOTHER: Final = -1


@dataclass(frozen=True)
class Pair:
    """A word of the reference and what stands for it; a side that is None is an insertion or a deletion."""

    reference: Word | None
    hypothesis: Word | None

    @property
    def matches(self) -> bool:
        """Whether both have the same word."""
        return (
            self.reference is not None
            and self.hypothesis is not None
            and self.reference.text == self.hypothesis.text
        )


def align(
    reference: Sequence[Word], hypothesis: Sequence[Word], speakers: Mapping[str, str]
) -> tuple[Pair, ...]:
    """The alignment with the fewest errors and, of these, with the fewest words by another speaker.

    `speakers` maps those of the hypothesis to those of the reference. Without the second condition it would
    be chance whom the "yes" belongs to when two say "yes" and one is heard. Time and memory grow with the
    length and the errors: a byte for each pair of words that are no farther from the diagonal than there
    are errors, because no best alignment goes there (Ukkonen 1985, Algorithms for approximate string
    matching).
    """
    texts = {word.text: index for index, word in enumerate((*reference, *hypothesis))}
    names: dict[str | None, int] = {word.speaker: index for index, word in enumerate(reference)}
    ref_text, hyp_text = (_codes([texts[word.text] for word in words]) for words in (reference, hypothesis))
    ref_name = _codes([names[word.speaker] for word in reference])
    hyp_name = _codes([names.get(speakers.get(word.speaker or ""), _ANOTHER) for word in hypothesis])

    error = len(reference) + len(hypothesis) + 1
    inserted = error * np.arange(len(hypothesis) + 1, dtype=np.int64)
    reach = Levenshtein.distance(ref_text.tolist(), hyp_text.tolist()) + 1
    moves = [np.empty(0, dtype=np.uint8)] * len(reference)
    row = inserted.copy()
    for index in range(len(reference)):
        # Columns from `left` to `right`: what is outside stays dearer than any best way.
        left, right = max(index - reach, 0), min(index + reach, len(hypothesis)) + 1
        deleted = row[left:right] + error
        replaced = (
            row[left : right - 1]
            + error * (hyp_text[left : right - 1] != ref_text[index])
            + (hyp_name[left : right - 1] != ref_name[index])
        )
        best = deleted.copy()
        best[1:] = np.minimum(best[1:], replaced)
        # The cheapest way to come from the left, for all columns at once.
        new = np.minimum.accumulate(best - inserted[left:right]) + inserted[left:right]
        moves[index] = np.where(new == deleted, _DELETION, _INSERTION).astype(np.uint8)
        moves[index][1:][new[1:] == replaced] = _DIAGONAL
        row[left:right] = new
    return _way_back(moves, reach, reference, hypothesis)


def _way_back(
    moves: Sequence[npt.NDArray[np.uint8]], reach: int, reference: Sequence[Word], hypothesis: Sequence[Word]
) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    left, right = len(reference), len(hypothesis)
    while left or right:
        move = moves[left - 1][right - max(left - 1 - reach, 0)] if left else _INSERTION
        left -= move != _INSERTION
        right -= move != _DELETION
        pairs.append(
            Pair(
                None if move == _INSERTION else reference[left],
                None if move == _DELETION else hypothesis[right],
            )
        )
    return tuple(reversed(pairs))


def _codes(values: list[int]) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
