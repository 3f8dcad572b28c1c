"""Many short calls through one run: whether memory stays flat and throughput steady.

    python tests/flows/endurance.py --calls 1000

Prints the resident memory of each process at the 100th call (or a tenth of them) and at the last one, the
calls in a second for each hundred, the share of the workers' time that went neither into the stages of a call
nor into writing its rows, and the share of the processor time that was not the workers'.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

from killing import Batch, make_calls, processes_of

from pipelines.query import query
from pipelines.store import Store

_LOOK_S = 0.2


def resident(pid: int) -> float:
    """Megabytes, 0 where the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except (OSError, IndexError):
        return 0.0


def processor_seconds(pid: int) -> float:
    """Seconds, 0 where the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="callfolio-endurance-"))
    make_calls(folder / "calls", chosen.calls)
    batch = Batch(folder, chosen.workers)
    trace, step = batch.trace("store"), max(1, min(100, chosen.calls // 10))
    process = batch.started("store")
    ends: list[float] = []
    memory: dict[int, dict[str, float]] = {}
    spent: dict[str, float] = {}
    first = None
    while process.poll() is None:
        lines = trace.read_text().splitlines() if trace.exists() else []
        first = first or (time.monotonic() if lines else None)
        done = sum(line.startswith("commit") for line in lines)
        while len(ends) < done:
            ends.append(time.monotonic())
        if done >= step and done not in memory:
            living = processes_of(process.pid)
            sizes = {f"{kind} {pid}": resident(pid) for kind, pids in living.items() for pid in pids}
            if all(sizes.values()):  # at the end they end one after the other
                memory[done] = sizes
                spent = {kind: sum(map(processor_seconds, pids)) for kind, pids in living.items()}
        time.sleep(_LOOK_S)
    assert first is not None, (folder / "store.log").read_text()
    counts = sorted(memory)
    early = next(count for count in counts if count >= step)
    late = counts[-1]
    for name, then in memory[early].items():
        now = memory[late].get(name)
        if now is None:
            continue
        print(f"{name}: {then:.0f} MB at call {early}, {now:.0f} MB at call {late} ({now / then - 1:+.1%})")
    for start in range(0, len(ends) - 1, step):
        stop = min(start + step, len(ends)) - 1
        began = ends[start - 1] if start else first
        print(f"calls {start + 1} to {stop + 1}: {(stop + 1 - start) / (ends[stop] - began):.2f} in a second")
    [row] = query(
        Store(folder / "store", create=False),
        "select sum(list_sum(map_values(stage_s))) as stages, sum(stage_s['diarize']) as beside from calls",
    ).to_pylist()
    stored = sum(
        float(line.split()[1]) for line in trace.read_text().splitlines() if line.startswith("stored")
    )
    total = (ends[-1] - first) * chosen.workers
    # Diarization runs beside the other stages.
    orchestration = 1 - (row["stages"] - row["beside"] + stored) / total
    print(f"{len(ends)} calls; of the workers' time {stored / total:.1%} went into writing rows and ", end="")
    print(f"{orchestration:.1%} into orchestration")
    shares = {kind: seconds / sum(spent.values()) for kind, seconds in spent.items()}
    print("processor time: " + ", ".join(f"{kind} {share:.1%}" for kind, share in shares.items()))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
