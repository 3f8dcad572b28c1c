"""Which process it is, on whatever machine, and whether it still runs."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_STATE, _STARTED = 0, 19
"""Fields of /proc/PID/stat behind the name in parentheses (see proc_pid_stat(5): fields 3 and 22)."""


@dataclass(frozen=True)
class Process:
    """A process that no other is taken for, before or after it.

    `host` names the machine, its boot and its PID namespace, so that containers and a machine that was
    started again are others; `started` are clock ticks from boot to the start of the process, which no
    setting of a clock changes, 0 where the system does not tell.
    """

    host: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    @classmethod
    def parse(cls, text: str) -> "Process":
        """The process that was written with `str`. Raises ValueError."""
        host, pid, started = text.rsplit(":", 2)
        return cls(host, int(pid), int(started))


def this_process() -> Process:
    """The process that asks."""
    return Process(_host(), os.getpid(), _stat(os.getpid())[1])


def is_pid_in_use(pid: int) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_alive(process: Process) -> bool | None:
    """Whether the process still runs. None where that cannot be known: it is of another machine."""
    if process.host != _host():
        return None
    if not is_pid_in_use(process.pid):
        return False
    try:
        state, started = _stat(process.pid)
    except ProcessLookupError:
        return False
    # What nobody has reaped yet is dead.
    return state != "Z" and started == process.started


def _stat(pid: int) -> tuple[str, int]:
    """State and start of a process. Raises ProcessLookupError where there is none."""
    if not Path("/proc/self/stat").exists():
        return "", 0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error
    return fields[_STATE], int(fields[_STARTED])


@cache
def _host() -> str:
    parts = [socket.gethostname().replace(":", "-")]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
        parts.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))  # noqa: PTH115 - no path
    except OSError:
        pass
    return "/".join(parts)
