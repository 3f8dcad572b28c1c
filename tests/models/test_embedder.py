"""Sentences as vectors: unit length, near where meanings are near, the same alone and in company."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoConfig, AutoModel

from models.bundle import models_dir
from models.catalogue import load_catalogue
from models.embedder import Embedder
from models.errors import ModelDamaged, ModelError
from models.language import EMBEDDING_SIZE
from models.selection import select

SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return select(load_catalogue(), "tiny", {}, models_dir()).models["sentence_embedding"].path
    except (KeyError, ModelError) as error:
        pytest.fail(f"The tests need the smallest models: callfolio models pull --profile tiny ({error})")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Embedder:
    return Embedder(folder, ("en",))


@pytest.mark.usefixtures("no_network")
def test_similarities_are_those_that_the_model_is_published_with(embedder: Embedder) -> None:
    embeddings = embedder.embed(SENTENCES)
    # From the first example of the documentation of sentence-transformers, which uses this model.
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert embeddings @ embeddings.T == pytest.approx(np.array(published), abs=2e-4)


def test_embeddings_have_unit_length_whatever_the_text(embedder: Embedder) -> None:
    texts = ["", " ", "?", "\U0001f600", "no " * 2000, *SENTENCES]
    embeddings = embedder.embed(texts)
    assert embeddings.shape == (len(texts), EMBEDDING_SIZE)
    assert embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def test_company_does_not_change_an_embedding(embedder: Embedder) -> None:
    texts = [f"{'very ' * (number % 23)}{word}" for number, word in enumerate(SENTENCES * 20)]
    together = embedder.embed(texts)
    for place in range(0, len(texts), 7):
        assert together[place] == pytest.approx(embedder.embed([texts[place]])[0], abs=1e-5)


def test_no_text_has_no_embedding(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, EMBEDDING_SIZE)


def test_it_serves_the_languages_that_it_was_trained_on(embedder: Embedder, folder: Path) -> None:
    assert embedder.serves("en")
    assert not embedder.serves("es")
    assert Embedder(folder).serves("es")


def test_a_model_with_embeddings_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    small = {"hidden_size": 24, "num_hidden_layers": 1, "intermediate_size": 24}
    (tmp_path / "config.json").write_text(json.dumps({**config, **small}))
    shutil.copy(folder / "tokenizer.json", tmp_path)
    small_model = AutoModel.from_config(AutoConfig.from_pretrained(tmp_path))  # type: ignore[no-untyped-call]
    small_model.save_pretrained(tmp_path)
    with pytest.raises(ModelDamaged, match="have 24 numbers and should have 384"):
        Embedder(tmp_path)


def test_threads_may_embed_at_once(folder: Path) -> None:
    embedder = Embedder(folder)
    expected = embedder.embed(["The parcel is late."])
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(embedder.embed, [["The parcel is late."]] * 24):
            assert np.allclose(found, expected, atol=1e-6)
