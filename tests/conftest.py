"""What all tests share: the smallest models in memory, sample calls once processed, and a guarded network."""

import os
import shutil
import signal
import sys
import tempfile

from models.offline import stay_offline

stay_offline()
# A shell has what it starts in the background ignore Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Before Prefect is imported by anything: the tests leave the user's own Prefect alone.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="callfolio-prefect-")

from collections.abc import Callable, Iterator  # noqa: E402
from functools import cache  # noqa: E402
from ipaddress import ip_address  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import pytest  # noqa: E402
from fast_folder import fast_folder  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from sample_calls import ROOT, SAMPLE_CALLS, Processed  # noqa: E402

from models.errors import ModelError  # noqa: E402

if TYPE_CHECKING:
    from models.loaded import LoadedModels

pytest_plugins = ("s3_server", "store_fixtures")

# A busy machine is no reason for a property to fail, and a change is not to be held up by an example that
# has nothing to do with it. To look for more: pytest --hypothesis-profile exploring
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", _PATIENT)
settings.register_profile("callfolio", _PATIENT, derandomize=True)
settings.load_profile("callfolio")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def loaded() -> "LoadedModels":
    """The models of the profile `tiny`."""
    from models.bundle import models_dir
    from models.catalogue import load_catalogue
    from models.loaded import load
    from models.selection import select

    try:
        selection = select(load_catalogue(), "tiny", {}, models_dir())
    except ModelError as error:
        pytest.fail(f"The tests need the smallest models: callfolio models pull --profile tiny ({error})")
    return load(selection, os.cpu_count() or 1)


@pytest.fixture(scope="session")
def processed(loaded: "LoadedModels") -> Callable[[str], Processed]:
    """Processes the sample call of a name, once."""
    import pipelines.call as front
    from pipelines.recording import identify
    from pipelines.settings import CallSettings
    from pipelines.sources import find_sources

    attribute: Callable[..., Any] = vars(front)["attribute"]

    @cache
    def process(name: str) -> Processed:
        handed: list[Any] = []

        def note(*given: Any) -> Any:
            handed.extend(given)
            return attribute(*given)

        [source] = find_sources([str(SAMPLE_CALLS[name].path)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(front, "attribute", note)
            call = front.process(identify(source), loaded, CallSettings())
        return Processed(call, transcripts=handed[0], diarization=handed[1])

    return process


@pytest.fixture
def fast_path() -> Iterator[Path]:
    """Like `tmp_path`, in memory where there is one."""
    with fast_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The recordings of real people, which are kept beside the repository."""
    folder = ROOT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus of real recordings is not beside this checkout (../shared/corpus)")
    return folder


class _Doorkeeper:
    """Stops and notes whatever this process wants of a network, while it is told to."""

    def __init__(self) -> None:
        self.awake = False
        self.attempts: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.awake or event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            return
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(address, tuple | str) and not _is_here(host, event):
            self.attempts.append(f"{event} {address}")
            raise OSError(f"stopped by the test: {event} {address}")


def _is_here(host: Any, event: str) -> bool:
    if event != "socket.getaddrinfo" and str(host).startswith(("/", "\0")):
        return True  # a socket of the machine's own
    try:
        return host in ("localhost", None) or ip_address(host).is_loopback
    except ValueError:
        return False


_doorkeeper = _Doorkeeper()
sys.addaudithook(_doorkeeper)  # there is no way to take one off again


@pytest.fixture
def no_network() -> Iterator[list[str]]:
    """Only this machine can be reached; whatever else was tried is listed, and must be nothing at the end."""
    _doorkeeper.attempts.clear()
    _doorkeeper.awake = True
    yield _doorkeeper.attempts
    _doorkeeper.awake = False
    assert _doorkeeper.attempts == []
