"""Voices as vectors: a WeSpeaker ResNet whose frames are computed once and pooled as often as wanted.

The published ONNX file maps the features of one stretch to one embedding. A diarizer asks it for
each second of audio ten times over, in overlapping windows. Cut before its statistics pooling, the
network's convolutions run once over the recording; an embedding of any set of frames is then a
weighted mean and standard deviation and one matrix product (`Voice`), which is how pyannote's own
WeSpeaker model applies its masks (Wang et al. 2023, WeSpeaker, for the network and its pooling).
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torchaudio.compliance.kaldi as kaldi
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from models.errors import ModelDamaged
from models.speech import SAMPLE_RATE, VOICE_FRAME_S, Samples, Voice

_BLOCK_S = 20.0
_MARGIN_S = 2.0
"""Blocks of audio that go through the network at once, and the context kept on each side of one."""

_CENTRING_S = 10.0
"""Features are centred on their mean over so long a time around them: that of the windows in which a diarizer
embeds, so that embeddings are its own. With the mean of each block in its place, the diarization error of
seven meetings was 32.2 % and not 30.9."""

_FEATURE_S = 0.01


class VoiceModel:
    """A WeSpeaker network in memory."""

    def __init__(
        self,
        network: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        """Take the network before its pooling and the affine map after it.

        `network` maps features `(features, 80)` to `(channels, frames)`.
        """
        self._network, self._weight, self._bias = network, weight, bias

    @classmethod
    def from_file(cls, path: Path, threads: int = 1) -> "VoiceModel":
        """Load the ONNX file at `path`; raises `ModelDamaged` when it is not a pooled WeSpeaker network."""
        body, weight, bias = _cut_before_pooling(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            body.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

        def network(features: NDArray[np.float32]) -> NDArray[np.float32]:
            [output] = session.run(None, {"feats": features[None]})
            return np.asarray(output[0].reshape(-1, output.shape[-1]))

        return cls(network, weight, bias)

    @classmethod
    def from_torch(cls, resnet: Any) -> "VoiceModel":
        """Take pyannote's own WeSpeaker ResNet, on whatever device it is."""
        device = resnet.seg_1.weight.device

        def network(features: NDArray[np.float32]) -> NDArray[np.float32]:
            with torch.inference_mode():
                output = resnet.forward_frames(torch.from_numpy(features[None]).to(device))
            return np.asarray(output[0].flatten(end_dim=-2).cpu().numpy())

        weight, bias = (
            parameter.detach().cpu().numpy() for parameter in (resnet.seg_1.weight, resnet.seg_1.bias)
        )
        return cls(network, weight, bias)

    @cached_property
    def dimension(self) -> int:
        """Length of an embedding."""
        return len(self._bias)

    def hear(self, samples: Samples) -> Voice:
        """Run the network over `samples`, shape `(n,)`, block by block."""
        features = _features(samples)
        step = round(VOICE_FRAME_S / _FEATURE_S)
        block, margin = round(_BLOCK_S / _FEATURE_S), round(_MARGIN_S / _FEATURE_S)
        frames = np.zeros((len(features) // step, self._weight.shape[1] // 2), np.float32)
        for start in range(0, len(features), block):
            left = min(start, margin)
            heard = self._network(features[start - left : start + block + margin]).T[left // step :]
            own = frames[start // step : (start + block) // step]
            own[:] = heard[: len(own)]
        return Voice(frames, self._weight, self._bias)


def _features(samples: Samples) -> NDArray[np.float32]:
    """Log-mel features of `samples`, shape `(n,)`, centred: `(8 × frames, 80)`, 8 for each frame begun."""
    count = -(-len(samples) // round(VOICE_FRAME_S * SAMPLE_RATE)) * round(VOICE_FRAME_S / _FEATURE_S)
    if not count:
        return np.zeros((0, 80), np.float32)
    padded = np.pad(samples, (0, round((count + 2) * _FEATURE_S * SAMPLE_RATE) - len(samples)))
    features = kaldi.fbank(
        torch.from_numpy(padded)[None] * (1 << 15),
        num_mel_bins=80,
        sample_frequency=SAMPLE_RATE,
        window_type="hamming",
        dither=0.0,
    ).numpy()[:count]
    width = min(round(_CENTRING_S / _FEATURE_S), 2 * count)
    return np.asarray(features - uniform_filter1d(features, width, axis=0, mode="nearest"), np.float32)


def _cut_before_pooling(path: Path) -> tuple[onnx.ModelProto, NDArray[np.float32], NDArray[np.float32]]:
    """Split the network into its convolutions and the weight and bias of its last affine map."""
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
    del model.graph.output[:]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(pooling[0].input[0], onnx.TensorProto.FLOAT, None)
    )
    return model, constants[weight].astype(np.float32), (constants[bias] - offset).astype(np.float32)
