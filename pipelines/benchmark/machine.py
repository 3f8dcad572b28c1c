"""What a benchmark was run on, so that its figures can be compared later."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A machine. `load` is how many processes wanted to run, in the mean of the last minute."""

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    load: float


def this_machine() -> Machine:
    """The machine that this process runs on, as Linux describes it."""
    return Machine(
        _said(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        os.cpu_count() or 1,
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        platform.platform(),
        platform.python_version(),
        os.getloadavg()[0],
    )


def peak_bytes() -> int:
    """The most memory that this process has had resident at once.

    What `getrusage` tells would include that of the process which started this one.
    """
    return int(_said(Path("/proc/self/status"), "VmHWM").removesuffix(" kB")) * 1024


def _said(path: Path, name: str) -> str:
    """The value of the first line `name: value` of a file; empty where there is none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
