"""Who is the agent and who the customer, who the doctor and who the patient.

What is given, by a channel map or metadata, holds. Else several independent cues are added up as log-odds:
what each speaker's sentences mean, by the nearest example sentence of each role; what is said in so many
words; who asks; whose things are spoken of; who dictates details; who speaks first. No cue decides alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.language import Embeddings
from pipelines.analytics.examples import Concept, Concepts, Examples
from pipelines.analytics.wording import words_of
from pipelines.settings import Kind
from pipelines.tables import UNKNOWN
from pipelines.transcript import Reading, Sentence, Speaker

SIDES: Final[Mapping[Kind, tuple[str, str]]] = {
    "contact_center": ("agent", "customer"),
    "consultation": ("doctor", "patient"),
}
"""For each kind who serves, and who is served."""

CUES: Final = ("meaning", "phrases", "questions", "person", "dictation", "first")


@dataclass(frozen=True)
class Weights:
    """Log-odds of serving rather than being served, for one unit of each cue; see `cues_of`."""

    meaning: float
    phrases: float
    questions: float
    person: float
    dictation: float
    first: float

    def of(self, cues: NDArray[np.float64]) -> float:
        """The sum of all cues, weighted."""
        return float(np.dot([getattr(self, cue) for cue in CUES], cues))


WITH_EMBEDDINGS: Final = Weights(0.9, 1.1, 0.8, 0.9, 0.4, 0.2)
WITHOUT_EMBEDDINGS: Final = Weights(0.0, 1.0, 0.8, 0.9, 0.3, 0.2)
"""Fitted by logistic regression (L2 penalty 0.01) to the made dialogues for design in the tests, each whole,
in halves, and without its first turn or two; rounded. There `first` is worth nothing, as callers speak first
as often as not; real agents are mostly first, and it is given a little. Without embeddings the fitted weights
are taken down by a fifth: they were fitted to English, and the phrases of other languages are fewer."""

MEANT: Final = 0.35
"""A sentence less near than this to every example says nothing about a role."""

CLEAR: Final = 0.3
"""A sentence that is so much nearer to one role's examples speaks for it as clearly as any can."""

OWN_AND_OTHERS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    language: (frozenset(own.split()), frozenset(others.split()))
    for language, own, others in (
        ("en", "i i'm i've i'd me my mine myself", "you you're you've you'd you'll your yours"),
        ("es", "yo me mi mis mío mía", "usted ustedes le les su sus"),
        ("fr", "je j'ai me mon ma mes moi", "vous votre vos"),
        ("de", "ich mich mir mein meine meinen meinem meiner", "sie ihnen ihr ihre ihren ihrem ihrer"),
        ("it", "io mi mio mia miei mie", "lei le suo sua suoi sue"),
        ("pt", "eu me meu minha meus minhas", "você senhor senhora seu sua seus suas"),
        ("nl", "ik mij me mijn", "u uw"),
    )
}
"""Words by which a speaker speaks of himself or herself, and by which of the one spoken to. "We" is
in neither: companies say it, and couples."""

_QUESTIONS_AS_USUAL: Final = 0.25
"""Share of sentences that are questions, about which neither role is told."""

_SPOKEN_DIGITS: Final = frozenset(
    ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double")
)


KIND_WEIGHTS: Final = (2.0, 1.0)
KIND_MARGIN: Final = 1.0
"""Log-odds of a consultation for a unit of each of `kind_cues_of`, and what they have to exceed."""

ENOUGH: Final = 0.65
"""A role less probable than this is `unknown`."""

MOST: Final = 0.99
MOST_WITHOUT_EMBEDDINGS: Final = 0.9
"""No role that was not given is more certain than this: the cues are not independent, and words mislead."""

THIRD_VOICE: Final = log(9)
"""Log-odds that a third voice needs for a role of its own, as after a transfer; else it is `other`."""

PROMINENCE: Final = 2.0
"""Log-odds of being a side of the conversation for each time that a voice's words are multiplied by e."""

FEW_WORDS: Final = 5
"""A third voice with fewer words than this is `unknown`."""

OTHER_SIDE_GIVEN: Final = 2.0
"""Log-odds that somebody is on one side where somebody else is known to be on the other."""

ANNOUNCING: Final = 0.5
ANNOUNCING_MARGIN: Final = 0.1
"""A sentence is a machine's if it is so near to an announcement, and by so much nearer than to any role of
people; or if it has one of the phrases of announcements."""

ANNOUNCEMENTS_AS_USUAL: Final = 0.4
"""Share of sentences like a machine's above which a voice may be one: agents, too, say "stay on the line"."""

ANNOUNCEMENT: Final = 3.0
"""Log-odds of a machine for a unit of the sentences like a machine's beyond that share, as in `cues_of`."""


