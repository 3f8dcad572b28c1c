"""What leaks into the other channel goes; what is said on a channel stays, also while the other speaks."""

import numpy as np
import pytest
from made_audio import voice

from models.speech import SAMPLE_RATE, Samples
from pipelines.channels import Channels
from pipelines.cross_talk import without_cross_talk

SECONDS = 12.0
FIRST = voice(SECONDS, [(0.5, 3.0), (7.0, 9.0)], seed=1)
SECOND = voice(SECONDS, [(3.5, 6.5), (9.5, 11.5)], seed=2)


def split(first: Samples, second: Samples) -> Channels:
    return Channels("split", (first, second), (1, 2), "")


def level_db(samples: Samples, start: float, end: float) -> float:
    cut = samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)].astype(np.float64)
    return float(10 * np.log10((cut**2).mean() + 1e-12))


@pytest.mark.parametrize("leak_db", [-20.0, -30.0, -40.0])
def test_a_leak_is_silenced_and_the_speech_it_comes_from_is_not_touched(leak_db: float) -> None:
    leak = np.float32(10 ** (leak_db / 20))
    cleaned = without_cross_talk(split(FIRST + leak * SECOND, SECOND + leak * FIRST))
    first, second = cleaned.tracks
    assert level_db(first, 3.8, 6.2) < -80.0
    assert level_db(second, 7.3, 8.7) < -80.0
    assert level_db(first, 1.0, 2.5) == pytest.approx(level_db(FIRST, 1.0, 2.5), abs=0.5)
    assert level_db(second, 4.0, 6.0) == pytest.approx(level_db(SECOND, 4.0, 6.0), abs=0.5)


def test_a_soft_answer_while_the_other_speaks_stays() -> None:
    answer = np.float32(10 ** (-8 / 20)) * voice(SECONDS, [(4.5, 5.2)], seed=3)
    first, _ = without_cross_talk(split(FIRST + answer, SECOND)).tracks
    assert level_db(first, 4.7, 5.0) == pytest.approx(level_db(FIRST + answer, 4.7, 5.0), abs=1.0)


@pytest.mark.parametrize("leak_db", [-25.0, -35.0])
def test_the_noise_of_the_line_stays_where_a_leak_is_taken_out(leak_db: float) -> None:
    """Else it would come and go with the other's words, as speech does."""
    leak, random = np.float32(10 ** (leak_db / 20)), np.random.default_rng(4)
    noise = random.normal(0.0, 10 ** (-55 / 20), len(FIRST)).astype(np.float32)
    first, _ = without_cross_talk(split(FIRST + leak * SECOND + noise, SECOND)).tracks
    assert level_db(first, 3.8, 6.2) == pytest.approx(level_db(noise, 3.8, 6.2), abs=2.0)
    assert level_db(first, 0.1, 0.4) == pytest.approx(level_db(noise, 0.1, 0.4), abs=0.5)


def test_where_nothing_leaks_the_soft_end_of_a_word_stays_though_the_other_speaks() -> None:
    end = np.float32(10 ** (-18 / 20)) * voice(SECONDS, [(3.6, 3.9)], seed=5)
    first, _ = without_cross_talk(split(FIRST + end, SECOND)).tracks
    assert level_db(first, 3.65, 3.85) == pytest.approx(level_db(FIRST + end, 3.65, 3.85), abs=1.0)


def noise(seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0.0, 10 ** (-60 / 20), len(FIRST)).astype(np.float32)


@pytest.mark.parametrize("leak_db", [-25.0, -40.0])
def test_the_soft_end_of_a_word_stays_where_there_is_a_leak_too(leak_db: float) -> None:
    """A leak that comes half a millisecond late and has lost its low notes; the end is as loud as it."""
    path = np.float32(10 ** (leak_db / 20)) * np.array([0] * 8 + [1.0, -0.7], np.float32)
    leak = np.convolve(SECOND, path)[: len(SECOND)]
    end = np.float32(10 ** (-30 / 20)) * voice(SECONDS, [(3.6, 3.9)], seed=5)
    first, _ = without_cross_talk(split(FIRST + end + leak + noise(4), SECOND + noise(6))).tracks
    assert level_db(first, 3.65, 3.85) == pytest.approx(level_db(FIRST + end + noise(4), 3.65, 3.85), abs=1.0)
    assert level_db(first, 4.5, 6.2) == pytest.approx(level_db(noise(4), 4.5, 6.2), abs=2.0)


def test_where_nothing_leaks_nothing_is_changed() -> None:
    tracks = (FIRST + noise(4), SECOND + noise(6))
    cleaned = without_cross_talk(split(*tracks)).tracks
    assert all(np.array_equal(was, now) for was, now in zip(tracks, cleaned, strict=True))


def test_a_channel_on_which_nobody_speaks_alone_is_left_as_it_is() -> None:
    faint = np.float32(0.01) * SECOND
    first, _ = without_cross_talk(split(faint, SECOND)).tracks
    assert np.array_equal(first, faint)


@pytest.mark.parametrize("mode", ["mono", "mixed"])
def test_calls_that_are_not_split_stay_as_they_are(mode: str) -> None:
    channels = Channels(mode, (FIRST,), (1,), "")  # type: ignore[arg-type]
    assert without_cross_talk(channels) is channels


def test_the_shortest_tracks_come_through() -> None:
    short = np.zeros(100, np.float32)
    assert [len(track) for track in without_cross_talk(split(short, short)).tracks] == [100, 100]
