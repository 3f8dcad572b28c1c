"""Voices as vectors: a WeSpeaker ResNet whose frames are computed once and pooled as often as wanted.

The published ONNX file maps the features of one stretch to one embedding. A diarizer asks it for
each second of audio ten times over, in overlapping windows. Cut before its statistics pooling, the
network's convolutions run once over the recording; an embedding of any set of frames is then a
weighted mean and standard deviation and one matrix product, which is how pyannote's own WeSpeaker
model applies its masks (Wang et al. 2023, WeSpeaker, for the network and its pooling).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torchaudio.compliance.kaldi as kaldi
from numpy.typing import NDArray

from models.errors import ModelDamaged
from models.speech import SAMPLE_RATE, Samples

FRAME_S = 0.08
"""Seconds from one frame of the network to the next: 10 ms of features, halved in time three times."""

_BLOCK_S = 20.0
_MARGIN_S = 2.0
"""Blocks of audio that go through the network at once, and the context kept on each side of one."""

Frames = NDArray[np.float32]
"""Network outputs before pooling, shape `(frames, channels)`, one every `FRAME_S`."""


@dataclass(frozen=True)
class _Head:
    """The part of the network after pooling: one affine map."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


class VoiceModel:
    """A WeSpeaker network in memory."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the ONNX file at `path`; raises `ModelDamaged` when it is not a pooled WeSpeaker network."""
        body, self._head = _cut_before_pooling(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            body.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    @cached_property
    def dimension(self) -> int:
        """Length of an embedding."""
        return len(self._head.bias)

    def frames(self, samples: Samples) -> Frames:
        """Run the network over `samples`, shape `(n,)`, block by block."""
        block, margin = int(_BLOCK_S * SAMPLE_RATE), int(_MARGIN_S * SAMPLE_RATE)
        outputs = []
        for start in range(0, len(samples), block):
            left = min(start, margin)
            outputs.append(self._block(samples[start - left : start + block + margin], left, block))
        return (
            np.concatenate(outputs) if outputs else np.zeros((0, self._head.weight.shape[1] // 2), np.float32)
        )

    def embed(self, frames: Frames, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed the frames that `weights`, shape `(frames,)`, in 0…1, picks out; NaN when it picks none."""
        total = weights.sum()
        if total <= 1.0:
            return np.full(self.dimension, np.nan, np.float32)
        mean = weights @ frames / total
        # The unbiased weighted variance that pyannote's StatsPool uses.
        correction = total - (weights**2).sum() / total
        deviation = np.sqrt(weights @ (frames - mean) ** 2 / max(correction, 1e-8) + 1e-7)
        pooled = np.concatenate([mean, deviation])
        return np.asarray(self._head.weight @ pooled + self._head.bias, np.float32)

    def _block(self, samples: Samples, left: int, length: int) -> Frames:
        hop = int(FRAME_S * SAMPLE_RATE)
        wanted = -(-min(length, len(samples) - left) // hop)
        padded = np.pad(samples, (0, hop))
        features = kaldi.fbank(
            torch.from_numpy(padded)[None] * (1 << 15),
            num_mel_bins=80,
            sample_frequency=SAMPLE_RATE,
            window_type="hamming",
            dither=0.0,
        )
        features = features - features.mean(dim=0, keepdim=True)
        [output] = self._session.run(None, {"feats": features.numpy()[None]})
        flat = output[0].reshape(-1, output.shape[-1]).T
        frames = flat[left // hop : left // hop + wanted]
        return np.ascontiguousarray(np.pad(frames, ((0, wanted - len(frames)), (0, 0)), mode="edge"))


def _cut_before_pooling(path: Path) -> tuple[onnx.ModelProto, _Head]:
    """Split the network into its convolutions and its last affine map."""
    model = onnx.load(str(path))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pooling = [node for node in model.graph.node if node.op_type == "ReduceMean"]
    affine = [node for node in model.graph.node if node.op_type == "Gemm"]
    if not pooling or len(affine) != 1 or [i.name for i in model.graph.input] != ["feats"]:
        raise ModelDamaged(f"{path} is not a WeSpeaker network with statistics pooling and one last layer.")
    _, weight, bias = affine[0].input
    mean = [
        constants[node.input[1]]
        for node in model.graph.node
        if node.op_type == "Sub" and node.input[1] in constants
    ]
    offset = mean[-1] if mean and mean[-1].shape == constants[bias].shape else 0.0
    head = _Head(constants[weight].astype(np.float32), (constants[bias] - offset).astype(np.float32))
    del model.graph.output[:]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(pooling[0].input[0], onnx.TensorProto.FLOAT, None)
    )
    return model, head
