"""Example files: those that ship are whole, one's own take their place, and what is wrong is said."""

from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from models.errors import UsageError
from models.language import EMBEDDING_SIZE, Embeddings
from pipelines.analytics.examples import SHIPPED, Concept, Concepts, examples_in


class Counting:
    """Stands for the model: each text has a direction of its own, and texts are counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Embeddings:
        self.texts += texts
        return np.array([np.eye(EMBEDDING_SIZE, dtype=np.float32)[len(text) % 7] for text in texts])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("roles", "topics", "gist"):
        copytree(SHIPPED / part, tmp_path / part)
    return tmp_path


def test_the_shipped_examples_have_each_role_and_useful_topics() -> None:
    examples = examples_in()
    assert examples.roles["contact_center"].names == ("agent", "customer")
    assert examples.roles["consultation"].names == ("doctor", "patient")
    assert examples.announcement.names == ("ivr",)
    assert {"lost_or_stolen_card", "internet_or_phone_fault"} <= set(examples.topics["contact_center"].names)
    assert {"chest_pain", "back_pain"} <= set(examples.topics["consultation"].names)


def test_examples_are_read_and_embedded_once_for_all_calls() -> None:
    model = Counting()
    assert examples_in(SHIPPED, model) is examples_in(SHIPPED, model)
    once = len(model.texts)
    examples_in(SHIPPED, model)
    assert len(model.texts) == once > 0


def test_what_a_folder_lacks_is_as_shipped(folder: Path) -> None:
    for path in (folder / "topics").iterdir():
        path.unlink()
    (folder / "topics" / "mine.yaml").write_text(
        "kind: contact_center\ntopics: {bees: [There are bees in my roof.]}"
    )
    (folder / "topics" / "other.yaml").write_text(
        "kind: consultation\ntopics: {stings: [I was stung by a bee.]}"
    )
    own = examples_in(folder)
    assert own.topics["contact_center"].names == ("bees",)
    assert own.roles["contact_center"].names == ("agent", "customer")
    assert own.sha256 != examples_in().sha256


def test_the_same_files_have_the_same_hash_wherever_they_are(folder: Path) -> None:
    assert examples_in(folder).sha256 == examples_in().sha256


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("topics/a.yaml", "kind: [", r"a\.yaml, line 1: "),
        ("topics/a.yaml", "- a", r"a\.yaml: expected names and values, found list"),
        ("topics/a.yaml", "topics: {a: [b]}", r"expected kind to be one of contact_center, consultation"),
        ("topics/a.yaml", "kind: consultation", r"expected a section topics, found None"),
        ("topics/a.yaml", "kind: consultation\ntopics: {a: b}", r"topics, a: expected a list of texts"),
        ("topics/a.yaml", "kind: consultation\ntopics: {a: [yes]}", r"Quote yes, no and numbers"),
        ("topics/a.yaml", "kind: consultation\ntopics: {cough: [b]}", r"cough of kind consultation is"),
        ("topics/a.yaml", "kind: consultation\ntopic: {a: [b]}", r"the file: topic is none of kind, topics"),
        ("roles/a.yaml", "kind: any\nroles: {boss: {}}", r"'boss' is no role"),
        ("roles/a.yaml", "kind: any\nroles: {other: [a]}", r"other: expected examples and phrases"),
        ("roles/a.yaml", "kind: any\nroles: {other: {phrases: [a]}}", r"expected phrases by language"),
        ("roles/consultation.yaml", "kind: consultation\nroles: {doctor: {}}", r"to be doctor and patient"),
        ("gist/consultation.yaml", "kind: contact_center\nreason: {}", r"expected a section reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(folder: Path, file: str, content: str, message: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(UsageError, match=message):
        examples_in(folder)


def test_a_folder_without_a_kind_is_refused(folder: Path) -> None:
    (folder / "topics" / "consultation.yaml").unlink()
    with pytest.raises(UsageError, match="topics has no file of kind consultation"):
        examples_in(folder)


def test_nearness_is_the_cosine_of_the_nearest_example() -> None:
    concepts = Concepts([Concept("a", ("1", "22")), Concept("b", ("333",), ("4444",))], Counting())
    said = np.eye(EMBEDDING_SIZE, dtype=np.float32)[[1, 3, 4]]
    assert concepts.nearness(said).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert concepts.nearness_to_counterexamples(said).tolist() == [[-1, 0], [-1, 0], [-1, 1]]


def test_questions_are_near_to_questions_only() -> None:
    concepts = Concepts([Concept("a", ("1", "2?"))], Counting())
    said = np.eye(EMBEDDING_SIZE, dtype=np.float32)[[1, 2, 1, 2]]
    asked = np.array([False, False, True, True])
    assert concepts.nearness_by_form(said, asked).tolist() == [[1], [0], [0], [1]]
