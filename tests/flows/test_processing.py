"""`callfolio run` as a user starts it: every recording is accounted for, whatever is killed when.

The runs are few, because each starts processes and loads models; many tests look at what one run left.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pytest
from made_audio import tone, wav_bytes
from sample_calls import ROOT, SAMPLE_CALLS, samples_of

from flows import processing
from flows.night import Night
from flows.server import ServerFails
from models.bundle import models_dir
from models.speech import SAMPLE_RATE
from pipelines.decoding import decode
from pipelines.invariants import check_call
from pipelines.ledger import Entry, Ledger, State
from pipelines.query import query
from pipelines.store import Store

pytestmark = pytest.mark.slow

# Below every process of a run: what it wants of a network beyond this machine is written down.
_GUARD = """
import os, sys

def guard(event, arguments):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    here = ("/", "\\0", "127.", "::1", "localhost")
    if host is None or isinstance(host, int) or str(host).startswith(here):
        return
    with open(os.environ["GUARD_LOG"], "a") as log:
        print(event, address, sys.argv, file=log)

sys.addaudithook(guard)
"""

_PROGRAM = "import sys; from flows.cli import main; main(sys.argv[1:], prog_name='callfolio')"

# An interface of one's own has to be switched on: Prefect's server is spoken to through it.
_LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    request = struct.pack("16sh14x", b"lo", 0)
    flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, request))[1]
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))
os.execv(sys.argv[1], sys.argv[1:])
"""

OF_THE_RUN = {"run_id", "processed_at", "stage_s", "failed_at", "attempts"}
"""Columns in which two runs over the same recordings may differ."""


@dataclass(frozen=True)
class Ran:
    """A run that has ended, and the store that it left."""

    status: int
    out: str
    err: str
    root: Path

    @property
    def store(self) -> Store:
        return Store(self.root, create=False)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = query(self.store, sql).to_pylist(maps_as_pydicts="strict")
        return rows

    @property
    def reasons(self) -> dict[str, str]:
        return {Path(row["source"]).name: row["reason"] for row in self.store.failures()}

    @property
    def calls(self) -> dict[str, dict[str, Any]]:
        return {Path(row["source"]).name: row for row in self.rows("select * from calls")}

    def everything_but_the_run(self) -> dict[str, list[str]]:
        """All rows of all tables but `runs`, without what is the run's own."""
        return {
            table: [
                json.dumps({name: row[name] for name in sorted(row.keys() - OF_THE_RUN)}, default=str)
                for row in sorted(
                    self.store.table(table).to_pylist(maps_as_pydicts="strict"),
                    key=lambda row: [
                        str(row.get(name))
                        for name in ("call_id", "source", "turn", "position", "speaker", "start_char")
                    ],
                )
            ]
            for table in ("calls", "turns", "words", "speakers", "sentences", "entities", "failures")
        }


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of all runs: guarded, and none of the user's settings in it."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(_GUARD)
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CALLFOLIO_")}
    return {
        **settings,
        "CALLFOLIO_MODELS": str(models_dir()),
        "CALLFOLIO_PROFILE": "tiny",
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "GUARD_LOG": str(folder / "log"),
    }


@dataclass(frozen=True)
class Callfolio:
    """Starts command lines in a folder of their own."""

    folder: Path
    environment: Mapping[str, str]

    def started(
        self, *arguments: str | Path, store: str, before: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        command = [*before, sys.executable, "-c", _PROGRAM, *map(str, arguments), "--store", store]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen[str], store: str, said: str = "") -> Ran:
        out, err = process.communicate(timeout=600)
        return Ran(process.returncode, out, said + err, self.folder / store)

    def __call__(self, *arguments: str | Path, store: str, before: tuple[str, ...] = ()) -> Ran:
        return self.ended(self.started(*arguments, store=store, before=before), store)

    def copy(self, ran: Ran, name: str) -> str:
        shutil.copytree(ran.root, self.folder / name)
        return name


