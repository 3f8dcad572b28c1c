"""A Prefect server with its UI, on this machine only, for as long as somebody needs it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import CallfolioError

PORT = 4200
"""Where Prefect's own documents say that a server listens."""

_PATIENCE_S = 120.0
_STOPPED_S = 10.0


@contextmanager
def server() -> Iterator[str]:
    """The address of the API of the site's own server where `PREFECT_API_URL` names one, else of one that is
    started here, on SQLite in Prefect's home unless `PREFECT_SERVER_DATABASE_CONNECTION_URL` says otherwise.
    Raises CallfolioError where the server does not start.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        yield url
        return
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    port = PORT if _is_free(PORT) else _any_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    # A session of its own: Ctrl-C is for what uses the server, which ends it when it is done.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_STOPPED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise CallfolioError(
        "Prefect's server did not start. Start one with `make server`, name it in PREFECT_API_URL and try "
        "again; what it says tells why."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _any_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
