"""The ledger: who may process what, whatever dies and whatever the clock does."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from fast_folder import memory
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from made_rows import made_failure

from models.errors import UsageError
from pipelines.failures import (
    MOST_TRIES,
    NoSpeech,
    RanOutOfMemory,
    RecordingFailure,
    TookTooLong,
    Unreadable,
    WorkerDied,
)
from pipelines.ledger import (
    BACK_OFF_S,
    FILE,
    LEASE_S,
    Claim,
    KnownFile,
    Ledger,
    LedgerDamaged,
    LedgerError,
    Refusal,
)
from pipelines.processes import Process, is_alive, this_process
from pipelines.recording import Recording
from pipelines.sources import CallMetadata

S1, S2 = "settings-1", "settings-2"
HERE = "here"


def recording(number: int = 1, name: str | None = None) -> Recording:
    sha256 = f"{number:064x}"[::-1]
    path = Path(f"/calls/{name or number}.wav")
    return Recording(
        path, str(path), sha256[:32], sha256, 1000, datetime(2024, 3, 5, tzinfo=UTC), CallMetadata()
    )


@dataclass
class World:
    """Processes that live or not, and clocks that are set at will."""

    root: Path
    now: float = 1_700_000_000.0
    elapsed: float = 100.0
    dead: set[Process] = field(default_factory=set)

    def process(self, pid: int, host: str = HERE) -> Process:
        return Process(host, pid, 7)

    def ledger(self, me: Process) -> Ledger:
        def alive(process: Process) -> bool | None:
            return process not in self.dead if process.host == me.host else None

        return Ledger(self.root, me=me, alive=alive, now=lambda: self.now, elapsed=lambda: self.elapsed)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.elapsed += seconds


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def never() -> bool:
    return False


def always() -> bool:
    return True


def claimed(ledger: Ledger, one: Recording | None = None, run_id: str = "run-a", **how: object) -> Claim:
    claim = ledger.claim(one or recording(), S1, run_id, never, **how)  # type: ignore[arg-type]
    assert isinstance(claim, Claim)
    return claim


def refused(ledger: Ledger, one: Recording | None = None, run_id: str = "run-b", **how: object) -> Refusal:
    refusal = ledger.claim(one or recording(), S1, run_id, never, **how)  # type: ignore[arg-type]
    assert isinstance(refusal, Refusal)
    return refusal


# Claims


def test_what_one_worker_has_claimed_is_held(world: World) -> None:
    claimed(world.ledger(world.process(1)))
    assert refused(world.ledger(world.process(2))) == Refusal("held")


def test_what_is_in_the_store_is_done_and_not_claimed(world: World) -> None:
    ledger = world.ledger(world.process(1))
    assert ledger.claim(recording(), S1, "run-a", always) == Refusal("done")
    assert ledger.counts()["done"] == 1


def test_what_was_finished_is_claimed_again_only_where_the_store_has_lost_it(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.finish(claimed(ledger))
    assert ledger.claim(recording(), S1, "run-a", always) == Refusal("done")
    assert isinstance(ledger.claim(recording(), S1, "run-a", never), Claim)


def test_with_other_settings_a_recording_is_to_be_done_again_with_all_its_attempts(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), NoSpeech(Path("1.wav"), 1.0))
    claim = ledger.claim(recording(), S2, "run-b", never)
    assert isinstance(claim, Claim)
    assert (claim.attempts, claim.settings_sha256) == (1, S2)


def test_a_claim_says_who_is_at_work_since_when(world: World) -> None:
    worker = world.process(1)
    claimed(world.ledger(worker))
    [entry] = world.ledger(worker).entries("working")
    assert (entry.worker, entry.claimed_at, entry.attempts) == (worker, world.now, 1)
    assert entry.lease_until == world.now + LEASE_S


def test_of_many_that_ask_at_once_one_gets_it(tmp_path: Path) -> None:
    def ask(pid: int) -> Claim | Refusal:
        ledger = Ledger(tmp_path, me=replace(this_process(), pid=pid), alive=lambda _: True)
        return ledger.claim(recording(), S1, f"run-{pid}", never)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert sorted(isinstance(answer, Claim) for answer in answers) == [False] * 15 + [True]


# Those who die


def test_the_call_of_a_dead_run_is_taken_over_and_costs_no_attempt(world: World) -> None:
    worker, keeper = world.process(1), world.process(2)
    claimed(world.ledger(worker), keeper=keeper)
    world.dead |= {worker, keeper}
    claim = claimed(world.ledger(world.process(3)), run_id="run-b")
    assert claim.attempts == 1
    [entry] = world.ledger(worker).entries()
    assert entry.lost == 1


def test_the_call_of_a_dead_worker_is_left_to_its_run_while_that_lives(world: World) -> None:
    worker, keeper = world.process(1), world.process(2)
    claimed(world.ledger(worker), keeper=keeper)
    world.dead.add(worker)
    assert refused(world.ledger(world.process(3))) == Refusal("held")
    buried = world.ledger(keeper).bury(recording(), S1, "run-a", WorkerDied(Path("1.wav"), -11))
    assert buried is not None
    assert (buried.state, buried.attempts, buried.reason) == ("waiting", 1, "worker_died")


def test_a_run_that_asks_again_for_what_its_dead_worker_had_learns_when_to_try_it(world: World) -> None:
    worker, keeper = world.process(1), world.process(2)
    claimed(world.ledger(worker), keeper=keeper)
    world.dead.add(worker)
    other = world.ledger(world.process(3))
    assert refused(other, run_id="run-a", keeper=keeper) == Refusal("later", world.now + BACK_OFF_S)
    world.pass_time(BACK_OFF_S)
    assert claimed(other, run_id="run-a", keeper=keeper).attempts == 2


def test_a_worker_that_lives_is_not_buried(world: World) -> None:
    ledger = world.ledger(world.process(1))
    claim = claimed(ledger)
    assert ledger.bury(recording(), S1, "run-a", WorkerDied(Path("1.wav"), 1)) is None
    assert ledger.beat(claim)


def test_a_worker_that_died_before_it_claimed_anything_has_used_an_attempt(world: World) -> None:
    ledger = world.ledger(world.process(1))
    for attempts in range(1, MOST_TRIES + 1):
        entry = ledger.bury(recording(), S1, "run-a", WorkerDied(Path("1.wav"), 1))
        assert entry is not None
        assert entry.attempts == attempts
        world.pass_time(BACK_OFF_S * 4**attempts)
    assert ledger.counts()["set_aside"] == 1


def test_a_worker_that_said_how_it_failed_and_died_has_used_one_attempt(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), RanOutOfMemory(Path("1.wav")))
    entry = ledger.bury(recording(), S1, "run-a", WorkerDied(Path("1.wav"), 1))
    assert entry is not None
    assert (entry.attempts, entry.reason) == (1, "out_of_memory")


def test_what_an_interrupted_run_gives_back_can_be_claimed_at_once_and_was_not_tried(world: World) -> None:
    ledger = world.ledger(world.process(1))
    claimed(ledger)
    claimed(ledger, recording(2))
    assert ledger.release("run-a") == 2
    assert claimed(world.ledger(world.process(2)), run_id="run-b").attempts == 1


def test_a_claim_that_was_given_back_is_lost(world: World) -> None:
    ledger = world.ledger(world.process(1))
    claim = claimed(ledger)
    ledger.release("run-a")
    claimed(world.ledger(world.process(2)), run_id="run-b")
    assert not ledger.beat(claim)
    assert ledger.set_aside(claim, NoSpeech(Path("1.wav"), 1.0)) is None
    ledger.finish(claim)
    assert ledger.counts()["working"] == 1


# Clocks


@pytest.mark.parametrize("jump", [-86_400.0 * 365, -1.0, 86_400.0 * 365])
def test_no_clock_takes_a_call_from_a_live_worker_of_this_machine(world: World, jump: float) -> None:
    claimed(world.ledger(world.process(1)))
    world.now += jump
    assert refused(world.ledger(world.process(2))) == Refusal("held")


def test_a_worker_of_another_machine_holds_its_call_as_long_as_it_beats(world: World) -> None:
    far = world.ledger(world.process(1, host="there"))
    claim, near = claimed(far), world.ledger(world.process(1))
    for _ in range(10):
        world.pass_time(LEASE_S * 0.9)
        assert far.beat(claim)
        assert refused(near) == Refusal("held")


def test_a_worker_of_another_machine_that_is_silent_for_long_is_dead(world: World) -> None:
    claimed(world.ledger(world.process(1, host="there")))
    world.pass_time(LEASE_S * 1.9)
    assert refused(world.ledger(world.process(1))) == Refusal("held")
    world.pass_time(LEASE_S * 0.2)
    claimed(world.ledger(world.process(1)), run_id="run-b")


def test_a_clock_that_was_set_back_leaves_no_call_with_a_dead_worker(world: World) -> None:
    claimed(world.ledger(world.process(1, host="there")))
    world.now -= 86_400.0
    near = world.ledger(world.process(1))
    assert refused(near) == Refusal("held")
    world.pass_time(LEASE_S)
    claimed(near, run_id="run-b")


def test_a_clock_that_was_set_back_keeps_no_call_waiting(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), RanOutOfMemory(Path("1.wav")))
    world.now -= 86_400.0
    assert claimed(ledger).attempts == 2


# Failures


def test_what_may_have_failed_by_chance_is_tried_again_later_and_later_and_then_set_aside(
    world: World,
) -> None:
    ledger, waits = world.ledger(world.process(1)), []
    for attempts in range(1, MOST_TRIES + 1):
        claim = claimed(ledger)
        assert claim.attempts == attempts
        entry = ledger.set_aside(claim, RanOutOfMemory(Path("1.wav")))
        assert entry is not None
        if entry.not_before is not None:
            waits.append(entry.not_before - world.now)
            assert refused(ledger) == Refusal("later", entry.not_before)
            world.pass_time(waits[-1])
    assert waits == [BACK_OFF_S, 4 * BACK_OFF_S]
    assert [entry.reason for entry in ledger.entries("set_aside")] == ["out_of_memory"]
    assert refused(ledger) == Refusal("set_aside")


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (NoSpeech(Path("1.wav"), 1.0), 1),
        (TookTooLong(Path("1.wav"), 600), 2),
        (WorkerDied(Path("1.wav"), 1), 3),
    ],
)
def test_each_reason_has_its_number_of_tries(world: World, failure: RecordingFailure, tries: int) -> None:
    ledger = world.ledger(world.process(1))
    for _ in range(tries):
        assert ledger.entries("set_aside") == []
        ledger.set_aside(claimed(ledger), failure)
        world.pass_time(BACK_OFF_S * 16)
    [entry] = ledger.entries("set_aside")
    assert (entry.attempts, entry.message) == (tries, str(failure))


def test_what_could_not_be_read_was_not_tried_and_is_tried_by_every_run(world: World) -> None:
    ledger = world.ledger(world.process(1))
    for _ in range(10):
        entry = ledger.set_aside(claimed(ledger), Unreadable(Path("1.wav"), "it is gone"))
        assert entry is not None
        assert (entry.state, entry.attempts, entry.not_before) == ("waiting", 0, None)


def test_what_was_set_aside_is_tried_again_when_somebody_says_so(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), NoSpeech(Path("1.wav"), 1.0))
    ledger.finish(claimed(ledger, recording(2)))
    claimed(ledger, recording(3))
    assert ledger.retry([recording(number).call_id for number in (1, 2, 3, 4)]) == 1
    assert claimed(ledger).attempts == 1
    assert ledger.counts() == {"waiting": 0, "working": 2, "done": 1, "set_aside": 0}


def test_by_force_what_another_run_set_aside_is_tried_and_not_more_often_than_once(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), NoSpeech(Path("1.wav"), 1.0))
    assert refused(ledger, run_id="run-b") == Refusal("set_aside")
    claim = claimed(ledger, run_id="run-b", again=True)
    ledger.set_aside(claim, NoSpeech(Path("1.wav"), 1.0))
    assert refused(ledger, run_id="run-b", again=True) == Refusal("set_aside")


# The store is the truth


def test_a_call_whose_worker_was_killed_after_it_committed_is_done(world: World) -> None:
    claimed(world.ledger(world.process(1)))
    world.dead.add(world.process(1))
    ledger = world.ledger(world.process(2))
    ledger.reconcile({recording().call_id: S1})
    [entry] = ledger.entries()
    assert (entry.state, entry.worker, entry.lease_until) == ("done", None, None)


def test_a_call_in_the_store_that_is_processed_anew_stays_with_its_worker(world: World) -> None:
    ledger = world.ledger(world.process(1))
    claim = claimed(ledger)
    world.ledger(world.process(2)).reconcile({recording().call_id: S1})
    assert ledger.beat(claim)


def test_a_call_in_the_store_that_has_failed_since_is_not_tried_every_night(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), NoSpeech(Path("1.wav"), 1.0))
    row = made_failure("/calls/1.wav", recording().call_id, reason="no_speech", attempts=1)
    ledger.reconcile({recording().call_id: S1}, [{**row, "settings_sha256": S1}])
    assert ledger.counts()["set_aside"] == 1
    ledger.reconcile({recording().call_id: S1})
    assert ledger.counts()["done"] == 1


def test_a_lost_ledger_is_made_anew_from_the_store(world: World) -> None:
    spent = made_failure("/calls/2.wav", recording(2).call_id, reason="no_speech", attempts=1)
    again = made_failure("/calls/3.wav", recording(3).call_id, reason="out_of_memory", attempts=2)
    rows = [
        {**row, "settings_sha256": S1} for row in (spent, again, made_failure("/calls/4.wav", attempts=1))
    ]
    ledger = world.ledger(world.process(1))
    ledger.reconcile({recording(1).call_id: S1}, rows)
    states = {entry.call_id: (entry.state, entry.attempts) for entry in ledger.entries()}
    assert states == {
        recording(1).call_id: ("done", 0),
        recording(2).call_id: ("set_aside", 1),
        recording(3).call_id: ("waiting", 2),
    }
    assert refused(ledger, recording(2)) == Refusal("set_aside")
    assert claimed(ledger, recording(3)).attempts == 3


def test_what_the_ledger_knows_of_a_failure_counts_for_more_than_the_table(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.set_aside(claimed(ledger), NoSpeech(Path("1.wav"), 1.0))
    ledger.retry([recording().call_id])
    row = made_failure(
        "/calls/1.wav", recording().call_id, reason="no_speech", attempts=1, settings_sha256=S1
    )
    ledger.reconcile({}, [row])
    assert ledger.counts()["set_aside"] == 0


def test_a_call_that_is_gone_from_the_store_is_forgotten(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.finish(claimed(ledger))
    ledger.reconcile({})
    assert ledger.entries() == []


def test_what_is_done_with_other_settings_still_waits(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording()], S2)
    ledger.reconcile({recording().call_id: S1})
    assert ledger.counts()["waiting"] == 1


def test_the_leases_of_dead_runs_are_given_back_and_those_of_live_ones_are_not(world: World) -> None:
    claimed(world.ledger(world.process(1)))
    claimed(world.ledger(world.process(2)), recording(2), run_id="run-b")
    world.dead.add(world.process(1))
    ledger = world.ledger(world.process(3))
    [orphan, live] = ledger.entries()
    assert (ledger.is_orphaned(orphan), ledger.is_orphaned(live)) == (True, False)
    ledger.reconcile({})
    assert [entry.call_id for entry in ledger.entries("working")] == [recording(2).call_id]


# Looking things up


def test_an_entry_is_found_by_its_id_its_source_or_its_name(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording(1, "first call"), recording(2)], S1)
    one = recording(1).call_id
    for reference in (one, one[:6], "/calls/first call.wav", "first call.wav", "first call"):
        assert [entry.call_id for entry in ledger.find(reference)] == [one]
    assert ledger.find("first") == []


def test_names_need_not_be_utf_8(world: World) -> None:
    odd = replace(recording(), source=os.fsdecode(b"/calls/f\xe9.wav"))
    ledger = world.ledger(world.process(1))
    claim = claimed(ledger, odd)
    entry = ledger.set_aside(claim, NoSpeech(Path(odd.source), 1.0))
    assert entry is not None
    assert (entry.source, odd.source in (entry.message or "")) == (odd.source, True)


def test_a_ledger_that_was_never_written_is_empty_and_reading_does_not_make_one(world: World) -> None:
    ledger = world.ledger(world.process(1))
    assert ledger.entries() == []
    assert set(ledger.counts().values()) == {0}
    assert ledger.identities([]) == {}
    assert ledger.forget(["x"]) == 0
    assert not ledger.path.exists()


def test_a_ledger_that_is_just_being_made_is_empty(world: World) -> None:
    (world.root / FILE).touch()
    assert world.ledger(world.process(1)).entries() == []


# Files


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "old.wav"
    path.write_bytes(b"sound")
    return path


def later(root: Path, seconds: float = 3.0) -> Ledger:
    return Ledger(root, now=lambda: time.time() + seconds)


def test_a_file_that_is_the_same_is_known(tmp_path: Path, old_file: Path) -> None:
    ledger, file = later(tmp_path), KnownFile.of(old_file)
    ledger.identified({file: "ab" * 32})
    assert ledger.identities([file, replace(file, path=tmp_path / "x")]) == {old_file: "ab" * 32}


def rewritten(path: Path) -> None:
    path.write_bytes(b"other")


def rewritten_with_its_time_set_back(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"other")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_time_set_back, replaced])
def test_a_file_that_may_have_changed_is_not_known(
    tmp_path: Path, old_file: Path, change: Callable[[Path], None]
) -> None:
    ledger = later(tmp_path)
    ledger.identified({KnownFile.of(old_file): "ab" * 32})
    time.sleep(0.02)
    change(old_file)
    assert ledger.identities([KnownFile.of(old_file)]) == {}


def test_a_file_that_was_written_a_moment_ago_is_not_remembered(tmp_path: Path, old_file: Path) -> None:
    file, written = KnownFile.of(old_file), old_file.stat().st_mtime
    for since in (1.0, -86_400.0):
        ledger = Ledger(tmp_path, now=partial(float, written + since))
        ledger.identified({file: "ab" * 32})
        assert ledger.identities([file]) == {}


# Erasure


def test_what_is_forgotten_is_gone_from_the_disk(tmp_path: Path) -> None:
    ledger = later(tmp_path)
    for number in range(1, 40):
        one = recording(number, f"customer-{number}")
        path = tmp_path / f"customer-{number}.wav"
        path.write_bytes(b"sound")
        ledger.identified({KnownFile.of(path): one.sha256})
        claim = ledger.claim(one, S1, "run-a", never)
        assert isinstance(claim, Claim)
        if number % 2:
            ledger.set_aside(claim, NoSpeech(one.path, 1.0))
    assert ledger.forget([recording(7).call_id, recording(8).call_id]) == 2
    content = b"".join(path.read_bytes() for path in tmp_path.glob(f"{FILE}*"))
    for gone in ("customer-7.", "customer-8.", recording(7).call_id, recording(8).sha256):
        assert gone.encode() not in content
    assert b"customer-9." in content
    assert len(ledger.entries()) == 37
    assert len(ledger.identities([KnownFile.of(path) for path in tmp_path.glob("*.wav")])) == 37


def test_the_claim_of_a_call_that_was_forgotten_is_lost(world: World) -> None:
    ledger = world.ledger(world.process(1))
    claim = claimed(ledger)
    ledger.forget([claim.call_id])
    assert not ledger.beat(claim)


# What can go wrong with the file


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_a_damaged_ledger_says_so_and_how_to_get_a_whole_one(world: World, content: bytes | None) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording(number) for number in range(200)], S1)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(content or whole[:4096] + b"\xff" * 8192 + whole[12288:])
    for operation in (ledger.entries, lambda: ledger.expect([recording(500)], S2)):
        with pytest.raises(LedgerDamaged, match=r"is damaged.*delete that file.*run again"):
            operation()
    ledger.path.unlink()
    ledger.reconcile({recording().call_id: S1})
    assert ledger.counts()["done"] == 1


def test_a_ledger_without_its_tables_is_damaged(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording()], S1)
    with sqlite3.connect(ledger.path) as db:
        db.execute("drop table recordings")
    with pytest.raises(LedgerDamaged):
        ledger.entries()


def test_a_ledger_of_a_newer_version_is_left_alone(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording()], S1)
    with sqlite3.connect(ledger.path) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(UsageError, match="newer version"):
        ledger.entries()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_ledger_that_may_only_be_read_is_read(world: World) -> None:
    ledger = world.ledger(world.process(1))
    ledger.expect([recording()], S1)
    ledger.path.chmod(0o400)
    world.root.chmod(0o500)
    try:
        assert len(ledger.entries()) == 1
        with pytest.raises(LedgerError, match="Make it and its folder writable"):
            ledger.expect([recording(2)], S1)
    finally:
        world.root.chmod(0o700)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be opened or written"):
        Ledger(tmp_path / "gone").expect([recording()], S1)


def test_a_disk_that_is_full_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """The limit that a process sets for its own files fails like a full disk, in the same places."""
    ledger = Ledger(tmp_path)
    ledger.expect([recording()], S1)
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "sys.path[:0] = ['tests', 'tests/pipelines']\n"
        "from test_ledger import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n"
        "    Ledger(Path(sys.argv[1])).expect([recording(n) for n in range(2, 2000)], S1)\n"
        "except LedgerError as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "what was finished is kept" in said.stdout, said.stderr
    assert len(ledger.entries()) == 1


# Processes


def test_this_process_lives_and_one_with_its_number_from_another_time_does_not() -> None:
    me = this_process()
    assert is_alive(me)
    assert not is_alive(replace(me, started=me.started + 1))
    assert is_alive(replace(me, host="elsewhere")) is None
    assert Process.parse(str(me)) == me


def test_a_process_that_ended_is_dead_before_anybody_has_asked_how() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as child:
        started = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        process = replace(this_process(), pid=child.pid, started=started)
        assert is_alive(process)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process)
    assert not is_alive(process)


# Everything at once


class Runs(RuleBasedStateMachine):
    """Runs of several workers, here and on another machine, with clocks that jump and processes that die."""

    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp(dir=memory())
        self.world = World(Path(self.folder))
        self.pids = iter(range(1, 100_000))
        self.keepers = {run: self._new(run) for run in ("a", "b", "far")}
        self.runs = {run: f"{run}-0" for run in self.keepers}
        self.committed: set[str] = set()
        self.commits: list[str] = []
        self.open: dict[tuple[str, Process], Claim] = {}
        self.watch = self.world.ledger(self.world.process(0))

    def _new(self, run: str) -> Process:
        return self.world.process(next(self.pids), "there" if run == "far" else HERE)

    @rule(run=st.sampled_from(["a", "b", "far"]), number=st.integers(1, 3), target=claims)
    def claim(self, run: str, number: int) -> object:
        worker, one = self._new(run), recording(number)
        answer = self.world.ledger(worker).claim(
            one, S1, self.runs[run], lambda: one.call_id in self.committed, self.keepers[run]
        )
        if not isinstance(answer, Claim):
            return multiple()
        assert one.call_id not in self.committed
        for (call_id, other), _ in self.open.items():
            assert call_id != one.call_id or other in self.world.dead, "claimed twice"
        self.open[(one.call_id, worker)] = answer
        return answer

    @rule(claim=consumes(claims), tell=st.booleans())
    def commit(self, claim: Claim, tell: bool) -> None:
        if claim.worker in self.world.dead or not self.world.ledger(claim.worker).beat(claim):
            return
        self.committed.add(claim.call_id)
        self.commits.append(claim.call_id)
        if tell:
            self.world.ledger(claim.worker).finish(claim)
        else:
            self.world.dead.add(claim.worker)
        self.open.pop((claim.call_id, claim.worker))

    @rule(claim=consumes(claims), why=st.sampled_from([NoSpeech, RanOutOfMemory, Unreadable]))
    def fail(self, claim: Claim, why: type[RecordingFailure]) -> None:
        if claim.worker not in self.world.dead:
            self.world.ledger(claim.worker).set_aside(claim, why._from_sentence("It failed."))
            self.open.pop((claim.call_id, claim.worker))

    @rule(claim=consumes(claims), bury=st.booleans())
    def kill_worker(self, claim: Claim, bury: bool) -> None:
        self.world.dead.add(claim.worker)
        run = claim.run_id.partition("-")[0]
        if bury and self.runs[run] == claim.run_id:
            [one] = [recording(n) for n in (1, 2, 3) if recording(n).call_id == claim.call_id]
            self.world.ledger(self.keepers[run]).bury(one, S1, claim.run_id, WorkerDied(one.path, -9))

    @rule(run=st.sampled_from(["a", "b", "far"]), politely=st.booleans())
    def end_run(self, run: str, politely: bool) -> None:
        self.world.dead.add(self.keepers[run])
        self.world.dead |= {c.worker for c in self.open.values() if c.run_id == self.runs[run]}
        if politely:
            self.world.ledger(self.keepers[run]).release(self.runs[run])
        self.keepers[run] = self._new(run)
        self.runs[run] = f"{run}-{next(self.pids)}"
        self.world.ledger(self.keepers[run]).reconcile(dict.fromkeys(self.committed, S1))

    @rule(seconds=st.sampled_from([1.0, BACK_OFF_S, LEASE_S, 4 * LEASE_S]))
    def pass_time(self, seconds: float) -> None:
        for _ in range(4):
            self.world.pass_time(seconds / 4)
            self.beat()

    @rule(seconds=st.sampled_from([-86_400.0, -10.0, 10.0, 86_400.0]))
    def set_clock(self, seconds: float) -> None:
        self.world.now += seconds
        self.beat()

    def beat(self) -> None:
        for claim in self.open.values():
            if claim.worker not in self.world.dead:
                self.world.ledger(claim.worker).beat(claim)

    @rule(number=st.integers(1, 3))
    def retry(self, number: int) -> None:
        self.watch.retry([recording(number).call_id])

    @invariant()
    def a_live_worker_keeps_its_call(self) -> None:
        for claim in list(self.open.values()):
            if claim.worker not in self.world.dead:
                [entry] = [e for e in self.watch.entries("working") if e.call_id == claim.call_id]
                assert entry.worker == claim.worker

    @invariant()
    def attempts_never_exceed_the_limit(self) -> None:
        assert all(0 <= entry.attempts <= MOST_TRIES for entry in self.watch.entries())

    @invariant()
    def nothing_is_committed_twice(self) -> None:
        assert len(self.commits) == len(self.committed)

    def teardown(self) -> None:
        """When all is dead and time has passed, every call is done, set aside or can be claimed."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.dead |= {*self.keepers.values(), *(claim.worker for claim in self.open.values())}
            ledger = self.world.ledger(self.world.process(99_999))

            def ask(one: Recording) -> Claim | Refusal:
                return ledger.claim(one, S1, "last", lambda: one.call_id in self.committed)

            for number in (1, 2, 3):
                ask(recording(number))
                ledger.release("last")
            self.world.pass_time(100 * LEASE_S)
            for number in (1, 2, 3):
                answer = ask(recording(number))
                assert isinstance(answer, Claim) or answer.why in ("done", "set_aside")
        finally:
            shutil.rmtree(self.folder)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
