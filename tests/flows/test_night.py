"""A night over workers that hear nothing, so that many nights go wrong in a short time.

The processes, the store and the ledger are real; rows are made up from the bytes of a recording
(`injected/sitecustomize.py`), and recordings of some names are the end of whoever works on them.
"""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample_calls import ROOT

from flows.limits import Limits
from flows.night import Night
from flows.progress import ProgressReport, Tally
from flows.worker import Assignment
from flows.workers import Workers, hired
from models.selection import Selection
from pipelines.ledger import FILE, Ledger
from pipelines.processes import this_process
from pipelines.settings import CallSettings
from pipelines.sources import Source, find_sources
from pipelines.store import Store, StoreError
from pipelines.store.erasure import doomed_calls, erase

INJECTED = Path(__file__).parent / "injected"
SETTINGS = "settings-1"


@dataclass
class Nights:
    """Makes recordings and runs nights over them."""

    folder: Path
    trace: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "store")

    def record(self, *names: str) -> None:
        (self.folder / "calls").mkdir(exist_ok=True)
        for name in names:
            (self.folder / "calls" / f"{name}.wav").write_text(name)

    def sources(self) -> tuple[Source, ...]:
        return find_sources([str(self.folder / "calls")])

    @contextmanager
    def night(
        self,
        workers: int = 1,
        *,
        run_id: str = "run-1",
        limits: Limits | None = None,
        memory: int | None = None,
        back_off_s: float = 0.05,
        until: datetime | None = None,
        again: bool = False,
        sources: tuple[Source, ...] | None = None,
        meanwhile: Callable[[Workers], None] | None = None,
        settle_s: float = 0.0,
    ) -> Iterator[tuple[Night, Tally]]:
        tally, store = Tally(), self.store
        selection = Selection("tiny", {})
        assignment = Assignment(
            selection,
            CallSettings(),
            SETTINGS,
            store.root,
            run_id,
            1,
            ROOT / "data",
            this_process(),
            limits=limits or Limits(30.0),
            again=again,
            back_off_s=back_off_s,
        )
        ledger = Ledger(store.root, back_off_s=back_off_s)
        end = None if until is None else until.time()
        found = self.sources() if sources is None else sources
        try:
            with hired(workers, 1, memory) as workforce, ProgressReport() as report:
                workforce.assign(assignment, report.doing)
                if meanwhile is not None:
                    threading.Thread(target=meanwhile, args=(workforce,), daemon=True).start()
                with Night(
                    found, end, assignment, store, ledger, workforce, report, tally, settle_s
                ) as night:
                    yield night, tally
        finally:
            ledger.release(run_id)

    def __call__(self, workers: int = 1, **how: Any) -> Tally:
        with self.night(workers, **how) as (night, tally):
            night.account()
        return tally

    @property
    def begun(self) -> Counter[str]:
        return self._traced("begin")

    def _traced(self, what: str) -> Counter[str]:
        lines = self.trace.read_text().split("\n") if self.trace.exists() else []
        return Counter(line.partition(" ")[2].removesuffix(".wav") for line in lines if line.startswith(what))

    @property
    def stored(self) -> set[str]:
        return {Path(row["source"]).stem for row in self.store.table("calls").to_pylist()}

    @property
    def reasons(self) -> dict[str, tuple[str, int]]:
        return {Path(row["source"]).stem: (row["reason"], row["attempts"]) for row in self.store.failures()}


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(INJECTED), str(ROOT)]))
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.02")
    monkeypatch.setenv("CALLFOLIO_TEST_TRACE", str(tmp_path / "trace"))
    return Nights(tmp_path, tmp_path / "trace")


def names(count: int) -> list[str]:
    return [f"call-{number:02}" for number in range(count)]


def test_what_was_erased_is_not_processed_again_not_even_when_asked_to(nights: Nights) -> None:
    nights.record("erased", "kept")
    nights()
    rows = nights.store.table("calls").to_pylist()
    [call_id] = [row["call_id"] for row in rows if Path(row["source"]).stem == "erased"]
    erase(nights.store, doomed_calls(nights.store, [call_id]), "asked for")
    assert call_id not in {entry.call_id for entry in nights.ledger.entries()}
    tally = nights(run_id="run-2", again=True)
    assert nights.begun == {"erased": 1, "kept": 2}
    assert (tally.processed, tally.skipped) == (1, 1)
    assert nights.stored == {"kept"}


def test_every_recording_is_processed_once(nights: Nights) -> None:
    nights.record(*names(20))
    tally = nights(workers=2)
    assert (tally.processed, tally.set_aside, tally.skipped) == (20, [], 0)
    assert nights.stored == set(names(20))
    assert nights.begun == Counter(names(20))
    assert nights.ledger.counts()["done"] == 20


