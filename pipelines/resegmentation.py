"""Who says each utterance, decided once more by its own voice.

A diarizer clusters windows of ten seconds, in which turns of both speakers lie; a short answer goes
with its window. Here each utterance is embedded by itself. Starting from the diarizer's labels, the
speakers' mean voices and the utterances' speakers are found in turns, as in VB resegmentation of
diarizations (Díez et al. 2020, "Bayesian HMM clustering of x-vector sequences"): a hidden Markov model
over utterances whose states are the speakers, its observations the embeddings and what the diarizer
heard, its transitions the odds that somebody else speaks next.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from models.speech import VOICE_FRAME_S, Diarization, Interval, SpeakerSpan, Voice
from pipelines.speakers import merge
from pipelines.transcript import Word
from pipelines.utterances import Utterance, stretches, utterances

Floats = NDArray[np.float64]

SHARPNESS = 20.0
"""Nats of evidence for each unit of cosine similarity that an utterance of one second is nearer to a speaker.
Any value from 8 to 30 gives 5 to 14 of 4,525 words of calls and consultations to the wrong speaker."""

_FIRM_S = 3.0
"""Evidence grows with the root of an utterance's seconds, up to so many: what is said longer is not surer."""

_LONGEST_S = 4.0
"""No utterance counts for more than so many seconds in its speaker's mean voice."""

_DIARIZER_FLOOR = 0.1
"""Share of an utterance that every speaker has, whatever the diarizer heard."""

_AFTER_QUESTION, _AFTER_SENTENCE, _WITHIN_SENTENCE, _FOR_A_SECOND_OF_PAUSE = 0.5, -0.5, -2.5, 1.0
_LONGEST_PAUSE_S = 1.5
"""Log-odds that the speaker changes: after a question, a sentence, within one; and what a pause adds."""

_ROUNDS = 4
_MOST_ROUNDS = 30

SAME_VOICE = 0.75
"""Cosine similarity of two mean voices from which on they are one. Of utterances cut in two by k-means, the
halves of one voice have 0.56 to 0.96 (sides of calls, prompts, readers), those of two people at most 0.60."""

LEAST_GAIN = 0.02
"""Two voices explain their utterances better than one by more than this: by the mean cosine similarity of an
utterance to the mean of the others that it is grouped with. Two people gain 0.04 to 0.23, one voice cut in
two -0.15 to 0.02, but for four sides of telephone calls of fourteen: heard alone, they gain up to 0.07."""

ALIKE = 0.65
"""Cosine similarity of two mean voices from which on they may have been mixed up. Of the calls and
consultations at hand, two people have at most 0.60."""

_LEAST_S = 0.5
_LEAST_UTTERANCES = 4
"""Utterances shorter than this, or fewer, say little about how many voices there are."""


@dataclass(frozen=True)
class _Resegmentation:
    """Speakers, and the probability of each for each utterance: `posteriors`, `(utterances, speakers)`.

    `alike` where the voices of two, who may have become one, are hard to tell apart.
    """

    speakers: tuple[str, ...]
    posteriors: Floats
    alike: bool = False

    @property
    def speaker_of(self) -> tuple[tuple[str, float], ...]:
        """The likeliest speaker of each utterance, and how likely that is."""
        return tuple((self.speakers[int(row.argmax())], float(row.max())) for row in self.posteriors)


@dataclass(frozen=True)
class _Observations:
    """What is known of the utterances: `embeddings`, `(utterances, dimension)`, of unit length, or zero where
    there is too little to embed; `seconds`, `(utterances,)`; the log-likelihoods `heard`, `(utterances,
    speakers)`, of what the diarizer heard, and the log-odds `changes`, `(utterances - 1,)`, of a change."""

    embeddings: Floats
    seconds: Floats
    heard: Floats
    changes: Floats


def resegment(
    words: Sequence[Word], diarization: Diarization, known: int | None = None
) -> tuple[tuple[Word, ...], Diarization]:
    """Give words, in order of their start, the speakers whose voices their utterances are in.

    `known` is the number of speakers where it is known; otherwise voices that turn out to be one are joined.
    The diarization comes back with the speakers as decided. Without voices both stay as they are.
    """
    if diarization.voice is None or not diarization.exclusive or not words:
        return tuple(words), diarization
    spoken = utterances(words)
    decided = _decide(spoken, diarization, diarization.voice, known)
    attributed = [
        replace(word, speaker=speaker, speaker_confidence=confidence, speaker_source="voice")
        for utterance, (speaker, confidence) in zip(spoken, decided.speaker_of, strict=True)
        for word in utterance.words
    ]
    return tuple(attributed), _relabelled(diarization, spoken, decided)


