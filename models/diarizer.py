"""Who speaks when: pyannote's diarization pipeline, from local files, on samples already in memory.

Segmentation, clustering and their published settings are pyannote's. Only the embeddings are found
another way (`models.voice`): not window by overlapping window but from frames computed once, which
takes a fifth of the time and gives nearly the same diarization.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import VBxClustering
from pyannote.audio.pipelines.speaker_verification import ONNXWeSpeakerPretrainedSpeakerEmbedding
from pyannote.core import Annotation, SlidingWindowFeature

from models.errors import ModelDamaged
from models.speech import SAMPLE_RATE, VOICE_FRAME_S, Diarization, Samples, SpeakerSpan, Voice
from models.voice import VoiceModel

COMMUNITY_1 = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}
"""The published settings of pyannote/speaker-diarization-community-1."""

_WINDOWS_AT_ONCE = 8
"""Ten-second windows that are segmented together; more is no faster on a CPU and takes more memory."""

_LEAST_CLEAN_S = 0.2
"""Speech without overlap that an embedding needs; with less, overlapped speech is used too."""


class Diarizer:
    """A diarization pipeline in memory."""

    def __init__(self, pipeline: SpeakerDiarization, model: VoiceModel) -> None:
        """Take a pipeline that is ready to be called, and the network that it is to embed with."""
        self._clustering = _ExpectingClustering(pipeline._plda, pipeline._embedding.metric)
        self._clustering.instantiate(pipeline.parameters(instantiated=True)["clustering"])
        pipeline.clustering = self._clustering
        self._embeddings = pipeline.get_embeddings = _FramewiseEmbeddings(model)
        self._pipeline = pipeline

    @classmethod
    def from_files(
        cls, segmentation: Path, embedding: Path, plda: Path, device: str = "cpu", threads: int = 1
    ) -> "Diarizer":
        """Put the pipeline together: a segmentation checkpoint, a WeSpeaker ONNX file, a PLDA folder."""
        pipeline = SpeakerDiarization(
            segmentation=str(segmentation),
            embedding=str(embedding),
            plda=str(plda),
            clustering="VBxClustering",
            embedding_exclude_overlap=True,
            segmentation_batch_size=_WINDOWS_AT_ONCE,
        )
        pipeline.instantiate(COMMUNITY_1)
        return cls(pipeline.to(torch.device(device)), VoiceModel.from_file(embedding, threads))

    @classmethod
    def from_folder(cls, folder: Path, device: str = "cpu") -> "Diarizer":
        """Load a whole pipeline with its `config.yaml`, such as a copy of community-1.

        Raises `ModelDamaged` when its embeddings are not those of a WeSpeaker ResNet.
        """
        pipeline = SpeakerDiarization.from_pretrained(str(folder)).to(torch.device(device))
        embedding = pipeline._embedding
        if isinstance(embedding, ONNXWeSpeakerPretrainedSpeakerEmbedding):
            return cls(pipeline, VoiceModel.from_file(Path(embedding.embedding)))
        network = getattr(getattr(embedding, "model_", None), "resnet", None)
        if network is None:
            raise ModelDamaged(f"The embedding model of the pipeline in {folder} is not a WeSpeaker ResNet.")
        return cls(pipeline, VoiceModel.from_torch(network))

    def diarize(self, samples: Samples, speakers: int | None = None, expected: int = 1) -> Diarization:
        """Tell the speakers in `samples`, shape `(n,)`, apart.

        `speakers` is their number where it is known; a short recording may show fewer. Where it is not, at
        least `expected` are looked for; whether their voices differ is for the caller to find out.
        """
        self._clustering.expected, self._clustering.found = expected, 0
        audio = {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "call"}
        with warnings.catch_warnings():
            # Fewer speakers than asked for is an answer, not a fault of the recording.
            warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers")
            output = self._pipeline(audio, num_speakers=speakers)
        return Diarization(
            _spans(output.speaker_diarization, len(samples) / SAMPLE_RATE),
            _spans(output.exclusive_speaker_diarization, len(samples) / SAMPLE_RATE),
            self._clustering.found,
            self._embeddings.take_voice(),
        )


class _ExpectingClustering(VBxClustering):  # type: ignore[misc]
    """VBx clustering that asks once more where it finds fewer voices than a conversation has.

    It never asks for more voices than there are embeddings to group, for which k-means has no answer.
    """

    expected = 1
    found = 0

    def __call__(self, embeddings: NDArray[np.float64], **given: Any) -> Any:
        if known := given.get("num_clusters"):
            grouped, *_ = self.filter_embeddings(embeddings, segmentations=given.get("segmentations"))
            most = min(known, max(len(grouped), 1))
            given.update(num_clusters=most, min_clusters=most, max_clusters=most)
        found = super().__call__(embeddings=embeddings, **given)
        self.found = len(found[2])
        if known or self.found >= self.expected:
            return found
        return super().__call__(embeddings=embeddings, **{**given, "num_clusters": self.expected})


class _FramewiseEmbeddings:
    """In the place of the pipeline's `get_embeddings`: pools frames that are computed once for a call."""

    def __init__(self, model: VoiceModel) -> None:
        self._model = model
        self._heard: Voice | None = None

    def take_voice(self) -> Voice | None:
        """The voice of the recording that was diarized last, given away; None where nobody spoke in it."""
        heard, self._heard = self._heard, None
        return heard

    def __call__(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,  # noqa: ARG002 - pyannote's signature
    ) -> NDArray[np.float64]:
        """Embed each speaker of each window: `(windows, speakers, dimension)`, NaN where one is silent."""
        self._heard = voice = self._model.hear(file["waveform"][0].numpy())
        active = np.nan_to_num(binary_segmentations.data)
        windows, steps, speakers = active.shape
        alone = active * (active.sum(axis=2, keepdims=True) < 2) if exclude_overlap else active
        window = binary_segmentations.sliding_window
        least = math.ceil(steps * _LEAST_CLEAN_S / window.duration)
        length = round(window.duration / VOICE_FRAME_S)
        embeddings = np.full((windows, speakers, self._model.dimension), np.nan)
        for i in range(windows):
            first = round(window[i].start / VOICE_FRAME_S)
            heard = replace(voice, frames=voice.frames[first : first + length])
            for j in range(speakers):
                if active[i, :, j].any():
                    mask = alone[i, :, j] if alone[i, :, j].sum() > least else active[i, :, j]
                    embeddings[i, j] = heard.embed(_resampled(mask, length)[: len(heard.frames)])
        return embeddings


def _resampled(mask: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """`mask`, shape `(steps,)`, as the mean over each of `count` equal parts."""
    edges = np.linspace(0, len(mask), count, endpoint=False).astype(int)
    means = np.add.reduceat(mask, edges) / np.diff(edges, append=len(mask))
    return np.asarray(means, np.float32)


def _spans(annotation: Annotation, duration: float) -> tuple[SpeakerSpan, ...]:
    # The last window is padded: pyannote hears speakers up to a tenth of a second beyond the end.
    return tuple(
        SpeakerSpan(segment.start, min(segment.end, duration), speaker)
        for segment, _, speaker in annotation.itertracks(yield_label=True)
        if segment.start < duration
    )
