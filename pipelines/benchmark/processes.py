"""A process for each system, so that what one of them needs of memory is told apart."""

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Literal, Self

from models.errors import CallfolioError
from models.offline import stay_offline
from models.quiet import keep_quiet
from models.selection import Selection
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.machine import peak_bytes
from pipelines.recording import Recording
from pipelines.settings import CallSettings, threads_each

if TYPE_CHECKING:
    from pipelines.benchmark.systems import System

SystemName = Literal["Callfolio", "WhisperX"]
OURS: SystemName = "Callfolio"
THEIRS: SystemName = "WhisperX"


@dataclass(frozen=True)
class Setup:
    """All that a process has to know before its first recording.

    `batch_size` is WhisperX's, None for its own; `remembering` is for our path, as in `systems`.
    """

    system: SystemName
    selection: Selection
    cores: int
    batch_size: int | None = None
    remembering: bool = False


class SystemProcess:
    """One system in a process of its own, at work only while it is asked."""

    def __init__(self, setup: Setup) -> None:
        """Start the process, which loads its models."""
        # As for the workers of a run: several heaps would keep 300 MB more of what was freed.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        self._setup = setup
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # Nobody waits for what is being heard. Only systems have processes of this kind here.
            for process in active_children():
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def settings(self) -> Mapping[str, str]:
        """How the system is run, told as soon as its models are loaded. Raises what went wrong with that."""
        return self._pool.submit(_settings).result()

    def hear(self, recording: Recording, settings: CallSettings) -> Heard | str:
        """What the system hears in the recording, or why it cannot process it, in a sentence."""
        try:
            return self._pool.submit(_hear, recording, settings).result()
        except BrokenProcessPool:
            self._start()
            return "its process died, perhaps for want of memory"
        except CallfolioError as failure:
            return str(failure)

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (self._setup,))


_system: "System | Exception | None" = None


def _begin(setup: Setup) -> None:
    """Load the models into this process. An error is kept until somebody asks for them."""
    global _system
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, and without a traceback
    stay_offline()
    threads = threads_each(setup.cores) if setup.system == OURS else setup.cores
    os.environ["OMP_NUM_THREADS"] = str(threads)
    keep_quiet()
    try:
        from pipelines.benchmark.systems import Callfolio, WhisperX

        if setup.system == OURS:
            _system = Callfolio(setup.selection, setup.cores, setup.remembering)
        else:
            _system = WhisperX(setup.selection, setup.cores, setup.batch_size)
    except Exception as error:
        _system = error


def _loaded() -> "System":
    if _system is None or isinstance(_system, Exception):
        raise _system or RuntimeError("The process has no models.")
    return _system


def _settings() -> Mapping[str, str]:
    return _loaded().settings


def _hear(recording: Recording, settings: CallSettings) -> Heard:
    system = _loaded()
    try:
        heard = system(recording, settings)
    except CallfolioError:
        raise
    except Exception as error:  # each of the libraries has errors of its own
        raise CallfolioError(f"{recording.path} cannot be processed: {error!r}") from error
    return replace(heard, peak_bytes=peak_bytes())
