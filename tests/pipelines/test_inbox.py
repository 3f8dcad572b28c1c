"""Recordings that lie elsewhere: found, fetched when they are needed, gone when they are done with."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from sftp_server import credentials, sftp_server

from models.errors import UsageError
from pipelines.failures import BadMetadata, EmptyFile, NotAudio, Unreadable
from pipelines.inbox import Scratch, is_address, local_path
from pipelines.recording import Recording, StillWritten, at_hand, identify
from pipelines.seen import Seen
from pipelines.sources import CallMetadata, Period, Source, find_sources

LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def bucket() -> Iterator[str]:
    """An address with nothing at it, on a file system in memory."""
    files = fsspec.filesystem("memory")
    yield "memory://calls"
    if files.exists("/calls"):
        files.rm("/calls", recursive=True)


def put(bucket: str, *names: str, content: bytes | None = None, at: datetime = LONG_AGO) -> None:
    files = fsspec.filesystem("memory")
    for name in names:
        files.pipe(f"{bucket}/{name}", name.encode() if content is None else content)
        files.store[f"/calls/{name}"].modified = files.store[f"/calls/{name}"].created = at


def found(bucket: str, *arguments: str) -> list[str]:
    return [source.name.removeprefix(f"{bucket}/") for source in find_sources(arguments or [bucket])]


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with Scratch() as scratch:
        yield scratch


# Found


def test_an_address_is_searched_to_the_bottom_and_named_in_full(bucket: str) -> None:
    put(bucket, "b.wav", "a/c.mp3", "a/b/d.flac", "a.ulaw")
    assert [source.name for source in find_sources([bucket + "/"])] == [
        "memory://calls/a.ulaw",
        "memory://calls/a/b/d.flac",
        "memory://calls/a/c.mp3",
        "memory://calls/b.wav",
    ]


def test_what_is_passed_over_in_a_folder_is_passed_over_elsewhere(bucket: str) -> None:
    passed_over = ["README", "a.json", "b.csv", ".hidden.wav", ".git/x.wav", "u.part", "v.wav.tmp", "w~"]
    in_a_store = ["store/tables/calls/call_date=2024-05-01/x.parquet", "store/audio/copy.wav"]
    put(bucket, *passed_over, *in_a_store, "a.wav", "noextension", "x.vox")
    assert found(bucket) == ["a.wav", "noextension", "x.vox"]


def test_patterns_single_files_and_what_looks_like_a_pattern_are_found(bucket: str) -> None:
    put(bucket, "a.wav", "x/b.wav", "x/y/c.wav", "x/y/c.mp3", "q[1].txt")
    assert found(bucket, f"{bucket}/**/*.wav") == ["a.wav", "x/b.wav", "x/y/c.wav"]
    assert found(bucket, f"{bucket}/x/*") == ["x/b.wav", "x/y/c.mp3", "x/y/c.wav"]
    assert found(bucket, f"{bucket}/q[1].txt", f"{bucket}/a.wav", f"{bucket}/a.wav") == ["a.wav", "q[1].txt"]


def test_folders_and_addresses_stand_in_one_list(bucket: str, tmp_path: Path) -> None:
    put(bucket, "a.wav")
    (tmp_path / "b.wav").write_bytes(b"b")
    names = [source.name for source in find_sources([bucket, tmp_path.as_uri()])]
    assert names == [str(tmp_path / "b.wav"), "memory://calls/a.wav"]


def test_a_file_address_is_a_path() -> None:
    assert local_path("file:///a/b c.wav") == local_path("file://localhost/a/b c.wav") == "/a/b c.wav"
    assert local_path("calls/a.wav") == "calls/a.wav"
    assert is_address("s3://bucket/x")
    assert not is_address("C:/x")


@pytest.mark.parametrize("address", ["memory://calls/gone", "memory://calls/*.wav"])
def test_an_address_at_which_there_is_nothing_is_a_wrong_usage(bucket: str, address: str) -> None:
    put(bucket, "a.mp3")
    with pytest.raises(UsageError, match="cannot be listed: there is nothing") as caught:
        find_sources([address])
    assert address in str(caught.value)


def test_a_protocol_that_nobody_knows_or_that_lacks_its_package_says_so() -> None:
    with pytest.raises(UsageError, match="no protocol that fsspec knows"):
        find_sources(["quux://host/calls"])
    with pytest.raises(UsageError, match="is not an address"):
        find_sources(["simplecache::memory://calls"])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(scheme: str) -> None:
        raise ImportError(scheme)

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    with pytest.raises(UsageError, match=r"s3:// need s3fs.*pip install 'callfolio\[inbox\]'"):
        find_sources(["s3://bucket/calls"])


# Described


def test_a_metadata_file_beside_a_recording_describes_it(bucket: str) -> None:
    put(bucket, "a.wav", "b.wav", "c.wav")
    put(bucket, "a.json", content=b'{"queue": "cards"}')
    put(bucket, "b.wav.json", content=b"{not json")
    a, b, c = find_sources([bucket])
    assert (a.metadata, c.metadata) == (CallMetadata(queue="cards"), CallMetadata())
    assert isinstance(b.problem, BadMetadata)
    assert "memory://calls/b.wav" in str(b.problem)
    assert "b.wav.json" in str(b.problem)
    (alone,) = find_sources([f"{bucket}/a.wav"])
    assert alone.metadata.queue == "cards"


@pytest.mark.parametrize("place", ["elsewhere", "here"])
def test_a_manifest_names_and_describes_recordings_elsewhere(bucket: str, tmp_path: Path, place: str) -> None:
    put(bucket, "x/a.wav", "b.wav")
    if place == "elsewhere":
        put(bucket, "calls.csv", content=b"source,queue\nx/a.wav,one\nmemory://calls/b.wav,two\n")
        manifest = f"{bucket}/calls.csv"
    else:
        manifest = str(tmp_path / "calls.csv")
        Path(manifest).write_text(f"source,queue\n{bucket}/x/a.wav,one\n{bucket}/b.wav,two\n")
    named = {source.name: source.metadata.queue for source in find_sources([], manifest)}
    assert named == {"memory://calls/x/a.wav": "one", "memory://calls/b.wav": "two"}
    described = {source.name: source.metadata.queue for source in find_sources([f"{bucket}/x"], manifest)}
    assert described == {"memory://calls/x/a.wav": "one"}


def test_a_manifest_that_is_not_there_is_a_wrong_usage(bucket: str) -> None:
    with pytest.raises(UsageError, match=r"no manifest memory://calls/gone\.csv"):
        find_sources([], f"{bucket}/gone.csv")


def test_a_period_leaves_out_what_began_outside_of_it(bucket: str, tmp_path: Path) -> None:
    for day in (1, 2, 3):
        put(bucket, f"{day}.wav", at=datetime(2024, 5, day, 23, 59, tzinfo=UTC))
    put(bucket, "stated.wav", at=datetime(2024, 5, 30, tzinfo=UTC))
    put(bucket, "stated.json", content=b'{"started_at": "2024-05-02T01:00:00+02:00"}')
    here = tmp_path / "here.wav"
    here.write_bytes(b"x")
    os.utime(here, (LONG_AGO.timestamp(),) * 2)

    def names(period: Period) -> list[str]:
        return [Path(source.name).name for source in find_sources([bucket, str(here)], None, period)]

    assert names(Period(date(2024, 5, 2), date(2024, 5, 2))) == ["2.wav"]
    assert names(Period(until=date(2024, 5, 1))) == ["here.wav", "1.wav", "stated.wav"]
    assert names(Period(since=date(2024, 5, 3))) == ["3.wav"]
    assert len(names(Period())) == 5


# Fetched


def test_a_recording_is_fetched_under_its_own_name_and_known_by_its_bytes(
    bucket: str, scratch: Scratch
) -> None:
    put(bucket, "x/a b.ulaw", content=b"bytes")
    (source,) = find_sources([bucket])
    recording = identify(source, scratch=scratch)
    assert recording.sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert recording.source == "memory://calls/x/a b.ulaw"
    assert (recording.path.name, recording.path.read_bytes()) == ("a b.ulaw", b"bytes")
    assert recording.modified_at == LONG_AGO
    assert recording.size == 5


def test_nobody_else_may_read_what_was_fetched(bucket: str, scratch: Scratch) -> None:
    put(bucket, "a.wav")
    recording = identify(find_sources([bucket])[0], scratch=scratch)
    assert scratch.folder.stat().st_mode & 0o077 == 0
    assert recording.path.is_relative_to(scratch.folder)


def test_it_is_gone_when_it_is_done_with_and_the_rest_with_the_context(bucket: str) -> None:
    put(bucket, "a.wav", "b.wav")
    with Scratch() as scratch:
        a, b = (identify(source, scratch=scratch) for source in find_sources([bucket]))
        with at_hand(a) as here:
            assert here.path.read_bytes() == b"a.wav"
        assert not a.path.exists()
        assert b.path.exists()
    assert not scratch.folder.exists()


def test_a_copy_that_is_gone_is_fetched_again_and_removed_again(bucket: str, scratch: Scratch) -> None:
    put(bucket, "a.wav")
    recording = identify(find_sources([bucket])[0], scratch=scratch)
    with at_hand(recording):
        pass
    with at_hand(recording) as again:
        assert again.path.read_bytes() == b"a.wav"
    assert not again.path.exists()


def test_a_recording_that_is_another_by_then_is_unreadable_for_now(bucket: str, scratch: Scratch) -> None:
    put(bucket, "a.wav")
    recording = identify(find_sources([bucket])[0], scratch=scratch)
    with at_hand(recording):
        put(bucket, "a.wav", content=b"other")
    with (
        pytest.raises(Unreadable, match=r"memory://calls/a\.wav cannot be read: it is another"),
        at_hand(recording),
    ):
        pytest.fail("never reached")


def test_there_is_room_while_what_lies_here_is_within_the_look_ahead(bucket: str) -> None:
    put(bucket, "a.wav", "b.wav", content=bytes(1000))
    a, b = find_sources([bucket])
    with Scratch(look_ahead_bytes=1500) as scratch:
        assert scratch.has_room()
        first = identify(a, scratch=scratch)
        assert scratch.has_room()
        identify(b, scratch=scratch)
        assert not scratch.has_room()
        with at_hand(first):
            pass
        assert scratch.has_room()


def test_what_a_killed_process_fetched_is_swept_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = os.fork()
    if child == 0:
        (Scratch().folder / "left.wav").touch()
        os._exit(0)
    os.waitpid(child, 0)
    assert list(tmp_path.glob("*/left.wav"))
    with Scratch() as living:
        (living.folder / "kept.wav").touch()
        with Scratch():
            assert [path.name for path in tmp_path.glob("*/*.wav")] == ["kept.wav"]


def test_a_recording_under_another_name_or_uploaded_again_is_the_same_call(
    bucket: str, scratch: Scratch
) -> None:
    put(bucket, "a.wav", "b.wav", content=b"the same")
    put(bucket, "again.wav", content=b"the same", at=LONG_AGO + timedelta(days=1))
    assert len({identify(source, scratch=scratch).call_id for source in find_sources([bucket])}) == 1


def test_a_file_that_is_remembered_is_not_fetched_unless_it_changed(
    bucket: str, scratch: Scratch, tmp_path: Path
) -> None:
    put(bucket, "a.wav")
    seen = Seen(tmp_path)

    def identified() -> Recording:
        (source,) = find_sources([bucket])
        assert source.remote
        recording = identify(source, seen.get(source.remote), scratch=scratch)
        assert recording.remote
        seen.put(recording.remote, recording.sha256)
        return recording

    first, known = identified(), identified()
    assert (known.sha256, known.size) == (first.sha256, first.size)
    assert not known.path.exists()
    with at_hand(known) as here:
        assert here.path.read_bytes() == b"a.wav"
    put(bucket, "a.wav", content=b"other", at=LONG_AGO + timedelta(days=1))
    assert identified().sha256 == hashlib.sha256(b"other").hexdigest()


def test_empty_and_vanished_files_are_failures_that_name_the_address(bucket: str, scratch: Scratch) -> None:
    put(bucket, "a.wav", content=b"")
    put(bucket, "b.wav")
    empty, gone = find_sources([bucket])
    fsspec.filesystem("memory").rm("/calls/b.wav")
    with pytest.raises(EmptyFile, match=r"memory://calls/a\.wav is empty"):
        identify(empty, scratch=scratch)
    with pytest.raises(Unreadable, match=r"memory://calls/b\.wav cannot be read: it is gone"):
        identify(gone, scratch=scratch)
    assert not list(scratch.folder.iterdir())


def test_a_failure_names_the_address_and_not_the_copy() -> None:
    failure = NotAudio(Path("/scratch/x/a.wav"), "it is text")
    named = failure.naming(Path("/scratch/x/a.wav"), "s3://bucket/a.wav")
    assert str(named).startswith("s3://bucket/a.wav is not a recording: it is text")
    assert type(named) is NotAudio


# Settled


def test_a_file_that_changed_within_the_settle_time_is_still_written(bucket: str, scratch: Scratch) -> None:
    put(bucket, "fresh.wav", at=datetime.now(UTC))
    put(bucket, "settled.wav", at=datetime.now(UTC) - timedelta(seconds=700))
    fresh, settled = find_sources([bucket])
    with pytest.raises(StillWritten, match=r"fresh\.wav"):
        identify(fresh, settle_s=600.0, scratch=scratch)
    assert identify(settled, settle_s=600.0, scratch=scratch).size


def test_the_settle_time_holds_for_files_here_too(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    with pytest.raises(StillWritten):
        identify(Source(path), settle_s=60.0)
    os.utime(path, (path.stat().st_mtime - 61,) * 2)
    assert identify(Source(path), settle_s=60.0).size == 1


def test_a_clock_that_is_ahead_by_a_day_keeps_no_file_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    os.utime(path, (path.stat().st_mtime + 86_400,) * 2)
    assert identify(Source(path), settle_s=60.0).size == 1


def test_a_file_whose_size_changed_since_it_was_listed_is_still_written(
    bucket: str, scratch: Scratch
) -> None:
    put(bucket, "a.wav")
    (source,) = find_sources([bucket])
    put(bucket, "a.wav", content=b"longer than before")
    with pytest.raises(StillWritten):
        identify(source, scratch=scratch)
    assert not list(scratch.folder.iterdir())


# Over a network, on loopback


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the host that serves it over SFTP."""
    top, home = tmp_path / "served", tmp_path / "home"
    (top / "calls" / "late").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    with sftp_server(top, home) as host:
        yield top, host


