"""Prefect's own server, where no other is named: started beside other work, and ended with this process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, Self
from urllib.error import URLError

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from flows.terminating import FOR_THE_RUN

_NICENESS = 5
"""The server's lower priority: while it starts, models are being loaded on the same cores."""

_LOOK_S = 0.1
_ANSWERS_S = 2.0
_PATIENCE_S = 5.0

# A process that is killed stops nothing that it has started; the server hears that its pipe has closed.
_PROGRAM = """
import os, runpy, select, signal, sys, threading, time
def watch(pipe):
    poll = select.poll()
    poll.register(pipe, select.POLLHUP)
    poll.poll()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.raise_signal(signal.SIGTERM)
    time.sleep(3)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=watch, args=(int(sys.argv.pop(1)),), daemon=True).start()
os.nice(int(sys.argv.pop(1)))
runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)
"""

# As prefect.server.api.server.SubprocessASGIServer starts it, which cannot be told to end with us and takes
# seconds to import.
_UVICORN = (
    *("--factory", "prefect.server.api.server:create_app", "--host", "127.0.0.1"),
    *("--log-level", "critical", "--lifespan", "on"),
)
_BRIEF = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
_LASTING = {"PREFECT__SERVER_FINAL": "1"}

PORT = 4200
"""Where a server with a UI is looked for, as Prefect's own documents say."""


class ServerFails(Exception):
    """Prefect's server does not start."""


class Server:
    """A server for the flows of this process: the site's own where PREFECT_API_URL names one.

    As a context it is what flows speak to, and is ended. A `lasting` one starts runs by their schedules and
    has a UI.
    """

    def __init__(self, lasting: bool = False) -> None:
        """Start one if there has to be one; `wait` for it before anything else."""
        self._process: subprocess.Popen[bytes] | None = None
        self._url = PREFECT_API_URL.value()
        if self._url is None:
            port = PORT if lasting and _is_free(PORT) else _free_port()
            self._url = f"http://127.0.0.1:{port}/api"
            reading, self._lifeline = os.pipe()
            self._process = _start(port, reading, _LASTING if lasting else _BRIEF)

    def wait(self, over: threading.Event | None = None) -> None:
        """Wait until it answers. Raises ServerFails, also where nobody needs it any more: it is `over`."""
        if self._process is not None:
            _wait(str(self._url), self._process, over or threading.Event())

    def __enter__(self) -> Self:
        self._settings = temporary_settings(updates={PREFECT_API_URL: self._url})
        self._settings.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._settings.__exit__(*error)
        self.close()

    def close(self) -> None:
        """End the process that was started."""
        process, self._process = self._process, None
        if process is None:
            return
        os.close(self._lifeline)
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(port: int, pipe: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    # Without its server Prefect takes a minute to give up. What is blocked here stays blocked in the process
    # that is started.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_RUN)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(pipe), str(_NICENESS), *_UVICORN, "--port", str(port)],
            env={**os.environ, **environment, **settings},
            stdin=subprocess.DEVNULL,
            pass_fds=[pipe],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(pipe)


def _wait(url: str, process: "subprocess.Popen[bytes]", over: threading.Event) -> None:
    deadline = time.monotonic() + PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    while time.monotonic() < deadline and not over.is_set():
        if process.poll() is not None:
            raise ServerFails(f"Prefect's server ended with status {process.returncode}.")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=_ANSWERS_S):
                return
        except (URLError, OSError):
            over.wait(_LOOK_S)
    raise ServerFails("Prefect's server did not start in time.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _free_port() -> int:
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        port: int = any_socket.getsockname()[1]
        return port
