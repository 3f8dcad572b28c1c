"""What a worker may take: time and memory for a call, and a life no longer than that of its run.

A worker that passes a limit ends, with a status that says which: whatever a library is doing at that moment,
no other recording is touched, and another process takes its place.
"""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEMORY_SPENT: Final = 88
"""Exit status of a worker that had more memory than its limit."""

TIME_SPENT: Final = -signal.SIGALRM
"""Status of a worker whose call took too long: the kernel ends it, even where nothing in Python runs."""

TIME_FLOOR_S: Final = 300.0
TIME_FACTOR: Final = 10.0
"""Seconds that a call may take: the floor and this many for each second of its sound. The slowest profile
takes about one on two cores, and a hung call should not cost a night."""

LEAST_BYTES_PER_S: Final = 1000.0
"""Bytes in a second of sound where a file does not tell its length: few codecs need less."""

MEMORY_SHARE: Final = 0.8
"""Share of the machine's memory that all workers together may have."""

LEAST_MEMORY: Final = 3 << 30
"""Bytes that a worker may have on the smallest machine: models and a call of an hour fit into them."""

_WATCH_S: Final = 0.25
_CGROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Limits:
    """Limits of each call. `call_s` are seconds, None for as many as its length asks for; `memory` are bytes
    of a worker's resident set."""

    call_s: float | None = None
    memory: int | None = None

    def seconds(self, duration_s: float | None, size: int) -> float:
        """Seconds for a call of this length, or of so many bytes where the length is not known."""
        if self.call_s is not None:
            return self.call_s
        return TIME_FLOOR_S + TIME_FACTOR * (duration_s or size / LEAST_BYTES_PER_S)


def memory_each(workers: int) -> int:
    """Bytes that each of the workers may have where nothing else is said."""
    return max(LEAST_MEMORY, int(MEMORY_SHARE * _memory() / workers))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process with `TIME_SPENT` unless the context is left within `seconds`."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def watch(connection: int, memory: int | None) -> None:
    """From now on end this process when the other end of `connection`, a socket, is gone, or with
    `MEMORY_SPENT` when it has more than `memory` bytes."""
    threading.Thread(target=_watch, args=(connection, memory), daemon=True).start()


def _watch(connection: int, memory: int | None) -> None:
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    while True:
        if memory is not None and _resident() > memory:
            os._exit(MEMORY_SPENT)
        if poll.poll(_WATCH_S * 1000):
            os.kill(os.getpid(), signal.SIGKILL)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _memory() -> int:
    """Bytes of the machine's memory, or of those that this container may have."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, _CGROUP_LIMITS):
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):  # there is no such file, or it says "max"
            continue
    return min(limits)
