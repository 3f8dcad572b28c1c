"""Who speaks when: pyannote's diarization pipeline, from local files, on samples already in memory.

Segmentation, clustering and their published settings are pyannote's. Only the embeddings are found
another way (`models.voice`): not window by overlapping window but from frames computed once, which
takes a fifth of the time and gives nearly the same diarization.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import VBxClustering
from pyannote.core import Annotation, SlidingWindowFeature

from models.speech import SAMPLE_RATE, Diarization, Samples, SpeakerSpan
from models.voice import FRAME_S, Frames, VoiceModel

COMMUNITY_1 = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}
"""The published settings of pyannote/speaker-diarization-community-1."""

_WINDOWS_AT_ONCE = 8
"""Ten-second windows that are segmented together; more is no faster on a CPU and takes more memory."""

_LEAST_CLEAN_S = 0.2
"""Speech without overlap that an embedding needs; with less, overlapped speech is used too."""


SAME_VOICE = 0.85
"""Cosine similarity of two clusters' mean embeddings from which on they are one voice cut in two.

Measured on the two clusters that k-means makes of a recording: one reader or one voicemail 0.92–0.97,
two people on a telephone or in a surgery 0.14–0.73."""


class Diarizer:
    """A diarization pipeline in memory."""

    def __init__(self, pipeline: SpeakerDiarization) -> None:
        """Take a pipeline that is ready to be called."""
        self._clustering = _ExpectingClustering(pipeline._plda, pipeline._embedding.metric)
        self._clustering.instantiate(pipeline.parameters(instantiated=True)["clustering"])
        pipeline.clustering = self._clustering
        self._pipeline = pipeline

    @classmethod
    def from_files(
        cls, segmentation: Path, embedding: Path, plda: Path, device: str = "cpu", threads: int = 1
    ) -> "Diarizer":
        """Put the pipeline together: a segmentation checkpoint, a WeSpeaker ONNX file, a PLDA folder."""
        pipeline = _FramewiseDiarization(
            VoiceModel(embedding, threads),
            segmentation=str(segmentation),
            embedding=str(embedding),
            plda=str(plda),
            clustering="VBxClustering",
            embedding_exclude_overlap=True,
            segmentation_batch_size=_WINDOWS_AT_ONCE,
        )
        pipeline.instantiate(COMMUNITY_1)
        return cls(pipeline.to(torch.device(device)))

    @classmethod
    def from_folder(cls, folder: Path, device: str = "cpu") -> "Diarizer":
        """Load a whole pipeline with its `config.yaml`, such as a copy of community-1."""
        return cls(SpeakerDiarization.from_pretrained(str(folder)).to(torch.device(device)))

    def diarize(self, samples: Samples, speakers: int | None = None, expected: int = 1) -> Diarization:
        """Tell the speakers in `samples`, shape `(n,)`, apart.

        `speakers` is their number where it is known. Where it is not, at least `expected` are looked for,
        and found where their voices differ.
        """
        self._clustering.expected = expected
        audio = {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "call"}
        with warnings.catch_warnings():
            # Fewer speakers than asked for is an answer, not a fault of the recording.
            warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers")
            output = self._pipeline(audio, num_speakers=speakers)
        embeddings = output.speaker_embeddings
        return Diarization(
            _spans(output.speaker_diarization, len(samples) / SAMPLE_RATE),
            _spans(output.exclusive_speaker_diarization, len(samples) / SAMPLE_RATE),
            {}
            if embeddings is None
            else dict(zip(output.speaker_diarization.labels(), embeddings, strict=False)),
        )


class _ExpectingClustering(VBxClustering):  # type: ignore[misc]
    """VBx clustering that asks once more where it finds fewer voices than a conversation has."""

    expected = 1

    def __call__(self, embeddings: NDArray[np.float64], **given: Any) -> Any:
        found = super().__call__(embeddings=embeddings, **given)
        if given.get("num_clusters") or len(found[2]) >= self.expected:
            return found
        forced = super().__call__(embeddings=embeddings, **{**given, "num_clusters": self.expected})
        return found if _same_voice(forced[2]) else forced


def _same_voice(centroids: NDArray[np.float64]) -> bool:
    """Whether any two of the embeddings, shape `(clusters, dimension)`, are of one voice."""
    unit = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return len(unit) < 2 or bool(np.max((unit @ unit.T)[np.triu_indices(len(unit), 1)]) >= SAME_VOICE)


class _FramewiseDiarization(SpeakerDiarization):  # type: ignore[misc]
    """pyannote's pipeline with embeddings pooled from frames that are computed once for the recording."""

    def __init__(self, voice: VoiceModel, **parts: Any) -> None:
        super().__init__(**parts)
        self._voice = voice

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,  # noqa: ARG002 - pyannote's signature
    ) -> NDArray[np.float64]:
        """Embed each speaker of each window: `(windows, speakers, dimension)`, NaN where one is silent."""
        frames = self._voice.frames(file["waveform"][0].numpy())
        active = np.nan_to_num(binary_segmentations.data)
        windows, steps, speakers = active.shape
        alone = active * (active.sum(axis=2, keepdims=True) < 2) if exclude_overlap else active
        window = binary_segmentations.sliding_window
        least = math.ceil(steps * _LEAST_CLEAN_S / window.duration)
        embeddings = np.full((windows, speakers, self._voice.dimension), np.nan)
        for i in range(windows):
            first = round(window[i].start / FRAME_S)
            heard = frames[first : first + round(window.duration / FRAME_S)]
            for j in range(speakers):
                if active[i, :, j].any():
                    mask = alone[i, :, j] if alone[i, :, j].sum() > least else active[i, :, j]
                    embeddings[i, j] = self._embed(heard, mask, window.duration)
        return embeddings

    def _embed(self, heard: Frames, mask: NDArray[np.float64], duration: float) -> NDArray[np.float32]:
        """Embed the frames under `mask`, shape `(steps,)`, which is resampled to the frames' rate."""
        count = round(duration / FRAME_S)
        edges = np.linspace(0, len(mask), count, endpoint=False).astype(int)
        weights = np.add.reduceat(mask, edges) / np.diff(edges, append=len(mask))
        return self._voice.embed(heard, weights[: len(heard)].astype(np.float32))


def _spans(annotation: Annotation, duration: float) -> tuple[SpeakerSpan, ...]:
    # The last window is padded: pyannote hears speakers up to a tenth of a second beyond the end.
    return tuple(
        SpeakerSpan(segment.start, min(segment.end, duration), speaker)
        for segment, _, speaker in annotation.itertracks(yield_label=True)
        if segment.start < duration
    )
