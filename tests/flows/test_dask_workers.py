"""The workers of a Dask cluster, on loopback, that hear nothing; some of them are killed.

The processes, the store and the ledger are real; rows are made up (`injected/sitecustomize.py`).
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sample_calls import ROOT

from flows.dask_workers import LOCAL, ClusterFails, DaskWorkers, hired
from flows.limits import Limits
from flows.night import Night
from flows.progress import ProgressReport, Tally
from flows.worker import Assignment
from models.selection import Selection
from pipelines.ledger import Ledger
from pipelines.processes import this_process
from pipelines.settings import CallSettings
from pipelines.sources import find_sources
from pipelines.store import Store

pytestmark = pytest.mark.slow  # it starts many processes

INJECTED = Path(__file__).parent / "injected"


@dataclass
class Site:
    """A folder of recordings, a store, and nights that a cluster works through."""

    folder: Path

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

    def night(self, address: str, workers: int = 2, run_id: str = "run-1") -> Tally:
        tally, store = Tally(), self.store
        assignment = Assignment(
            Selection("tiny", {}),
            CallSettings(),
            "settings-1",
            store.root,
            run_id,
            1,
            ROOT / "data",
            this_process(),
            limits=Limits(60.0),
            back_off_s=0.05,
        )
        ledger = Ledger(store.root, back_off_s=0.05)
        sources = find_sources([str(self.folder / "calls")])
        with hired(address, workers, 1, None) as crew, ProgressReport() as report:
            crew.assign(assignment, report.doing)
            with Night(sources, None, assignment, store, ledger, crew, report, tally) as night:
                night.account()
        ledger.release(run_id)
        return tally

    @property
    def stored(self) -> set[str]:
        return {Path(row["source"]).stem for row in self.store.table("calls").to_pylist()}

    @property
    def reasons(self) -> dict[str, tuple[str, int]]:
        return {Path(row["source"]).stem: (row["reason"], row["attempts"]) for row in self.store.failures()}

    @property
    def begun(self) -> Counter[str]:
        lines = (self.folder / "trace").read_text().split("\n") if (self.folder / "trace").exists() else []
        return Counter(
            line.removeprefix("begin ").removesuffix(".wav") for line in lines if line.startswith("begin")
        )

    def at_work(self) -> dict[str, int]:
        """The names of the recordings that are in hand, and the process that has each."""
        return {
            Path(entry.source).stem: entry.worker.pid
            for entry in self.ledger.entries("working")
            if entry.worker is not None
        }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    paths = [INJECTED, ROOT, ROOT / "tests" / "pipelines"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.setenv("CALLFOLIO_TEST_STUB", "0.1")
    monkeypatch.setenv("CALLFOLIO_TEST_TRACE", str(tmp_path / "trace"))
    return Site(tmp_path)


@pytest.fixture
def cluster(site: Site) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process that Dask replaces when it dies."""
    program = "import sys; from dask.__main__ import main; sys.argv = ['dask', *sys.argv[1:]]; main()"
    file = site.folder / "scheduler.json"  # in which it says its address, as soon as it has one
    found = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    worker = ["worker", *found, "--nthreads", "1", "--local-directory", str(site.folder)]
    commands = [["scheduler", *found, "--port", "0"], worker, worker]
    with (site.folder / "dask.log").open("w") as log:
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program, *command], stdout=log, stderr=log, start_new_session=True
            )
            for command in commands
        ]
    try:
        deadline = time.monotonic() + 200
        while not (address := address_in(file)):
            assert time.monotonic() < deadline, (site.folder / "dask.log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def address_in(file: Path) -> str:
    """What a scheduler has written down; nothing as long as it has not."""
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError):
        return ""


def names(count: int) -> list[str]:
    return [f"call-{number:02}" for number in range(count)]


def test_a_cluster_that_is_started_here_processes_every_recording_once(site: Site) -> None:
    site.record(*names(12))
    tally = site.night(LOCAL)
    assert (tally.processed, tally.set_aside) == (12, [])
    assert site.stored == set(names(12))
    assert site.begun == Counter(names(12))
    assert site.ledger.counts()["done"] == 12


def test_a_worker_that_is_killed_in_mid_call_costs_nothing(site: Site, cluster: str) -> None:
    site.record(*names(9))
    killed: list[str] = []

    def kill_whoever_has_a_call() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not killed:
            for name, pid in site.at_work().items():
                os.kill(pid, signal.SIGSTOP)  # it may have finished that one since
                if site.at_work().get(name) == pid:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(name)
                    break
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.005)

    thread = threading.Thread(target=kill_whoever_has_a_call)
    thread.start()
    tally = site.night(cluster)
    thread.join()
    assert killed
    assert tally.processed + tally.skipped == 9
    assert site.stored == set(names(9))
    assert site.reasons == {}
    assert max(site.begun.values()) <= 2
    assert [name for name, count in site.begun.items() if count > 1] in ([], killed)


def test_a_recording_that_kills_its_workers_is_set_aside_and_the_night_goes_on(
    site: Site, cluster: str
) -> None:
    site.record("crash", *names(4))
    tally = site.night(cluster)
    assert site.stored == set(names(4))
    assert site.reasons == {"crash": ("worker_died", 3)}
    assert (tally.processed, len(tally.set_aside)) == (4, 1)
    assert site.begun["crash"] == 3
    site.record("later")
    tally = site.night(cluster, run_id="run-2")
    assert (tally.processed, tally.skipped, tally.set_aside_before) == (1, 4, 1)


def test_an_address_without_a_scheduler_is_told_with_what_to_do() -> None:
    with pytest.raises(ClusterFails, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9.*dask worker"):
        DaskWorkers("tcp://127.0.0.1:9", 1, 1, None)
