"""Who may change a store at the same time: one writer a call, many writers, or one who lays out days anew."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


class Locks:
    """The locks of a store, files in its folder `locks`. A process that dies gives its locks back.

    Whoever writes or removes a file in a day's folder holds `shared`; whoever puts another folder in the
    place of a day's holds `exclusive`. A key's lock is taken inside of `shared`, never around it.
    """

    def __init__(self, root: Path) -> None:
        """`root` is the folder of the store."""
        self._folder = root / "locks"

    @contextmanager
    def of(self, key: str, wait: bool = True) -> Iterator[None]:
        """Alone with a call, failure or run. Raises filelock's Timeout where another is, unless `wait`."""
        # One of 256 locks, by the last digits of the key: none to tidy up after, and none that names a call.
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f"{key[-2:]}.lock", poll_interval=0.01, blocking=wait):
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Together with other writers, and with nobody who lays out days anew."""
        with self._flock("days.lock", fcntl.LOCK_SH):
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone with the store's files."""
        with self._flock("days.lock", fcntl.LOCK_EX):
            yield

    @contextmanager
    def upkeep(self) -> Iterator[None]:
        """The only one who compacts, erases or exports."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "upkeep.lock", poll_interval=0.05):
            yield

    @contextmanager
    def _flock(self, name: str, kind: int) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        # All pass the gate one by one: without it, writers who relieve each other would keep out for ever
        # whoever wants to be alone.
        gate = os.open(self._folder / "gate.lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            lock = os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(lock, kind)
                if kind == fcntl.LOCK_SH:
                    fcntl.flock(gate, fcntl.LOCK_UN)
                yield
            finally:
                os.close(lock)
        finally:
            os.close(gate)
