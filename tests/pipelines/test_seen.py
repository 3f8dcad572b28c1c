"""A file that is as it was need not be fetched to be known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.inbox import RemoteFile
from pipelines.seen import Seen

DAY = datetime(2024, 5, 1, tzinfo=UTC)
FILE = RemoteFile(
    "sftp://user:secret@host",
    "/calls/bob.wav",
    "sftp://host/calls/bob.wav",
    5,
    datetime(2024, 5, 1, tzinfo=UTC),
)


def test_a_file_is_known_again_by_another_process(tmp_path: Path) -> None:
    Seen(tmp_path).put(FILE, "ab" * 32)
    assert Seen(tmp_path).get(FILE) == "ab" * 32


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, size=6),
        replace(FILE, modified_at=DAY + timedelta(seconds=1)),
        replace(FILE, version="2"),
        replace(FILE, address="x"),
    ],
)
def test_a_file_that_changed_or_lies_elsewhere_is_not(tmp_path: Path, changed: RemoteFile) -> None:
    seen = Seen(tmp_path)
    seen.put(FILE, "ab" * 32)
    assert seen.get(changed) is None


def test_a_place_that_does_not_tell_when_a_file_changes_is_never_believed(tmp_path: Path) -> None:
    undated = replace(FILE, modified_at=None)
    seen = Seen(tmp_path)
    seen.put(undated, "ab" * 32)
    assert seen.get(undated) is None


def test_neither_addresses_nor_credentials_are_kept(tmp_path: Path) -> None:
    Seen(tmp_path).put(FILE, "ab" * 32)
    [kept] = (tmp_path / "inbox").iterdir()
    assert not {word for word in (b"bob", b"host", b"secret") if word in kept.read_bytes()}


def test_an_erased_call_is_forgotten_and_no_other(tmp_path: Path) -> None:
    seen, other = Seen(tmp_path), replace(FILE, address="x")
    seen.put(FILE, "ab" * 32)
    seen.put(other, "cd" * 32)
    seen.forget(["ab" * 16])
    assert (seen.get(FILE), seen.get(other)) == (None, "cd" * 32)


def test_a_damaged_memory_costs_a_fetch_and_nothing_else(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    seen.put(FILE, "ab" * 32)
    (tmp_path / "inbox" / "seen.sqlite").write_bytes(b"no database at all" * 100)
    assert seen.get(FILE) is None
    seen.put(FILE, "ab" * 32)
