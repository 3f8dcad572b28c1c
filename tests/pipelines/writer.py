"""A process that writes to a store, for tests in which it is killed or disturbed.

python writer.py FOLDER rewrite      write made calls over and over, of other versions and dates, for ever
python writer.py FOLDER slowly       the same, a few times a second, and new calls in between
python writer.py FOLDER judge        replace what made calls are judged, over and over, for ever
python writer.py FOLDER die-judging  like `die`, while what the call is judged is replaced
python writer.py FOLDER same N       write version N of one call many times
python writer.py FOLDER die          in stores 1, 2, … of the folder, write a call that is there again and be
                                     killed before the 1st, 2nd, … change to a file, until there are no more
python writer.py FOLDER full         write a call, then another version with room for all but the last file
python writer.py FOLDER tmpfs        write to a disk that gets full, then read-only (needs mounts of its own)
"""

import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from made_rows import made_call, made_judgement

from pipelines.store import Judged, Store, StoreError

NAMES = ("a", "b", "c", "d")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "open")


def rewrite(store: Store) -> None:
    for version in itertools.count():
        for name in NAMES:
            store.write_call(made_call(name, version, day=random.randrange(3), turns=random.randrange(1, 40)))
            say(version)


def slowly(store: Store) -> None:
    for version in itertools.count(1):
        store.write_call(made_call(random.choice(NAMES), version, day=version % 3, turns=version % 7))
        store.write_call(made_call(f"new {version}", version))
        say(version)
        time.sleep(0.1)


def same(store: Store, version: int) -> None:
    for _ in range(15):
        store.write_call(made_call("a", version, day=version, turns=10 * version))


def die(folder: Path) -> None:
    for moment in itertools.count(1):
        store = Store(folder / str(moment))
        store.write_call(made_call("a", 0, day=0))
        child = os.fork()
        if child == 0:
            sys.addaudithook(killer(str(store.root), moment))
            store.write_call(made_call("a", 1, day=1))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            say(moment, os.WEXITSTATUS(status))
            return


def judge(store: Store) -> None:
    for version in itertools.count():
        judge_once(store, NAMES, version)
        say(version)
        time.sleep(0.1)


def judge_once(store: Store, names: Sequence[str], version: int) -> None:
    calls = [store.read_stored(made_call(name).call["call_id"]) for name in names]
    judged = [Judged(call, *made_judgement(call.row["call_id"], version)) for call in calls]
    assert store.write_judgements(judged) == []


def die_judging(folder: Path) -> None:
    for moment in itertools.count(1):
        store = Store(folder / str(moment))
        store.write_call(made_call("a"))
        judge_once(store, ["a"], 1)
        child = os.fork()
        if child == 0:
            sys.addaudithook(killer(str(store.root), moment))
            judge_once(store, ["a"], 2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            say(moment, os.WEXITSTATUS(status))
            return


def killer(root: str, moment: int) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills its process before the change to a file under `root` that has the number `moment`."""
    changes = itertools.count(1)

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in CHANGES and root in str(arguments[0]) and next(changes) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def full(store: Store) -> None:
    store.write_call(made_call("a", 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
    attempt(store, 1)


def tmpfs(folder: Path) -> None:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=True)
    store = Store(folder / "store")
    store.write_call(made_call("a", 0))
    attempt(store, 1, turns=3000)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    attempt(Store(folder / "store"), 2)


def attempt(store: Store, version: int, turns: int = 3) -> None:
    try:
        store.write_call(made_call("a", version, turns=turns))
    except StoreError as error:
        say(error)
    say(dict(store.processed()), [str(path) for path in (store.root / "tmp").iterdir()])


def say(*things: object) -> None:
    sys.stdout.write(" ".join(map(str, things)) + "\n")
    sys.stdout.flush()


def main(folder: Path, what: str, number: str = "0") -> None:
    if what in ("tmpfs", "die", "die-judging"):
        {"tmpfs": tmpfs, "die": die, "die-judging": die_judging}[what](folder)
        return
    store = Store(folder)
    if what == "rewrite":
        rewrite(store)
    elif what == "judge":
        judge(store)
    elif what == "slowly":
        slowly(store)
    elif what == "same":
        same(store, int(number))
    elif what == "full":
        full(store)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
