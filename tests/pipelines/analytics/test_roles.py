"""Roles are found from what is said and how, whoever speaks first and whatever the speakers are called."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dialogues import Dialogue, dialogues, lines, read_all, read_lines, strangers
from hypothesis import given, settings
from hypothesis import strategies as st

from models.embedder import Embedder
from models.loaded import LoadedModels
from pipelines.analytics.examples import SHIPPED, Examples, examples_in
from pipelines.analytics.roles import MOST, MOST_WITHOUT_EMBEDDINGS, find_roles, recognise_kind
from pipelines.evaluation.document import Document
from pipelines.evaluation.formats.stm import read_stm
from pipelines.evaluation.formats.tsv import read_tsv
from pipelines.transcript import ROLE_GIVEN, Reading, Speaker

EVERY = [dialogue for name in ("design", "held_out", "last") for dialogue in dialogues(name)]


@pytest.fixture(scope="module")
def embedder(loaded: LoadedModels) -> Embedder:
    assert loaded.embedder is not None, "The tests need: callfolio models pull --profile tiny"
    return loaded.embedder


@pytest.fixture(scope="module")
def examples(embedder: Embedder) -> Examples:
    return examples_in(SHIPPED, embedder)


@pytest.fixture(scope="module")
def readings(embedder: Embedder) -> dict[str, Reading]:
    return read_all(EVERY, embedder)


def roles_in(people: tuple[Speaker, ...]) -> dict[str, str]:
    return {person.name: person.role for person in people}


def verdicts(
    several: tuple[Dialogue, ...], readings: dict[str, Reading], examples: Examples
) -> Iterator[tuple[str, bool, float]]:
    """For each speaker the role found, whether it is right, and how sure it is."""
    for dialogue in several:
        reading = readings[dialogue.name]
        people = find_roles(dialogue.speakers(), reading, dialogue.kind, dialogue.language, examples)
        for person in people:
            yield person.role, person.role == dialogue.roles[person.name], person.role_confidence


def without_embeddings(readings: dict[str, Reading]) -> dict[str, Reading]:
    return {
        name: replace(
            reading, sentences=tuple(replace(sentence, embedding=None) for sentence in reading.sentences)
        )
        for name, reading in readings.items()
    }


@pytest.mark.parametrize(("name", "share"), [("design", 1.0), ("held_out", 0.97), ("last", 0.9)])
def test_roles_are_right_in_dialogues_of_many_kinds(
    name: str, share: float, readings: dict[str, Reading], examples: Examples
) -> None:
    found = list(verdicts(dialogues(name), readings, examples))
    assert sum(right for _, right, _ in found) / len(found) >= share
    assert all(confidence <= MOST for *_, confidence in found)


def test_without_embeddings_most_are_right_and_none_is_very_sure(readings: dict[str, Reading]) -> None:
    found = list(verdicts(tuple(EVERY), without_embeddings(readings), examples_in()))
    assert sum(right for _, right, _ in found) / len(found) >= 0.88
    assert all(confidence <= MOST_WITHOUT_EMBEDDINGS for *_, confidence in found)


def test_no_role_that_is_found_is_as_certain_as_one_that_was_given() -> None:
    # That `MOST` is the most is seen above.
    assert max(MOST, MOST_WITHOUT_EMBEDDINGS) < ROLE_GIVEN


def test_who_is_sure_is_right(readings: dict[str, Reading], examples: Examples) -> None:
    found = list(verdicts(tuple(EVERY), readings, examples))
    assert all(right for _, right, confidence in found if confidence >= 0.9)
    assert all((role == "unknown") == (confidence == 0.0) for role, _, confidence in found)


def test_it_does_not_take_the_first_turn(embedder: Embedder, examples: Examples) -> None:
    pairs = [each for each in dialogues("design") if len(each.roles) == 2 and len(each.lines) > 6]
    cut = [replace(dialogue, lines=dialogue.lines[1:]) for dialogue in pairs]
    readings = read_all(cut, embedder)
    for dialogue in cut:
        people = find_roles(
            dialogue.speakers(), readings[dialogue.name], dialogue.kind, dialogue.language, examples
        )
        assert roles_in(people) == dialogue.roles, dialogue.name


def test_the_kind_is_recognised(readings: dict[str, Reading], examples: Examples) -> None:
    for dialogue in EVERY:
        kind = recognise_kind(dialogue.speakers(), readings[dialogue.name], dialogue.language, examples)
        assert kind == dialogue.kind, dialogue.name


def test_a_role_that_is_known_tells_the_kind(readings: dict[str, Reading], examples: Examples) -> None:
    known = (Speaker("A", "doctor", 1.0, 1, ()), *strangers("B"))
    assert recognise_kind(known, readings["bank_debit_card"], "en", examples) == "consultation"


def test_a_role_that_is_known_stays_and_leaves_the_other_side_to_the_other(
    readings: dict[str, Reading], examples: Examples
) -> None:
    given_wrongly = Speaker("A", "customer", 1.0, 1, ())
    people = find_roles(
        (given_wrongly, *strangers("B")), readings["hotel_reservation"], "contact_center", "en", examples
    )
    assert people[0] == given_wrongly
    assert people[1].role in ("agent", "unknown")


def test_words_of_nobody_have_no_role(readings: dict[str, Reading], examples: Examples) -> None:
    reading = readings["bank_debit_card"]
    people = find_roles(strangers("A", "B", "UNKNOWN", "C"), reading, "contact_center", "en", examples)
    assert roles_in(people) == {"A": "agent", "B": "customer", "UNKNOWN": "unknown", "C": "unknown"}
    assert people[2].role_confidence == people[3].role_confidence == 0.0


@pytest.mark.parametrize("text", ["A: Yes.\nB: Okay.", "A: Hello?\nB: Hello?", "A: Mm-hm."])
def test_too_little_evidence_is_unknown(text: str, embedder: Embedder, examples: Examples) -> None:
    reading = read_lines(lines(text), "en", embedder)
    people = find_roles(strangers("A", "B"), reading, "contact_center", "en", examples)
    assert set(roles_in(people).values()) == {"unknown"}


def test_a_language_without_phrases_is_not_guessed(examples: Examples) -> None:
    reading = read_lines(lines("A: Dzień dobry, tu Anna.\nB: Dzień dobry, zgubiłem kartę."), "pl")
    people = find_roles(strangers("A", "B"), reading, "contact_center", "pl", examples)
    assert set(roles_in(people).values()) == {"unknown"}


@settings(max_examples=25)
@given(st.data())
def test_names_and_their_order_do_not_matter(data: st.DataObject) -> None:
    dialogue = data.draw(st.sampled_from([each for each in EVERY if len(each.roles) == 2]))
    reading = read_lines(dialogue.lines, dialogue.language)
    swapped = {"A": "B", "B": "A"}
    other = replace(
        reading, sentences=tuple(replace(s, speaker=swapped[s.speaker]) for s in reading.sentences)
    )
    one = find_roles(strangers("A", "B"), reading, dialogue.kind, dialogue.language, examples_in())
    two = find_roles(strangers("A", "B"), other, dialogue.kind, dialogue.language, examples_in())
    assert {person.name: (person.role, person.role_confidence) for person in one} == {
        swapped[person.name]: (person.role, person.role_confidence) for person in two
    }


def test_real_calls_have_the_roles_of_their_references(
    corpus: Path, embedder: Embedder, examples: Examples
) -> None:
    calls = [call for path in sorted(corpus.glob("bank_calls/reference/*.stm")) for call in read_stm(path)]
    calls += [
        call for path in sorted(corpus.glob("consultations/reference/*.tsv")) for call in read_tsv(path)
    ]
    assert calls
    spoken = [Dialogue(call.call, "contact_center", "en", dict(call.roles), lines_of(call)) for call in calls]
    readings = read_all(spoken, embedder)
    for dialogue in spoken:
        people, reading = dialogue.speakers(), readings[dialogue.name]
        kind = recognise_kind(people, reading, "en", examples)
        assert roles_in(find_roles(people, reading, kind, "en", examples)) == dialogue.roles, dialogue.name


def lines_of(call: Document) -> tuple[tuple[str, str], ...]:
    """Consecutive words of one speaker as one line."""
    said: list[tuple[str, str]] = []
    for word in call.words or ():
        assert word.speaker is not None
        if said and said[-1][0] == word.speaker:
            said[-1] = (word.speaker, f"{said[-1][1]} {word.text}")
        else:
            said.append((word.speaker, word.text))
    return tuple(said)