def test_what_is_in_the_store_is_skipped_and_files_that_are_known_are_not_read_again(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.record(*names(5))
    nights()
    for path in (nights.folder / "calls").iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    nights(run_id="run-2")
    time.sleep(2.1)  # until no clock of a file system can hide that a file was changed
    nights(run_id="run-3")
    read: list[Path] = []
    opened = Path.open

    def noting(path: Path, *how: Any, **also: Any) -> Any:
        read.append(path)
        return opened(path, *how, **also)

    monkeypatch.setattr(Path, "open", noting)
    tally = nights(run_id="run-4")
    assert (tally.processed, tally.skipped) == (0, 5)
    assert [path for path in read if path.suffix == ".wav"] == []
    assert nights.begun == Counter(names(5))


def describe(nights: Nights, **of_calls: dict[str, Any]) -> None:
    for name, said in of_calls.items():
        (nights.folder / "calls" / f"{name.replace('_', '-')}.json").write_text(json.dumps(said))


def rows(nights: Nights) -> dict[str, dict[str, Any]]:
    table = nights.store.table("calls").to_pylist(maps_as_pydicts="strict")
    return {Path(row["source"]).stem: row for row in table}


def test_metadata_that_has_changed_is_brought_into_the_store_and_nothing_is_heard_again(
    nights: Nights,
) -> None:
    nights.record(*names(4))
    describe(nights, call_00={"agent_id": "a1", "team": "north"}, call_03={"agent_id": "a9"})
    nights()
    describe(
        nights,
        call_00={"agent_id": "a2", "shift": "late"},
        call_01={"customer_id": "c7", "started_at": "2024-02-29T23:30:00-02:00"},
    )
    (nights.folder / "calls" / "call-03.json").unlink()
    before = rows(nights)
    tally = nights(run_id="run-2")
    assert (tally.processed, tally.skipped, tally.restated) == (0, 4, 2)
    after = rows(nights)
    assert after["call-00"]["agent_id"] == "a2"
    assert after["call-00"]["metadata"] == {"version": "0", "team": "north", "shift": "late"}
    assert after["call-01"]["customer_id"] == "c7"
    assert after["call-01"]["call_date"] == date(2024, 3, 1)
    assert [after[name] for name in ("call-02", "call-03")] == [
        before[name] for name in ("call-02", "call-03")
    ]
    assert nights.begun == Counter(names(4))
    assert nights._traced("restate") == Counter(["call-00", "call-01"])
    assert nights(run_id="run-3").restated == 0


def test_what_follows_from_roles_and_kind_is_found_anew_and_another_language_is_heard(nights: Nights) -> None:
    nights.record(*names(3))
    nights()
    describe(nights, call_00={"kind": "consultation"}, call_01={"language": "es", "queue": "sales"})
    tally = nights(run_id="run-2")
    assert (tally.processed, tally.skipped, tally.restated) == (1, 2, 1)
    assert nights._traced("reread") == Counter(["call-00"])
    assert nights.begun == Counter([*names(3), "call-01"])
    after = rows(nights)
    assert [after["call-00"][name] for name in ("kind", "kind_source")] == ["consultation", "given"]
    assert [after["call-01"][name] for name in ("language", "queue", "run_id")] == ["es", "sales", "run-2"]
    tally = nights(run_id="run-3")
    assert (tally.processed, tally.skipped, tally.restated) == (0, 3, 0)


def test_a_recording_that_is_given_without_metadata_loses_none_not_even_by_force(nights: Nights) -> None:
    nights.record("call-00")
    describe(nights, call_00={"agent_id": "a1", "started_at": "2023-01-01", "team": "north"})
    nights()
    (nights.folder / "calls" / "call-00.json").unlink()
    assert nights(run_id="run-2", again=True).processed == 1
    row = rows(nights)["call-00"]
    assert (row["agent_id"], row["call_date"], row["metadata"]["team"]) == ("a1", date(2023, 1, 1), "north")


def test_metadata_that_cannot_be_brought_in_costs_its_call_and_no_more(nights: Nights) -> None:
    nights.record(*names(3))
    nights()
    describe(nights, call_00={"poison": "fail"}, call_02={"agent_id": "a2"})
    tally = nights(run_id="run-2")
    assert (tally.processed, tally.skipped, tally.restated) == (0, 2, 1)
    assert [
        (Path(each.source).stem, str(each.failure.reason)) for each in tally.set_aside if each.failure
    ] == [("call-00", "processing_failed")]
    assert nights.stored == set(names(3))
    tally = nights(run_id="run-3")
    assert (tally.skipped, tally.restated, len(tally.set_aside)) == (2, 0, 1), (
        "it is told as long as it lasts"
    )
    describe(nights, call_00={"poison": "none"})
    assert nights(run_id="run-4").restated == 1


def test_metadata_that_could_not_be_brought_in_and_is_taken_back_leaves_no_failure(nights: Nights) -> None:
    nights.record("call-00")
    nights()
    before = rows(nights)
    describe(nights, call_00={"poison": "fail"})
    assert len(nights(run_id="run-2").set_aside) == 1
    assert nights.reasons == {}, "it is in the store"
    (nights.folder / "calls" / "call-00.json").unlink()
    tally = nights(run_id="run-3")
    assert (tally.skipped, tally.restated, tally.set_aside) == (1, 0, [])
    assert (rows(nights), nights.reasons) == (before, {})


def test_two_nights_at_once_restate_a_call_once(nights: Nights) -> None:
    nights.record(*names(8))
    nights()
    describe(nights, **{name.replace("-", "_"): {"agent_id": "a1"} for name in names(8)})
    tallies: list[Tally] = []
    threads = [
        threading.Thread(target=lambda run_id=run_id: tallies.append(nights(run_id=run_id)))
        for run_id in ("run-2", "run-3")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [tally.skipped for tally in tallies] == [8, 8]
    assert sum(tally.restated for tally in tallies) == 8
    assert {row["agent_id"] for row in rows(nights).values()} == {"a1"}


def test_by_force_everything_is_processed_once_more(nights: Nights) -> None:
    nights.record(*names(3))
    nights()
    assert nights(run_id="run-2", again=True).processed == 3
    assert nights.begun == Counter(names(3) * 2)
    assert {row["run_id"] for row in nights.store.table("calls").to_pylist()} == {"run-2"}


def test_poison_is_found_and_set_aside_and_the_night_goes_on(nights: Nights) -> None:
    nights.record("crash", "eat", "fail", "hang", *names(6))
    tally = nights(workers=2, limits=Limits(10.0), memory=400_000_000)
    assert nights.stored == set(names(6))
    assert nights.reasons == {
        "crash": ("worker_died", 3),
        "eat": ("out_of_memory", 3),
        "fail": ("processing_failed", 3),
        "hang": ("took_too_long", 2),
    }
    assert nights.begun == Counter([*names(6), *["crash", "eat", "fail"] * 3, *["hang"] * 2])
    assert {entry.attempts for entry in nights.ledger.entries("set_aside")} == {2, 3}
    assert (tally.processed, len(tally.set_aside)) == (6, 4)
    assert nights(run_id="run-2").set_aside_before == 4
    assert nights.ledger.retry([entry.call_id for entry in nights.ledger.entries("set_aside")]) == 4


def test_what_fails_for_a_time_is_tried_again_in_the_same_night(nights: Nights) -> None:
    nights.record("fail", *names(2))
    with nights.night(back_off_s=0.5) as (night, tally):
        while not nights.reasons:
            night.account(most=1)
        (nights.folder / "calls" / "fail.wav").rename(nights.folder / "calls" / "better.wav")
        (nights.folder / "calls" / "fail.wav").symlink_to("better.wav")
        night.account()
    assert (tally.processed, len(tally.set_aside)) == (2, 1)


def test_two_nights_at_once_do_not_process_a_call_twice(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.1")
    nights.record(*names(30))
    tallies: dict[str, Tally] = {}

    def one(run_id: str) -> None:
        tallies[run_id] = nights(workers=2, run_id=run_id)

    threads = [threading.Thread(target=one, args=(f"run-{number}",)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert nights.begun == Counter(names(30))
    assert nights.stored == set(names(30))
    assert sum(tally.processed for tally in tallies.values()) == 30
    for tally in tallies.values():
        assert tally.processed + tally.skipped + tally.elsewhere == 30


def test_what_another_run_is_at_work_on_is_told_and_left_to_it(nights: Nights) -> None:
    nights.record(*names(3))
    [held] = [each for each in nights.sources() if each.path.stem == "call-01"]
    from pipelines.recording import identify

    nights.store  # noqa: B018 - makes the store
    nights.ledger.claim(identify(held), SETTINGS, "another", lambda: False)
    tally = nights()
    assert (tally.processed, tally.elsewhere) == (2, 1)
    nights.ledger.release("another")
    assert nights(run_id="run-2").processed == 1


@pytest.mark.parametrize("moment", ["idle", "working", "loading"])
def test_a_worker_that_is_killed_at_any_moment_is_replaced(nights: Nights, moment: str) -> None:
    nights.record(*names(6))

    def kill(workers: Workers) -> None:
        if moment != "loading":
            deadline = time.monotonic() + 200
            while not nights.begun and time.monotonic() < deadline:
                time.sleep(0.01)
        os.kill(workers.pids[0], signal.SIGKILL)
        if moment == "idle":
            time.sleep(0.5)
            with suppress(ProcessLookupError):  # the night is over
                os.kill(workers.pids[0], signal.SIGKILL)

    tally = nights(meanwhile=kill)
    assert tally.processed + tally.skipped == 6
    assert nights.stored == set(names(6))
    assert nights.reasons == {}


def test_workers_that_never_get_to_work_end_the_run_with_a_sentence(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "stillborn")
    nights.record(*names(2))
    with pytest.raises(Exception, match="Workers end with status 88 before they have a recording"):
        nights()
    assert nights.reasons == {}


def test_no_recording_is_begun_after_the_time_is_over(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.night

    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.2")
    nights.record(*names(24))
    start = datetime(2024, 3, 5, 5, 59, 50)

    class Clock(datetime):
        @classmethod
        def now(cls, _: Any = None) -> datetime:  # type: ignore[override]
            return start + timedelta(minutes=1 if len(nights.begun) >= 3 else 0)

    monkeypatch.setattr(flows.night, "datetime", Clock)
    tally = nights(until=datetime(2024, 3, 5, 6, 0))
    assert 3 <= tally.processed < 22
    assert tally.processed + tally.left == 24
    assert nights.stored == set(nights.begun)
    assert nights(run_id="run-2").processed == tally.left


def test_a_recording_that_is_gone_when_its_turn_comes_is_set_aside_and_waits_for_another_run(
    nights: Nights,
) -> None:
    nights.record(*names(3))
    sources = nights.sources()
    (nights.folder / "calls" / "call-01.wav").unlink()
    tally = nights(sources=sources)
    assert tally.processed == 2
    assert nights.reasons == {"call-01": ("unreadable", 1)}
    nights.record("call-01")
    assert nights(run_id="run-2").processed == 1
    assert nights.reasons == {}


def test_a_folder_that_vanishes_costs_what_was_in_it_and_no_more(nights: Nights) -> None:
    nights.record(*names(3))
    sources = nights.sources()
    (nights.folder / "calls").rename(nights.folder / "elsewhere")
    tally = nights(sources=sources)
    assert tally.processed == 0
    assert {reason for reason, _ in nights.reasons.values()} == {"unreadable"}
    (nights.folder / "elsewhere").rename(nights.folder / "calls")
    assert nights(run_id="run-2").processed == 3
    assert nights.reasons == {}


def test_a_recording_that_a_run_died_of_comes_last(nights: Nights) -> None:
    nights.record(*names(4))
    from dataclasses import replace

    from pipelines.recording import identify

    first = identify(nights.sources()[0])
    dead = Ledger(nights.store.root, me=replace(this_process(), started=1))
    dead.claim(first, SETTINGS, "dead", lambda: False)
    nights()
    assert list(nights.begun) == ["call-01", "call-02", "call-03", "call-00"]
    assert nights.stored == set(names(4))


def test_a_damaged_ledger_ends_the_run_with_a_sentence_and_a_new_one_knows_all(nights: Nights) -> None:
    nights.record(*names(3))
    nights()
    path = nights.store.root / FILE
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(StoreError, match="is damaged"):
        nights(run_id="run-2")
    path.unlink()
    tally = nights(run_id="run-3")
    assert (tally.processed, tally.skipped) == (0, 3)
    assert nights.ledger.counts()["done"] == 3


def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_finished(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.record(*names(3))
    monkeypatch.setenv("CALLFOLIO_TEST_FULL_AFTER", "1")
    with pytest.raises(StoreError, match=r"disk of the store .* is full"):
        nights()
    assert len(nights.stored) == 1
    monkeypatch.delenv("CALLFOLIO_TEST_FULL_AFTER")
    assert nights(run_id="run-2").processed == 2
    assert (nights.stored, nights.reasons) == (set(names(3)), {})
    assert {entry.attempts for entry in nights.ledger.entries()} == {1}


def test_outcomes_come_as_they_are_ready_and_no_worker_waits_for_a_batch(nights: Nights) -> None:
    nights.record("hang", *names(12))
    with nights.night(2, limits=Limits(8.0)) as (night, tally):
        night.account(most=12)
        assert tally.processed == 12
        assert night.open
        night.account()
    assert not night.open


def test_nothing_to_do_is_nothing_done(nights: Nights) -> None:
    (nights.folder / "calls").mkdir()
    began = time.monotonic()
    tally = nights(sources=())
    assert tally == Tally()
    assert time.monotonic() - began < 100
