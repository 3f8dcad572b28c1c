"""The worker processes of a run: each may die alone, at any moment, and costs the recording at work at most.

Each has a socket of its own and a thread that waits on it: pools that share a pipe and its lock among their
processes are stuck, or give up, when one is killed at the wrong moment.
"""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.terminating import FOR_THE_RUN
from models.errors import CallfolioError

# The first process is started before these are imported, which takes half a second.
if TYPE_CHECKING:
    from flows.worker import Assignment, Begun, Outcome
    from pipelines.recording import Recording

_DEATHS_WITHOUT_WORK = 3
"""Times in a row that a worker may end before it has a recording in hand: something is wrong with all."""

_WORKERS_FAIL = (
    "Workers end with status {} before they have a recording. Look whether the machine has memory for them, "
    "and run again with fewer workers."
)

_PROGRAM = "import sys; sys.path[:] = {path!r}; from flows.worker import serve; serve({socket}, {memory})"

OnStage = Callable[[str, str], None]
"""Called with a source and the stage that it enters."""

_Job = tuple["Recording", "Future[Outcome]"]


class WorkerLost(Exception):
    """The process that had a recording in hand ended. `exit_code` is negative where a signal ended it;
    `limit_s` are the seconds that it had for the recording."""

    def __init__(self, exit_code: int | None, limit_s: float) -> None:
        """How it ended, None where that is not known, and what it had."""
        super().__init__(exit_code, limit_s)
        self.exit_code = exit_code
        self.limit_s = limit_s


class WorkersFail(CallfolioError):
    """No worker gets as far as a recording."""


class Workers:
    """A number of worker processes, which begin to load their libraries as soon as this is made."""

    def __init__(self, count: int, threads: int, memory: int | None) -> None:
        """Start `count` processes for models of so many threads, with at most `memory` bytes each."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._each = [_Worker(self._jobs, threads, memory, gpu_of(number)) for number in range(count)]

    @property
    def pids(self) -> Sequence[int]:
        """The processes that there are now."""
        return [each.pid for each in self._each]

    def assign(self, assignment: "Assignment", on_stage: OnStage) -> None:
        """Have them load their models, and then take what is submitted."""
        for each in self._each:
            each.begin(assignment, on_stage)

    def submit(self, recording: "Recording") -> "Future[Outcome]":
        """Have a worker process the recording. The future raises `WorkerLost` where that ended its process,
        and what the worker raised where that has nothing to do with the recording."""
        future: Future[Outcome] = Future()
        self._jobs.put((recording, future))
        return future

    def close(self) -> None:
        """End the processes at once: what they have in hand is not finished."""
        if self._closed:
            return
        self._closed = True
        for _ in self._each:
            self._jobs.put(None)
        for each in self._each:
            each.end()


class _Worker:
    """A process, which is replaced whenever it has died, and the thread that speaks to it."""

    def __init__(
        self, jobs: "queue.SimpleQueue[_Job | None]", threads: int, memory: int | None, gpu: str | None
    ) -> None:
        self._jobs = jobs
        self._memory = memory
        # One heap for all threads of a worker: several would keep 300 MB more of what was freed.
        self._environment = {"OMP_NUM_THREADS": str(threads), "MALLOC_ARENA_MAX": "1"}
        if gpu is not None:
            self._environment["CUDA_VISIBLE_DEVICES"] = gpu
        self._thread: threading.Thread | None = None
        self._ended = False
        self._starting = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, assignment: "Assignment", on_stage: OnStage) -> None:
        self._assignment = assignment
        self._on_stage = on_stage
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        with self._starting:
            self._ended = True
        self._process.kill()
        if self._thread is not None:
            self._thread.join()
        self._process.wait()
        self._connection.close()

    def _start(self) -> None:
        with self._starting:
            if self._ended:
                return
            ours, theirs = socket.socketpair()
            program = _PROGRAM.format(path=sys.path, socket=theirs.fileno(), memory=self._memory)
            # What is blocked here is blocked there from the first moment on.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_RUN)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", program],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **self._environment},
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
            self._connection = Connection(ours.detach())

    def _run(self) -> None:
        # The main thread is to get them, which waits in no system call of this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_RUN)
        job: _Job | None = None
        deaths = 0
        while not self._ended:
            try:
                self._connection.send(self._assignment)
                self._listen()
                while True:
                    job = job or self._next()
                    if job is None:
                        return
                    self._connection.send(job[0])
                    begun = cast("Begun", self._listen())
                    (_, future), job, deaths = job, None, 0
                    if not self._see_through(future, begun):
                        break
            except (EOFError, OSError):
                status = self._bury()
                deaths += 1
                if deaths == _DEATHS_WITHOUT_WORK:
                    self._tell_all(job, WorkersFail(_WORKERS_FAIL.format(status)))
                    return
            except Exception as error:
                # What is wrong is wrong with all: whoever waits is told.
                self._tell_all(job, error.error if isinstance(error, _Told) else error)
                return
            self._start()

    def _see_through(self, future: "Future[Outcome]", begun: "Begun") -> bool:
        """Wait for how a recording that is in hand ends. False when the process ended with it.

        Raises, here and to whoever waits, what the worker raised.
        """
        from flows.worker import Begun, Outcome, StageBegun

        limit_s = begun.limit_s
        while True:
            try:
                news = self._listen()
            except (EOFError, OSError):
                future.set_exception(WorkerLost(self._bury(), limit_s))
                return False
            except Exception as error:
                future.set_exception(error.error if isinstance(error, _Told) else error)
                raise
            if isinstance(news, Outcome):
                future.set_result(news)
                return True
            if isinstance(news, Begun):
                limit_s = news.limit_s
            elif isinstance(news, StageBegun):
                self._on_stage(news.source, news.stage)

    def _next(self) -> _Job | None:
        while (job := self._jobs.get()) is not None:
            if job[1].set_running_or_notify_cancel():
                return job
        return None

    def _listen(self) -> object:
        """What the worker says. Raises what it raised; EOFError or OSError where it is gone."""
        news = self._connection.recv()
        if isinstance(news, Exception):
            raise _Told(news) if isinstance(news, OSError | EOFError) else news
        return news

    def _tell_all(self, job: _Job | None, error: Exception) -> None:
        while job is not None or (job := self._next()) is not None:
            job[1].set_exception(error)
            job = None

    def _bury(self) -> int:
        self._process.kill()
        status = self._process.wait()
        self._connection.close()
        return status


class _Told(Exception):
    """An error that a worker raised, and not one of the connection to it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def hired(count: int, threads: int, memory: int | None) -> Iterator[Workers]:
    """Workers for as long as the context is open."""
    workers = Workers(count, threads, memory)
    try:
        yield workers
    finally:
        workers.close()


def gpu_of(worker: int) -> str | None:
    """The GPU for the worker of a number, from 0: they take turns. None where there is no GPU."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        gpus = [name for name in visible.split(",") if name]
    else:
        gpus = [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    return gpus[worker % len(gpus)] if gpus else None
