"""What a worker process does: load the models once, then turn recordings into rows of the store."""

import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from flows.limits import Limits, time_limit, watch
from models.errors import ModelError
from models.lean import lean_imports
from models.offline import stay_offline
from models.quiet import keep_quiet
from models.selection import Selection
from pipelines.failures import RecordingFailure, failure_of
from pipelines.ledger import BACK_OFF_S, BEAT_S, Claim, Ledger, LedgerError, Refusal
from pipelines.processes import Process
from pipelines.recording import Recording, at_hand
from pipelines.rows import failure_row, rows_of
from pipelines.scorecards.cards import Rulebook
from pipelines.settings import CallSettings
from pipelines.store import Store, StoreError
from pipelines.tables import Row

if TYPE_CHECKING:
    from models.loaded import Models
    from pipelines.analytics.examples import Examples
    from pipelines.scorecards.scoring import Scorer


@dataclass(frozen=True)
class Assignment:
    """All that a worker has to know before its first recording; the same for each worker of a run.

    `keeper` is the process that looks after the workers; `again` is for recordings that are in the store.
    """

    selection: Selection
    settings: CallSettings
    settings_sha256: str
    store: Path
    run_id: str
    threads: int
    examples: Path
    keeper: Process
    rulebook: Rulebook = field(default_factory=Rulebook)
    limits: Limits = field(default_factory=Limits)
    again: bool = False
    back_off_s: float = BACK_OFF_S

    @property
    def provenance(self) -> Row:
        """The columns of `calls` that say what made a row."""
        return {
            "profile": self.selection.profile,
            "models": self.selection.digests,
            "settings_sha256": self.settings_sha256,
            "run_id": self.run_id,
        }


@dataclass(frozen=True)
class Outcome:
    """How a recording ended. It is in the store where there is neither a `failure` nor a `refusal`.

    A failed one is tried again at `retry_at`, in seconds since 1970, unless that is None.
    """

    source: str
    size: int
    duration_s: float
    failure: RecordingFailure | None
    refusal: Refusal | None = None
    retry_at: float | None = None


@dataclass(frozen=True)
class Begun:
    """News from a worker: it has a recording in hand, and so many seconds for it."""

    limit_s: float


@dataclass(frozen=True)
class StageBegun:
    """News from a worker while it is at work: the stage that a recording has entered."""

    source: str
    stage: str


@dataclass(frozen=True)
class _Judges:
    """What is needed only when a call has been heard."""

    examples: "Examples"
    scorer: "Scorer"


class Worker:
    """The models in memory, the store and its ledger: all that one recording after the other is done with."""

    def __init__(self, assignment: Assignment) -> None:
        """Load what listens. Raises what is wrong with the models."""
        from models.loaded import load_listeners

        self._assignment = assignment
        self._store = Store(assignment.store)
        self._ledger = Ledger(self._store.root, back_off_s=assignment.back_off_s)
        self._models = load_listeners(assignment.selection, assignment.threads)
        self._judges: Future[_Judges] | None = None

    def work(self, recording: Recording, tell: Callable[[Begun | StageBegun], None]) -> Outcome:
        """Process a recording into the store or into its `failures`, unless it is not to be processed now.

        Raises `StoreError`, and what is wrong with the models: neither is the recording's fault.
        """
        from pipelines.decoding import stated_duration

        limits = self._assignment.limits
        tell(Begun(limits.seconds(0.0, 0)))
        with time_limit(limits.seconds(0.0, 0)):
            duration_s = None if limits.call_s else stated_duration(recording.path)
        limit_s = limits.seconds(duration_s, recording.size)
        tell(Begun(limit_s))
        with time_limit(limit_s):
            return self._work(recording, tell)

    def _work(self, recording: Recording, tell: Callable[[StageBegun], None]) -> Outcome:
        known = self._assignment
        claim = self._ledger.claim(
            recording,
            known.settings_sha256,
            known.run_id,
            lambda: self._store.holds(
                recording.call_id, known.settings_sha256, known.run_id if known.again else None
            ),
            known.keeper,
            known.again,
        )
        if isinstance(claim, Refusal):
            return Outcome(recording.source, recording.size, 0.0, None, claim, claim.not_before)
        try:
            with _beating(self._ledger, claim):
                return self._process(recording, claim, tell)
        except (StoreError, ModelError):
            raise
        except Exception as error:
            logging.getLogger("callfolio").debug("%s", recording.source, exc_info=error)
            failure = recording.naming(failure_of(recording.path, error))
            row = failure_row(
                recording.source, recording.sha256, failure, known.settings_sha256, known.run_id
            )
            self._store.write_failure(row, None if failure.tries is None else claim.attempts)
            entry = self._ledger.set_aside(claim, failure)
            retry_at = None if entry is None else entry.not_before
            return Outcome(recording.source, recording.size, 0.0, failure, retry_at=retry_at)

    def _process(self, recording: Recording, claim: Claim, tell: Callable[[StageBegun], None]) -> Outcome:
        from pipelines.call import process

        judges = self._judges_ahead()
        with at_hand(recording) as here:
            call = process(
                here,
                self._models,
                self._assignment.settings,
                lambda stage: tell(StageBegun(recording.source, stage)),
                lambda: judges.result().examples,
            )
        rows = judges.result().scorer.score_rows(rows_of(call, self._assignment.provenance))
        if not self._ledger.beat(claim):  # it was taken for dead, or the call was erased meanwhile
            return Outcome(recording.source, recording.size, 0.0, None, Refusal("held"))
        self._store.write_call(rows)
        self._ledger.finish(claim)
        return Outcome(recording.source, recording.size, call.audio.duration, None)

    def _judges_ahead(self) -> "Future[_Judges]":
        """What reads, and what judges by it: loaded while the first call is being listened to."""
        if self._judges is None:
            pool = ThreadPoolExecutor(1)
            self._judges = pool.submit(_judges, self._assignment, self._models)
            pool.shutdown(wait=False)
        return self._judges


def serve(descriptor: int, memory: int | None) -> None:
    """The life of a worker process, which its run speaks to over the socket `descriptor`.

    What loads the models is loaded before the run knows what it wants of them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the run, which ends its workers
    connection = Connection(descriptor)
    watch(descriptor, memory)
    stay_offline()
    keep_quiet()
    gc.disable()  # what is loaded stays; looking through it again and again takes a tenth of the time
    with lean_imports():
        import pipelines.call  # noqa: F401 - takes seconds, and nothing has to be known for it

    assignment = connection.recv()
    sending = threading.Lock()

    def tell(news: object) -> None:
        with sending:
            connection.send(news)

    try:
        worker = Worker(assignment)
        gc.freeze()
        gc.enable()
        tell(None)
        while True:
            tell(worker.work(connection.recv(), tell))
    except Exception as error:
        tell(error)


@contextmanager
def _beating(ledger: Ledger, claim: Claim) -> Iterator[None]:
    """Keep the claim alive as long as the context is open."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            with suppress(LedgerError):  # the next beat may succeed; if none does, `beat` says so at the end
                ledger.beat(claim)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _judges(assignment: Assignment, models: "Models") -> _Judges:
    from pipelines.analytics.examples import examples_in
    from pipelines.scorecards.scoring import Scorer

    embedder = models.embedder
    examples = examples_in(assignment.examples, embedder)
    if embedder is None:
        return _Judges(examples, Scorer(assignment.rulebook, None))
    sha256 = assignment.selection.models["sentence_embedding"].sha256
    return _Judges(examples, Scorer(assignment.rulebook, embedder.embed, sha256))
