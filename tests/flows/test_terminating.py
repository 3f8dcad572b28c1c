"""SIGTERM, as services, schedulers and clusters send it: real processes, with workers that hear nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sample_calls import ROOT
from test_processing import groups_gone, until

from flows.terminating import Termination, interruption_behind
from models.bundle import models_dir
from pipelines.ledger import Ledger
from pipelines.store import Store

_PROGRAM = """
import sys
from flows.cli import main
{}
main(sys.argv[1:], prog_name='callfolio')
"""
_TESTS = ROOT / "tests"
_PATHS = (_TESTS / "flows" / "injected", ROOT, _TESTS, _TESTS / "pipelines")
_COMES_BEFORE_A_TASK = """
import signal
from prefect import task_engine

def made(*_, **__):
    signal.raise_signal(signal.SIGTERM)

task_engine._create_task_run_locally = made
"""
_COMES_BEFORE_THE_FLOW = """
import signal
from prefect.flow_engine import FlowRunEngine

def begun(*_):
    signal.raise_signal(signal.SIGTERM)

def crashed(*_):
    raise ValueError("there is no server any more")

FlowRunEngine.begin_run, FlowRunEngine.handle_crash = begun, crashed
"""
_IS_LOST = """
import signal
from flows.night import Night

found = Night.all_found

def lost(night):
    Night.all_found = found
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        return found.fget(night)

Night.all_found = property(lost)
"""
_SLEEPS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
from flows.cli import main
main.commands["status"].callback = lambda **_: print("at work", file=sys.stderr, flush=True) or time.sleep(60)
main(["status"])
"""


