"""Music and tones are found where they are, and speech, noise and keys are none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_conversations import near
from made_music import (
    chords,
    chords_with_drums,
    hum,
    keys,
    melody,
    on_the_line,
    quiet,
    ringing_in_america,
    ringing_in_britain,
    tone,
    violin,
    white,
)
from numpy.typing import NDArray
from sample_calls import SAMPLE_CALLS, lines_of, samples_of

from models.speech import SAMPLE_RATE, Interval, Samples
from pipelines.analytics.music import find_music
from pipelines.decoding import decode

Made = Callable[[float], NDArray[np.float64]]


def between_silences(wave: NDArray[np.float64]) -> Samples:
    """Ten seconds of the quiet line, the wave, and ten seconds again."""
    return np.concatenate([quiet(10.0, 1), on_the_line(wave), quiet(10.0, 2)])


@pytest.mark.parametrize("seconds", [3.0, 6.0, 30.0])
@pytest.mark.parametrize("made", [melody, chords, violin, chords_with_drums, lambda s: tone(s, 425.0)])
def test_music_is_found_from_its_start_to_its_end(made: Made, seconds: float) -> None:
    [found] = find_music(between_silences(made(seconds)), [])
    assert (found.start, found.end) == (
        near(10.0, 0.15),
        near(10.0 + seconds, 0.15),
    )


def test_music_that_the_detector_takes_for_speech_is_music_all_the_same() -> None:
    track = between_silences(melody(8.0))
    [found] = find_music(track, [Interval(11.0, 13.5), Interval(15.0, 16.0)])
    assert (found.start, found.end) == (near(10.0, 0.15), near(18.0, 0.15))


def test_ringing_goes_on_through_its_pauses() -> None:
    [found] = find_music(between_silences(ringing_in_america(20.0)), [])
    assert (found.start, found.end) == (near(10.0, 0.15), near(30.0, 0.15))
    [found] = find_music(between_silences(ringing_in_britain(10.0)), [])
    assert (found.start, found.end) == (near(10.0, 0.15), near(20.0, 0.15))


@pytest.mark.parametrize(
    "wave",
    [white(10.0), keys(6.0), tone(0.6, 1000.0), 0 * white(5.0)],
    ids=["noise", "keys", "the beep before a message", "silence"],
)
def test_noise_keys_and_beeps_are_no_music(wave: NDArray[np.float64]) -> None:
    assert find_music(between_silences(wave), []) == ()


def test_the_hum_of_a_line_is_no_music() -> None:
    assert find_music(on_the_line(hum(40.0), -40.0), []) == ()


def test_music_too_faint_to_be_meant_is_none() -> None:
    track = np.concatenate([quiet(10.0), on_the_line(melody(8.0), -56.0, -80.0), quiet(10.0)])
    assert find_music(track, []) == ()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.5, 1.2])
def test_a_recording_of_a_moment_has_none(seconds: float) -> None:
    assert find_music(quiet(seconds), []) == ()


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_in_the_sample_calls_only_the_hold_music_is_music(name: str) -> None:
    """As if nobody had detected any speech in them."""
    call = SAMPLE_CALLS[name]
    found = find_music(samples_of(name), call.words)
    if name != "hotel_booking":
        assert found == ()
        return
    [music] = found
    assert (music.start, music.end) == (near(13.26, 0.15), near(19.26, 0.15))


def test_music_ends_where_somebody_speaks() -> None:
    speech = lines_of("card_dispute", "Laura")[: 8 * SAMPLE_RATE]
    track = np.concatenate([quiet(3.0), on_the_line(chords(6.0)), speech, on_the_line(chords(6.0))])
    first, second = find_music(track, [Interval(9.0, 17.0)])
    assert (first.start, first.end) == (near(3.0, 0.15), near(9.0, 0.15))
    assert (second.start, second.end) == (near(17.0, 0.15), near(23.0, 0.15))


def test_real_telephone_calls_have_no_music_in_them(corpus: Path) -> None:
    """Not even where nobody told where the speech is."""
    for recording in sorted((corpus / "bank_calls" / "stereo").iterdir()):
        for track in decode(recording).samples:
            spoken = [Interval(0.0, len(track) / SAMPLE_RATE)]
            assert find_music(track, spoken) == ()
