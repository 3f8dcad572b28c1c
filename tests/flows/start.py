"""How long `callfolio run ONEFILE` takes until its first recording is begun, models loaded.

    python tests/flows/start.py --profile base --repeats 5

Prints the seconds from the start of the command to the first stage of the first recording, and to the end of
the command, of each repeat and their medians. The machine should be idle.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from killing import ROOT, Batch, make_calls

_PROGRAM = "import sys; from flows.cli import main; main(sys.argv[1:], prog_name='callfolio')"


def measure(folder: Path, profile: str, number: int) -> tuple[float, float]:
    """Seconds to the first stage, and to the end."""
    batch, store = Batch(folder), f"store-{number}"
    environment = {**batch.environment(store), "CALLFOLIO_PROFILE": profile}
    trace = batch.trace(store)
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "run", "calls/call-0000.wav", "--store", store],
        cwd=folder,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    while not trace.exists() and process.poll() is None:
        time.sleep(0.01)
    first = time.monotonic() - began
    process.wait()
    return first, time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="callfolio-start-"))
    make_calls(folder / "calls", 1)
    times = [measure(folder, chosen.profile, number) for number in range(chosen.repeats)]
    load = os.getloadavg()[0]
    for name, values in zip(("first stage", "end"), zip(*times, strict=True), strict=True):
        print(
            f"{chosen.profile}, {name}: {', '.join(f'{value:.1f}' for value in values)} s, "
            f"median {statistics.median(values):.1f} s (load {load:.1f})"
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.path.append(str(ROOT / "tests"))
    main()
