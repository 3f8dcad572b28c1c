"""A voice's frames are pooled into embeddings: of whichever frames, and of whatever part of each."""

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from models.speech import VOICE_FRAME_S, Interval, Voice

FRAMES, CHANNELS = 50, 6


def assert_same(found: ArrayLike, expected: ArrayLike) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def voice() -> Voice:
    """Frames at random, whose embedding is their mean and their deviation."""
    frames = np.random.default_rng(0).normal(0.0, 1.0, (FRAMES, CHANNELS)).astype(np.float32)
    return Voice(frames, np.eye(2 * CHANNELS, dtype=np.float32), np.zeros(2 * CHANNELS, np.float32))


def weights(**of: float) -> NDArray[np.float32]:
    """Weights of frames, given as `f3=0.5`; of others 0."""
    made = np.zeros(FRAMES, np.float32)
    for name, weight in of.items():
        made[int(name[1:])] = weight
    return made


def frames(first: float, last: float) -> Interval:
    """The time from one frame to another, or to a part of it."""
    return Interval(first * VOICE_FRAME_S, last * VOICE_FRAME_S)


def test_an_embedding_is_made_of_the_mean_and_the_unbiased_deviation(voice: Voice) -> None:
    picked = voice.frames[10:30]
    expected = np.concatenate([picked.mean(axis=0), picked.std(axis=0, ddof=1)])
    assert_same(voice.embed_intervals([frames(10, 30)]), expected)


def test_weight_and_bias_are_applied_to_mean_and_deviation() -> None:
    weight = np.array([[2.0, 0.0], [0.0, 3.0]], np.float32)
    made = Voice(np.array([[1.0], [3.0]], np.float32), weight, np.array([10.0, 20.0], np.float32))
    assert_same(made.embed(np.ones(2, np.float32)), [2.0 * 2.0 + 10.0, 3.0 * 2.0**0.5 + 20.0])


def test_a_frame_counts_as_far_as_it_is_in_an_interval(voice: Voice) -> None:
    found = voice.embed_intervals([frames(3.75, 6.5)])
    assert_same(found, voice.embed(weights(f3=0.25, f4=1.0, f5=1.0, f6=0.5)))


def test_an_interval_within_one_frame_is_the_part_between_its_ends(voice: Voice) -> None:
    found = voice.embed_intervals([frames(3.25, 3.75), frames(8.0, 10.0)])
    assert_same(found, voice.embed(weights(f3=0.5, f8=1.0, f9=1.0)))


def test_intervals_are_embedded_together_and_none_counts_twice(voice: Voice) -> None:
    apart = voice.embed_intervals([frames(2, 6), frames(20, 25)])
    overlapping = voice.embed_intervals([frames(20, 25), frames(2, 5), frames(3, 6), frames(4, 4)])
    assert_same(overlapping, apart)


@pytest.mark.parametrize(
    "beyond", [frames(FRAMES - 5, FRAMES + 100), frames(FRAMES - 5, FRAMES)], ids=["beyond", "up to"]
)
def test_after_the_end_there_is_nothing_to_embed(voice: Voice, beyond: Interval) -> None:
    last = np.zeros(FRAMES, np.float32)
    last[-5:] = 1.0
    assert_same(voice.embed_intervals([beyond]), voice.embed(last))


@pytest.mark.parametrize("before", [-0.5, -1.0, -2.25])
def test_before_the_start_there_is_nothing_to_embed(voice: Voice, before: float) -> None:
    assert_same(voice.embed_intervals([frames(before, 4)]), voice.embed_intervals([frames(0, 4)]))


@pytest.mark.parametrize(
    "intervals",
    [
        [],
        [frames(3, 3)],
        [frames(3.5, 3.5), frames(9, 9)],
        [frames(3, 4)],
        [frames(3.2, 4.1)],
        [frames(FRAMES, FRAMES + 5)],
        [frames(FRAMES + 3, FRAMES + 5)],
        [frames(-5, -1)],
    ],
    ids=["none", "empty", "two empty", "one frame", "parts of two", "at the end", "after it", "before all"],
)
def test_one_frame_or_less_is_too_little_to_embed(voice: Voice, intervals: list[Interval]) -> None:
    found = voice.embed_intervals(intervals)
    assert found.shape == (2 * CHANNELS,)
    assert np.isnan(found).all()


def test_in_a_recording_without_frames_nothing_can_be_embedded(voice: Voice) -> None:
    empty = Voice(voice.frames[:0], voice.weight, voice.bias)
    assert np.isnan(empty.embed_intervals([Interval(0.0, 1.0)])).all()
