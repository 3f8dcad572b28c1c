"""A process that keeps a store in order, for tests in which it is killed or works beside others.

python keeper.py FOLDER die WHAT   make a store in `template`; in copies of it, 1, 4, 7, …, do WHAT and be
                                   killed before the 1st, 4th, … change to a file, until there are no more
python keeper.py FOLDER over WHAT  do WHAT to the store over and over, for ever
"""

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from earlier_store import store_of_version_1
from made_rows import made_call, made_failure, made_judgement, made_run

from pipelines.store import Judged, Store, days, disk
from pipelines.store.compaction import compact
from pipelines.store.erasure import doomed_calls, doomed_customer, erase
from pipelines.store.migrations import migrate

NAMES = ("a", "b", "c")
A, B, C = (made_call(name).call["call_id"] for name in NAMES)
STEP = 3
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "open", "exchange")


def fill(store: Store) -> None:
    """Three calls of two days, of which one has no words; two failures, one of a call, and a run."""
    store.write_call(of_customer(made_call("a", turns=2), "4711"))
    store.write_call(made_call("b", turns=0))
    store.write_call(made_call("c", day=1, turns=1))
    judge(store, 1)
    store.write_failure(made_failure("calls/x.wav"))
    store.write_failure(made_failure("calls/y.wav", call_id="ab" * 16, source_sha256="ab" * 32))
    store.write_run(made_run())


def of_customer(rows: Any, customer_id: str) -> Any:
    return replace(rows, call={**rows.call, "customer_id": customer_id})


def judge(store: Store, version: int) -> None:
    for name in NAMES[:2]:
        judge_call(store, made_call(name).call["call_id"], version)


def judge_call(store: Store, call_id: str, version: int) -> None:
    scores, categories = made_judgement(call_id, version)
    within = [{**row, "evidence": []} for row in scores]
    assert store.write_judgements([Judged(store.read_stored(call_id), within, categories)]) == []


def rewrite(store: Store) -> None:
    store.write_call(made_call("a", version=1, day=1, turns=1))


def erase_one(store: Store) -> None:
    erase(store, doomed_calls(store, [made_call("b").call["call_id"]]), "made")


ACTIONS: Mapping[str, Callable[[Store], object]] = {
    "compact": compact,
    "compact-by-two-steps": compact,
    "rewrite": rewrite,
    "judge": lambda store: judge(store, 2),
    "erase": lambda store: erase(store, doomed_customer(store, "4711"), "made"),
    "erase-one": erase_one,
}
ON_MERGED = ("rewrite", "judge", "erase")


def die(folder: Path, what: str) -> None:
    if what == "migrate":
        store_of_version_1(folder / "template")
    else:
        fill(Store(folder / "template"))
    days.GRACE_S = 0.0  # type: ignore[misc]
    if what in ON_MERGED:
        child = os.fork()
        if child == 0:
            compact(Store(folder / "template"))
            os._exit(0)
        os.waitpid(child, 0)
    for moment in itertools.count(1, STEP):
        root = folder / str(moment)
        shutil.copytree(folder / "template", root)
        child = os.fork()
        if child == 0:
            count = killer(str(root), moment)
            sys.addaudithook(count)
            swap = disk.exchange

            def exchange(one: Path, other: Path) -> bool:
                count("exchange", (one,))  # noqa: B023
                return what != "compact-by-two-steps" and swap(one, other)  # noqa: B023

            disk.exchange = exchange
            migrate(root) if what == "migrate" else ACTIONS[what](Store(root))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            say(moment, os.WEXITSTATUS(status))
            return


def killer(root: str, moment: int) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills its process before the change to a file under `root` that has the number `moment`."""
    changes = itertools.count(1)

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event not in CHANGES or root not in str(arguments[0]):
            return
        if event == "open" and (
            arguments[1] == "r" or arguments[1] == "rb" or "/locks/" in str(arguments[0])
        ):
            return
        if next(changes) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def over(folder: Path, what: str) -> None:
    days.GRACE_S = 0.3  # type: ignore[misc]
    store = Store(folder)
    for turn in itertools.count():
        ACTIONS[what](store)
        say(turn)
        time.sleep(0.1)


def say(*things: object) -> None:
    sys.stdout.write(" ".join(map(str, things)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"die": die, "over": over}[sys.argv[2]](Path(sys.argv[1]), sys.argv[3])