@pytest.fixture(scope="module")
def callfolio(
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    loaded: object,  # noqa: ARG001 - says what to do where there are no models
) -> Callfolio:
    return Callfolio(tmp_path_factory.mktemp("night"), environment)


@pytest.fixture(scope="module")
def recordings(callfolio: Callfolio) -> str:
    """A night's recordings: three calls, one that was cut off, one twice, and what is no call at all."""
    folder = callfolio.folder / "recordings"
    (folder / "odd").mkdir(parents=True)
    knee, voicemail = SAMPLE_CALLS["knee_pain"].path, SAMPLE_CALLS["voicemail"].path
    sides = decode(knee).samples[:, : 15 * SAMPLE_RATE]
    (folder / "a_knee.wav").write_bytes(wav_bytes(sides, SAMPLE_RATE))
    shutil.copy(knee.with_suffix(".json"), folder / "a_knee.json")
    visit = wav_bytes(samples_of("blood_pressure_review")[None, : 12 * SAMPLE_RATE], SAMPLE_RATE)
    (folder / "b_visit.wav").write_bytes(visit)
    (folder / "c_message.wav").write_bytes(
        wav_bytes(samples_of("voicemail")[None, SAMPLE_RATE : 9 * SAMPLE_RATE], SAMPLE_RATE)
    )
    whole = voicemail.read_bytes()
    (folder / "d_cut_off.opus").write_bytes(whole[: len(whole) // 3])
    (folder / "e_visit_again.wav").write_bytes(visit)
    (folder / "odd" / "empty.wav").touch()
    (folder / "odd" / "head.opus").write_bytes(whole[:120])
    (folder / "odd" / "silence.wav").write_bytes(wav_bytes(np.zeros((1, 24_000), np.float32)))
    (folder / "odd" / "text.wav").write_text("Dear Sir or Madam,\nthe recordings are attached.\n" * 20)
    (folder / "odd" / "tone.wav").write_bytes(wav_bytes(tone(3.0)[None]))
    return "recordings"


@pytest.fixture(scope="module")
def first(callfolio: Callfolio, recordings: str) -> Ran:
    return callfolio("run", recordings, store="first")


@pytest.fixture(scope="module")
def again(callfolio: Callfolio, recordings: str, first: Ran) -> Ran:
    """The same once more, over a copy of the store."""
    return callfolio("run", recordings, store=callfolio.copy(first, "again"))


REASONS = {
    "empty.wav": "empty_file",
    "head.opus": "damaged",
    "silence.wav": "no_speech",
    "text.wav": "not_audio",
    "tone.wav": "no_speech",
}


def test_a_run_with_recordings_set_aside_ends_with_one(first: Ran) -> None:
    assert first.status == 1, first.err


def test_each_recording_that_is_no_call_is_a_failure_with_its_reason_and_a_sentence(first: Ran) -> None:
    assert first.reasons == REASONS
    for row in first.store.failures():
        assert Path(row["source"]).name in row["message"]
        assert (row["attempts"], row["retryable"]) == (1, False)


def test_the_others_are_calls_and_one_that_is_there_twice_is_one(first: Ran) -> None:
    assert set(first.calls) == {"a_knee.wav", "b_visit.wav", "c_message.wav", "d_cut_off.opus"}
    modes = {name: row["channel_mode"] for name, row in first.calls.items()}
    assert modes.pop("a_knee.wav") == "split"
    assert set(modes.values()) == {"mono"}
    assert {entry.attempts for entry in Ledger(first.root).entries()} == {1}


def test_every_call_in_the_store_passes_every_check(first: Ran) -> None:
    for row in first.calls.values():
        check_call(first.store.read_call(row["call_id"]))


def test_a_recording_that_was_cut_off_is_processed_and_flagged(first: Ran) -> None:
    row = first.calls["d_cut_off.opus"]
    assert "damaged" in row["review_flags"]
    assert row["damage"]
    assert 5.0 < row["duration_s"] < 20.0
    assert row["word_count"] > 10


def test_what_the_file_beside_a_recording_says_is_in_the_tables(first: Ran) -> None:
    row = first.calls["a_knee.wav"]
    assert (row["kind"], row["agent_id"], row["started_at_source"]) == ("consultation", "DR-12", "metadata")
    roles = first.rows(
        f"select channel, role from speakers where call_id = '{row['call_id']}' order by channel"
    )
    assert roles == [{"channel": 1, "role": "patient"}, {"channel": 2, "role": "doctor"}]


def test_the_run_has_a_row_that_says_how_it_went_and_what_made_the_calls(first: Ran) -> None:
    [run] = first.rows("select * from runs")
    assert run["status"] == "finished"
    assert [run[name] for name in ("sources", "processed", "skipped", "set_aside")] == [10, 4, 1, 5]
    assert run["audio_s"] == pytest.approx(sum(row["duration_s"] for row in first.calls.values()))
    assert run["finished_at"] > run["started_at"]
    assert set(run["models"]) > {"whisper-tiny.en"}
    assert run["versions"].keys() >= {"callfolio", "whisperx", "torch"}
    for row in first.calls.values():
        assert (row["run_id"], row["settings_sha256"]) == (run["run_id"], run["settings_sha256"])
        assert (row["models"], row["profile"]) == (run["models"], "tiny")


def test_stdout_is_empty_and_stderr_is_for_people(first: Ran) -> None:
    assert first.out == ""
    assert "4 processed, 1 in the store already, 5 set aside" in first.err
    assert "8/8 calls · 100 %" in first.err
    assert "times as fast as real time" in first.err
    assert "Try next:" in first.err
    for noise in ("Traceback", "Warning", "INFO", "Lightning", "torchcodec", "nanobind", "prefect"):
        assert noise not in first.err


def test_no_process_wanted_anything_of_a_network(environment: dict[str, str], first: Ran, again: Ran) -> None:
    assert (first.status, again.status) == (1, 1)
    log = Path(environment["GUARD_LOG"])
    assert not log.exists() or log.read_text() == ""


def test_the_guard_of_these_tests_sees_what_is_wanted_of_a_network(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), 0.01)\nexcept OSError:\n    pass"
    )
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", program], env={**environment, "GUARD_LOG": str(log)}, check=True)
    assert "192.0.2.1" in log.read_text()


