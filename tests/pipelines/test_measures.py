"""Every figure of a call is what its definition says, on signals whose figures are known exactly."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_calls import DURATION, intervals, said, sounding, words

from models.speech import (
    SAMPLE_RATE,
    Diarization,
    Interval,
    LanguageGuess,
    Samples,
    SpeechActivity,
)
from pipelines.decoding import Damage
from pipelines.measures import measure, review_flags
from pipelines.transcript import Measures, Speaker, Word

SILENCE = np.zeros(int(DURATION * SAMPLE_RATE), np.float32)
NOBODY: tuple[Speaker, ...] = ()
ENGLISH = LanguageGuess("en", 1.0)
TOLD_APART = Diarization((), ())
FINE = Measures(speech_s=8.0, overlap_s=0.0, uncovered_speech_s=0.0, snr_db=30.0)


def heard(*speech: tuple[float, float]) -> SpeechActivity:
    return SpeechActivity(tuple(Interval(*stretch) for stretch in speech), ())


def talking(name: str, *talk: tuple[float, float]) -> Speaker:
    return Speaker(name, "unknown", 0.0, 0, tuple(Interval(*stretch) for stretch in talk))


def noise(level: float, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0.0, level, len(SILENCE)).astype(np.float32)


def call_with_snr(decibels: float, seed: int = 0) -> tuple[Samples, SpeechActivity]:
    """Ten seconds with speech from 2 to 7 s, whose power over that of the noise is as given."""
    line, voice = 0.01, 0.01 * 10 ** (decibels / 20)
    samples = noise(line, seed)
    samples[2 * SAMPLE_RATE : 7 * SAMPLE_RATE] += noise(voice, seed + 1)[: 5 * SAMPLE_RATE]
    return samples, heard((2.0, 7.0))


def test_speech_is_counted_once_on_however_many_channels() -> None:
    activity = [heard((0.0, 3.0), (4.0, 5.0)), heard((2.0, 4.5))]
    assert measure([SILENCE, SILENCE], activity, NOBODY, []).speech_s == 5.0


def test_overlap_is_the_time_in_which_two_speak() -> None:
    both = (talking("S1", (0.0, 2.0), (2.6, 4.0)), talking("S2", (1.5, 2.25), (3.5, 6.0)))
    assert measure([SILENCE], [heard((0.0, 6.0))], both, []).overlap_s == 1.0


def test_speech_without_any_word_is_uncovered() -> None:
    assert measure([SILENCE], [heard((1.0, 4.0), (6.0, 7.0))], NOBODY, []).uncovered_speech_s == 4.0


def test_speech_within_half_a_second_of_a_word_is_covered() -> None:
    covered = measure([SILENCE], [heard((0.0, 8.0))], NOBODY, [said(2.0, 3.0), said(3.75, 4.0)])
    assert covered.uncovered_speech_s == 8.0 - (4.5 - 1.5)


def test_words_beyond_speech_do_not_make_up_for_speech_without_words() -> None:
    measured = measure([SILENCE], [heard((0.0, 1.0))], NOBODY, [said(3.0, 9.0)])
    assert measured.uncovered_speech_s == 1.0


@pytest.mark.parametrize("decibels", [0.0, 10.0, 20.0, 40.0])
def test_the_signal_to_noise_ratio_is_that_of_the_powers(decibels: float) -> None:
    samples, activity = call_with_snr(decibels)
    assert measure([samples], [activity], NOBODY, []).snr_db == pytest.approx(decibels, abs=0.5)


def test_of_two_channels_the_noisier_counts() -> None:
    clean, noisy = call_with_snr(30.0), call_with_snr(12.0, seed=5)
    measured = measure([clean[0], noisy[0]], [clean[1], noisy[1]], NOBODY, [])
    assert measured.snr_db == pytest.approx(12.0, abs=0.5)


def test_music_on_hold_is_not_the_noise_of_the_line() -> None:
    samples, activity = call_with_snr(30.0)
    samples[8 * SAMPLE_RATE : 10 * SAMPLE_RATE] += noise(0.2, 9)[: 2 * SAMPLE_RATE]
    assert measure([samples], [activity], NOBODY, []).snr_db == pytest.approx(30.0, abs=0.5)


@pytest.mark.parametrize(
    "speech",
    [[], [(0.0, DURATION)], [(0.0, DURATION - 0.4)]],
    ids=["no speech", "no pause", "too short a pause"],
)
def test_without_speech_or_a_pause_to_compare_there_is_no_ratio(speech: list[tuple[float, float]]) -> None:
    assert measure([noise(0.1, 3)], [heard(*speech)], NOBODY, []).snr_db is None


def test_pauses_of_digital_silence_give_no_ratio() -> None:
    speech = (2.0, 7.0)
    assert measure([sounding([speech])], [heard(speech)], NOBODY, []).snr_db is None


@given(st.lists(intervals(), min_size=1, max_size=2), st.lists(intervals(), max_size=3), words())
def test_measures_are_durations_within_the_call(
    speech: list[tuple[Interval, ...]], talk: list[tuple[Interval, ...]], spoken: Sequence[Word]
) -> None:
    people = [Speaker(f"S{number}", "unknown", 0.0, 0, own) for number, own in enumerate(talk, 1)]
    activity = [SpeechActivity(each, ()) for each in speech]
    measured = measure([SILENCE for _ in speech], activity, people, spoken)
    assert 0.0 <= measured.uncovered_speech_s <= measured.speech_s + 1e-9
    assert measured.speech_s <= DURATION + 1e-9
    assert 0.0 <= measured.overlap_s <= DURATION + 1e-9


def test_a_call_that_went_well_needs_no_review() -> None:
    assert (
        review_flags(
            FINE, ENGLISH, [said(0.0, 1.0, confidence=0.9, speaker_confidence=0.9)], TOLD_APART, None
        )
        == ()
    )


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"damage": Damage("It ends early", 2.0)}, "damaged"),
        ({"words": []}, "no_words"),
        ({"measures": Measures(30.0, 0.0, 6.5, 30.0)}, "speech_without_words"),
        ({"words": [said(0.0, 1.0, confidence=0.49, speaker_confidence=0.9)]}, "low_word_confidence"),
        ({"words": [said(0.0, 1.0, confidence=0.9, speaker_confidence=0.69)]}, "low_speaker_confidence"),
        ({"diarization": replace(TOLD_APART, voices_alike=True)}, "voices_alike"),
        ({"language": LanguageGuess("cy", 0.4)}, "language_unsure"),
        ({"measures": Measures(8.0, 0.0, 0.0, 9.9)}, "noisy"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_reason_for_review_has_its_flag(changes: dict[str, object], flag: str) -> None:
    fine = {
        "measures": FINE,
        "language": ENGLISH,
        "words": [said(0.0, 1.0, confidence=0.9, speaker_confidence=0.9)],
    }
    assert review_flags(**{**fine, "diarization": TOLD_APART, "damage": None, **changes}) == (flag,)  # type: ignore[arg-type]


@pytest.mark.parametrize("uncovered", [4.9, 5.0])
def test_a_few_seconds_without_words_are_no_reason_in_a_long_call(uncovered: float) -> None:
    spoken = [said(0.0, 1.0, confidence=0.9, speaker_confidence=0.9)]
    assert review_flags(Measures(300.0, 0.0, uncovered, None), ENGLISH, spoken, TOLD_APART, None) == ()
