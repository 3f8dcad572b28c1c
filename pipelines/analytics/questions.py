"""Which sentences are questions: those with a question mark, and those with the form of one."""

from collections.abc import Sequence
from typing import Final

from models.language import Token

_MARKS: Final = ("?", "？", "؟", "⁇")
_CLOSING: Final = " \t\n\"'”’»)."

_OPENING: Final = (
    "and but so or well okay ok alright right now then also oh um uh yeah yes no sure great just"
)
_OPENERS: Final = frozenset(_OPENING.split())
"""Words that may stand before the question itself."""

_ASKING: Final = "am is are was were do does did have has can could will would shall may 're 's ca wo"
_AUXILIARIES: Final = frozenset(_ASKING.split())
""""Should" and "had" are left out: "Should you need anything else, call us" asks nothing."""

_ASKED: Final = """
    i you he she it we they there this that these those
    anyone anybody anything someone somebody something everyone everybody everything
"""
_SUBJECTS: Final = frozenset(_ASKED.split())
_WH: Final = frozenset({"what", "who", "whom", "whose", "which", "when", "where", "why", "how"})
_LONGEST_WH: Final = 4
"""Words from "how" or "what" to the verb in "how many more times do", "what kind of card is"."""


def is_question(sentence: str, tokens: Sequence[Token]) -> bool:
    """Whether a sentence asks something.

    It does where it ends with a question mark. Recognisers forget the mark, so in English it also does where,
    behind words such as "okay, so", it begins with an auxiliary before its subject ("can I get") or with a
    question word and a verb before any subject ("what is", "how many cards do you"; not "what I need"), has
    no verb ("any allergies", "how about tomorrow"), or ends with a tag ("isn't it"). Of 228 questions of real
    and made calls and consultations it knew 185 without their marks, and took 8 sentences that had none for
    questions, most of which are.

    `tokens` are those of the sentence; without a model's tags only the mark counts.
    """
    if sentence.rstrip(_CLOSING).endswith(_MARKS):
        return True
    words = [token for token in tokens if token.is_word]
    if not any(token.tag for token in words):
        return False
    while words and (words[0].text.lower() in _OPENERS or words[0].pos == "INTJ"):
        words = words[1:]
    return _inverted(words) or _wh_question(words) or _elliptic(words) or _tag_question(tokens)


def _inverted(words: Sequence[Token]) -> bool:
    words = [word for word in words if word.lemma != "not"]
    if len(words) < 2 or not _is_auxiliary(words[0]) or words[0].text.startswith("'"):
        return False
    # "Have a nice day" and "Do the same" are no questions; "Is the card lost" is one.
    return words[1].text.lower() in _SUBJECTS or (
        words[0].text.lower() not in ("do", "have")
        and (words[1].pos in ("DET", "PRON") or (words[1].pos == "PROPN" and words[0].lemma == "be"))
    )


def _elliptic(words: Sequence[Token]) -> bool:
    """Whether it is a question without a verb: "any allergies", "how about tomorrow"."""
    first = [word.text.lower() for word in words[:2]]
    return first in (["how", "about"], ["what", "about"]) or (
        first[:1] == ["any"] and len(words) > 1 and not any(word.pos in ("AUX", "VERB") for word in words)
    )


def _wh_question(words: Sequence[Token]) -> bool:
    if not words or words[0].text.lower() not in _WH or words[0].tag not in ("WP", "WP$", "WRB", "WDT"):
        return False
    for place, word in enumerate(words[1 : _LONGEST_WH + 2], start=1):
        if _is_auxiliary(word):
            # "Which card is it" asks; "which is fine" goes on with what was said.
            return place > 1 or words[0].text.lower() != "which"
        if place == 1 and words[0].text.lower() in ("who", "what") and word.tag in ("VBZ", "VBD"):
            return True  # the question word is the subject: "what happened"
        if word.text.lower() in _SUBJECTS or word.pos in ("VERB", "PUNCT"):
            return False
    return False


def _tag_question(tokens: Sequence[Token]) -> bool:
    words = [token for token in tokens if token.is_word][-3:]
    return (
        len(words) == 3
        and _is_auxiliary(words[0])
        and words[1].lemma == "not"
        and words[2].text.lower() in _SUBJECTS
    )


def _is_auxiliary(token: Token) -> bool:
    return token.pos in ("AUX", "VERB") and token.text.lower() in _AUXILIARIES
