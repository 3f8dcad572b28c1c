"""Workers on other machines: those of a Dask cluster, each with its models in memory for a whole run.

Recordings reach them by path or address and are processed where the worker is, into the same store, which all
machines see at the same place. The ledger of the store says who has which; a worker that dies is replaced by
Dask, and its recording taken over by another.
"""

import logging
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, get_worker
from distributed import Worker as DaskWorker

from flows.worker import Assignment, Begun, Outcome, StageBegun, Worker
from flows.workers import OnStage, WorkerLost
from models.errors import CallfolioError
from models.offline import stay_offline
from models.quiet import keep_quiet
from pipelines.ledger import Ledger
from pipelines.recording import Recording

LOCAL: Final = "local"
"""The address of a cluster that is started here, for as long as it is needed."""

_TOPIC: Final = "callfolio-stages"
_CONNECTING: Final = "20s"
"""How long a scheduler may take to answer."""

_CONFIG: Final = {
    # A worker holds models and one call; what it takes is none of Dask's data, and nothing can be spilled.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": "1",
    # Decoding holds Python's lock for seconds; nobody needs to hear of it.
    "distributed.admin.tick.limit": "10m",
}


class ClusterFails(CallfolioError):
    """The cluster cannot be reached, or its workers do not stay alive."""


class Desk(WorkerPlugin):  # type: ignore[misc]  # it is typed in part, and wrongly
    """What a Dask worker keeps for a run: a worker with its models, loaded as soon as the run is known."""

    def __init__(self, assignment: Assignment) -> None:
        """Travels to the workers as it is; nothing is loaded here."""
        self.name = f"callfolio-{assignment.run_id}"
        self._assignment = assignment

    def setup(self, worker: DaskWorker) -> None:
        """Begin to load the models, beside the loop in which the worker tells the scheduler that it lives."""
        self._process = worker
        self._one_at_a_time = threading.Lock()
        pool = ThreadPoolExecutor(1)
        self._worker: Future[Worker] = pool.submit(self._load)
        pool.shutdown(wait=False)

    def work(self, recording: Recording) -> Outcome:
        """Process a recording; see `Worker.work`. Raises WorkerLost where another worker died of it: Dask
        would try it again at once, and the run decides whether and when."""
        with self._one_at_a_time:
            worker = self._worker.result()
            if self._is_left_behind(recording):
                raise WorkerLost(None, 0.0)
            return worker.work(recording, self._tell)

    def _load(self) -> Worker:
        stay_offline()
        keep_quiet()
        return Worker(self._assignment)

    def _tell(self, news: Begun | StageBegun) -> None:
        """Pass news on, from any thread."""
        if isinstance(news, StageBegun):
            self._process.log_event(_TOPIC, (news.source, news.stage))

    def _is_left_behind(self, recording: Recording) -> bool:
        """Whether a worker of this run has claimed the recording and not ended: as Dask gives it to one
        worker at a time, that one is lost."""
        claimed = Ledger(self._assignment.store).entries("working")
        return (recording.call_id, self._assignment.run_id) in {(e.call_id, e.run_id) for e in claimed}


class DaskWorkers:
    """The workers of a Dask cluster as those of a run: `flows.workers.Workers` for other machines."""

    def __init__(self, address: str, count: int, threads: int, memory: int | None) -> None:
        """Connect to the scheduler at `address`, or start `count` workers here for `local`.

        `threads` and `memory`, in bytes, are for the workers that are started here. Raises ClusterFails.
        """
        dask.config.set(_CONFIG)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._cluster = _started(count, threads, memory) if address == LOCAL else None
        try:
            self._client = Client(self._cluster or address, timeout=_CONNECTING, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterFails(
                f"There is no Dask scheduler at {address}: {error}. Start one with `dask scheduler`, and "
                "workers with `dask worker`, or say --dask local."
            ) from error
        self._name = ""
        self._closed = False
        self._waiting: dict[Any, Future[Outcome]] = {}

    def assign(self, assignment: Assignment, on_stage: OnStage) -> None:
        """Have them load their models, and then take what is submitted."""
        desk = Desk(assignment)
        self._name = desk.name
        self._client.subscribe_topic(_TOPIC, lambda event: on_stage(*event[1]))
        self._client.register_plugin(desk)

    def submit(self, recording: Recording) -> "Future[Outcome]":
        """Have a worker process the recording. The future raises `WorkerLost` where that ended its process,
        and what the worker raised where that has nothing to do with the recording."""
        future: Future[Outcome] = Future()
        key = f"{recording.call_id}-{uuid.uuid4().hex[:8]}"
        given = self._client.submit(_work, self._name, recording, key=key, pure=False)
        self._waiting[given] = future
        given.add_done_callback(self._done)
        return future

    def close(self) -> None:
        """Let go of the workers, and end those that were started here. What others have in hand they finish,
        in vain: their claims are given back, and what they made is not written."""
        if self._closed:
            return
        self._closed = True
        with suppress(Exception):  # a cluster that is gone has nothing to be told
            self._client.cancel(list(self._waiting), force=True)
            if self._name:
                self._client.unregister_worker_plugin(self._name)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def _done(self, given: Any) -> None:
        future = self._waiting.pop(given)
        if not future.set_running_or_notify_cancel():
            return
        error = given.exception() if given.status == "error" else None
        if isinstance(error, KilledWorker):
            future.set_exception(WorkerLost(None, 0.0))
        elif error is not None:
            future.set_exception(error)
        elif given.status == "finished":
            future.set_result(given.result())
        else:
            future.set_exception(ClusterFails("The Dask cluster is gone. Run again when it is back."))


def _work(name: str, recording: Recording) -> Outcome:
    desk: Desk = get_worker().plugins[name]
    return desk.work(recording)


def _started(count: int, threads: int, memory: int | None) -> LocalCluster:
    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        memory_limit=memory or 0,
        dashboard_address=None,
        env={"OMP_NUM_THREADS": str(threads)},
        silence_logs=logging.CRITICAL,
    )


@contextmanager
def hired(address: str, count: int, threads: int, memory: int | None) -> Iterator[DaskWorkers]:
    """Workers for as long as the context is open."""
    workers = DaskWorkers(address, count, threads, memory)
    try:
        yield workers
    finally:
        workers.close()
