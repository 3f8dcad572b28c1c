"""Channels are told apart by what is heard on them: sides of a call, copies, mixtures, nothing."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_audio import turns, voice
from numpy.typing import NDArray

from pipelines.channels import Channels, separate
from pipelines.decoding import Audio, decode

Samples = NDArray[np.float32]

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the shared corpus is not beside the repository"
)

SECONDS = 60.0
A = voice(SECONDS, turns(SECONDS, 1.0), seed=1)
B = voice(SECONDS, turns(SECONDS, 4.5), seed=2)
SILENCE = np.zeros_like(A)


def hiss(level: float, seed: int = 3, seconds: float = SECONDS) -> Samples:
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))).astype(np.float32)


def delayed(samples: Samples, seconds: float) -> Samples:
    lag = round(seconds * 16_000)
    return np.concatenate([np.zeros(lag, np.float32), samples[: len(samples) - lag]])


def heard(*channels: NDArray[np.floating]) -> Channels:
    samples = np.stack(channels).astype(np.float32)
    return separate(Audio(samples, 8000, "pcm_s16le", "wav", samples.shape[1] / 16_000, None, None, None))


def verdict(*channels: NDArray[np.floating]) -> tuple[str, tuple[int, ...]]:
    found = heard(*channels)
    return found.mode, found.source_channels


# One channel, or one that counts


def test_one_channel_is_mono_and_stays_as_it_is() -> None:
    found = heard(A)
    assert (found.mode, found.source_channels) == ("mono", (1,))
    np.testing.assert_array_equal(found.tracks[0], A)


@pytest.mark.parametrize(
    "idle",
    [SILENCE, hiss(3e-4), hiss(0.01), 0.02 * np.sin(np.arange(len(A)) * 2 * np.pi * 50 / 16_000)],
    ids=["digital silence", "idle noise", "hiss", "hum"],
)
def test_a_channel_that_holds_nothing_is_dropped(idle: Samples) -> None:
    assert verdict(A, idle) == ("mono", (1,))
    found = heard(idle, A)
    assert (found.mode, found.source_channels) == ("mono", (2,))
    np.testing.assert_array_equal(found.tracks[0], A)


def test_a_channel_with_one_second_of_speech_is_not_dropped() -> None:
    assert verdict(A, voice(SECONDS, [(30.0, 31.0)], seed=2)) == ("split", (1, 2))


def test_silence_on_every_channel_is_mono() -> None:
    assert verdict(SILENCE, SILENCE) == ("mono", (1,))


@pytest.mark.parametrize("samples", [1, 1600, 8000])
def test_very_short_recordings_are_judged_without_complaint(samples: int) -> None:
    speech = A[16_000 : 16_000 + samples]
    assert heard(speech, speech).mode == "mono"
    assert heard(speech, B[72_000 : 72_000 + samples]).mode in ("mono", "mixed")


# Copies


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x,
        lambda x: 0.5 * x,
        lambda x: -x,
        lambda x: delayed(x, 0.005),
        lambda x: -0.3 * delayed(x, 0.02),
        lambda x: 0.1 * delayed(x, 0.2),
        lambda x: x + hiss(0.003),
    ],
    ids=["same", "-6 dB", "inverted", "5 ms later", "all of it", "echo", "noise of its own"],
)
def test_a_channel_and_its_copy_are_one(copy: Callable[[Samples], Samples]) -> None:
    conversation = A + B
    found = heard(conversation, copy(conversation))
    assert found.mode == "mono"
    assert len(found.tracks) == 1
    assert heard(copy(conversation), conversation).mode == "mono"


def test_of_copies_the_stronger_stays() -> None:
    assert verdict(A + B, 0.5 * (A + B)) == ("mono", (1,))
    assert verdict(0.5 * (A + B), A + B) == ("mono", (2,))


# Sides of a call


def test_two_sides_of_a_call_are_split_in_the_order_of_the_source() -> None:
    found = heard(A, B)
    assert (found.mode, found.source_channels) == ("split", (1, 2))
    np.testing.assert_array_equal(found.tracks[0], A)
    np.testing.assert_array_equal(found.tracks[1], B)


@pytest.mark.parametrize("leak_db", [-20, -25, -30])
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_cross_talk_and_echo_do_not_undo_a_split(leak_db: int, delay: float, gain: float) -> None:
    leak = 10 ** (leak_db / 20)
    assert verdict(gain * (A + leak * delayed(B, delay)), B + leak * delayed(A, delay)) == ("split", (1, 2))


def test_line_noise_of_unequal_level_does_not_undo_a_split() -> None:
    assert verdict(A + hiss(0.02), B + hiss(0.0005, seed=4)) == ("split", (1, 2))


def test_speaking_at_once_does_not_undo_a_split() -> None:
    interrupting = voice(SECONDS, turns(SECONDS, 3.0, long=2.5), seed=2)
    assert verdict(A, interrupting) == ("split", (1, 2))


def test_music_on_both_channels_does_not_undo_a_split() -> None:
    music = voice(3 * SECONDS, [(0.0, 3 * SECONDS)], seed=9)
    on_hold = [np.concatenate([speech, music]) for speech in (A, B)]
    assert verdict(*on_hold) == ("split", (1, 2))


@settings(max_examples=20, deadline=None)
@given(first=st.floats(-40, 0), second=st.floats(-40, 0))
def test_levels_decide_nothing(first: float, second: float) -> None:
    gains = np.float32(10 ** (first / 20)), np.float32(10 ** (second / 20))
    assert verdict(gains[0] * A, gains[1] * B) == ("split", (1, 2))
    left, right = 0.7 * A + 0.5 * B, 0.5 * A + 0.7 * B
    assert verdict(gains[0] * left, gains[1] * right) == ("mixed", (1, 2))


# Mixtures


@pytest.mark.parametrize(("own", "other"), [(0.7, 0.5), (0.8, 0.4), (0.9, 0.3)])
def test_both_voices_on_both_channels_are_mixed_into_their_mean(own: float, other: float) -> None:
    left, right = own * A + other * B, other * A + own * B
    found = heard(left, right)
    assert (found.mode, found.source_channels) == ("mixed", (1, 2))
    np.testing.assert_allclose(found.tracks[0], (left + right) / 2, atol=1e-6)


def test_a_mixture_with_noise_of_its_own_on_one_channel_is_mixed() -> None:
    assert verdict(0.7 * A + 0.5 * B + hiss(0.01), 0.5 * A + 0.7 * B) == ("mixed", (1, 2))


# More than two channels


def test_of_many_channels_the_two_live_ones_are_two_channels() -> None:
    assert verdict(SILENCE, A, SILENCE, SILENCE, B, SILENCE) == ("split", (2, 5))
    assert verdict(SILENCE, 0.7 * A + 0.5 * B, SILENCE, 0.5 * A + 0.7 * B) == ("mixed", (2, 4))


def test_copies_among_many_channels_do_not_count() -> None:
    assert verdict(A, B, 0.5 * A, 0.5 * B) == ("split", (1, 2))


def test_three_live_channels_are_mixed() -> None:
    third = voice(SECONDS, turns(SECONDS, 7.0), seed=5)
    found = heard(A, SILENCE, B, third)
    assert (found.mode, found.source_channels) == ("mixed", (1, 3, 4))
    np.testing.assert_allclose(found.tracks[0], (A + B + third) / 3, atol=1e-6)
    assert found.reason == (
        "Channels 1, 3 and 4 are more than two; their mean is used (without sound of its own: 2)."
    )


# Real calls


def recordings(*folders: str) -> list[Path]:
    files = [path for folder in folders for path in sorted((CORPUS / folder).glob("*")) if path.is_file()]
    return [path for path in files if path.suffix != ".txt"]


@needs_corpus
@pytest.mark.parametrize("path", recordings("bank_calls/stereo", "repair_calls"), ids=lambda path: path.stem)
class TestRealCalls:
    def test_a_call_in_two_channels_is_split(self, path: Path) -> None:
        assert separate(decode(path)).mode == "split"

    @pytest.mark.parametrize("leak_db", [-20, -25, -30])
    def test_with_cross_talk_it_is_still_split(self, path: Path, leak_db: int) -> None:
        first, second = decode(path).samples
        leak = 10 ** (leak_db / 20)
        assert verdict(first + leak * second, second + leak * first) == ("split", (1, 2))
        assert verdict(first + leak * delayed(second, 0.2), second + leak * delayed(first, 0.2)) == (
            "split",
            (1, 2),
        )

    def test_mixed_into_each_other_it_is_mixed(self, path: Path) -> None:
        first, second = decode(path).samples
        assert verdict(0.7 * first + 0.5 * second, 0.5 * first + 0.7 * second) == ("mixed", (1, 2))

    def test_summed_onto_both_channels_it_is_mono(self, path: Path) -> None:
        both = decode(path).samples.sum(axis=0)
        for other in (both, 0.5 * both, -both, delayed(both, 0.005)):
            assert heard(both, other).mode == "mono"


@needs_corpus
@pytest.mark.parametrize(
    "path", recordings("bank_calls/mono", "consultations/audio", "meetings/audio"), ids=lambda path: path.stem
)
def test_a_real_mono_recording_is_mono(path: Path) -> None:
    assert separate(decode(path)).mode == "mono"


@needs_corpus
@pytest.mark.parametrize(
    "path", recordings("odd_inputs/transcodes_of_real_call"), ids=lambda path: path.name[17:]
)
def test_a_transcode_is_what_its_name_says(path: Path) -> None:
    found = separate(decode(path))
    if "6ch" in path.name:
        # In these 10 s only the agent, on channel 2, speaks; channel 1 idles at -76 dB of full scale.
        assert (found.mode, found.source_channels) == ("mono", (2,))
    else:
        assert found.mode == ("mono" if "_mono" in path.name else "split")


@needs_corpus
def test_one_voice_on_two_identical_channels_is_mono() -> None:
    assert separate(decode(CORPUS / "odd_inputs/real_formats/pocketsphinx_chan3.2chan.wav")).mode == "mono"


def test_an_hour_in_two_channels_is_judged_in_a_second() -> None:
    first, second = np.tile(A, 60), np.tile(B, 60)
    audio = Audio(np.stack([first, second]), 8000, "pcm_s16le", "wav", 3600.0, None, None, None)
    start = time.process_time()
    assert separate(audio).mode == "split"
    assert time.process_time() - start < 3.0  # a second on an idle machine
