"""The two systems that are compared, each from a recording to what it heard in it."""

import hashlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import wraps
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from models.loaded import LoadedModels, load
from models.recogniser import device_name
from models.selection import Selection
from models.whisperx_recipe import WhisperXRecipe
from pipelines.benchmark.heard import Heard, document_of, nothing
from pipelines.call import process
from pipelines.decoding import decode
from pipelines.evaluation.document import Document, Span, Word
from pipelines.failures import NoSpeech
from pipelines.recording import Recording
from pipelines.settings import CallSettings, threads_each
from pipelines.stages import Stages
from pipelines.tables import UNKNOWN


class System(Protocol):
    """Models in memory and what is done with them. `settings` says how it is run."""

    settings: Mapping[str, str]

    def __call__(self, recording: Recording, settings: CallSettings) -> Heard:
        """Process a recording. Raises what its libraries raise."""
        ...


class Callfolio:
    """Our path."""

    def __init__(self, selection: Selection, cores: int, remembering: bool = False) -> None:
        """Load the models for so many cores; `remembering` answers what was asked before from memory."""
        threads = threads_each(cores)
        self.settings: Mapping[str, str] = {
            "device": device_name(),
            "threads": f"{threads} for each model; transcription and diarization run side by side",
        }
        self._models = load(selection, threads)
        self._remembering = remembering
        self._heard = ""

    def __call__(self, recording: Recording, settings: CallSettings) -> Heard:
        """Process a recording; one without speech is answered by no words."""
        if self._remembering and recording.call_id != self._heard:
            self._heard, self._remembered = recording.call_id, remembering(self._models)
        models = self._remembered if self._remembering else self._models
        started = perf_counter()
        try:
            call = process(recording, models, settings)
        except NoSpeech:
            return Heard(nothing("", recording.source), "", 0.0, perf_counter() - started)
        seconds = perf_counter() - started
        return Heard(document_of(call, ""), call.channels.mode, call.audio.duration, seconds, call.stage_s)


class WhisperX:
    """WhisperX's recipe, which takes the mean of a recording's channels, as its own decoder does."""

    def __init__(self, selection: Selection, cores: int, batch_size: int | None) -> None:
        """Load the models for so many cores; `batch_size` None is WhisperX's own."""
        self._recipe = WhisperXRecipe(selection, cores, batch_size)
        self.settings: Mapping[str, str] = {
            "device": device_name(),
            "threads": f"{cores}; one stage after the other",
            "batch size": str(self._recipe.batch_size),
            "word times": self._recipe.word_times,
            "diarization": "stock pyannote, community-1's published settings, number of speakers not given",
            "speakers of words": "assign_word_speakers",
        }

    def __call__(self, recording: Recording, settings: CallSettings) -> Heard:
        """Process a recording with nothing but its language known, and that only where ours is told it."""
        started = perf_counter()
        with Stages() as stage, stage("decode"):
            audio = decode(recording.path)
            samples = audio.samples.mean(axis=0, dtype=np.float32)
        found = self._recipe(samples, recording.metadata.language or settings.language)
        seconds = perf_counter() - started
        document = Document(
            "",
            recording.source,
            words=tuple(Word(w.text, w.speaker or UNKNOWN, w.start, w.end) for w in found.words),
            speech=tuple(Span(span.start, span.end, span.speaker) for span in found.spans),
            word_times=True,
            language=found.language,
        )
        stage_s = {**stage.seconds, **found.stage_s}
        return Heard(document, "mono", audio.duration, seconds, stage_s)


def remembering(models: LoadedModels) -> LoadedModels:
    """The same models, which answer what they were asked before without computing it again.

    A lever that changes nothing in what a model is given then costs nothing to switch off.
    """
    loaded: dict[str, Any] = {field.name: getattr(models, field.name) for field in fields(models)}
    wrapped: Any = {name: _Remembering(model) for name, model in loaded.items() if model is not None}
    return replace(models, **wrapped)


class _Remembering:
    """Stands in for a model whose methods are functions of their arguments."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._answers: dict[bytes, Any] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        return self._once(name, value) if callable(value) else value

    def _once(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def ask(*given: Any, **options: Any) -> Any:
            question = hashlib.sha256(pickle.dumps((name, given, sorted(options.items())))).digest()
            if question not in self._answers:
                self._answers[question] = method(*given, **options)
            return self._answers[question]

        return ask