def find_roles(
    speakers: Sequence[Speaker], reading: Reading, kind: Kind, language: str, examples: Examples
) -> tuple[Speaker, ...]:
    """The speakers with the roles and their probabilities; those whose role is known keep it.

    The two who make the strongest pair are the sides of the conversation, of whom nobody is sure before the
    other is. A machine's voice is `ivr`, wherever it is heard. Third voices are `other` unless what they say
    is one side's clearly, as that of a second agent is. Somebody alone is judged by what is said alone.
    """
    roles, serving, sentences = examples.roles[kind], SIDES[kind], reading.sentences
    said = {speaker.name: [s for s in sentences if s.speaker == speaker.name] for speaker in speakers}
    known = {speaker.name: speaker.role for speaker in speakers if speaker.role != "unknown"}
    heard = [name for name in said if said[name] and name not in known and name != UNKNOWN]
    found: dict[str, tuple[str, float]] = {}
    embedded = embeddings_of(sentences) is not None
    weights = WITH_EMBEDDINGS if embedded else WITHOUT_EMBEDDINGS
    for name in heard:
        if (probability := _sigmoid(_announcing(said[name], examples, kind, language))) > 0.5:
            found[name] = ("ivr", probability)
    people = [name for name in heard if name not in found]
    first = next((s.speaker for s in sentences if s.speaker in {*people, *known}), "")
    odds = {
        name: weights.of(cues_of(said[name], roles, language, len(people) > 1 and name == first))
        for name in people
    }
    words = {name: sum(len(words_of(s.text)) for s in said[name]) for name in people}
    found |= _sides(odds, words, set(known.values()), serving)
    for name in people:
        if name not in found:
            found[name] = _third(odds[name], serving) if words[name] >= FEW_WORDS else ("unknown", 0.0)
    most = MOST if embedded else MOST_WITHOUT_EMBEDDINGS
    return tuple(
        replace(speaker, role=found[speaker.name][0], role_confidence=min(found[speaker.name][1], most))
        if speaker.name in found
        else speaker
        for speaker in speakers
    )


def recognise_kind(speakers: Sequence[Speaker], reading: Reading, language: str, examples: Examples) -> Kind:
    """The kind of a conversation: that of a role which is known, else that which what is said is rather like.

    In doubt it is a contact centre's call.
    """
    known = {speaker.role for speaker in speakers}
    for kind, sides in SIDES.items():
        if known & set(sides):
            return kind
    cues = kind_cues_of(reading.sentences, language, examples)
    return "consultation" if float(np.dot(KIND_WEIGHTS, cues)) > KIND_MARGIN else "contact_center"


def kind_cues_of(sentences: Sequence[Sentence], language: str, examples: Examples) -> NDArray[np.float64]:
    """What is said for a consultation (> 0) or a contact centre's call (< 0): by meaning, and by phrases.

    As in `cues_of`, with all roles of a kind taken together.
    """
    words = [words_of(sentence.text) for sentence in sentences]
    consultation, contact_center = examples.roles["consultation"], examples.roles["contact_center"]
    hits = [
        sum(_phrases(words, concept, language) for concept in concepts.concepts)
        for concepts in (consultation, contact_center)
    ]
    embeddings = embeddings_of(sentences)
    meaning = 0.0
    if embeddings is not None:
        near = [of.nearness(embeddings).max(axis=1) for of in (consultation, contact_center)]
        meaning = _tendency(near[0], near[1])
    return np.array([meaning, (hits[0] - hits[1]) / sqrt(sum(hits) + 1)])


def _announcing(sentences: Sequence[Sentence], examples: Examples, kind: Kind, language: str) -> float:
    """Log-odds that a voice is a machine's."""
    phrases = examples.announcement["ivr"].said_in(language)
    like = np.array([bool(phrases.within(words_of(sentence.text))) for sentence in sentences])
    embeddings = embeddings_of(sentences)
    if embeddings is not None:
        near = examples.announcement.nearness(embeddings)[:, 0]
        people = examples.roles[kind].nearness(embeddings).max(axis=1)
        like |= (near >= ANNOUNCING) & (near > people + ANNOUNCING_MARGIN)
    beyond = np.count_nonzero(like) - ANNOUNCEMENTS_AS_USUAL * len(like)
    return ANNOUNCEMENT * float(beyond) / sqrt(len(like))


