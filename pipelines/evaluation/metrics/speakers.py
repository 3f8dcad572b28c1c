"""Who said what: cpWER, tcpWER, words given to the wrong speaker, the number of speakers, and their roles."""

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import meeteval
import numpy as np
from scipy.optimize import linear_sum_assignment

from models.errors import UsageError
from pipelines.evaluation.alignment import Pair
from pipelines.evaluation.document import Document, Word
from pipelines.evaluation.rates import ErrorRate, Share
from pipelines.tables import UNKNOWN

Speakers = Mapping[str, str]
"""Speakers of the hypothesis to those of the reference."""

TURN_CHANGE_S = 1.0

# MeetEval warns where segments of a speaker overlap, once for each; words stand in the order of the segments.
logging.getLogger("preprocess").setLevel(logging.ERROR)


def speaker_word_errors(reference: Sequence[Word], hypothesis: Sequence[Word]) -> tuple[ErrorRate, Speakers]:
    """cpWER, by MeetEval, and the mapping of speakers that makes it smallest.

    Each speaker's words are scored by themselves. Raises UsageError with more than 20 speakers.
    """
    found = _checked(
        meeteval.wer.cp_word_error_rate,
        _texts(reference),
        _texts(hypothesis),
        reference_sort=False,
        hypothesis_sort=False,
    )
    return _rate(found), {hyp: ref for ref, hyp in found.assignment if None not in (ref, hyp)}


def timed_speaker_word_errors(
    reference: Sequence[Word], hypothesis: Sequence[Word], collar: float
) -> ErrorRate:
    """TcpWER, by MeetEval: a word stands for another only if the times are within `collar` seconds.

    Raises UsageError with more than 20 speakers.
    """
    found = _checked(
        meeteval.wer.time_constrained_minimum_permutation_word_error_rate,
        _seglst(reference),
        _seglst(hypothesis),
        collar=collar,
        reference_sort=False,
        hypothesis_sort=False,
    )
    return _rate(found)


def mapped_speakers(pairs: Sequence[Pair]) -> Speakers:
    """The mapping of speakers, one to one, that most of the matched words agree with."""
    said = [(pair.reference.speaker, pair.hypothesis.speaker) for pair in _matched(pairs)]
    references = sorted({str(reference) for reference, _ in said})
    hypotheses = sorted({str(hypothesis) for _, hypothesis in said} - {UNKNOWN})
    confusion = np.zeros((len(hypotheses), len(references)), dtype=np.int64)
    for reference, hypothesis in said:
        if hypothesis != UNKNOWN:
            confusion[hypotheses.index(str(hypothesis)), references.index(str(reference))] += 1
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    return {hypotheses[row]: references[column] for row, column in zip(rows, columns, strict=True)}


def is_misattributed(pair: Pair, speakers: Speakers) -> bool:
    """Whether a matched word has another speaker than in the reference."""
    return pair.matches and _speaker(pair.hypothesis, speakers) != getattr(pair.reference, "speaker", None)


def misattributed_words(pairs: Sequence[Pair], speakers: Speakers) -> Share:
    """Word-speaker error: of the matched words, those given to another speaker or to `UNKNOWN`."""
    matched = _matched(pairs)
    return Share(sum(is_misattributed(pair, speakers) for pair in matched), len(matched))


def near_turn_changes(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose word in the reference is within a second of the end or start of a turn there."""
    words = [pair.reference for pair in pairs if pair.reference is not None]
    changes = [
        time
        for before, after in pairwise(words)
        if before.speaker != after.speaker
        for time in (before.end, after.start)
    ]
    times = np.sort(np.array(changes, dtype=float))
    return [pair for pair in pairs if pair.reference is not None and _is_near(pair.reference, times)]


def _is_near(word: Word, times: Any) -> bool:
    assert word.start is not None
    assert word.end is not None
    first = np.searchsorted(times, word.start - TURN_CHANGE_S, side="left")
    last = np.searchsorted(times, word.end + TURN_CHANGE_S, side="right")
    return bool(first < last)


def speaker_count(reference: Document, hypothesis: Document) -> Share:
    """Whether the number of speakers is right: 1 or 0 of one call. `UNKNOWN` is none of them."""
    return Share(int(len(reference.speakers) == len(hypothesis.speakers - {UNKNOWN})), 1)


def roles(reference: Document, hypothesis: Document, speakers: Speakers) -> Share:
    """Of the speakers whose role the reference names, those who have that role in the hypothesis."""
    of_reference = {ref: hypothesis.roles.get(hyp) for hyp, ref in speakers.items()}
    named = {name: role for name, role in reference.roles.items() if name in reference.speakers}
    return Share(sum(of_reference.get(name) == role for name, role in named.items()), len(named))


def _matched(pairs: Sequence[Pair]) -> list[Any]:
    return [pair for pair in pairs if pair.matches]


def _speaker(word: Word | None, speakers: Speakers) -> str | None:
    return speakers.get(word.speaker or "") if word is not None else None


def _texts(words: Sequence[Word]) -> dict[str, str]:
    said: dict[str, list[str]] = {}
    for word in words:
        said.setdefault(word.speaker or "", []).append(word.text)
    return {speaker: " ".join(texts) for speaker, texts in said.items()}


def _seglst(words: Sequence[Word]) -> Any:
    return meeteval.io.SegLST(
        [
            {"speaker": word.speaker, "words": word.text, "start_time": word.start, "end_time": word.end}
            for word in words
        ]
    )


def _checked(metric: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return metric(*args, **kwargs)
    except RuntimeError as error:
        raise UsageError(f"Speakers cannot be compared: {error}") from error


def _rate(found: Any) -> ErrorRate:
    return ErrorRate(found.substitutions, found.deletions, found.insertions, found.length)
