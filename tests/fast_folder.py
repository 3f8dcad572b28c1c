"""Folders for tests that put thousands of files on the disk one by one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 1 << 30
"""Bytes that there must be: containers may have 64 MB, which copies of stores fill."""


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is room in it."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        yield Path(folder)


def memory() -> Path | None:
    """Where folders in memory are made; None for where all others are."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        return MEMORY
    return None
