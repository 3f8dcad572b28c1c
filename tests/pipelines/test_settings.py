"""Settings make a fingerprint by which a call is done again, and a vocabulary comes from a file."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UsageError
from models.speech import Vocabulary
from pipelines.levers import Levers
from pipelines.settings import CallSettings, fingerprint, read_vocabulary

MODELS = {"whisper-tiny.en": "ab" * 32, "vbx-plda": "cd" * 32}


def test_the_same_settings_and_models_have_the_same_fingerprint_in_whatever_order() -> None:
    swapped = dict(reversed(MODELS.items()))
    assert fingerprint(CallSettings(), MODELS) == fingerprint(CallSettings(), swapped)
    assert len(fingerprint(CallSettings(), MODELS)) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "consultation"},
        {"language": "en"},
        {"speakers": 2},
        {"vocabulary": Vocabulary(hotwords="Callfolio")},
        {"vocabulary": Vocabulary(prompt="Callfolio")},
        {"silence_s": 5.0},
        *({"levers": levers} for _, levers in Levers().each_off()),
    ],
    ids=str,
)
def test_any_setting_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(replace(CallSettings(), **changes), MODELS) != fingerprint(CallSettings(), MODELS)


def test_another_model_or_another_version_of_one_changes_the_fingerprint() -> None:
    prints = {
        fingerprint(CallSettings(), models)
        for models in (MODELS, {**MODELS, "vbx-plda": "ef" * 32}, {"whisper-tiny.en": "ab" * 32}, {})
    }
    assert len(prints) == 4


def test_settings_are_readable_json() -> None:
    text = CallSettings("consultation", "es", 2, Vocabulary("Żółć", "")).as_json()
    assert json.loads(text) == {
        "kind": "consultation",
        "language": "es",
        "speakers": 2,
        "silence_s": 3.0,
        "vocabulary": {"hotwords": "Żółć", "prompt": ""},
        "levers": dict.fromkeys((lever.name for lever in fields(Levers)), True),
    }
    assert "Żółć" in text


def test_no_vocabulary_is_an_empty_one() -> None:
    assert read_vocabulary(None) == Vocabulary("", "")


@pytest.mark.parametrize(
    ("content", "vocabulary"),
    [
        ("", Vocabulary()),
        ('hotwords = ["Northfield", "lisinopril"]', Vocabulary("Northfield, lisinopril", "")),
        ('prompt = "A call to a bank."', Vocabulary("", "A call to a bank.")),
        ('prompt = "Ein Anruf."\nhotwords = ["Größe"]', Vocabulary("Größe", "Ein Anruf.")),
    ],
)
def test_a_vocabulary_is_read_from_toml(content: str, vocabulary: Vocabulary, tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text(content, encoding="utf-8")
    assert read_vocabulary(tmp_path / "words.toml") == vocabulary


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"hotwords = [", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'hotwords = "Northfield"', "hotwords is a list of texts"),
        (b"hotwords = [1, 2]", "hotwords is a list of texts"),
        (b'prompt = ["a", "b"]', "prompt is a text"),
        (b'words = ["Northfield"]', "has words; it may have hotwords and prompt"),
    ],
)
def test_a_vocabulary_that_cannot_be_used_is_named_with_the_reason(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "words.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint) as caught:
        read_vocabulary(path)
    assert str(path) in str(caught.value)


def test_a_vocabulary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read"):
        read_vocabulary(tmp_path / "nowhere.toml")
