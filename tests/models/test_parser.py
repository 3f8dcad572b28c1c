"""Texts are read into sentences, words and entities, whose offsets slice the text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.language import ParsedText, Span
from models.parser import Parser


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


GREETING = "Hello, this is Dr. Lewis from the Park Street Clinic. I've called about your knees."


def test_english_is_read_by_a_model(parser: Parser) -> None:
    [read] = parser.parse([GREETING], "en")
    assert read.modelled
    assert [span.of(GREETING) for span in read.sentences] == [
        "Hello, this is Dr. Lewis from the Park Street Clinic.",
        "I've called about your knees.",
    ]
    assert [(e.label, e.of(GREETING)) for e in read.entities] == [
        ("PERSON", "Lewis"),
        ("ORG", "the Park Street Clinic"),
    ]
    assert "your knees" in [span.of(GREETING) for span in read.noun_phrases]
    assert [token.lemma for token in read.by_sentence[1] if token.is_word] == [
        "i", "have", "call", "about", "your", "knee",
    ]  # fmt: skip


def test_other_languages_are_read_by_rules_and_say_so(parser: Parser) -> None:
    text = "Hola, ¿qué tal? Soy la señora García."
    [read] = parser.parse([text], "es")
    assert not read.modelled
    assert [span.of(text) for span in read.sentences] == ["Hola, ¿qué tal?", "Soy la señora García."]
    assert [token.lemma for token in read.by_sentence[1] if token.is_word] == [
        "soy",
        "la",
        "señora",
        "garcía",
    ]
    assert read.entities == ()
    assert read.noun_phrases == ()


@pytest.mark.parametrize("language", ["ja", "th", "ko", "yue", "haw"])
def test_languages_whose_tokenizer_wants_a_dictionary_are_read_all_the_same(
    parser: Parser, language: str
) -> None:
    [read] = parser.parse(["一 二 。 三 !"], language)
    assert [span.of(read.text) for span in read.sentences] == ["一 二 。", "三 !"]


def _check(read: ParsedText, text: str) -> None:
    assert read.text == text
    for token in read.tokens:
        assert token.of(text) == token.text
    for spans in (read.sentences, read.tokens):
        previous = Span(0, 0)
        for span in spans:
            assert previous.end <= span.start < span.end
            assert span.of(text) == span.of(text).strip()
            previous = span
    for span in (*read.noun_phrases, *read.entities):
        assert 0 <= span.start < span.end <= len(text)
    assert [token for tokens in read.by_sentence for token in tokens] == list(read.tokens)
    covered = set().union(*(range(span.start, span.end) for span in read.sentences))
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)


@settings(max_examples=60)
@example(["", " ", "\n", "a\u0301 \u200b.", " \U0001f469\u200d\U0001f680 ok. "], "en")
@given(st.lists(st.text(max_size=60), max_size=5), st.sampled_from(["en", "es", "zh", "ja"]))
def test_any_text_is_read_and_every_offset_slices_it(parser: Parser, texts: list[str], language: str) -> None:
    read = parser.parse(texts, language)
    assert len(read) == len(texts)
    for one, text in zip(read, texts, strict=True):
        _check(one, text)
