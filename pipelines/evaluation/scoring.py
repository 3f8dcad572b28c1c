"""All metrics of one call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.evaluation.alignment import Pair, align
from pipelines.evaluation.document import Document, Span, Word
from pipelines.evaluation.metrics import speakers as by_speaker
from pipelines.evaluation.metrics.diarization import diarization_errors
from pipelines.evaluation.metrics.silence import speech_without_words, words_in_silence
from pipelines.evaluation.metrics.times import time_errors
from pipelines.evaluation.metrics.words import character_errors, word_errors
from pipelines.evaluation.normalisation import normalise_by, normalised, normaliser
from pipelines.evaluation.rates import Sum

DER_COLLARS_S = {"der": 0.0, "der_collar": 0.25}


@dataclass(frozen=True)
class Rules:
    """How calls are scored. `collar` is tcpWER's, in seconds; `language` is for calls that name none."""

    normaliser: str = "auto"
    language: str = ""
    collar: float = 5.0


@dataclass(frozen=True)
class CallScore:
    """What was found in a call: by name of the metric, without those that cannot be told of it.

    `pairs` are the aligned words and `speakers` maps those of the hypothesis to those of the reference.
    `facts` has columns to slice by.
    """

    call: str
    normaliser: str
    values: Mapping[str, Sum]
    pairs: tuple[Pair, ...]
    speakers: Mapping[str, str]
    facts: Mapping[str, Any]


def score(reference: Document, hypothesis: Document, rules: Rules) -> CallScore:
    """Score a call. Raises UsageError when it has more than 20 speakers."""
    facts = {**reference.facts, **hypothesis.facts, "call": reference.call}
    facts.setdefault("source", reference.call)
    language = rules.language or reference.language or hypothesis.language or "en"
    name = normaliser(rules.normaliser, language)
    if reference.ignored:
        reference, hypothesis = _without_ignored(reference, hypothesis)
    values: dict[str, Sum | None] = {"missed_speech": speech_without_words(hypothesis.facts)}
    pairs: tuple[Pair, ...] = ()
    speakers: Mapping[str, str] = {}
    if reference.words is not None and hypothesis.words is not None:
        said, heard = (normalised(of.words or (), normalise_by(name)) for of in (reference, hypothesis))
        blank = "" if name == "letters" else " "
        values |= {"wer": word_errors(said, heard), "cer": character_errors(said, heard, blank)}
        attributed = _all_attributed((*said, *heard))
        timed = _all_timed((*said, *heard))
        if attributed:
            values["cpwer"], speakers = by_speaker.speaker_word_errors(said, heard)
        pairs = align(said, heard, speakers)
        if attributed:
            speakers = by_speaker.mapped_speakers(pairs)
            values["speaker_error"] = by_speaker.misattributed_words(pairs, speakers)
            if reference.roles and (hypothesis.roles or not hypothesis.words):
                values["roles"] = by_speaker.roles(reference, hypothesis, speakers)
        if attributed and timed:
            values["tcpwer"] = by_speaker.timed_speaker_word_errors(said, heard, rules.collar)
            near = by_speaker.near_turn_changes(pairs)
            values["speaker_error_at_changes"] = by_speaker.misattributed_words(near, speakers)
        if reference.word_times and timed:
            values["word_times"] = time_errors(pairs)
    if reference.speech is not None and hypothesis.speech is not None:
        for metric, collar in DER_COLLARS_S.items():
            values[metric] = diarization_errors(reference.speech, hypothesis.speech, reference.scored, collar)
    if reference.speech is not None and hypothesis.words is not None and _all_timed(hypothesis.words):
        duration = float(facts.get("duration_s") or reference.duration)
        values["hallucination"] = words_in_silence(reference, hypothesis.words, duration)
    if _names_speakers(reference) and _names_speakers(hypothesis):
        values["speaker_count"] = by_speaker.speaker_count(reference, hypothesis)
    found = {metric: value for metric, value in values.items() if value is not None}
    return CallScore(reference.call, name, found, pairs, speakers, facts)


def _without_ignored(reference: Document, hypothesis: Document) -> tuple[Document, Document]:
    """Both without the words whose middle is in what the reference ignores, which is not scored either."""
    end = max(reference.duration, hypothesis.duration)
    scored = reference.scored or (Span(0.0, end),)
    for hole in reference.ignored:
        parts = [
            Span(start, end)
            for span in scored
            for start, end in ((span.start, min(span.end, hole.start)), (max(span.start, hole.end), span.end))
        ]
        scored = tuple(part for part in parts if part.start < part.end)
    both = [
        replace(of, words=None if of.words is None else _outside(of.words, reference.ignored))
        for of in (reference, hypothesis)
    ]
    return replace(both[0], scored=scored), both[1]


def _outside(words: Iterable[Word], spans: Iterable[Span]) -> tuple[Word, ...]:
    return tuple(
        word
        for word in words
        if word.start is None
        or word.end is None
        or not any(span.start <= (word.start + word.end) / 2 <= span.end for span in spans)
    )


def _all_attributed(words: Iterable[Word]) -> bool:
    return all(word.speaker is not None for word in words)


def _all_timed(words: Iterable[Word]) -> bool:
    return all(word.start is not None and word.end is not None for word in words)


def _names_speakers(document: Document) -> bool:
    if document.words is None:
        return document.speech is not None
    return _all_attributed(document.words)
