"""Why somebody called, how it ended, and what was agreed: sentences picked out as they were said."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.analytics.examples import GIST_PARTS, Concept, Concepts, Examples
from pipelines.analytics.roles import embeddings_of
from pipelines.analytics.topics import find_topics
from pipelines.analytics.wording import words_of
from pipelines.settings import Kind
from pipelines.transcript import Gist, Quote, Reading, Sentence, Speaker

EARLY: Final = 1 / 3
LATE: Final = 1 / 2
"""A reason is looked for in the first third of the sentences, an outcome in the second half of them."""

AT_LEAST_EARLY: Final = 12
"""Of a short call so many sentences are early, whatever their share."""

NEAR: Final = 0.35
"""A sentence less near than this to every example is none, whatever phrase it has."""

NEAR_ALONE: Final = 0.5
"""So near a reason or an outcome is one without any phrase, if one of those who mostly say it does."""

PHRASE: Final = 0.15
CONTENT: Final = 0.15
PREFERRED: Final = 0.05
PLACE: Final = 0.3
"""What a sentence gains, in cosine, for having one of the phrases; for a length of `FULL` words or more; for
being said by the first of the roles; and for being the first where a reason, the last where an outcome is
looked for."""

FULL: Final = 10
"""Words of a sentence that surely says something."""

FEWEST: Final = 3
"""A sentence of fewer words is none."""

STEPS: Final = 5
"""At most so many next steps, the likeliest, are listed."""


def find_gist(
    speakers: Sequence[Speaker], reading: Reading, kind: Kind, language: str, examples: Examples
) -> Gist:
    """What a call is about, as far as its sentences say so."""
    sentences, concepts = reading.sentences, examples.gist[kind]
    roles = {speaker.name: speaker.role for speaker in speakers}
    reason = find_reason(sentences, roles, concepts, language)
    return Gist(
        find_topics(sentences, roles, reason, examples.topics[kind]),
        reason,
        find_outcome(sentences, roles, concepts, language),
        find_next_steps(sentences, roles, concepts, language),
        _notes(sentences, concepts, language),
        examples.sha256,
    )


def find_reason(
    sentences: Sequence[Sentence], roles: Mapping[str, str], gist: Concepts, language: str
) -> Quote | None:
    """The sentence that says best why the conversation takes place, None where none does.

    `roles` are those of the speakers.
    """
    early = min(len(sentences), max(ceil(EARLY * len(sentences)), AT_LEAST_EARLY))
    scores = _scores(sentences, roles, gist, "reason", language)[:early]
    return _best(sentences, scores - PLACE * np.linspace(0.0, 1.0, early))


def find_outcome(
    sentences: Sequence[Sentence], roles: Mapping[str, str], gist: Concepts, language: str
) -> Quote | None:
    """The sentence that says best how the matter ended, None where none does. Questions do not."""
    before = int(LATE * len(sentences))
    scores = np.where(_questions(sentences), -np.inf, _scores(sentences, roles, gist, "outcome", language))
    late = scores[before:] + PLACE * np.linspace(0.0, 1.0, len(sentences) - before)
    return _best(sentences, np.concatenate([np.full(before, -np.inf), late]))


def find_next_steps(
    sentences: Sequence[Sentence], roles: Mapping[str, str], gist: Concepts, language: str
) -> tuple[Quote, ...]:
    """The sentences that say what somebody is going to do, in order. Questions do not, nor does a sentence
    without a phrase that commits ("I'll", "you should")."""
    scores = _scores(sentences, roles, gist, "next_steps", language, without_phrase=False)
    scores = np.where(_questions(sentences), -np.inf, scores)
    likeliest = [place for place in np.argsort(-scores, kind="stable")[:STEPS] if np.isfinite(scores[place])]
    return tuple(_quote(sentences, int(place)) for place in sorted(likeliest))


def _scores(
    sentences: Sequence[Sentence],
    roles: Mapping[str, str],
    gist: Concepts,
    part: str,
    language: str,
    *,
    without_phrase: bool = True,
) -> NDArray[np.float64]:
    """How well each sentence does for a part of the gist; minus infinity where it does not at all.

    It does if it is near to an example, nearer than to any counterexample, and has one of the phrases or,
    where that may be, is very near and said by the first of the roles. Without embeddings, phrases decide.
    """
    concept = gist[part]
    words = [words_of(sentence.text) for sentence in sentences]
    said = concept.said_in(language)
    phrase = np.array([bool(said.within(of_sentence)) for of_sentence in words], bool)
    content = np.array([min(len(of_sentence), FULL) / FULL for of_sentence in words])
    fits = np.array([len(of_sentence) >= FEWEST for of_sentence in words], bool)
    fits &= _by_roles(sentences, roles, concept)
    first = {*concept.roles[:1], "unknown"}
    preferred = np.array([roles.get(sentence.speaker) in first for sentence in sentences], bool)
    embeddings = embeddings_of(sentences)
    if embeddings is None:
        near = np.zeros(len(sentences))
        fits &= phrase
    else:
        column = gist.names.index(part)
        near = gist.nearness(embeddings)[:, column].astype(np.float64)
        unlike = gist.nearness_to_counterexamples(embeddings)[:, column]
        alone = (near >= NEAR_ALONE) & preferred & without_phrase
        fits &= (near > unlike) & (near >= NEAR) & (phrase | alone)
    return np.where(fits, near + PHRASE * phrase + CONTENT * content + PREFERRED * preferred, -np.inf)


def _by_roles(sentences: Sequence[Sentence], roles: Mapping[str, str], concept: Concept) -> NDArray[np.bool_]:
    """Whether each is said by one of the concept's roles, or by somebody whose role is not known."""
    return np.array(
        [roles.get(sentence.speaker, "unknown") in {*concept.roles, "unknown"} for sentence in sentences],
        bool,
    )


def _questions(sentences: Sequence[Sentence]) -> NDArray[np.bool_]:
    return np.array([sentence.question for sentence in sentences], bool)


def _best(sentences: Sequence[Sentence], scores: NDArray[np.float64]) -> Quote | None:
    if not len(scores) or not np.isfinite(scores.max()):
        return None
    return _quote(sentences, int(scores.argmax()))


def _quote(sentences: Sequence[Sentence], place: int) -> Quote:
    return Quote(sentences[place].turn, place, sentences[place].text)


def _notes(sentences: Sequence[Sentence], concepts: Concepts, language: str) -> Mapping[str, str]:
    if not sentences or embeddings_of(sentences) is not None:
        return {}
    notes = {"topic": "Left out: topics are found by the embeddings of sentences, and there are none."}
    for part in GIST_PARTS:
        notes[part] = (
            "Found by phrases alone: there are no embeddings of sentences."
            if language in concepts[part].phrases
            else f"Left out: there are neither embeddings of sentences nor phrases in {language}."
        )
    return notes
