"""Every word gets times from a CTC model that can spell it, digits and money too, and nothing is fetched.

The model is a tiny one with random weights: what it hears is noise, but all of the alignment is real.
"""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as typed_in_part
from sample_calls import ROOT

from models.aligner import Aligner
from models.speech import SAMPLE_RATE, Segment, TimedWord

NOISE = np.random.default_rng(0).normal(0.0, 0.1, 8 * SAMPLE_RATE).astype(np.float32)
transformers: Any = typed_in_part

LETTERS = "abcdefghijklmnopqrstuvwxyz'"


def make_model(folder: Path, letters: str) -> Path:
    """A transformers folder of a wav2vec2 CTC model that spells with `letters`."""
    folder.mkdir()
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    transformers.Wav2Vec2Processor(transformers.Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8, 8, 8, 8, 8, 8),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("aligner") / "model", LETTERS)


@pytest.fixture(scope="module")
def aligner(model: Path) -> Aligner:
    return Aligner(model, ("en",))


def segment(text: str, start: float = 1.0, end: float = 6.0) -> Segment:
    """A segment whose words are where attention put them, which no aligner would."""
    words = tuple(TimedWord(0.0, 0.0, word, 0.5, "cross_attention") for word in text.split(" "))
    return Segment(start, end, words, -0.5)


@pytest.mark.parametrize(
    "text",
    [
        "good morning",
        "Good morning, Eric.",
        "it is $1,860 for 2 windows",
        "4111 1111",
        "call 555-0147 at 10:30!",
        "“Größe” café naïve",
        "it's O'Neill's",
        "50 % … — yes",
        "a",
    ],
)
@pytest.mark.usefixtures("no_network")
def test_every_word_gets_times_within_its_segment_in_order(aligner: Aligner, text: str) -> None:
    [aligned] = aligner.align([segment(text)], NOISE, "en")
    assert [word.text for word in aligned.words] == text.split(" ")
    assert {word.timing_source for word in aligned.words} == {"ctc"}
    assert all(1.0 <= word.start < word.end <= 6.0 for word in aligned.words)
    assert all(before.start <= after.start for before, after in pairwise(aligned.words))
    assert {word.confidence for word in aligned.words} == {0.5}


def test_each_segment_is_aligned_on_its_own_stretch(aligner: Aligner) -> None:
    first, second = aligner.align([segment("one two", 0.0, 3.0), segment("three", 4.0, 7.0)], NOISE, "en")
    assert all(word.end <= 3.0 for word in first.words)
    assert all(word.start >= 4.0 for word in second.words)


def test_a_segment_that_is_too_short_for_its_text_keeps_the_times_that_it_has(aligner: Aligner) -> None:
    given = segment("far too many words for a twentieth of a second", 1.0, 1.05)
    assert aligner.align([given], NOISE, "en") == (given,)


def test_a_segment_beyond_the_end_of_the_sound_keeps_the_times_that_it_has(aligner: Aligner) -> None:
    given = segment("good morning", 20.0, 22.0)
    assert aligner.align([given], NOISE, "en") == (given,)


def test_no_segments_are_no_segments(aligner: Aligner) -> None:
    assert aligner.align([], NOISE, "en") == ()


def test_a_language_without_spaces_is_aligned_letter_by_letter(tmp_path: Path) -> None:
    aligner = Aligner(make_model(tmp_path / "model", "你好吗"), ("zh",))
    words = tuple(TimedWord(0.0, 0.0, word, 0.5, "cross_attention") for word in ("你好", "吗?"))
    [aligned] = aligner.align([Segment(1.0, 4.0, words, -0.5)], NOISE, "zh")
    assert [word.text for word in aligned.words] == ["你好", "吗?"]
    assert {word.timing_source for word in aligned.words} == {"ctc"}
    assert all(1.0 <= word.start < word.end <= 4.0 for word in aligned.words)


def test_a_model_serves_the_languages_it_was_made_for_or_any_where_none_is_named(model: Path) -> None:
    assert [Aligner(model, ("en", "es")).serves(code) for code in ("en", "es", "fr")] == [True, True, False]
    assert Aligner(model, ()).serves("fr")


def test_aligning_asks_nothing_of_the_network_nor_of_the_users_folders(model: Path, tmp_path: Path) -> None:
    program = f"""
import sys
attempts = []
def guard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        attempts.append(event)
        raise OSError("stopped by the test")
sys.addaudithook(guard)
from pathlib import Path
from typing import Any
from models.offline import stay_offline
stay_offline()
import numpy as np
from models.aligner import Aligner
from models.speech import Segment, TimedWord
words = tuple(TimedWord(0.0, 0.0, text, 0.5, "cross_attention") for text in ("two", "words.", "4"))
[aligned] = Aligner(Path({str(model)!r}), ("en",)).align(
    [Segment(0.0, 2.0, words, -0.5)], np.zeros(32000, np.float32) + 0.1, "en"
)
print([word.timing_source for word in aligned.words], attempts)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "NLTK_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "['ctc', 'ctc', 'ctc'] []"
    assert not list(tmp_path.rglob("*punkt*"))
