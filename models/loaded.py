"""The selected models in memory, loaded once and used for every call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import torch

from models.bundle import LocatedModel
from models.diarizer import Diarizer
from models.errors import CallfolioError, ModelDamaged
from models.recogniser import Recogniser, cuda_available
from models.selection import Selection

if TYPE_CHECKING:
    from models.aligner import Aligner
    from models.embedder import Embedder
    from models.parser import Parser
    from models.sentiment import SentimentModel


class Models(Protocol):
    """One model for each role; there may be no aligner and no embedder."""

    @property
    def recogniser(self) -> Recogniser: ...  # noqa: D102 - the roles
    @property
    def diarizer(self) -> Diarizer: ...  # noqa: D102
    @property
    def aligner(self) -> "Aligner | None": ...  # noqa: D102
    @property
    def parser(self) -> "Parser": ...  # noqa: D102
    @property
    def sentiment(self) -> "SentimentModel": ...  # noqa: D102
    @property
    def embedder(self) -> "Embedder | None": ...  # noqa: D102


@dataclass(frozen=True)
class LoadedModels:
    """All of them in memory."""

    recogniser: Recogniser
    diarizer: Diarizer
    aligner: "Aligner | None"
    parser: "Parser"
    sentiment: "SentimentModel"
    embedder: "Embedder | None"


@dataclass(frozen=True)
class _Readers:
    parser: "Parser"
    sentiment: "SentimentModel"
    embedder: "Embedder | None"


class ListeningModels:
    """What listens is in memory; what reads is loaded by the thread that first asks for it."""

    def __init__(
        self,
        recogniser: Recogniser,
        diarizer: Diarizer,
        aligner: "Aligner | None",
        load_readers: Callable[[], _Readers],
    ) -> None:
        """`load_readers` is called once, unless it fails."""
        self.recogniser, self.diarizer, self.aligner = recogniser, diarizer, aligner
        self._load_readers = load_readers
        self._readers: _Readers | None = None
        self._loading = Lock()

    @property
    def parser(self) -> "Parser":
        """The model that reads."""
        return self._reading().parser

    @property
    def sentiment(self) -> "SentimentModel":
        """The model that tells moods."""
        return self._reading().sentiment

    @property
    def embedder(self) -> "Embedder | None":
        """The model of meaning."""
        return self._reading().embedder

    def _reading(self) -> _Readers:
        with self._loading:
            if self._readers is None:
                self._readers = self._load_readers()
            return self._readers


def load(selection: Selection, threads: int) -> LoadedModels:
    """Load the selected models, onto a GPU where there is one, else to compute with `threads` threads each.

    Raises `ModelDamaged` where a model's files are whole but not what its role needs.
    """
    models = load_listeners(selection, threads)
    return LoadedModels(
        models.recogniser,
        models.diarizer,
        models.aligner,
        models.parser,
        models.sentiment,
        models.embedder,
    )


def load_listeners(selection: Selection, threads: int) -> ListeningModels:
    """As `load`, but return as soon as a call can be listened to: what reads is loaded when it is asked for.

    What is wrong with a model that reads is raised where that model is asked for.
    """
    device = "cuda" if cuda_available() else "cpu"
    torch.set_num_threads(threads)
    models = selection.models
    with _telling(selection):
        return ListeningModels(
            Recogniser(models["recogniser"].path, device, threads, models["recogniser"].attention_lead_s),
            _diarizer(selection, device, threads),
            _aligner(selection, device),
            lambda: _readers(selection, device),
        )


@contextmanager
def _telling(selection: Selection) -> Iterator[None]:
    try:
        yield
    except (CallfolioError, MemoryError):
        raise
    except Exception as error:  # each of the libraries has errors of its own
        folders = ", ".join(str(model.path) for model in selection.models.values())
        raise ModelDamaged(f"A model could not be loaded from {folders}: {error}") from error


def _readers(selection: Selection, device: str) -> _Readers:
    # These libraries take seconds to import, for which nobody waits who only listens.
    from models.embedder import Embedder
    from models.parser import Parser
    from models.sentiment import SentimentModel

    embedder = selection.models.get("sentence_embedding")
    with _telling(selection):
        return _Readers(
            Parser(),
            SentimentModel(),
            None if embedder is None else Embedder(embedder.path, embedder.languages, device),
        )


def _aligner(selection: Selection, device: str) -> "Aligner | None":
    model = selection.models.get("aligner")
    if model is None:
        return None
    from models.aligner import Aligner  # takes seconds to import, and few profiles have one

    return Aligner(model.path, model.languages, device)


def _diarizer(selection: Selection, device: str, threads: int) -> Diarizer:
    models = selection.models
    if "diarization" in models:
        return Diarizer.from_folder(models["diarization"].path, device)
    return Diarizer.from_files(
        _only_file(models["segmentation"]),
        _only_file(models["embedding"]),
        models["plda"].path,
        device,
        threads,
    )


def _only_file(model: LocatedModel) -> Path:
    if len(model.files) != 1:
        raise ModelDamaged(f"The {model.role} model in {model.path} should be one file.")
    [path] = model.files.values()
    return path