def _decide(
    spoken: Sequence[Utterance], diarization: Diarization, voice: Voice, known: int | None
) -> _Resegmentation:
    names = tuple(dict.fromkeys(span.speaker for span in diarization.exclusive))
    heard = _heard(spoken, diarization.exclusive, names)
    embeddings, seconds = _embedded(spoken, voice)
    seen = _Observations(embeddings, seconds, np.log(heard), _changes(spoken))
    found = _decoded(seen, heard)
    if len(names) == 2 and np.count_nonzero(seconds >= _LEAST_S) >= _LEAST_UTTERANCES:
        regrouped = _decoded(seen, _matching(_two_groups(embeddings, seconds), heard))
        found = max(found, regrouped, key=lambda posteriors: _likeness(seen, posteriors))
    if known is not None:
        return _Resegmentation(names, found, len(names) > 1 and _closest(seen, found)[0] >= ALIKE)
    return _joined(_Resegmentation(names, found), seen, diarization.found)


def _relabelled(
    diarization: Diarization, spoken: Sequence[Utterance], decided: _Resegmentation
) -> Diarization:
    """The diarization with the speakers as decided: what it gave to an utterance's speaker goes with it."""
    borders = [(before.end + after.start) / 2 for before, after in pairwise(spoken)]
    edges = [-math.inf, *accumulate(borders, max), math.inf]
    speakers = [speaker for speaker, _ in decided.speaker_of]
    gone = {span.speaker for span in diarization.exclusive} - set(decided.speakers)

    def pieces(spans: Sequence[SpeakerSpan]) -> tuple[SpeakerSpan, ...]:
        cut: dict[str, list[Interval]] = {}
        for span in spans:
            first = bisect_right(edges, span.start) - 1
            for i in range(first, len(spoken)):
                start, end = max(span.start, edges[i]), min(span.end, edges[i + 1])
                if start < end:
                    before, now = spoken[i].speaker, speakers[i]
                    moves = span.speaker == before or span.speaker in gone
                    piece = Interval(start, end)
                    cut.setdefault(now if moves else span.speaker, []).append(piece)
                    if span.speaker == now != before and before not in gone:
                        # Two spoke at once, and it is the other one who is to have been heard besides.
                        both = [piece.common(each) for each in spans if each.speaker == before]
                        cut.setdefault(before, []).extend(each for each in both if each.duration > 0)
                if span.end <= edges[i + 1]:
                    break
        whole = [
            SpeakerSpan(interval.start, interval.end, speaker)
            for speaker, intervals in cut.items()
            for interval in merge(intervals)
        ]
        return tuple(sorted(whole, key=lambda span: span.start))

    return replace(
        diarization,
        spans=pieces(diarization.spans),
        exclusive=pieces(diarization.exclusive),
        voices_alike=decided.alike,
    )


def _embedded(spoken: Sequence[Utterance], voice: Voice) -> tuple[Floats, Floats]:
    """Embeddings of unit length, zero where there is too little to embed, and seconds, of the utterances."""
    embeddings = np.zeros((len(spoken), len(voice.bias)))
    for i, utterance in enumerate(spoken):
        embedding = voice.embed_intervals(stretches(utterance))
        if np.isnan(embedding).any():
            around = Interval(utterance.start - VOICE_FRAME_S, utterance.end + VOICE_FRAME_S)
            embedding = np.nan_to_num(voice.embed_intervals([around]))
        embeddings[i] = embedding / max(float(np.linalg.norm(embedding)), 1e-9)
    return embeddings, np.array([utterance.seconds for utterance in spoken])


def _heard(spoken: Sequence[Utterance], spans: Sequence[SpeakerSpan], names: Sequence[str]) -> Floats:
    """The share of each utterance that the diarizer gave to each speaker, with a floor."""
    shares = np.zeros((len(spoken), len(names)))
    for i, utterance in enumerate(spoken):
        for span in spans:
            if span.start < utterance.end and utterance.start < span.end:
                shares[i, names.index(span.speaker)] += sum(word.overlap(span) for word in utterance.words)
        if not shares[i].any():
            shares[i, names.index(utterance.speaker)] = utterance.seconds / 2
        shares[i] /= max(utterance.seconds, shares[i].sum(), 1e-9)
    shares += _DIARIZER_FLOOR
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _changes(spoken: Sequence[Utterance]) -> Floats:
    odds = []
    for before, after in pairwise(spoken):
        punctuation = (
            _AFTER_QUESTION if before.asks else _AFTER_SENTENCE if before.ends_sentence else _WITHIN_SENTENCE
        )
        pause = min(max(after.start - before.end, 0.0), _LONGEST_PAUSE_S)
        odds.append(punctuation + _FOR_A_SECOND_OF_PAUSE * pause)
    return np.array(odds)


def _decoded(seen: _Observations, posteriors: Floats) -> Floats:
    """From first posteriors to those of the model, mean voices and speakers found in turns."""
    if posteriors.shape[1] == 1:
        return np.ones_like(posteriors)
    sharpness = SHARPNESS * np.sqrt(np.minimum(seen.seconds, _FIRM_S))
    for _ in range(_ROUNDS):
        evidence = seen.heard + sharpness[:, None] * _similarities(seen, posteriors)
        posteriors = _forward_backward(evidence, seen.changes)
    return posteriors


