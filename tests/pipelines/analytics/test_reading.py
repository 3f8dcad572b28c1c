"""Turns are read as text, and all that is found lies in them, in text and in time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_calls import said, words

from models.language import Span
from models.loaded import LoadedModels
from models.parser import Parser
from models.sentiment import SentimentModel
from models.speech import Interval
from pipelines.analytics.reading import read, when
from pipelines.transcript import Entity, Reading, Sentence, Turn, Word
from pipelines.turns import make_turns

GREETING = "Thank you for calling. I'm Laura. How can I help?"
PROBLEM = "I lost my debit card on Monday, this is terrible. It ends in 5-5-2-1."


def turn(text: str, start: float = 0.0, speaker: str = "S1") -> Turn:
    """Each word takes half a second, and as long passes before the next."""
    return Turn(
        tuple(
            said(start + place, start + place + 0.5, speaker, word) for place, word in enumerate(text.split())
        )
    )


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


@pytest.fixture(scope="module")
def sentiment() -> SentimentModel:
    return SentimentModel()


@pytest.fixture(scope="module")
def reading(loaded: LoadedModels) -> Reading:
    assert loaded.embedder is not None, "The tests need: callfolio models pull --profile tiny"
    turns = [turn(GREETING), turn(PROBLEM, 20.0, "S2")]
    return read(turns, "en", loaded.parser, loaded.sentiment, loaded.embedder)


def test_sentences_have_their_turn_their_text_and_their_time(reading: Reading) -> None:
    assert [
        (s.turn, s.speaker, s.text, s.start_char, s.start, s.end, s.question) for s in reading.sentences
    ] == [
        (0, "S1", "Thank you for calling.", 0, 0.0, 3.5, False),
        (0, "S1", "I'm Laura.", 23, 4.0, 5.5, False),
        (0, "S1", "How can I help?", 34, 6.0, 9.5, True),
        (1, "S2", "I lost my debit card on Monday, this is terrible.", 0, 20.0, 29.5, False),
        (1, "S2", "It ends in 5-5-2-1.", 50, 30.0, 33.5, False),
    ]
    assert reading.sentences[3].lemmas == (
        "i", "lose", "my", "debit", "card", "on", "monday", "this", "be", "terrible"
    )  # fmt: skip


def test_sentences_have_a_sentiment_and_a_meaning(reading: Reading, loaded: LoadedModels) -> None:
    thanks, name, _, problem, _ = reading.sentences
    assert thanks.sentiment is not None
    assert problem.sentiment is not None
    assert problem.sentiment < name.sentiment == 0.0 < thanks.sentiment  # type: ignore[operator]
    assert loaded.embedder is not None
    asked = loaded.embedder.embed(["My bank card is gone.", "Thanks for your call."])
    assert problem.embedding is not None
    assert thanks.embedding is not None
    assert asked[0] @ problem.embedding > asked[0] @ thanks.embedding
    assert asked[1] @ thanks.embedding > asked[1] @ problem.embedding


def test_entities_have_their_text_and_the_time_of_their_words(reading: Reading) -> None:
    assert [(e.turn, e.kind, e.text, e.start_char, e.start, e.end, e.detector) for e in reading.entities] == [
        (0, "person", "Laura", 27, 5.0, 5.5, "spacy"),
        (1, "date", "Monday", 24, 26.0, 26.5, "spacy"),
        (1, "digits", "5-5-2-1", 61, 33.0, 33.5, "rules"),
    ]


def test_key_phrases_are_by_turn_and_nothing_is_noted_where_nothing_is_lacking(reading: Reading) -> None:
    assert reading.key_phrases == ((), ("debit card",))
    assert reading.notes == {}


def test_what_a_language_has_no_model_for_is_left_out_and_noted(loaded: LoadedModels) -> None:
    spanish = turn("¿Qué tal? Son 20 euros, ana@example.com")
    found = read([spanish], "es", loaded.parser, loaded.sentiment, loaded.embedder)
    assert [(s.text, s.question, s.sentiment, s.embedding) for s in found.sentences] == [
        ("¿Qué tal?", True, None, None),
        ("Son 20 euros, ana@example.com", False, None, None),
    ]
    assert [entity.kind for entity in found.entities] == ["money", "email"]
    assert found.key_phrases == ((),)
    assert set(found.notes) == {
        "lemmas", "entities", "key_phrases", "questions", "sentiment", "embedding"
    }  # fmt: skip
    assert all(note.endswith(".") for note in found.notes.values())


def test_without_the_model_of_meanings_there_are_none_and_the_note_says_what_to_do(
    parser: Parser, sentiment: SentimentModel
) -> None:
    found = read([turn(GREETING)], "en", parser, sentiment, None)
    assert [sentence.embedding for sentence in found.sentences] == [None] * 3
    assert list(found.notes) == ["embedding"]
    assert "callfolio models pull" in found.notes["embedding"]


def test_a_call_without_words_is_read_too(parser: Parser, sentiment: SentimentModel) -> None:
    assert read([], "en", parser, sentiment, None).sentences == ()


def test_a_stretch_is_said_from_the_first_to_the_last_word_that_it_touches() -> None:
    spoken = turn("My card is gone.")
    assert when(spoken, Span(4, 9)) == Interval(1.0, 2.5)
    assert when(spoken, Span(0, 16)) == Interval(0.0, 3.5)


@settings(max_examples=40)
@given(words(), st.sampled_from(["en", "es", "ja"]))
def test_whatever_is_said_all_that_is_found_lies_in_its_turn(
    parser: Parser, sentiment: SentimentModel, spoken: tuple[Word, ...], language: str
) -> None:
    turns = make_turns(spoken)
    found = read(turns, language, parser, sentiment, None)
    assert len(found.key_phrases) == len(turns)
    parts: list[Sentence | Entity] = [*found.sentences, *found.entities]
    for part in parts:
        whole = turns[part.turn]
        assert part.text == whole.text[part.start_char : part.end_char]
        assert part.text.strip() == part.text != ""
        assert part.speaker == whole.speaker
        assert whole.start <= part.start <= part.end <= whole.end
    written = [sentence.text for sentence in found.sentences]
    assert "".join("".join(written).split()) == "".join("".join(turn.text for turn in turns).split())
