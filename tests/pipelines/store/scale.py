"""How a store of many calls is read before and after compaction. Prints a table.

python tests/pipelines/store/scale.py [CALLS]     2,000 if not said otherwise, in memory where there is room
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from fast_folder import fast_folder
from made_rows import made_call

from pipelines.query import query
from pipelines.store import Store
from pipelines.store.compaction import compact

DAYS = 4
QUESTION = """
select role, count(*) as words, avg(confidence) as sure from words join calls using (call_id) group by 1
"""


def main(count: int) -> None:
    with fast_folder() as folder:
        store = Store(folder / "store")
        begun = time.monotonic()
        for number in range(count):
            store.write_call(made_call(str(number), day=number % DAYS, turns=20, words=12))
        say(f"{count} calls of 240 words written in {time.monotonic() - begun:.1f} s")
        asked: dict[str, Callable[[], Any]] = {
            "open": lambda: Store(store.root, create=False),
            "processed()": store.processed,
            "read_call()": lambda: store.read_call(made_call(str(count // 2)).call["call_id"]),
            "query of words and calls": lambda: query(store, QUESTION).to_pylist(),
        }
        before = {name: timed(question) for name, question in asked.items()}
        begun = time.monotonic()
        done = compact(store)
        took = time.monotonic() - begun
        say(f"compacted in {took:.1f} s: {done.files_before} files are {done.files_after}")
        for name, question in asked.items():
            seconds, answer = timed(question)
            assert name == "open" or answer == before[name][1]
            say(f"{name:26} {before[name][0]:8.3f} s before {seconds:8.3f} s after")
        for number in (1, 5, 9):
            begun = time.monotonic()
            store.write_call(made_call(str(number), version=1, day=number % DAYS, turns=20, words=12))
            say(f"a call of a merged day written again in {time.monotonic() - begun:.3f} s")


def timed(question: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that the second time takes, and the answer."""
    question()
    begun = time.monotonic()
    answer = question()
    return time.monotonic() - begun, answer


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
