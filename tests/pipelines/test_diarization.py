"""Channels tell the speakers of a split call; overlaps are where two or more speak at once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from made_calls import DURATION, diarizations

from models.diarizer import Diarizer
from models.speech import Diarization, Interval, SpeakerSpan, SpeechActivity
from pipelines.channels import Channels
from pipelines.diarization import EXPECTED_SPEAKERS, diarize_voices, overlaps, speakers_of

SILENCE = np.zeros(16_000, np.float32)


class Listening(Diarizer):
    """Notes what it is asked, and hears nobody."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int | None, int]] = []

    def diarize(
        self,
        samples: np.ndarray[tuple[int], np.dtype[np.float32]],
        speakers: int | None = None,
        expected: int = 1,
    ) -> Diarization:
        self.asked.append((len(samples), speakers, expected))
        return Diarization((), ())


def spans(*of: tuple[float, float, str]) -> Diarization:
    made = tuple(SpeakerSpan(*each) for each in of)
    return Diarization(made, made)


def test_in_a_split_call_the_speech_on_each_channel_is_its_speakers_and_no_model_is_asked() -> None:
    diarizer = Listening()
    channels = Channels("split", (SILENCE, SILENCE), (1, 3), "")
    heard = speakers_of(
        channels,
        [
            SpeechActivity((Interval(0.0, 1.0),), ()),
            SpeechActivity((Interval(0.5, 2.0), Interval(3.0, 4.0)), ()),
        ],
        diarize_voices(channels, None, diarizer),
    )
    assert heard.spans == spans((0.0, 1.0, "1"), (0.5, 2.0, "3"), (3.0, 4.0, "3")).spans
    assert diarizer.asked == []


@pytest.mark.parametrize("speakers", [None, 1, 3])
def test_a_mono_call_is_diarized_with_two_speakers_expected_or_as_many_as_are_known(
    speakers: int | None,
) -> None:
    diarizer = Listening()
    channels = Channels("mono", (SILENCE,), (1,), "")
    voices = diarize_voices(channels, speakers, diarizer)
    assert diarizer.asked == [(len(SILENCE), speakers, EXPECTED_SPEAKERS)]
    assert speakers_of(channels, [SpeechActivity((Interval(0.0, 1.0),), ())], voices) is voices


def test_without_the_two_party_prior_one_speaker_is_enough() -> None:
    diarizer = Listening()
    diarize_voices(Channels("mono", (SILENCE,), (1,), ""), None, diarizer, two_party=False)
    assert diarizer.asked == [(len(SILENCE), None, 1)]


def test_where_nobody_speaks_nothing_overlaps() -> None:
    assert overlaps(spans()) == ()


def test_speakers_who_take_turns_do_not_overlap() -> None:
    assert overlaps(spans((0.0, 1.0, "A"), (1.0, 2.0, "B"))) == ()


def test_two_who_speak_at_once_overlap_while_both_speak() -> None:
    assert overlaps(spans((0.0, 2.0, "A"), (1.0, 3.0, "B"))) == (Interval(1.0, 2.0),)


def test_three_at_once_are_one_overlap() -> None:
    assert overlaps(spans((0.0, 5.0, "A"), (1.0, 3.0, "B"), (2.0, 4.0, "C"))) == (Interval(1.0, 4.0),)


@given(diarizations())
def test_overlaps_are_exactly_where_two_or_more_speak(heard: Diarization) -> None:
    found = overlaps(heard)
    assert all(before.end <= after.start for before, after in pairwise(found))
    edges = sorted({0.0, DURATION, *(edge for span in heard.spans for edge in (span.start, span.end))})
    for start, end in pairwise(edges):
        middle = (start + end) / 2
        if start < middle < end:
            speaking = {span.speaker for span in heard.spans if span.start < middle < span.end}
            assert any(i.start < middle < i.end for i in found) == (len(speaking) >= 2)
