"""What a worker process does: load the models once, then turn recordings into rows of the store."""

import logging
import os
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TYPE_CHECKING

from models.offline import stay_offline
from models.quiet import keep_quiet
from models.selection import Selection
from pipelines.analytics.examples import Examples, examples_in
from pipelines.failures import RecordingFailure, failure_of
from pipelines.recording import Recording
from pipelines.rows import failure_row, rows_of
from pipelines.scorecards.cards import Rulebook
from pipelines.scorecards.scoring import Scorer
from pipelines.settings import CallSettings
from pipelines.store import Store, StoreError
from pipelines.tables import Row

if TYPE_CHECKING:
    from models.loaded import LoadedModels


@dataclass(frozen=True)
class Assignment:
    """All that a worker has to know before its first recording; the same for each worker of a run."""

    selection: Selection
    settings: CallSettings
    settings_sha256: str
    store: Path
    run_id: str
    threads: int
    examples: Path
    rulebook: Rulebook = field(default_factory=Rulebook)

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
    """How a recording ended; `failure` is None where it is in the store."""

    source: str
    size: int
    duration_s: float
    failure: RecordingFailure | None


@dataclass(frozen=True)
class StageBegun:
    """News from a worker while it is at work: the stage that a recording has entered."""

    source: str
    stage: str


@dataclass
class _Desk:
    assignment: Assignment
    events: "SimpleQueue[StageBegun]"
    models: "LoadedModels"
    examples: Examples
    store: Store
    scorer: Scorer


_desk: _Desk | Exception | None = None


def begin(assignment: Assignment, events: "SimpleQueue[StageBegun]") -> None:
    """Load the models into this process. An error is kept until the first recording asks for them."""
    global _desk
    stay_offline()
    os.environ["OMP_NUM_THREADS"] = str(assignment.threads)
    keep_quiet()
    try:
        from models.loaded import load

        models = load(assignment.selection, assignment.threads)
        examples = examples_in(assignment.examples, models.embedder)
        scorer = _scorer(assignment, models)
        _desk = _Desk(assignment, events, models, examples, Store(assignment.store), scorer)
    except Exception as error:
        _desk = error


def work(recording: Recording) -> Outcome:
    """Process a recording into the store, or into its `failures`.

    Raises `StoreError`, and what went wrong when the models were loaded: neither is the recording's fault.
    """
    if not isinstance(_desk, _Desk):
        raise _desk or RuntimeError("The worker has no models.")
    from pipelines.call import process

    desk, duration_s = _desk, 0.0
    failure: RecordingFailure | None = None
    try:
        call = process(
            recording,
            desk.models,
            desk.assignment.settings,
            lambda stage: desk.events.put(StageBegun(recording.source, stage)),
            desk.examples,
        )
        duration_s = call.audio.duration
        desk.store.write_call(desk.scorer.score_rows(rows_of(call, desk.assignment.provenance)))
    except StoreError:
        raise
    except Exception as error:
        logging.getLogger("callfolio").debug("%s", recording.source, exc_info=error)
        failure = failure_of(recording.path, error)
        known = desk.assignment
        desk.store.write_failure(
            failure_row(recording.source, recording.sha256, failure, known.settings_sha256, known.run_id)
        )
    return Outcome(recording.source, recording.size, duration_s, failure)


def _scorer(assignment: Assignment, models: "LoadedModels") -> Scorer:
    embedder = models.embedder
    if embedder is None:
        return Scorer(assignment.rulebook, None)
    sha256 = assignment.selection.models["sentence_embedding"].sha256
    return Scorer(assignment.rulebook, embedder.embed, sha256)
