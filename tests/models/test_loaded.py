"""Models are loaded once; one that is not what its role needs is named, with its folder."""

import shutil
from pathlib import Path

import pytest

from models.bundle import models_dir
from models.catalogue import load_catalogue
from models.errors import ModelDamaged, ModelError
from models.loaded import LoadedModels, load
from models.selection import Selection, select


@pytest.fixture
def own(loaded: LoadedModels, tmp_path: Path) -> dict[str, Path]:  # noqa: ARG001 - says what is missing
    """Copies of the tiny profile's models, as folders of the user's own, by role."""
    models = select(load_catalogue(), "tiny", {}, models_dir()).models
    for role, model in models.items():
        shutil.copytree(model.path, tmp_path / role)
    return {role: tmp_path / role for role in models}


def selection(own: dict[str, Path]) -> Selection:
    return select(
        load_catalogue(), "tiny", {role: str(path) for role, path in own.items()}, Path("no bundle")
    )


def test_a_profile_without_an_aligner_has_none(loaded: LoadedModels) -> None:
    assert loaded.aligner is None


@pytest.mark.parametrize(
    ("role", "file", "content"),
    [
        ("recogniser", "model.bin", b"not a model"),
        ("recogniser", "tokenizer.json", b"{"),
        ("embedding", "", b"not a network"),
        ("segmentation", "", b"not a checkpoint"),
        ("plda", "plda.npz", b"not an array"),
    ],
)
def test_a_damaged_model_of_ones_own_is_told_with_its_folder(
    own: dict[str, Path], role: str, file: str, content: bytes
) -> None:
    path = own[role] / file if file else next(own[role].glob("*.[bo]*n*"))
    path.write_bytes(content)
    with pytest.raises(ModelDamaged) as caught:
        load(selection(own), threads=2)
    assert str(own[role]) in str(caught.value)


@pytest.mark.parametrize("file", ["model.bin", "tokenizer.json"])
@pytest.mark.usefixtures("no_network")
def test_a_recogniser_that_lacks_a_file_is_told_and_nothing_is_fetched_for_it(
    own: dict[str, Path], file: str
) -> None:
    (own["recogniser"] / file).unlink()
    with pytest.raises(ModelError) as caught:
        load(selection(own), threads=2)
    assert file in str(caught.value)
    assert str(own["recogniser"]) in str(caught.value)


def test_where_one_file_is_a_model_two_are_not(own: dict[str, Path]) -> None:
    (own["embedding"] / "other.onnx").touch()
    with pytest.raises(ModelDamaged, match=r"embedding model in .* should be one file"):
        load(selection(own), threads=2)
