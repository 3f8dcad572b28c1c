"""The small words of conversation, by language: filled pauses, backchannels, announcements of a hold."""

import re
from collections.abc import Mapping
from typing import Final

_RUN = re.compile(r"([^\W\d_])\1+")
_GAPS = re.compile(r"[\W_]+")


def spoken(text: str) -> str:
    """`text` as it is compared: lower case, no punctuation, each run of a letter once ("Ummm," is "um")."""
    return _RUN.sub(r"\1", _GAPS.sub(" ", text.lower()).strip())


def _spoken(phrases: str) -> frozenset[str]:
    return frozenset(spoken(phrase) for phrase in phrases.split("|"))


FILLERS: Final[Mapping[str, frozenset[str]]] = {
    "de": _spoken("äh|ähm|öh|öhm|hm"),
    "en": _spoken("uh|um|uhm|er|erm"),
    "es": _spoken("eh|em|ehm"),
    "fr": _spoken("euh|heu|euhm"),
    "it": _spoken("eh|ehm|em"),
    "nl": _spoken("eh|ehm|uh|uhm"),
    "pt": _spoken("eh|hã|ahn|hum"),
    "ru": _spoken("э|эм|э-э"),
}
"""Filled pauses. English: Clark and Fox Tree 2002, "Using uh and um in spontaneous speaking"; er and erm are
their British spellings. "Like", "you know" and other words with a meaning of their own are none."""

BACKCHANNELS: Final[Mapping[str, frozenset[str]]] = {
    "de": _spoken("mm|hm|mhm|mm-hm|aha|ah|ja|jaja|genau|okay|ok|gut|ach so|klar|stimmt|richtig"),
    "en": _spoken(
        "mm|hm|mm-hm|mhm|uh-huh|aha|ah|oh|yeah|yep|yup|yes|ok|okay|right|all right|alright|sure|i see|got it|"
        "good|great|of course|really|exactly|true|wow"
    ),
    "es": _spoken("mm|hm|mhm|ajá|ah|sí|si|claro|vale|ok|okay|ya|bien|de acuerdo|entiendo|perfecto"),
    "fr": _spoken("mm|hm|mhm|ah|oui|ouais|d'accord|ok|okay|voilà|bien|je vois|exactement"),
    "it": _spoken("mm|hm|mhm|ah|sì|si|certo|ok|okay|va bene|esatto|capisco|giusto"),
    "nl": _spoken("mm|hm|mhm|ah|ja|jaja|oké|ok|okay|precies|goed|klopt"),
    "pt": _spoken("mm|hm|mhm|aham|ah|sim|certo|ok|okay|tá|tá bom|claro|entendi"),
    "ru": _spoken("мм|угу|ага|да|так|хорошо|понятно|ясно|ладно|конечно|окей"),
}
"""What a listener says to keep the other going. English: what is frequent under the tags b (acknowledge),
bk (acknowledge an answer) and ba (appreciate) in Switchboard (Jurafsky et al. 1997, SWBD-DAMSL)."""

HOLD_BEGINS: Final[Mapping[str, frozenset[str]]] = {
    "de": _spoken("einen moment|augenblick|in der leitung|bleiben sie dran"),
    "en": _spoken(
        "please hold|on hold|hold on|hold the line|one moment|a moment|a second|one second|a minute|"
        "one minute|bear with me"
    ),
    "es": _spoken("un momento|en espera|un segundo|no cuelgue"),
    "fr": _spoken("un instant|ne quittez pas|en attente|patienter"),
}
"""How a hold is announced, by whom it was who spoke last before it."""

HOLD_ENDS: Final[Mapping[str, frozenset[str]]] = {
    "de": _spoken("fürs warten|für das warten|für ihre geduld"),
    "en": _spoken("for holding|for waiting|for your patience|for bearing with"),
    "es": _spoken("por esperar|por la espera|por su paciencia"),
    "fr": _spoken("avoir patienté|pour votre patience"),
}
"""What is said when a hold is over."""


def is_backchannel(text: str, language: str) -> bool:
    """Whether `text` is nothing but one or more of the language's backchannels."""
    known = BACKCHANNELS.get(language, frozenset())
    words = spoken(text).split()
    start = 0
    while start < len(words):
        # The longest phrase first: "all right" before a lone "all".
        for end in range(min(len(words), start + 2), start, -1):
            if " ".join(words[start:end]) in known:
                start = end
                break
        else:
            return False
    return bool(words)


def mentions(text: str, phrases: frozenset[str]) -> bool:
    """Whether one of `phrases`, as `spoken` writes them, is said in `text`, word for word."""
    said = f" {spoken(text)} "
    return any(f" {phrase} " in said for phrase in phrases)
