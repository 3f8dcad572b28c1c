"""What it costs to keep a store of many calls: time and the most memory, of each step in its own process.

    python tests/pipelines/store/scale.py --calls 20000 --days 10

The store is made of the rows of a few made calls (see `large_store`) and lies on the disk. Of its calls all
but those of the last day are merged. Prints a line for each step.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE.parents[2], _HERE, _HERE.parent, _HERE.parent / "scorecards")
_COMMAND = "from flows.cli import main; main()"
_QUESTION = """
select queue, role, count(*) as words, avg(confidence) as sure
from words join calls using (call_id) group by all
"""


@dataclass(frozen=True)
class Scale:
    """Where the store is, and how large."""

    folder: Path
    calls: int
    days: int

    @property
    def store(self) -> Path:
        return self.folder / "store"


def make(scale: Scale) -> None:
    from large_store import make_large_store

    make_large_store(scale.store, scale.calls, scale.days)


def ask(scale: Scale) -> None:
    from pipelines.query import query
    from pipelines.store import Store

    store = timed("opened", lambda: Store(scale.store, create=False))
    timed("the table calls", lambda: store.table("calls"))
    timed("a question to words and calls", lambda: query(store, _QUESTION))


def begin(scale: Scale) -> None:
    """What a run does before it hands out anything, where all recordings are in the store: `flows.night`."""
    from large_store import call_id_of

    from pipelines.ledger import Ledger
    from pipelines.store import Store

    store, ledger = Store(scale.store), Ledger(scale.store)
    timed("swept", store.sweep)
    known = timed("what is there", store.processed)
    timed("the ledger reconciled", lambda: ledger.reconcile(known, store.failures()))
    timed("the ledger reconciled again", lambda: ledger.reconcile(known, store.failures()))
    ids = [call_id_of(number) for number in range(scale.calls)]
    timed("was each erased?", lambda: [store.erased(call_id) for call_id in ids])
    some, settings = ids[:: 1 + scale.calls // 1000], next(iter(known.values()))
    timed(f"are {len(some)} there?", lambda: [store.holds(call_id, settings) for call_id in some])


def write(scale: Scale) -> None:
    from large_store import call_id_of

    from pipelines.store import Store

    store = Store(scale.store)
    first, second = (store.read_call(call_id_of(number * scale.days)) for number in (0, 1))
    timed("a call of a merged day", lambda: store.write_call(first))
    timed("the same again", lambda: store.write_call(first))
    timed("another of the day", lambda: store.write_call(second))


def retain(scale: Scale) -> None:
    from made_rows import DAY

    from pipelines.store import Store
    from pipelines.store.erasure import doomed_before, erase

    store = Store(scale.store)
    doomed = timed("found", lambda: doomed_before(store, DAY + timedelta(hours=1)))
    say(f"    {len(doomed.call_ids)} calls")
    timed("erased", lambda: erase(store, doomed, "retention"))


def score(scale: Scale) -> None:
    """Judges by cards that have another version: the rows of all calls are replaced."""
    from large_store import DATA
    from spoken_rows import embed_by_words

    from pipelines.scorecards.parsing import load
    from pipelines.scorecards.rescoring import rescore
    from pipelines.scorecards.scoring import Scorer
    from pipelines.store import Store

    cards = Path(shutil.copytree(DATA / "scorecards", scale.folder / "cards"))
    for card in cards.glob("*.yaml"):
        text = card.read_text(encoding="utf-8")
        card.write_text(re.sub(r"(?m)^version: .*", "version: changed", text), encoding="utf-8")
    store = Store(scale.store)
    scorer = Scorer(load(cards, DATA / "categories"), embed_by_words)
    done = rescore(store, list(store.processed()), scorer)
    say(f"    {done.replaced} of {done.calls} calls have other rows than before")


STEPS: Mapping[str, Callable[[Scale], None] | tuple[str, ...]] = {
    "make": make,
    "ask": ask,
    "begin a run": begin,
    "doctor": ("doctor",),
    "export": ("export", "{folder}/out"),
    "compact": ("compact",),
    "doctor, all merged": ("doctor",),
    "write": write,
    "erase a customer's calls": ("erase", "--customer", "1", "--yes"),
    "erase a day's calls": retain,
    "export what changed": ("export", "{folder}/out"),
    "score": score,
    "compact what changed": ("compact",),
    "doctor, at the end": ("doctor",),
}
"""The steps in order, each with a function or with what `callfolio` is to do."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS), help="Steps; else all.")
    parser.add_argument("--folder", type=Path, help="Where the store is, or is to be and to stay.")
    chosen = parser.parse_args()
    scale = Scale(chosen.folder or Path(tempfile.mkdtemp(prefix="scale-")), chosen.calls, chosen.days)
    try:
        for name in chosen.only:
            say(name)
            seconds, of_processors, megabytes = cost(command_of(name, scale))
            say(f"  {seconds:.1f} s, {of_processors:.1f} s of processors, {megabytes:.0f} MB")
    finally:
        if chosen.folder is None:
            shutil.rmtree(scale.folder)


def command_of(name: str, scale: Scale) -> list[str]:
    step = STEPS[name]
    if isinstance(step, tuple):
        filled = [word.format(folder=scale.folder) for word in step]
        return [sys.executable, "-c", _COMMAND, *filled, "--store", str(scale.store)]
    call = f"import scale; from pathlib import Path; scale.{step.__name__}(scale.{scale!r})"
    return [sys.executable, "-c", call.replace("PosixPath", "Path")]


def cost(command: list[str]) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of processors, and the most memory in megabytes of a process.

    Its memory counts from what this one had when it began: this one imports nothing large. Raises
    RuntimeError where it fails.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _FOLDERS))}
    begun = time.monotonic()
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, environment), 0)
    if code := os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{command} ended with {code}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def timed(what: str, question: Callable[[], T]) -> T:
    begun = time.monotonic()
    answer = question()
    say(f"    {what}: {time.monotonic() - begun:.3f} s")
    return answer


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
