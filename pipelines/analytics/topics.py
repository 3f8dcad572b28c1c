"""What a conversation is about: the topics whose example sentences come nearest to what is said."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.analytics.examples import Concepts
from pipelines.analytics.roles import embeddings_of
from pipelines.tables import UNSURE
from pipelines.transcript import Quote, Sentence, Topic

LIKELY: Final = 0.5
"""A topic that scores less than this is not listed. Sentences on other matters are rarely this near."""

MARGIN: Final = 0.04
"""A topic that leads by less than this over the next is not sure."""

LISTED: Final = 5
"""At most so many topics are listed."""

BY_ROLE: Final[Mapping[str, float]] = {
    "customer": 1.0,
    "patient": 1.0,
    "agent": 0.85,
    "doctor": 0.65,
    "ivr": 0.5,
}
"""How much a sentence counts by who says it: the one who is served knows what it is about. Doctors ask about
much that it is not. Anybody else counts as an agent does."""

LATE: Final = 0.65
"""How much the last sentence counts against the first: what a call is about is said early."""

ELSEWHERE: Final = 0.85
"""How much any other sentence counts against the one that says why the conversation takes place."""


def find_topics(
    sentences: Sequence[Sentence], roles: Mapping[str, str], reason: Quote | None, topics: Concepts
) -> tuple[Topic, ...] | None:
    """The likeliest topics, best first; None where no model embedded the sentences.

    A topic's score, 0 to 1, is the cosine of the sentence and the example that are nearest, times the
    sentence's weight: by who says it, when, and whether it is the `reason`. `roles` are the speakers'.
    """
    embeddings = embeddings_of(sentences)
    if embeddings is None:
        return None
    scores = (topics.nearness(embeddings) * _weights(sentences, roles, reason)[:, None]).max(axis=0)
    best = np.argsort(-scores, kind="stable")[:LISTED]
    return tuple(
        Topic(topics.names[place], float(min(scores[place], 1.0)))
        for place in best
        if scores[place] >= LIKELY
    )


def topic_of(topics: Sequence[Topic]) -> str:
    """The one topic that leads clearly, else `unsure`."""
    if not topics or (len(topics) > 1 and topics[0].score - topics[1].score < MARGIN):
        return UNSURE
    return topics[0].name


def _weights(
    sentences: Sequence[Sentence], roles: Mapping[str, str], reason: Quote | None
) -> NDArray[np.float64]:
    by_role = [BY_ROLE.get(roles.get(sentence.speaker, ""), BY_ROLE["agent"]) for sentence in sentences]
    weights = np.array(by_role) * np.linspace(1.0, LATE, len(sentences))
    if reason is not None:
        weights *= ELSEWHERE
        weights[reason.sentence] = 1.0
    return weights