def test_a_second_run_processes_nothing_again(first: Ran, again: Ran) -> None:
    assert again.status == 1
    assert again.calls == first.calls
    assert again.everything_but_the_run() == first.everything_but_the_run()
    assert "recordings to process" not in again.err


def test_a_second_run_says_what_it_skipped_and_what_was_set_aside_before(again: Ran) -> None:
    assert "0 processed, 5 in the store already, 1 set aside, 4 set aside before" in again.err
    attempts = {Path(row["source"]).name: row["attempts"] for row in again.store.failures()}
    assert attempts == {**dict.fromkeys(REASONS, 1), "empty.wav": 2}
    assert [run["processed"] for run in again.rows("select processed from runs order by started_at")] == [
        4,
        0,
    ]


@pytest.fixture(scope="module")
def forced(callfolio: Callfolio, first: Ran) -> Ran:
    return callfolio("run", "recordings/b_visit.wav", "--force", store=callfolio.copy(first, "forced"))


@pytest.fixture(scope="module")
def changed(callfolio: Callfolio, forced: Ran) -> Ran:
    """One call again with another setting, over the store of the forced run."""
    arguments = ("recordings/b_visit.wav", "recordings/c_message.wav", "--speakers", "1")
    return callfolio("run", *arguments, store=callfolio.copy(forced, "changed"))


def test_a_call_is_processed_again_by_force_and_stands_there_once(first: Ran, forced: Ran) -> None:
    assert forced.status == 0
    assert forced.calls.keys() == first.calls.keys()
    assert forced.calls["b_visit.wav"]["run_id"] != first.calls["b_visit.wav"]["run_id"]
    assert forced.calls["a_knee.wav"] == first.calls["a_knee.wav"]
    assert forced.everything_but_the_run() == first.everything_but_the_run()