def test_sftp_is_listed_described_and_fetched_and_shows_no_password(
    served: tuple[Path, str], scratch: Scratch
) -> None:
    top, host = served
    (top / "calls" / "late" / "a.wav").write_bytes(b"spoken")
    (top / "calls" / "late" / "a.json").write_text('{"agent_id": "7"}')
    (top / "calls" / "half.wav.part").write_bytes(b"spo")
    (source,) = find_sources([f"sftp://{credentials()}@{host}/calls"])
    assert source.metadata.agent_id == "7"
    recording = identify(source, scratch=scratch)
    assert recording.source == f"sftp://{host}/calls/late/a.wav"
    with at_hand(recording) as here:
        assert here.path.read_bytes() == b"spoken"
    assert credentials() not in repr(source) + repr(recording)


def test_a_wrong_password_is_a_sentence_without_it(served: tuple[Path, str]) -> None:
    _, host = served
    with pytest.raises(UsageError, match=f"sftp://{host}/calls cannot be listed") as caught:
        find_sources([f"sftp://night:guessed@{host}/calls"])
    assert "guessed" not in str(caught.value)


def test_a_host_that_is_not_known_is_refused(served: tuple[Path, str]) -> None:
    _, host = served
    (Path(os.environ["HOME"]) / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(UsageError, match="not found in known_hosts"):
        find_sources([f"sftp://{credentials()}@{host}/calls"])


def test_a_bucket_is_listed_described_and_fetched(s3_files: Any, s3_bucket: str, scratch: Scratch) -> None:
    s3_files.pipe(f"{s3_bucket}/calls/late/a b.wav", b"spoken")
    s3_files.pipe(f"{s3_bucket}/calls/late/a b.json", b'{"agent_id": "7"}')
    s3_files.pipe(f"{s3_bucket}/calls/half.wav.part", b"spo")
    (source,) = find_sources([f"s3://{s3_bucket}/calls/"])
    assert (source,) == find_sources([f"s3://{s3_bucket}/calls/**/*.wav"])
    assert source.metadata.agent_id == "7"
    assert source.remote
    assert source.remote.size == 6
    assert source.remote.version
    assert source.remote.modified_at
    assert abs(datetime.now(UTC) - source.remote.modified_at) < timedelta(minutes=5)
    recording = identify(source, scratch=scratch)
    assert recording.source == f"s3://{s3_bucket}/calls/late/a b.wav"
    with at_hand(recording) as here:
        assert here.path.read_bytes() == b"spoken"


def test_a_recording_in_a_bucket_is_left_until_it_has_settled_and_is_fetched_once(
    s3_files: Any, s3_bucket: str, scratch: Scratch, tmp_path: Path
) -> None:
    s3_files.pipe(f"{s3_bucket}/a.wav", b"spoken")
    (source,) = find_sources([f"s3://{s3_bucket}"])
    with pytest.raises(StillWritten):
        identify(source, settle_s=60.0, scratch=scratch)
    assert source.remote
    Seen(tmp_path).put(source.remote, identify(source, scratch=scratch).sha256)
    (again,) = find_sources([f"s3://{s3_bucket}"])
    assert again.remote
    assert Seen(tmp_path).get(again.remote) == hashlib.sha256(b"spoken").hexdigest()
    s3_files.pipe(f"{s3_bucket}/a.wav", b"others")
    (other,) = find_sources([f"s3://{s3_bucket}"])
    assert other.remote
    assert Seen(tmp_path).get(other.remote) is None


def test_a_bucket_that_is_not_there_is_a_wrong_usage(s3_bucket: str) -> None:
    with pytest.raises(UsageError, match=f"s3://{s3_bucket}-gone/calls cannot be listed: "):
        find_sources([f"s3://{s3_bucket}-gone/calls"])
