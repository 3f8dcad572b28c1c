"""The gist of a call is made of sentences that were said, and where none fits there is none."""

from dataclasses import replace

import pytest
from dialogues import Dialogue, dialogues, lines, read_all, read_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.embedder import Embedder
from models.loaded import LoadedModels
from pipelines.analytics.examples import SHIPPED, Examples, examples_in
from pipelines.analytics.gist import STEPS, find_gist
from pipelines.analytics.topics import LISTED, MARGIN, topic_of
from pipelines.settings import Kind
from pipelines.tables import UNSURE
from pipelines.transcript import Gist, Quote, Reading, Speaker, Topic

CARD = lines("""
    A: Hello, this is Harbour Bank, my name is Elizabeth. How can I help you today?
    B: Hi, my name is Patricia Brown. I lost my debit card.
    A: I'm sorry to hear that. May I have your account number?
    B: It's 4 4 7 1.
    A: Thank you. Your new card has been ordered.
    B: When will it come?
    A: You will receive it by post within five days. Is there anything else I can help you with?
    B: No, that was all. Goodbye.
    """)

BACK = lines("""
    A: What brought you in today?
    B: I've been having pain in my lower back for two weeks.
    A: Any fever? Any chest pain?
    B: No, nothing like that.
    A: It sounds like you have strained a muscle. I'd like you to take ibuprofen for five days.
    B: Okay, thank you.
    """)


@pytest.fixture(scope="module")
def embedder(loaded: LoadedModels) -> Embedder:
    assert loaded.embedder is not None, "The tests need: callfolio models pull --profile tiny"
    return loaded.embedder


@pytest.fixture(scope="module")
def examples(embedder: Embedder) -> Examples:
    return examples_in(SHIPPED, embedder)


@pytest.fixture(scope="module")
def readings(embedder: Embedder) -> dict[str, Reading]:
    return read_all(dialogues("held_out"), embedder)


def people(*roles: str) -> tuple[Speaker, ...]:
    return tuple(Speaker(name, role, 0.9, 0, ()) for name, role in zip("AB", roles, strict=False))


def text_of(quote: Quote | None) -> str | None:
    return None if quote is None else quote.text


def test_a_call_has_its_topic_its_reason_its_outcome_and_its_next_steps(
    embedder: Embedder, examples: Examples
) -> None:
    reading = read_lines(CARD, "en", embedder)
    gist = find_gist(people("agent", "customer"), reading, "contact_center", "en", examples)
    assert topic_of(gist.topics or ()) == "lost_or_stolen_card"
    assert text_of(gist.reason) == "I lost my debit card."
    assert text_of(gist.outcome) == "Your new card has been ordered."
    assert [step.text for step in gist.next_steps] == ["You will receive it by post within five days."]
    assert (gist.notes, gist.examples_sha256) == ({}, examples.sha256)


def test_a_consultation_has_them_too(embedder: Embedder, examples: Examples) -> None:
    reading = read_lines(BACK, "en", embedder)
    gist = find_gist(people("doctor", "patient"), reading, "consultation", "en", examples)
    assert topic_of(gist.topics or ()) == "back_pain"
    assert text_of(gist.reason) == "I've been having pain in my lower back for two weeks."
    assert text_of(gist.outcome) == "It sounds like you have strained a muscle."
    assert [step.text for step in gist.next_steps] == ["I'd like you to take ibuprofen for five days."]


def test_small_talk_has_none_of_it(embedder: Embedder, examples: Examples) -> None:
    talk = lines(
        "A: Hello, how are you?\nB: Fine, thank you. And you?\nA: It was raining all day here.\nB: Oh no."
    )
    gist = find_gist(
        people("agent", "customer"), read_lines(talk, "en", embedder), "contact_center", "en", examples
    )
    assert (topic_of(gist.topics or ()), gist.reason, gist.outcome, gist.next_steps) == (
        UNSURE,
        None,
        None,
        (),
    )


def test_without_embeddings_phrases_find_what_they_can_and_it_is_noted() -> None:
    gist = find_gist(people("agent", "customer"), read_lines(CARD), "contact_center", "en", examples_in())
    assert (gist.topics, text_of(gist.reason)) == (None, "I lost my debit card.")
    assert (
        gist.notes["topic"]
        == "Left out: topics are found by the embeddings of sentences, and there are none."
    )
    assert gist.notes["reason"] == "Found by phrases alone: there are no embeddings of sentences."


def test_a_language_with_neither_has_nothing_and_says_so() -> None:
    reading = read_lines(lines("A: Dzień dobry.\nB: Zgubiłem moją kartę płatniczą."), "pl")
    gist = find_gist(people("agent", "customer"), reading, "contact_center", "pl", examples_in())
    assert gist == Gist(None, None, None, (), gist.notes, examples_in().sha256)
    assert set(gist.notes) == {"topic", "reason", "outcome", "next_steps"}
    assert gist.notes["outcome"].startswith("Left out: there are neither")


def test_a_call_without_a_word_has_nothing_and_lacks_nothing(examples: Examples) -> None:
    gist = find_gist((), Reading((), (), (), {}), "contact_center", "en", examples)
    assert (gist.reason, gist.outcome, gist.next_steps, gist.notes) == (None, None, (), {})


@pytest.mark.parametrize(
    ("topics", "topic"),
    [
        ((), UNSURE),
        ((Topic("a", 0.6),), "a"),
        ((Topic("a", 0.6), Topic("b", 0.6 - 2 * MARGIN)), "a"),
        ((Topic("a", 0.6), Topic("b", 0.6 - MARGIN / 2)), UNSURE),
    ],
)
def test_a_topic_is_sure_where_it_leads_clearly(topics: tuple[Topic, ...], topic: str) -> None:
    assert topic_of(topics) == topic


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(dialogues("held_out")),
    st.lists(st.sampled_from(["agent", "customer", "doctor", "patient", "unknown", "other"]), min_size=3),
    st.sampled_from(["contact_center", "consultation"]),
    st.booleans(),
)
def test_whatever_is_said_by_whomever_is_quoted_word_for_word(
    readings: dict[str, Reading],
    examples: Examples,
    dialogue: Dialogue,
    roles: list[str],
    kind: Kind,
    embedded: bool,
) -> None:
    speakers = tuple(
        replace(speaker, role=role) for speaker, role in zip(dialogue.speakers(), roles, strict=False)
    )
    reading = readings[dialogue.name] if embedded else read_lines(dialogue.lines, dialogue.language)
    gist = find_gist(speakers, reading, kind, dialogue.language, examples)
    quotes = [quote for quote in (gist.reason, gist.outcome, *gist.next_steps) if quote is not None]
    for quote in quotes:
        sentence = reading.sentences[quote.sentence]
        assert (quote.turn, quote.text) == (sentence.turn, sentence.text)
    assert len(gist.next_steps) <= STEPS
    assert [step.sentence for step in gist.next_steps] == sorted({step.sentence for step in gist.next_steps})
    if gist.topics is not None:
        scores = [topic.score for topic in gist.topics]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) <= LISTED