def _similarities(seen: _Observations, posteriors: Floats) -> Floats:
    """Cosine similarity of each utterance to each speaker's voice without it: `(utterances, speakers)`."""
    weights = posteriors * np.minimum(seen.seconds, _LONGEST_S)[:, None]
    means = (weights.T @ seen.embeddings)[None] - weights[:, :, None] * seen.embeddings[:, None]
    lengths = np.maximum(np.linalg.norm(means, axis=2), 1e-9)
    return np.asarray(np.einsum("usd,ud->us", means, seen.embeddings) / lengths)


def _forward_backward(evidence: Floats, changes: Floats) -> Floats:
    """Posteriors of the states of a chain (Rabiner 1989), from log-evidence and log-odds of a change."""
    count, speakers = evidence.shape
    change = -np.logaddexp(0.0, -changes)
    stay = -np.logaddexp(0.0, changes)
    transitions = np.repeat((change - np.log(speakers - 1))[:, None, None], speakers, 1).repeat(speakers, 2)
    transitions[:, np.arange(speakers), np.arange(speakers)] = stay[:, None]
    forward, backward = evidence.copy(), np.zeros_like(evidence)
    for i in range(1, count):
        forward[i] += np.logaddexp.reduce(forward[i - 1][:, None] + transitions[i - 1], axis=0)
    for i in range(count - 2, -1, -1):
        backward[i] = np.logaddexp.reduce(transitions[i] + (evidence[i + 1] + backward[i + 1])[None], axis=1)
    both = forward + backward
    return np.asarray(np.exp(both - np.logaddexp.reduce(both, axis=1, keepdims=True)))


def _two_groups(embeddings: Floats, seconds: Floats) -> Floats:
    """The utterances in two groups by spherical k-means, begun at the two that are least alike."""
    weighted = embeddings * np.minimum(seconds, _LONGEST_S)[:, None]
    [long] = np.nonzero(seconds >= _LEAST_S)
    alike = embeddings[long] @ embeddings[long].T
    centres = embeddings[long[list(np.unravel_index(alike.argmin(), alike.shape))]]
    group = np.zeros(len(embeddings), int)
    for _ in range(_MOST_ROUNDS):
        before, group = group, (embeddings @ centres.T).argmax(axis=1)
        if (before == group).all():
            break
        sums = np.stack([weighted[group == k].sum(axis=0) for k in range(2)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return np.eye(2)[group]


def _matching(groups: Floats, heard: Floats) -> Floats:
    """The two groups in the order of the speakers that the diarizer heard in them."""
    return groups if (groups * heard).sum() >= (groups[:, ::-1] * heard).sum() else groups[:, ::-1]


def _likeness(seen: _Observations, posteriors: Floats) -> float:
    """Mean similarity of an utterance to the others of its speaker, by seconds; short ones left out."""
    weights = np.where(seen.seconds >= _LEAST_S, np.minimum(seen.seconds, _LONGEST_S), 0.0)
    own = (np.eye(posteriors.shape[1])[posteriors.argmax(axis=1)] * _similarities(seen, posteriors)).sum(
        axis=1
    )
    return float(weights @ own / max(weights.sum(), 1e-9))


def _joined(decided: _Resegmentation, seen: _Observations, found: int) -> _Resegmentation:
    """Speakers whose voices are one are one; of two, `found` says how many there are where little is said."""
    names, posteriors = list(decided.speakers), decided.posteriors
    if len(names) == 2:
        enough = bool(np.count_nonzero(seen.seconds >= _LEAST_S) >= _LEAST_UTTERANCES)
        alone = np.ones((len(posteriors), 1))
        gain = _likeness(seen, posteriors) - _likeness(seen, alone)
        similarity = _closest(seen, posteriors)[0]
        alike = enough and gain >= LEAST_GAIN and similarity >= ALIKE
        if gain < LEAST_GAIN or similarity >= SAME_VOICE if enough else found < 2:
            return _Resegmentation((names[int(posteriors.sum(axis=0).argmax())],), alone, alike)
        return replace(decided, alike=alike)
    alike = False
    while len(names) > 1:
        similarity, kept, gone = _closest(seen, posteriors)
        alike = similarity >= ALIKE
        if similarity < SAME_VOICE:
            break
        posteriors[:, kept] += posteriors[:, gone]
        posteriors = np.delete(posteriors, gone, axis=1)
        del names[gone]
    return _Resegmentation(tuple(names), posteriors, alike and len(names) > 1)


def _closest(seen: _Observations, posteriors: Floats) -> tuple[float, int, int]:
    """The cosine similarity of the two mean voices that are most alike, and which two they are."""
    means = (posteriors * np.minimum(seen.seconds, _LONGEST_S)[:, None]).T @ seen.embeddings
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    return max((float(means[i] @ means[j]), i, j) for i, j in combinations(range(len(means)), 2))