@dataclass
class Commands:
    """Starts command lines, each in a process group of its own, and ends what is left of them."""

    folder: Path
    each: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, before: str = "", **environment: str) -> subprocess.Popen[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("CALLFOLIO_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(before), *arguments],
            cwd=self.folder,
            env={
                **own,
                "CALLFOLIO_MODELS": str(models_dir()),
                "CALLFOLIO_PROFILE": "tiny",
                "CALLFOLIO_TEST_STUB": "1.0",
                "CALLFOLIO_TEST_TRACE": str(self.folder / "trace"),
                "PREFECT_HOME": str(self.folder / "prefect"),
                "PYTHONPATH": os.pathsep.join(map(str, _PATHS)),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.each.append(process)
        return process

    @property
    def store(self) -> Store:
        return Store(self.folder / "night", create=False)

    @property
    def flows(self) -> set[str]:
        """The states of the flows that Prefect knows."""
        try:
            with closing(
                sqlite3.connect(f"{(self.folder / 'prefect' / 'prefect.db').as_uri()}?mode=ro", uri=True)
            ) as db:
                return {state for (state,) in db.execute("select state_type from flow_run")}
        except sqlite3.OperationalError:  # it is just being made
            return set()

    def until(self, true: Callable[[], bool], seconds: float = 500) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture
def commands(
    tmp_path: Path,
    loaded: object,  # noqa: ARG001 - says what to do where there are no models
) -> Iterator[Commands]:
    (tmp_path / "calls").mkdir()
    for number in range(200):
        (tmp_path / "calls" / f"{number:03}.wav").write_text(f"call {number}")
    made = Commands(tmp_path)
    yield made
    for process in made.each:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["the run", "all of its processes"])
@pytest.mark.parametrize("flow", [False, True], ids=["before Prefect is there", "in a flow"])
def test_a_run_ends_as_on_ctrl_c(commands: Commands, whole: bool, flow: bool) -> None:
    """Some tell the process that they started, and systemd tells all of them."""
    run = commands("run", "calls", "--store", "night", "--workers", "2")
    until(run.stderr, "2/200 calls")
    if flow:
        commands.until(lambda: "RUNNING" in commands.flows)
    (os.killpg if whole else os.kill)(run.pid, signal.SIGTERM)
    _, said = run.communicate(timeout=200)
    assert run.returncode == 143, said
    assert said.splitlines()[-1] == (
        "Ended by SIGTERM. What was finished is kept; run the same command to go on."
    )
    assert "Traceback" not in said
    assert groups_gone(run)
    [row] = commands.store.table("runs").to_pylist()
    assert row["status"] == "interrupted"
    finished = commands.store.table("calls").num_rows
    assert 2 <= row["processed"] == finished < 200
    assert commands.store.failures() == []
    counts = Ledger(commands.store.root).counts()
    assert (counts["working"], counts["set_aside"]) == (0, 0)
    assert {entry.attempts for entry in Ledger(commands.store.root).entries("waiting")} == {0}
    assert "RUNNING" not in commands.flows


@pytest.mark.slow
@pytest.mark.parametrize("before", [_COMES_BEFORE_A_TASK, _COMES_BEFORE_THE_FLOW, _IS_LOST])
def test_a_run_ends_also_where_it_is_lost_or_made_into_something_else(
    commands: Commands, before: str
) -> None:
    """Prefect writes down that it was interrupted, and what fails in that is raised instead. What an
    extension that is being imported gets is raised nowhere."""
    run = commands("run", "calls", "--store", "night", "--workers", "2", before=before)
    _, said = run.communicate(timeout=200)
    assert run.returncode == 143, said
    assert said.splitlines()[-1].startswith("Ended by SIGTERM.")
    assert "Traceback" not in said
    assert groups_gone(run)
    [row] = commands.store.table("runs").to_pylist()
    assert row["status"] == "interrupted"


@pytest.mark.slow
def test_a_second_one_ends_it_at_once(commands: Commands) -> None:
    run = commands("run", "calls", "--store", "night")
    until(run.stderr, "1/200 calls")
    os.kill(run.pid, signal.SIGSTOP)
    os.kill(run.pid, signal.SIGTERM)
    os.kill(run.pid, signal.SIGCONT)
    time.sleep(0.02)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(timeout=200) in (143, -signal.SIGTERM)
    assert groups_gone(run)


def test_any_command_has_the_status_also_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    """As shells have it for what they put in the background."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SLEEPS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(process.stderr, "at work")
    process.terminate()
    _, said = process.communicate(timeout=200)
    assert said.strip() == "Ended by SIGTERM. What was finished is kept; run the same command to go on."
    assert process.returncode == 143


def test_who_had_sigterm_before_has_it_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Termination() as termination, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert termination.came
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interruption_is_found_behind_what_came_of_it() -> None:
    class Ended(BaseException):
        pass

    def behind(came: BaseException, hidden: bool = False) -> BaseException | None:
        try:
            try:
                raise came
            except BaseException as error:
                if hidden:
                    raise ValueError("the state is not set") from None
                raise RuntimeError("query interrupted") from error
        except Exception as error:
            return interruption_behind(error, Ended)

    for came in (KeyboardInterrupt(), Ended()):
        assert behind(came) is behind(came, hidden=True) is came
        assert interruption_behind(came, Ended) is came
    assert interruption_behind(Ended()) is None
    assert behind(GeneratorExit()) is behind(OSError()) is None


@pytest.mark.slow
def test_a_night_that_is_served_ends_so_too_and_tells_prefect(commands: Commands) -> None:
    """All processes are told, and Prefect tells its own once more."""
    nightly = commands("nightly", "calls", "--store", "night", "--settle", "0", "--cron", "* * * * *")
    root = commands.folder / "night"
    commands.until(lambda: len(list(root.glob("tables/calls/*/*"))) >= 3)
    os.killpg(nightly.pid, signal.SIGTERM)
    _, said = nightly.communicate(timeout=200)
    assert nightly.returncode == 143, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("Ended by SIGTERM.")
    assert groups_gone(nightly)
    [row] = commands.store.table("runs").to_pylist()
    assert row["status"] == "interrupted"
    assert Ledger(root).counts()["working"] == 0
    assert "CRASHED" in commands.flows
    assert "RUNNING" not in commands.flows
