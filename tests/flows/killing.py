"""Kills processes of runs at random moments, and holds the store that comes of it against an undisturbed one.

    python tests/flows/killing.py --moments 50

Main process, worker and Prefect's server are killed with SIGKILL over a batch of short calls that are made
from the sample calls. A run whose main process was killed must leave no process behind; the one after it goes
on. When a run has come to its end, the store must equal, row for row and apart from the columns of the run,
that of a run that nobody disturbed, and no call may have been begun again after it was committed, which a
trace shows that the workers write (`injected/sitecustomize.py`). Exit status 0 when all that holds.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "tests", ROOT / "tests" / "pipelines"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

from made_audio import wav_bytes  # noqa: E402
from sample_calls import samples_of  # noqa: E402

from models.speech import SAMPLE_RATE  # noqa: E402
from pipelines.store import Store  # noqa: E402

OF_THE_RUN: Final = {"run_id", "processed_at", "stage_s", "failed_at", "attempts"}
"""Columns in which two runs over the same recordings may differ."""

TABLES: Final = (
    *("calls", "turns", "words", "speakers", "moments", "sentences", "entities", "scores", "categories"),
    "failures",
)

_PROGRAM: Final = "import sys; from flows.cli import main; main(sys.argv[1:], prog_name='callfolio')"
_ENDS_S: Final = 600.0
_ORPHANS_END_S: Final = 120.0
_WORKER_KILLS: Final = 2
"""A call that loses three workers is set aside, as it should be; so many are killed of one store's."""


def make_calls(folder: Path, count: int) -> None:
    """Write so many calls of five seconds each, all different: stretches of the sample calls."""
    folder.mkdir(parents=True)
    names = ("voicemail", "blood_pressure_review", "knee_pain", "hotel_booking", "late_parcel")
    for number in range(count):
        samples = samples_of(names[number % len(names)])
        start = (1 + 4 * (number // len(names))) * SAMPLE_RATE % max(1, len(samples) - 5 * SAMPLE_RATE)
        stretch = samples[start + number : start + number + 5 * SAMPLE_RATE]
        (folder / f"call-{number:04}.wav").write_bytes(wav_bytes(stretch[None], SAMPLE_RATE))


def everything(root: Path) -> dict[str, list[str]]:
    """All rows of all tables but `runs`, without what is the run's own, in an order of their own."""
    store = Store(root, create=False)
    return {
        table: sorted(
            json.dumps({name: row[name] for name in sorted(row.keys() - OF_THE_RUN)}, default=str)
            for row in store.table(table).to_pylist(maps_as_pydicts="strict")
        )
        for table in TABLES
    }


def begun_after_commit(trace: Path) -> list[str]:
    """The recordings that a worker began after another one, or itself, had committed them."""
    committed: set[str] = set()
    again = []
    for line in trace.read_text().splitlines():
        what, name = line.split(" ", 1)
        if what == "commit":
            committed.add(name)
        elif what == "begin" and name in committed:
            again.append(name)
    return again


@dataclass
class Batch:
    """A folder of calls and the runs over it."""

    folder: Path
    workers: int = 2

    def environment(self, store: str) -> Mapping[str, str]:
        """The tiny profile, none of the user's settings, and the trace."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("CALLFOLIO_")}
        models = os.environ.get("CALLFOLIO_MODELS")
        return {
            **own,
            **({"CALLFOLIO_MODELS": models} if models else {}),
            "CALLFOLIO_PROFILE": "tiny",
            "CALLFOLIO_TEST_TRACE": str(self.trace(store)),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "flows" / "injected"), str(ROOT)]),
        }

    def trace(self, store: str) -> Path:
        """Where the workers of runs into this store write what they do."""
        return self.folder / f"{store}.trace"

    def started(self, store: str) -> "subprocess.Popen[bytes]":
        """A run into a store, in a process group of its own."""
        command = [sys.executable, "-c", _PROGRAM, "run", "calls", "--store", store]
        options = ["--workers", str(self.workers), "--retry-delay", "0.5"]
        with (self.folder / f"{store}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                env=self.environment(store),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ended(self, process: "subprocess.Popen[bytes]") -> int:
        """The status of a run that is left alone. It must end."""
        return process.wait(_ENDS_S)


def processes_of(main: int) -> dict[str, list[int]]:
    """Those of a run that live: its main process, its workers and Prefect's server."""
    found: dict[str, list[int]] = {"main": [main], "worker": [], "server": []}
    children = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(main)], capture_output=True, text=True, check=False
    )
    for line in children.stdout.splitlines():
        pid, _, arguments = line.strip().partition(" ")
        if "flows.worker import serve" in arguments:
            found["worker"].append(int(pid))
        elif "create_app" in arguments:
            found["server"].append(int(pid))
    return found


def is_group_gone(group: int) -> bool:
    """Whether nothing of a run is alive any more, some seconds after its main process died."""
    deadline = time.monotonic() + _ORPHANS_END_S
    while time.monotonic() < deadline:
        living = subprocess.run(
            ["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False
        )
        if not [state for state in living.stdout.split() if not state.startswith("Z")]:
            return True
        time.sleep(0.1)
    return False


def kill_at_random(batch: Batch, moments: int, seed: int, say: Any = print) -> Sequence[str]:
    """What is wrong after so many kills: nothing, if all is well."""
    dice, wrong = random.Random(seed), []
    started = time.monotonic()
    if batch.ended(batch.started("undisturbed")) != 0:
        return ["the undisturbed run failed"]
    lasts = time.monotonic() - started
    expected = everything(batch.folder / "undisturbed")
    if len(expected["calls"]) != len(list((batch.folder / "calls").iterdir())):
        return ["the undisturbed run has not processed all calls"]
    stores, done = 0, 0
    while done < moments:
        store, worker_kills = f"store-{stores}", 0
        stores += 1
        process = batch.started(store)
        while done < moments and process.poll() is None:
            victims = ["main", "main", "server"] + ["worker"] * (3 if worker_kills < _WORKER_KILLS else 0)
            wait_until = time.monotonic() + dice.uniform(0.0, lasts)
            while time.monotonic() < wait_until and process.poll() is None:
                time.sleep(0.05)
            kind = dice.choice(victims)
            living = processes_of(process.pid)[kind]
            if process.poll() is not None or not living:
                continue
            os.kill(dice.choice(living), 9)
            done += 1
            worker_kills += kind == "worker"
            say(f"{done}/{moments}: {kind} of {store}", flush=True)
            if kind == "main":
                process.wait()
                if not is_group_gone(process.pid):
                    wrong.append(f"{store}: processes outlived the main process")
                process = batch.started(store)
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        # The clean run.
        status = batch.ended(batch.started(store))
        if status != 0:
            wrong.append(f"{store}: the clean run ended with {status}")
        if everything(batch.folder / store) != expected:
            wrong.append(f"{store}: the tables are not those of the undisturbed run")
        if again := begun_after_commit(batch.trace(store)):
            wrong.append(f"{store}: begun again after they were committed: {', '.join(again)}")
    return wrong


def main() -> int:
    """Kill, compare, and say what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="callfolio-killing-"))
    print(f"Seed {chosen.seed}, in {folder}", flush=True)
    make_calls(folder / "calls", chosen.calls)
    wrong = kill_at_random(Batch(folder), chosen.moments, chosen.seed)
    for sentence in wrong:
        print(sentence)
    if wrong:
        return 1
    shutil.rmtree(folder)
    print(
        f"{chosen.moments} moments: every store is that of the undisturbed run, and nothing was begun again."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
