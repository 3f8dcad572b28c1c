"""A recording is known by its bytes."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.failures import BadMetadata, EmptyFile, Unreadable
from pipelines.recording import identify
from pipelines.sources import CallMetadata, Source, find_sources


def test_the_call_id_is_the_first_32_hex_digits_of_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"abc" * 1_000_000)
    recording = identify(Source(path))
    assert recording.sha256 == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
    assert recording.call_id == recording.sha256[:32]
    assert recording.size == 3_000_000


def test_the_same_bytes_under_another_name_are_the_same_call(tmp_path: Path) -> None:
    for name in ("a.wav", "b.mp3"):
        (tmp_path / name).write_bytes(b"the same")
    assert identify(Source(tmp_path / "a.wav")).call_id == identify(Source(tmp_path / "b.mp3")).call_id


def test_source_stays_as_given_and_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    recording = identify(Source(Path("a.wav"), CallMetadata(queue="cards")))
    assert recording.source == "a.wav"
    assert recording.path == tmp_path / "a.wav"
    assert recording.metadata.queue == "cards"


def test_modified_at_is_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert identify(Source(path)).modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_file_without_bytes_is_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(EmptyFile):
        identify(Source(tmp_path / "a.wav"))


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        identify(Source(tmp_path / "gone.wav"))


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(Unreadable, match="not a file"):
        identify(Source(tmp_path / "pipe.wav"))


def test_a_file_that_grows_while_it_is_hashed_is_unreadable_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"first half")
    stat = Path.stat

    def stat_while_the_recorder_writes(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        result = stat(self, follow_symlinks=follow_symlinks)
        with path.open("ab") as file:
            file.write(b"more")
        return result

    monkeypatch.setattr(Path, "stat", stat_while_the_recorder_writes)
    with pytest.raises(Unreadable, match="still being written"):
        identify(Source(path))


def test_a_metadata_file_that_cannot_be_used_sets_the_recording_aside(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "a.json").write_text("{not json")
    (source,) = find_sources([str(tmp_path)])
    with pytest.raises(BadMetadata, match=r"a\.json"):
        identify(source)
