"""Voices as vectors: computed once, in blocks, and near each other where they are of one speaker."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sample_calls import lines_of, samples_of

import models.voice
from models.bundle import locate, models_dir
from models.catalogue import load_catalogue
from models.errors import ModelDamaged
from models.loaded import LoadedModels
from models.speech import SAMPLE_RATE, Samples
from models.voice import FRAME_S, VoiceModel


@pytest.fixture(scope="module")
def voice(loaded: LoadedModels) -> VoiceModel:  # noqa: ARG001 - says what to do where there are no models
    located = locate(load_catalogue().model("wespeaker-resnet34"), models_dir())
    [path] = located.files.values()
    return VoiceModel(path, threads=2)


def embedding_of(samples: Samples, voice: VoiceModel) -> NDArray[np.float32]:
    frames = voice.frames(samples)
    return voice.embed(frames, np.ones(len(frames), np.float32))


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0, 1.23])
def test_there_is_a_frame_for_each_step_of_time_that_has_begun(voice: VoiceModel, seconds: float) -> None:
    samples = samples_of("voicemail")[2 * SAMPLE_RATE :][: int(seconds * SAMPLE_RATE)]
    assert len(voice.frames(samples)) == int(np.ceil(seconds / FRAME_S))


def test_blocks_give_the_frames_that_the_whole_gives(
    voice: VoiceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = samples_of("card_dispute")[: 24 * SAMPLE_RATE]
    whole = voice.frames(samples)
    monkeypatch.setattr(models.voice, "_BLOCK_S", 8.0)
    in_blocks = voice.frames(samples)
    assert in_blocks.shape == whole.shape
    second = int(1 / FRAME_S)
    for start in range(0, len(whole) - second, second):  # across the borders as well as between them
        part = np.zeros(len(whole), np.float32)
        part[start : start + second] = 1.0
        assert likeness(voice.embed(whole, part), voice.embed(in_blocks, part)) > 0.9


def test_lines_of_one_speaker_are_nearer_than_lines_of_two(voice: VoiceModel) -> None:
    halves = []
    for speaker in ("Nova", "Isabella"):  # two women
        lines = lines_of("late_parcel", speaker)
        halves.append([embedding_of(half, voice) for half in np.array_split(lines, 2)])
    same = [likeness(*pair) for pair in halves]
    different = [likeness(first, second) for first in halves[0] for second in halves[1]]
    assert min(same) > max(different) + 0.2


def test_weights_pick_the_frames_of_which_a_voice_is_made(voice: VoiceModel) -> None:
    frames = voice.frames(samples_of("voicemail")[2 * SAMPLE_RATE : 6 * SAMPLE_RATE])
    picked = np.zeros(len(frames), np.float32)
    picked[10:40] = 1.0
    alone = voice.embed(frames[10:40], np.ones(30, np.float32))
    np.testing.assert_allclose(voice.embed(frames, picked), alone, rtol=1e-4, atol=1e-5)
    assert len(alone) == voice.dimension == 256


def test_no_frames_make_no_voice(voice: VoiceModel) -> None:
    frames = voice.frames(samples_of("voicemail")[: 2 * SAMPLE_RATE])
    assert np.isnan(voice.embed(frames, np.zeros(len(frames), np.float32))).all()


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
        VoiceModel(path)