def _sides(
    odds: Mapping[str, float], words: Mapping[str, int], known: set[str], sides: tuple[str, str]
) -> dict[str, tuple[str, float]]:
    """Who is on which side, for the sides that nobody is known to be on.

    A hypothesis by which the sides are those who speak much counts for more: a voice of a few words is hardly
    a side of the conversation.
    """
    open_sides = [(role, sign) for role, sign in zip(sides, (1, -1), strict=True) if role not in known]
    taken = min(len(open_sides), len(odds))
    if not taken:
        return {}
    if taken == 1 and len(open_sides) == 2:
        [(name, odd)] = odds.items()
        return {name: _role(sides[odd < 0], abs(odd))}
    best = max(
        permutations(odds, taken),
        key=lambda names: sum(
            sign * odds[name] + PROMINENCE * log(words[name] + 1)
            for name, (_, sign) in zip(names, open_sides, strict=True)
        ),
    )
    total = sum(sign * odds[name] for name, (_, sign) in zip(best, open_sides, strict=True))
    prior = OTHER_SIDE_GIVEN if len(open_sides) == 1 else 0.0
    return {name: _role(role, total + prior) for name, (role, _) in zip(best, open_sides, strict=True)}


def _role(role: str, odds: float) -> tuple[str, float]:
    probability = _sigmoid(odds)
    return (role, probability) if probability >= ENOUGH else ("unknown", 0.0)


def _third(odds: float, sides: tuple[str, str]) -> tuple[str, float]:
    chances = {"other": exp(THIRD_VOICE), sides[0]: exp(min(odds, 50.0)), sides[1]: exp(min(-odds, 50.0))}
    role = max(chances, key=lambda name: chances[name])
    return role, chances[role] / sum(chances.values())


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + exp(-max(-50.0, min(50.0, odds))))


def cues_of(
    sentences: Sequence[Sentence], roles: Concepts, language: str, first: bool
) -> NDArray[np.float64]:
    """What one speaker's sentences say for serving (> 0) or being served (< 0), in the order of `CUES`.

    Each cue is a difference of counts over the square root of their number, as a t statistic is, so that it
    grows with the evidence and not without bound: `meaning` sums over sentences how much nearer each is to
    one role's examples, −1 to 1 each; `phrases` counts different phrases of either role; `questions` counts
    questions above the usual share; `person` counts "you" and "your" against "I" and "my"; `dictation`
    counts sentences of digits and letters, which are the served one's; `first` is 1 for who speaks first.
    """
    words = [words_of(sentence.text) for sentence in sentences]
    serves, served = roles.concepts
    meaning = _meaning(sentences, roles)
    hits = [_phrases(words, concept, language) for concept in (serves, served)]
    asked = sum(sentence.question for sentence in sentences) - _QUESTIONS_AS_USUAL * len(sentences)
    own, others = OWN_AND_OTHERS.get(language, (frozenset(), frozenset()))
    spoken = [word for said in words for word in said]
    of_own, of_others = (sum(word in among for word in spoken) for among in (own, others))
    dictated = sum(_is_dictation(said) for said in words)
    return np.array(
        [
            meaning,
            (hits[0] - hits[1]) / sqrt(sum(hits) + 1),
            asked / sqrt(len(sentences) + 1),
            (of_others - of_own) / sqrt(of_own + of_others + 1),
            -dictated / sqrt(dictated + 1),
            float(first),
        ]
    )


def _meaning(sentences: Sequence[Sentence], roles: Concepts) -> float:
    embeddings = embeddings_of(sentences)
    if embeddings is None:
        return 0.0
    near = roles.nearness_by_form(embeddings, np.array([sentence.question for sentence in sentences], bool))
    return _tendency(near[:, 0], near[:, 1])


def _tendency(near: NDArray[np.float32], far: NDArray[np.float32]) -> float:
    """How much nearer sentences are to one thing than to another, over those that are near to either."""
    clear = np.clip((near - far) / CLEAR, -1.0, 1.0) * (np.maximum(near, far) >= MEANT)
    return float(clear.sum() / sqrt(np.count_nonzero(clear) + 1))


def _phrases(words: Sequence[Sequence[str]], concept: Concept, language: str) -> int:
    """How many different phrases of a concept are said."""
    said = concept.said_in(language)
    return len(frozenset[str]().union(*(said.within(of_sentence) for of_sentence in words)))


def embeddings_of(sentences: Sequence[Sentence]) -> Embeddings | None:
    """The sentences' embeddings, shape `(sentences, EMBEDDING_SIZE)`; None where no model made them."""
    vectors = [sentence.embedding for sentence in sentences if sentence.embedding is not None]
    return np.stack(vectors) if vectors and len(vectors) == len(sentences) else None


def _is_dictation(words: Sequence[str]) -> bool:
    """Whether most of a sentence is digits or letters, three at least."""
    spelled = sum(word.isdigit() or len(word) == 1 or word in _SPOKEN_DIGITS for word in words)
    return spelled >= 3 and spelled >= 0.6 * len(words)
