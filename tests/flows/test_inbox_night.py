"""A night over an inbox that lies elsewhere, with workers that hear nothing (see `test_night`)."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from sample_calls import ROOT
from test_night import INJECTED, Nights, names

from pipelines.inbox import Scratch
from pipelines.sources import find_sources

INBOX = "memory://inbox"


def put(*names: str, content: str | None = None, ago: timedelta = timedelta(days=1)) -> None:
    files = fsspec.filesystem("memory")
    for name in names:
        files.pipe(f"/inbox/{name}.wav", (name if content is None else content).encode())
        moment = datetime.now(UTC).replace(microsecond=0) - ago
        files.store[f"/inbox/{name}.wav"].modified = files.store[f"/inbox/{name}.wav"].created = moment


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(INJECTED), str(ROOT)]))
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.02")
    monkeypatch.setenv("CALLFOLIO_TEST_TRACE", str(tmp_path / "trace"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    yield Nights(tmp_path, tmp_path / "trace")
    if (files := fsspec.filesystem("memory")).exists("/inbox"):
        files.rm("/inbox", recursive=True)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is fetched, in order."""
    asked: list[str] = []
    memory = type(fsspec.filesystem("memory"))
    get_file = memory.get_file

    def noting(self: Any, key: str, *how: Any, **also: Any) -> Any:
        asked.append(Path(key).stem)
        return get_file(self, key, *how, **also)

    monkeypatch.setattr(memory, "get_file", noting)
    return asked


def test_every_recording_is_fetched_once_processed_once_and_nothing_of_it_is_left(
    nights: Nights, fetched: list[str]
) -> None:
    put(*names(10))
    tally = nights(workers=2, sources=find_sources([INBOX]))
    assert (tally.processed, tally.set_aside) == (10, [])
    assert sorted(fetched) == names(10)
    assert nights.begun == Counter(names(10))
    sources = {row["source"] for row in nights.store.table("calls").to_pylist()}
    assert sources == {f"{INBOX}/{name}.wav" for name in names(10)}
    assert list((nights.folder / "scratch").iterdir()) == []


def test_a_later_night_fetches_only_what_it_does_not_know(nights: Nights, fetched: list[str]) -> None:
    put(*names(3))
    nights(sources=find_sources([INBOX]))
    fetched.clear()
    put("call-00-under-another-name", content="call-00")
    put("call-09")
    tally = nights(run_id="run-2", sources=find_sources([INBOX]))
    assert (tally.processed, tally.skipped) == (1, 4)
    assert sorted(fetched) == ["call-00-under-another-name", "call-09"]
    assert nights.begun == Counter([*names(3), "call-09"])


def test_what_a_manifest_names_elsewhere_is_fetched_once_too(nights: Nights, fetched: list[str]) -> None:
    put(*names(3))
    manifest = nights.folder / "calls.csv"
    rows = [f"{INBOX}/{name}.wav,a1" for name in [*names(3), "gone"]]
    manifest.write_text("\n".join(["source,agent_id", *rows]))
    assert nights(sources=find_sources([], manifest)).processed == 3
    fetched.clear()
    put("call-01", content="another recording")
    manifest.write_text(manifest.read_text().replace("call-02.wav,a1", "call-02.wav,a2"))
    tally = nights(run_id="run-2", sources=find_sources([], manifest))
    assert (tally.processed, tally.skipped, tally.restated, len(tally.set_aside)) == (1, 2, 1, 1)
    assert sorted(set(fetched)) == ["call-01", "gone"]
    assert nights.begun == Counter([*names(3), "call-01"])
    put("call-02", content="fresh", ago=timedelta(seconds=5))
    tally = nights(run_id="run-3", sources=find_sources([], manifest), settle_s=60.0)
    assert (tally.processed, tally.settling) == (0, 1)


def test_what_is_still_being_written_is_left_and_never_set_aside(nights: Nights) -> None:
    put("settled")
    put("fresh", ago=timedelta(seconds=5))
    tally = nights(sources=find_sources([INBOX]), settle_s=60.0)
    assert (tally.processed, tally.settling, tally.set_aside) == (1, 1, [])
    assert nights.reasons == {}
    put("fresh", ago=timedelta(seconds=120))
    tally = nights(run_id="run-2", sources=find_sources([INBOX]), settle_s=60.0)
    assert (tally.processed, tally.settling) == (1, 0)


def test_what_went_between_listing_and_reading_is_set_aside_under_its_address(nights: Nights) -> None:
    put("gone", "there")
    sources = find_sources([INBOX])
    fsspec.filesystem("memory").rm("/inbox/gone.wav")
    tally = nights(sources=sources)
    assert (tally.processed, len(tally.set_aside)) == (1, 1)
    [row] = nights.store.failures()
    assert (row["source"], row["reason"]) == (f"{INBOX}/gone.wav", "unreadable")
    assert row["message"].startswith(f"{INBOX}/gone.wav cannot be read: it is gone.")


def test_a_failure_names_the_address_and_not_the_copy(nights: Nights) -> None:
    put("crash", "fail")
    nights(workers=2, sources=find_sources([INBOX]))
    messages = {Path(row["source"]).stem: row["message"] for row in nights.store.failures()}
    for name in ("crash", "fail"):
        assert f"{INBOX}/{name}.wav" in messages[name]
        assert "scratch" not in messages[name]


def test_no_more_is_fetched_ahead_than_there_is_room_for(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.1")
    put(*names(30))
    held: list[int] = []
    fits = Scratch.has_room

    def noting(scratch: Scratch) -> bool:
        held.append(len(list(scratch.folder.glob("*/*"))))
        return fits(scratch)

    monkeypatch.setattr(Scratch, "has_room", noting)
    monkeypatch.setattr("flows.night.Scratch", lambda: Scratch(look_ahead_bytes=5 * len("call-00")))
    tally = nights(sources=find_sources([INBOX]))
    assert tally.processed == 30
    assert max(held) <= 6
