"""Which models are worked with: a profile's, with any of them replaced by a name, a folder or a hub id."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from models.bundle import LocatedModel
from models.catalogue import Catalogue, HubSource, Model, Role, load_catalogue
from models.errors import ModelMissing, UsageError
from models.selection import Selection, select, wanted


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def names(chosen: Mapping[Role, Model | Path]) -> dict[str, str]:
    return {role: model.name for role, model in chosen.items()}


def test_a_profile_fills_each_role_that_is_needed(catalogue: Catalogue) -> None:
    assert names(wanted(catalogue, "tiny", {})) == {
        "recogniser": "whisper-tiny.en",
        "segmentation": "pyannote-segmentation-3.0",
        "embedding": "wespeaker-resnet34",
        "plda": "vbx-plda",
        "sentence_embedding": "all-minilm-l6-v2",
    }


def test_a_model_is_replaced_by_one_of_the_catalogue_by_its_name(catalogue: Catalogue) -> None:
    chosen = wanted(catalogue, "tiny", {"recogniser": "whisper-base"})
    assert names(chosen) == {**names(wanted(catalogue, "tiny", {})), "recogniser": "whisper-base"}


def test_a_model_is_replaced_by_a_folder(catalogue: Catalogue, tmp_path: Path) -> None:
    assert wanted(catalogue, "tiny", {"recogniser": str(tmp_path)})["recogniser"] == tmp_path


def test_a_model_is_replaced_by_one_of_the_hub(catalogue: Catalogue) -> None:
    chosen = wanted(catalogue, "tiny", {"recogniser": "acme/whisper-of-ours@v2"})["recogniser"]
    assert isinstance(chosen, Model)
    assert chosen.sources == (HubSource("acme/whisper-of-ours", "v2"),)


def test_a_whole_diarization_pipeline_replaces_its_three_parts(catalogue: Catalogue) -> None:
    chosen = wanted(catalogue, "tiny", {"diarization": "pyannote-community-1"})
    assert set(chosen) == {"recogniser", "diarization", "sentence_embedding"}


def test_the_three_parts_replace_a_whole_diarization_pipeline(catalogue: Catalogue) -> None:
    parts = {
        "segmentation": "pyannote-segmentation-3.0",
        "embedding": "wespeaker-resnet34",
        "plda": "vbx-plda",
    }
    assert set(wanted(catalogue, "standard", parts)) == {
        "recogniser",
        "aligner",
        "sentence_embedding",
        *parts,
    }


def test_one_part_alone_does_not_replace_a_whole_pipeline(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="No model is chosen for: segmentation, plda"):
        wanted(catalogue, "standard", {"embedding": "wespeaker-resnet34"})


@pytest.mark.parametrize(
    ("profile", "replacements", "sentence"),
    [
        ("huge", {}, 'no profile "huge"'),
        ("tiny", {"asr": "whisper-base"}, 'no model role "asr". Roles are: recogniser, '),
        ("tiny", {"recogniser": "whisper-bass"}, 'Did you mean "whisper-base"'),
        ("tiny", {"recogniser": "vbx-plda"}, "is for the role plda, not recogniser"),
        ("tiny", {"recogniser": "./not/there"}, '"./not/there" is neither'),
    ],
)
def test_what_is_not_known_is_named(
    catalogue: Catalogue, profile: str, replacements: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        wanted(catalogue, profile, replacements)
    assert sentence in str(caught.value)


def test_models_that_were_not_pulled_are_missing_with_the_command_that_pulls_them(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with pytest.raises(ModelMissing, match=r'Run "callfolio models pull whisper-tiny\.en"'):
        select(catalogue, "tiny", {}, tmp_path)


def test_a_folder_of_ones_own_is_found_and_told_by_what_is_in_its_files(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    parts = {}
    for role in ("recogniser", "segmentation", "embedding", "plda"):
        parts[role] = str(tmp_path / role / "mine")
        Path(parts[role]).mkdir(parents=True)
        Path(parts[role], "weights").write_text(role)
    before = select(catalogue, "tiny", parts, tmp_path / "no bundle").digests
    Path(parts["plda"], "weights").write_text("trained a little longer")
    after = select(catalogue, "tiny", parts, tmp_path / "no bundle").digests
    assert len(before) == len(after) == 4
    assert len(set(before.items()) - set(after.items())) == 1


def test_calls_are_processed_without_sentence_embeddings_where_their_model_was_not_pulled(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    parts = {}
    for role in ("recogniser", "segmentation", "embedding", "plda"):
        parts[role] = str(tmp_path / role)
        Path(parts[role]).mkdir()
        Path(parts[role], "weights").write_text(role)

    assert "sentence_embedding" not in select(catalogue, "tiny", parts, tmp_path / "no bundle").models
    with pytest.raises(ModelMissing, match=r"callfolio models pull all-minilm-l6-v2"):
        select(catalogue, "tiny", {**parts, "sentence_embedding": "all-minilm-l6-v2"}, tmp_path / "no bundle")


def test_digests_are_by_the_models_names() -> None:
    located = LocatedModel("whisper-mini", "recogniser", Path("m"), {}, "ab" * 32)
    assert Selection("tiny", {"recogniser": located}).digests == {"whisper-mini": "ab" * 32}
