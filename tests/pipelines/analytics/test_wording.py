"""Phrases are found as users write them, whatever the case and punctuation of what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.analytics.wording import Phrases, words_of


def test_words_are_in_lower_case_and_keep_their_apostrophes() -> None:
    assert words_of("What’s up, Dr. No? Puis-je…") == ["what's", "up", "dr", "no", "puis", "je"]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("how can i help", "So, HOW can I help?", True),
        ("how can i help", "How can I really help?", False),
        ("help", "That was helpful.", False),
        ("help*", "That was helpful.", True),
        ("my name is * from", "My name is Ann from Acme.", True),
        ("my name is * from", "My name is Mary Ann Lee from Acme.", True),
        ("my name is * from", "My name is from.", False),
        ("my name is * from", "My name is not one that I got from her.", False),
        ("what's your", "What’s your number?", True),
        ("puis-je", "Comment puis-je vous aider ?", True),
        ("press 1", "Press 1.", True),
        ("press 1", "Press 12.", False),
        ("(.*", "anything", False),
    ],
)
def test_a_phrase_is_found_word_by_word(phrase: str, text: str, found: bool) -> None:
    assert Phrases([phrase]).within(words_of(text)) == ({phrase} if found else frozenset())


def test_each_phrase_that_is_there_is_found() -> None:
    phrases = Phrases(["thank you", "for calling", "thank you for", "good morning"])
    assert phrases.within(words_of("Thank you for calling.")) == {"thank you", "for calling", "thank you for"}
    assert Phrases().within(words_of("Thank you")) == frozenset()


@given(st.lists(st.text(st.characters(categories=["Ll"]), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_words_are_found_among_themselves(words: list[str]) -> None:
    text = " ".join(words)
    assert Phrases([text]).within(words_of(f"Well, {text}!")) == ({text} if words_of(text) else frozenset())
