"""The selected models in memory, loaded once and used for every call."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.aligner import Aligner
from models.bundle import LocatedModel
from models.diarizer import Diarizer
from models.embedder import Embedder
from models.errors import CallfolioError, ModelDamaged
from models.parser import Parser
from models.recogniser import Recogniser, cuda_available
from models.selection import Selection
from models.sentiment import SentimentModel


@dataclass(frozen=True)
class LoadedModels:
    """One model for each role; there may be no aligner and no embedder."""

    recogniser: Recogniser
    diarizer: Diarizer
    aligner: Aligner | None
    parser: Parser
    sentiment: SentimentModel
    embedder: Embedder | None


def load(selection: Selection, threads: int) -> LoadedModels:
    """Load the selected models, onto a GPU where there is one, else to compute with `threads` threads each.

    Raises `ModelDamaged` where a model's files are whole but not what its role needs.
    """
    device = "cuda" if cuda_available() else "cpu"
    torch.set_num_threads(threads)
    models = selection.models
    aligner, embedder = models.get("aligner"), models.get("sentence_embedding")
    try:
        return LoadedModels(
            recogniser=Recogniser(
                models["recogniser"].path, device, threads, models["recogniser"].attention_lead_s
            ),
            diarizer=_diarizer(selection, device, threads),
            aligner=None if aligner is None else Aligner(aligner.path, aligner.languages, device),
            parser=Parser(),
            sentiment=SentimentModel(),
            embedder=None if embedder is None else Embedder(embedder.path, embedder.languages, device),
        )
    except (CallfolioError, MemoryError):
        raise
    except Exception as error:  # each of the libraries has errors of its own
        folders = ", ".join(str(model.path) for model in models.values())
        raise ModelDamaged(f"A model could not be loaded from {folders}: {error}") from error


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
