"""Voices as vectors: heard once, in blocks, and near each other where they are of one speaker."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from sample_calls import lines_of, samples_of

import models.voice
from models.bundle import locate, models_dir
from models.catalogue import load_catalogue
from models.errors import ModelDamaged
from models.loaded import LoadedModels
from models.speech import SAMPLE_RATE, VOICE_FRAME_S, Interval, Samples, Voice
from models.voice import VoiceModel


@pytest.fixture(scope="module")
def model(loaded: LoadedModels) -> VoiceModel:  # noqa: ARG001 - says what to do where there are no models
    located = locate(load_catalogue().model("wespeaker-resnet34"), models_dir())
    [path] = located.files.values()
    return VoiceModel.from_file(path, threads=2)


def everything(voice: Voice) -> NDArray[np.float32]:
    return np.ones(len(voice.frames), np.float32)


def embedding_of(samples: Samples, model: VoiceModel) -> NDArray[np.float32]:
    return model.hear(samples).embed_intervals([Interval(0.0, len(samples) / SAMPLE_RATE)])


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0, 1.23])
def test_there_is_a_frame_for_each_step_of_time_that_has_begun(model: VoiceModel, seconds: float) -> None:
    samples = samples_of("voicemail")[2 * SAMPLE_RATE :][: int(seconds * SAMPLE_RATE)]
    assert len(model.hear(samples).frames) == int(np.ceil(seconds / VOICE_FRAME_S))


def test_blocks_give_the_frames_that_the_whole_gives(
    model: VoiceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = samples_of("card_dispute")[: 14 * SAMPLE_RATE]
    whole = model.hear(samples).frames
    monkeypatch.setattr(models.voice, "_BLOCK_S", 4.0)
    in_blocks = model.hear(samples).frames
    np.testing.assert_allclose(in_blocks, whole, rtol=1e-3, atol=1e-3 * float(np.abs(whole).max()))


def test_lines_of_one_speaker_are_nearer_than_lines_of_two(model: VoiceModel) -> None:
    halves = []
    for speaker in ("Nova", "Isabella"):  # two women
        lines = lines_of("late_parcel", speaker)
        halves.append([embedding_of(half, model) for half in np.array_split(lines, 2)])
    same = [likeness(*pair) for pair in halves]
    different = [likeness(first, second) for first in halves[0] for second in halves[1]]
    assert min(same) > max(different) + 0.2


def test_what_is_said_within_a_recording_is_embedded_about_as_if_it_was_said_alone(model: VoiceModel) -> None:
    samples = samples_of("card_dispute")[: 14 * SAMPLE_RATE]
    within = model.hear(samples).embed_intervals([Interval(4.0, 10.0)])
    alone = embedding_of(samples[4 * SAMPLE_RATE : 10 * SAMPLE_RATE], model)
    assert len(within) == model.dimension == 256
    assert likeness(within, alone) > 0.9


def test_no_frames_make_no_embedding(model: VoiceModel) -> None:
    voice = model.hear(samples_of("voicemail")[: 2 * SAMPLE_RATE])
    assert np.isnan(voice.embed(0.0 * everything(voice))).all()


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    """The architecture of pyannote's ResNet34, small and untrained."""
    torch.manual_seed(0)
    return ResNet(
        BasicBlock, [1, 1, 1, 1], m_channels=4, feat_dim=80, embed_dim=16, two_emb_layer=False
    ).eval()


def test_of_a_torch_network_embeddings_are_its_own(resnet: ResNet) -> None:
    voice = VoiceModel.from_torch(resnet).hear(samples_of("voicemail")[2 * SAMPLE_RATE : 6 * SAMPLE_RATE])
    # Of an untrained network frames hardly vary, and what keeps a root from being one of zero would count.
    voice = replace(voice, frames=100.0 * voice.frames)
    # pyannote keeps the bands of the spectrum apart: (batch, channels, bands, frames).
    frames = torch.from_numpy(voice.frames.T.reshape(1, 32, 10, -1))
    picked = np.random.default_rng(0).uniform(0.0, 1.0, len(voice.frames)).astype(np.float32)
    picked[::3] = 0.0
    for weights in (everything(voice), picked):
        with torch.inference_mode():
            _, theirs = resnet.forward_embedding(frames, torch.from_numpy(weights[None]))
        np.testing.assert_allclose(voice.embed(weights), theirs[0].numpy(), rtol=1e-3, atol=1e-3)


def test_features_are_pyannotes_but_for_what_they_are_centred_on(resnet: ResNet) -> None:
    samples = samples_of("voicemail")[2 * SAMPLE_RATE : 6 * SAMPLE_RATE]
    count = 8 * len(VoiceModel.from_torch(resnet).hear(samples).frames)
    padded = np.pad(samples, (0, (count + 2) * SAMPLE_RATE // 100 - len(samples)))
    with torch.inference_mode():
        features = WeSpeakerResNet34().eval().compute_fbank(torch.from_numpy(padded)[None, None])[0].numpy()
    ours = models.voice._features(samples)
    assert ours.shape == (count, 80)
    # A band that is centred on another mean differs by what changes slowly in time.
    difference = np.diff(ours - features[:count], axis=0)
    assert np.abs(difference).max() < 0.05 * np.abs(np.diff(ours, axis=0)).max()


def test_another_kind_of_network_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "wespeaker.onnx"
    shape = [1, 80]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["feats"], ["out"])],
        "another",
        [onnx.helper.make_tensor_value_info("feats", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, shape)],
    )
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(ModelDamaged, match=r"wespeaker\.onnx is not a WeSpeaker network"):
        VoiceModel.from_file(path)
