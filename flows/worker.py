"""What a worker process does: load the models once, then turn recordings into rows of the store."""

import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from flows.limits import Limits, time_limit, watch
from flows.terminating import FOR_THE_RUN
from models.errors import ModelError, UsageError
from models.lean import lean_imports
from models.offline import stay_offline
from models.quiet import keep_quiet
from models.selection import Selection
from pipelines.failures import Erased, RecordingFailure, failure_of
from pipelines.ledger import BACK_OFF_S, BEAT_S, Claim, Ledger, LedgerError, Refusal
from pipelines.processes import Process
from pipelines.recording import Recording, at_hand
from pipelines.restating import restated, restatement, said_before
from pipelines.rows import failure_row, rows_of
from pipelines.scorecards.cards import Rulebook
from pipelines.settings import CallSettings
from pipelines.sources import CallMetadata
from pipelines.store import Store, StoreError
from pipelines.tables import CallRows, Row

if TYPE_CHECKING:
    from models.loaded import Models
    from pipelines.analytics.examples import Examples
    from pipelines.scorecards.scoring import Scorer

_PASSES = 5
"""Times that a call is restated anew because another process wrote it meanwhile."""


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

    A failed one is tried again at `retry_at`, in seconds since 1970, unless that is None. `restated` is for a
    call that was in the store, whose rows now have what its metadata says by now; where that failed, the call
    is in the store as it was, and nothing is in `failures`.
    """

    source: str
    size: int
    duration_s: float
    failure: RecordingFailure | None
    refusal: Refusal | None = None
    retry_at: float | None = None
    restated: bool = False


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

        What is said anew of a call in the store is brought into its rows, or they stay as they were.

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
            lambda: self._is_done(recording),
            known.keeper,
            known.again,
        )
        try:
            if isinstance(claim, Refusal):
                changed = claim.why == "done" and self._restate(recording)
                return Outcome(recording.source, recording.size, 0.0, None, claim, claim.not_before, changed)
            with _beating(self._ledger, claim):
                return self._process(self._as_described(recording), claim, tell)
        except (StoreError, ModelError):
            raise
        except Exception as error:
            logging.getLogger("callfolio").debug("%s", recording.source, exc_info=error)
            failure = recording.naming(failure_of(recording.path, error))
            if isinstance(claim, Refusal):
                # The call is in the store as it was. A row of it in `failures` would outlast its cause:
                # with the former metadata back, nothing is restated.
                return Outcome(recording.source, recording.size, 0.0, failure)
            row = failure_row(
                recording.source, recording.sha256, failure, known.settings_sha256, known.run_id
            )
            self._store.write_failure(row, None if failure.tries is None else claim.attempts)
            entry = self._ledger.set_aside(claim, failure)
            retry_at = None if entry is None else entry.not_before
            return Outcome(recording.source, recording.size, 0.0, failure, retry_at=retry_at)

    def _is_done(self, recording: Recording) -> bool:
        """Whether the store has the call as the run would make it, but for what can be restated."""
        known = self._assignment
        run_id = known.run_id if known.again else None
        if not self._store.holds(recording.call_id, known.settings_sha256, run_id):
            return False
        row = self._store.row_of(recording.call_id)
        return known.again or row is None or not restatement(recording.metadata, row, ()).reheard

    def _as_described(self, recording: Recording) -> Recording:
        """With what was said earlier of a call that is processed again, where nothing is said of that now."""
        with suppress(UsageError):  # it went meanwhile
            if self._store.row_of(recording.call_id) is not None:
                before = said_before(self._store.read_call(recording.call_id))
                return replace(recording, metadata=recording.metadata.over(before))
        return recording

    def _restate(self, recording: Recording) -> bool:
        """Bring what is said about a call in the store by now into its rows; false where nothing is to be.

        Nothing is heard again. What it is judged, and with other roles what is found in its words, follows.
        """
        if recording.metadata == CallMetadata():
            return False
        with suppress(UsageError, Erased):  # it went meanwhile
            for _ in range(_PASSES):
                stored = self._store.read_stored(recording.call_id)
                before = stored.rows()
                said = restatement(recording.metadata, before.call, before.speakers)
                if not said.columns and not said.reread:
                    return False
                after = self._judged_anew(restated(before, recording.metadata), said.reread)
                if self._store.write_call(after, instead_of=stored):
                    return True
        return False

    def _judged_anew(self, rows: CallRows, reread: bool) -> CallRows:
        judges, models = self._judges_ahead().result(), self._models
        if not reread:
            return judges.scorer.score_rows(rows)
        from pipelines.rereading import Reader, read_again

        model = self._assignment.selection.models.get("sentence_embedding")
        sha256 = model.sha256 if model else ""
        return read_again(
            rows,
            Reader(models.parser, models.sentiment, models.embedder, sha256, judges.examples, judges.scorer),
        )

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
    signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_RUN)
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
