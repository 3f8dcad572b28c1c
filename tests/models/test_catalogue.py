"""What the catalogue holds, and how it complains of one that is malformed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.catalogue import HubSource, ModelFile, PackageSource, Piece, load_catalogue
from models.errors import UsageError

ROOT = Path(__file__).parents[2]

MINIMAL = """
default_profile = "small"

[profiles.small]
description = "One model."
models = ["asr"]

[models.asr]
role = "recogniser"
licence = "MIT"
licensor = "Somebody"
attribution = "By somebody."
files = [{ name = "model.bin", sha256 = "SHA", bytes = 7 }]

[[models.asr.sources]]
package = [{ name = "carrier", version = "1.0", member = "carrier/model.bin", file = "model.bin" }]

[[models.asr.sources]]
hub = { repository = "owner/name", revision = "REV", paths = { "model.bin" = "sub/model.bin" } }
""".replace("SHA", "ab" * 32).replace("REV", "cd" * 20)


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    return path


def test_a_catalogue_is_read_into_values(tmp_path: Path) -> None:
    catalogue = load_catalogue(_written(tmp_path, MINIMAL))

    model = catalogue.profile("small").models[0]
    assert (model.name, model.role, model.languages, model.bytes) == ("asr", "recogniser", (), 7)
    assert model.files == (ModelFile("model.bin", "ab" * 32, 7),)
    assert model.sources == (
        PackageSource((Piece("carrier", "1.0", "carrier/model.bin", "model.bin"),)),
        HubSource("owner/name", "cd" * 20, {"model.bin": "sub/model.bin"}),
    )
    assert catalogue.default_profile == "small"


def test_the_size_of_a_model_is_unknown_when_that_of_a_file_is(tmp_path: Path) -> None:
    text = MINIMAL.replace(", bytes = 7", "")

    assert load_catalogue(_written(tmp_path, text)).model("asr").bytes is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("default_profile", "default_profil", "the top level: default_profile is missing"),
        ('"small"', '"large"', 'the top level: default_profile is "large", which is not a profile here'),
        ('["asr"]', '["tts"]', 'profiles.small: "tts" is not a model here'),
        ('["asr"]', "[1]", "profiles.small: models should hold nothing but strings"),
        ('["asr"]', '["asr", "asr"]', "profiles.small: more than one model has the role recogniser"),
        ("[models.asr]", "[models.asr]\nsize = 3", "models.asr: size is not known"),
        ('licence = "MIT"', "licence = 3", "models.asr: licence should be of type str"),
        ('licence = "MIT"', "", "models.asr: licence is missing"),
        ('"recogniser"', '"listener"', 'models.asr: role is "listener" and should be one of recogniser, '),
        ("ab" * 32, "AB" * 32, f'models.asr.files model.bin: sha256 is "{"AB" * 32}" and should be 64 hex '),
        ("bytes = 7", "bytes = -7", "models.asr.files model.bin: bytes is -7 and cannot be negative"),
        ("bytes = 7", "bytes = true", "models.asr.files model.bin: bytes should be of type int"),
        ('[{ name = "model.bin"', '[{ name = "../x"', 'models.asr.files: "../x" is not a plain path below'),
        ('[{ name = "model.bin"', '[{ name = "/x"', 'models.asr.files: "/x" is not a plain path below'),
        ('file = "model.bin"', 'file = "b"', "models.asr.sources[0]: b is not among the model's files"),
        (
            f'sha256 = "{"ab" * 32}", ',
            "",
            "models.asr.sources[0]: model.bin comes in a package, so its sha256",
        ),
        (
            "cd" * 20,
            "main",
            'models.asr.sources[1]: revision is "main" and should be a commit of 40 hex digits',
        ),
        (
            "owner/name",
            "name",
            'models.asr.sources[1]: repository is "name" and should be of the form owner/',
        ),
        ("hub = {", "tape = {", "models.asr.sources[1]: a source is either package = [...] or hub = {...}"),
        ('{ "model.bin" =', '{ "c" =', "models.asr.sources[1]: c is not among the model's files"),
    ],
)
def test_a_malformed_catalogue_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert old in MINIMAL
    path = _written(tmp_path, MINIMAL.replace(old, new, 1))

    with pytest.raises(UsageError) as refusal:
        load_catalogue(path)

    assert f"The model catalogue {path} has a mistake in {complaint}" in str(refusal.value)


def test_a_package_that_leaves_out_a_file_is_refused(tmp_path: Path) -> None:
    text = MINIMAL.replace("files = [", f'files = [{{ name = "b", sha256 = "{"ef" * 32}", bytes = 1 }}, ')

    with pytest.raises(UsageError, match=re.escape("models.asr.sources[0]: no piece gives b.")):
        load_catalogue(_written(tmp_path, text))


def test_text_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not valid TOML: .*line 2"):
        load_catalogue(_written(tmp_path, "a = 1\nb = = 2\n"))


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read"):
        load_catalogue(tmp_path / "absent.toml")


def test_an_unknown_profile_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as refusal:
        load_catalogue().profile("standart")

    assert str(refusal.value) == (
        'There is no profile "standart". Did you mean "standard"? Known: base, standard, tiny.'
    )


def test_every_profile_recognises_and_tells_speakers_apart() -> None:
    catalogue = load_catalogue()

    roles = {name: [model.role for model in profile.models] for name, profile in catalogue.profiles.items()}

    assert roles == {
        "tiny": ["recogniser", "segmentation", "embedding", "plda", "sentence_embedding"],
        "base": ["recogniser", "segmentation", "embedding", "plda", "sentence_embedding"],
        "standard": ["recogniser", "aligner", "diarization", "sentence_embedding"],
    }
    assert catalogue.default_profile == "base"


def test_only_the_english_models_are_restricted() -> None:
    restricted = {
        model.name: model.languages for model in load_catalogue().models.values() if model.languages
    }

    assert restricted == {
        "whisper-tiny.en": ("en",),
        "wav2vec2-base-960h": ("en",),
        "all-minilm-l6-v2": ("en",),
    }


def test_every_file_of_the_catalogue_is_pinned_by_digest_and_size() -> None:
    files = [(model.name, file) for model in load_catalogue().models.values() for file in model.files]

    assert [name for name, file in files if file.sha256 is None or file.bytes is None] == []


def test_default_models_can_be_had_from_the_package_index_and_from_the_hub() -> None:
    sources = {
        model.name: [type(source) for source in model.sources]
        for model in load_catalogue().profile("base").models
    }

    assert set(map(tuple, sources.values())) == {(PackageSource, HubSource)}


def test_the_notice_names_whoever_licenses_a_model() -> None:
    notice = (ROOT / "NOTICE").read_text()

    licensors = {
        name for model in load_catalogue().models.values() for name in re.split(", | and ", model.licensor)
    }

    assert licensors == {
        "OpenAI",
        "Meta",
        "CNRS",
        "WeSpeaker",
        "BUT Speech@FIT",
        "pyannote",
        "sentence-transformers",
    }
    assert [name for name in licensors if name not in notice] == []


def test_reading_the_catalogue_imports_nothing_heavy() -> None:
    program = (
        "import sys, models.catalogue, models.bundle; models.catalogue.load_catalogue(); "
        "print(sorted({'torch', 'numpy', 'huggingface_hub', 'requests', 'transformers'} & set(sys.modules)))"
    )

    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)

    assert output.stdout == b"[]\n"