def test_a_call_is_processed_again_when_the_settings_have_changed(forced: Ran, changed: Ran) -> None:
    assert changed.status == 0
    assert "2 processed" in changed.err
    before, after = forced.calls["b_visit.wav"], changed.calls["b_visit.wav"]
    assert (before["speaker_count"], after["speaker_count"]) == (2, 1)
    assert before["settings_sha256"] != after["settings_sha256"]
    assert changed.calls.keys() == forced.calls.keys()
    assert changed.calls["a_knee.wav"] == forced.calls["a_knee.wav"]


def namespace() -> tuple[str, ...]:
    """What to put before a command so that it has no network but its own loopback, where that may be."""
    before = ("unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", _LOOPBACK)
    try:
        allowed = subprocess.run(
            [*before, shutil.which("true") or "/bin/true"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return ()
    return before if allowed.returncode == 0 else ()


@pytest.fixture(scope="module")
def repeated(callfolio: Callfolio, recordings: str) -> Ran:
    """The first run once more into a store of its own, in a namespace without network where that may be."""
    return callfolio("run", recordings, store="repeated", before=namespace())


def test_the_same_recordings_models_and_settings_give_the_same_rows(first: Ran, repeated: Ran) -> None:
    assert repeated.everything_but_the_run() == first.everything_but_the_run()


def test_the_whole_run_works_without_any_network(repeated: Ran) -> None:
    if not namespace():
        pytest.skip("this machine does not let users make a network namespace")
    assert repeated.status == 1, repeated.err
    assert len(repeated.calls) == 4
    assert repeated.reasons == REASONS


# Killed at work


def until(stream: IO[str] | None, wanted: str) -> str:
    """Read lines up to the first that has `wanted` in it."""
    assert stream is not None
    said = ""
    for line in stream:
        said += line
        if wanted in line:
            return said
    pytest.fail(f"{wanted!r} was never said, but:\n{said}")


def entries_until(
    process: subprocess.Popen[str], root: Path, state: State, wanted: Callable[[Entry], bool]
) -> Entry:
    """The first recording in a state that is wanted, as soon as the ledger has it. What a run says of it
    comes later, by seconds where it imports Prefect meanwhile."""
    deadline = time.monotonic() + 400
    while process.poll() is None and time.monotonic() < deadline:
        for entry in Ledger(root).entries(state):
            if wanted(entry):
                return entry
        time.sleep(0.02)
    pytest.fail(f"No such recording was {state}; the run ended with {process.poll()}.")


def groups_gone(process: subprocess.Popen[str]) -> bool:
    """Whether nothing that the run started is alive any more."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        living = subprocess.run(
            ["ps", "-o", "stat=", "-g", str(process.pid)], capture_output=True, text=True, check=False
        )
        # Not every container has a process that buries those of dead parents.
        if not [state for state in living.stdout.split() if not state.startswith("Z")]:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def interrupted(callfolio: Callfolio, recordings: str) -> tuple[Ran, bool]:
    """Ctrl-C after the first call, and whether all processes were gone then."""
    process = callfolio.started("run", recordings, store="interrupted")
    entries_until(process, callfolio.folder / "interrupted", "done", lambda _: True)
    os.killpg(process.pid, signal.SIGINT)
    ran = callfolio.ended(process, "interrupted")
    return ran, groups_gone(process)


@pytest.fixture(scope="module")
def resumed(callfolio: Callfolio, recordings: str, interrupted: tuple[Ran, bool]) -> Ran:
    return callfolio("run", recordings, store=callfolio.copy(interrupted[0], "resumed"))


def test_ctrl_c_ends_a_run_with_a_sentence_and_nothing_left_running(interrupted: tuple[Ran, bool]) -> None:
    ran, gone = interrupted
    assert ran.status == 130, ran.err
    assert ran.err.splitlines()[-1].startswith("Interrupted. What was finished is kept")
    assert "Traceback" not in ran.err
    assert gone


def test_a_run_that_was_interrupted_says_so_and_what_it_finished(interrupted: tuple[Ran, bool]) -> None:
    ran, _ = interrupted
    [run] = ran.rows("select * from runs")
    assert (run["status"], run["processed"]) == ("interrupted", len(ran.calls))
    assert 1 <= len(ran.calls) < 4
    assert run["finished_at"] is not None


def test_the_next_run_does_the_rest_and_ends_with_the_store_of_one_that_was_not_interrupted(
    first: Ran, interrupted: tuple[Ran, bool], resumed: Ran
) -> None:
    assert resumed.status == 1
    assert resumed.everything_but_the_run() == first.everything_but_the_run()
    for name, row in interrupted[0].calls.items():
        assert resumed.calls[name] == row


@pytest.fixture(scope="module")
def bereaved(callfolio: Callfolio, recordings: str) -> Ran:
    """The worker is killed in the middle of the second of three calls."""
    names = ("c_message.wav", "a_knee.wav", "b_visit.wav")
    folder = callfolio.folder / "three"
    folder.mkdir()
    for number, name in enumerate(names):
        shutil.copy(callfolio.folder / recordings / name, folder / f"{number}_{name}")
    process = callfolio.started("run", "three", "--retry-delay", "1", store="bereaved")
    second = entries_until(
        process, callfolio.folder / "bereaved", "working", lambda entry: entry.source.endswith("1_a_knee.wav")
    )
    assert second.worker is not None
    time.sleep(0.3)
    os.kill(second.worker.pid, signal.SIGKILL)
    return callfolio.ended(process, "bereaved")


def test_a_killed_worker_costs_an_attempt_of_the_recording_at_work_and_nothing_else(bereaved: Ran) -> None:
    assert bereaved.status == 0, bereaved.err
    assert set(bereaved.calls) == {"0_c_message.wav", "1_a_knee.wav", "2_b_visit.wav"}
    assert bereaved.reasons == {}
    attempts = {Path(entry.source).name: entry.attempts for entry in Ledger(bereaved.root).entries("done")}
    assert attempts == {"0_c_message.wav": 1, "1_a_knee.wav": 2, "2_b_visit.wav": 1}, bereaved.err
    assert bereaved.err.count("out_of_memory, will be tried again") == 1, bereaved.err
    assert "Traceback" not in bereaved.err


def test_a_model_that_cannot_be_loaded_stops_the_run_and_is_no_fault_of_the_recordings(
    callfolio: Callfolio, recordings: str
) -> None:
    broken = callfolio.folder / "broken"
    shutil.copytree(models_dir() / "whisper-tiny.en", broken)
    (broken / "model.bin").write_bytes(b"not a model")
    ran = callfolio("run", f"{recordings}/c_message.wav", "--model", f"recogniser={broken}", store="unloaded")
    assert (ran.status, ran.out) == (2, "")
    assert "callfolio: A model could not be loaded from" in ran.err
    assert str(broken) in ran.err
    assert "Traceback" not in ran.err
    assert ran.reasons == {}
    assert [run["status"] for run in ran.rows("select status from runs")] == ["failed"]


class _ShortNight:
    """A night that is over as soon as Prefect's server begins to start."""

    error = None
    run_id = "short"
    begun = True

    def __init__(self) -> None:
        self.open = True

    def account(self, until: Callable[[], bool]) -> None:
        if until.__name__ == "done":
            self.open = False


def test_a_server_that_still_starts_when_the_night_is_over_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    ended = []

    def start(over: threading.Event) -> None:
        assert over.wait(30.0)
        ended.append("started in vain")
        raise ServerFails("Nobody needs it.")

    monkeypatch.setattr(processing, "_start_server", start)
    processing._show_to_prefect(cast(Night, _ShortNight()), lambda: "the report")
    assert ended == ["started in vain"]
