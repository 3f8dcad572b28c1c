"""Speakers are named in order of their first word, with the roles that the metadata gives to channels."""

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_calls import diarizations, intervals, said, words

from models.speech import Diarization, Interval, SpeakerSpan
from pipelines.channels import Channels
from pipelines.speakers import merge, name_speakers
from pipelines.tables import UNKNOWN
from pipelines.transcript import Speaker, Word

NOBODY = Diarization((), ())


def channels(mode: Literal["mono", "split", "mixed"]) -> Channels:
    numbers = (1,) if mode == "mono" else (1, 2)
    return Channels(mode, tuple(np.zeros(10, np.float32) for _ in range(1 + (mode == "split"))), numbers, "")


def test_speakers_are_named_in_order_of_their_first_word() -> None:
    spoken, people = name_speakers(
        [said(0.0, 1.0, "B"), said(1.0, 2.0, "A"), said(2.0, 3.0, "B")], NOBODY, channels("mono"), {}
    )
    assert [word.speaker for word in spoken] == ["S1", "S2", "S1"]
    assert [person.name for person in people] == ["S1", "S2"]


def test_who_says_no_word_is_not_a_speaker_of_the_call() -> None:
    heard = Diarization((SpeakerSpan(0.0, 1.0, "A"), SpeakerSpan(1.0, 2.0, "cough")), ())
    _, people = name_speakers([said(0.0, 1.0, "A")], heard, channels("mono"), {})
    assert [person.name for person in people] == ["S1"]


def test_words_of_nobody_stay_nobodys_and_their_speaker_comes_last() -> None:
    spoken, people = name_speakers(
        [said(0.0, 1.0, UNKNOWN), said(1.0, 2.0, "A")], NOBODY, channels("mono"), {}
    )
    assert [word.speaker for word in spoken] == [UNKNOWN, "S1"]
    assert people == (Speaker("S1", "unknown", 0.0, 0, ()), Speaker(UNKNOWN, "unknown", 0.0, 0, ()))


def test_without_words_there_are_no_speakers() -> None:
    assert name_speakers([], NOBODY, channels("mono"), {}) == ((), ())


def test_in_a_split_call_a_speaker_has_a_channel_and_its_role() -> None:
    heard = Diarization((SpeakerSpan(0.0, 1.0, "2"), SpeakerSpan(1.0, 3.0, "1")), ())
    _, people = name_speakers(
        [said(0.0, 1.0, "2"), said(1.0, 2.0, "1")], heard, channels("split"), {1: "customer"}
    )
    assert people == (
        Speaker("S1", "unknown", 0.0, 2, (Interval(0.0, 1.0),), detected=(Interval(0.0, 1.0),)),
        Speaker("S2", "customer", 1.0, 1, (Interval(1.0, 3.0),), detected=(Interval(1.0, 3.0),)),
    )


@pytest.mark.parametrize("mode", ["mono", "mixed"])
def test_where_a_channel_is_nobodys_own_its_role_is_nobodys_either(mode: Literal["mono", "mixed"]) -> None:
    _, people = name_speakers([said(0.0, 1.0, "1")], NOBODY, channels(mode), {1: "agent", 2: "customer"})
    assert people == (Speaker("S1", "unknown", 0.0, 0, ()),)


def test_where_somebody_talks_is_told_in_order_and_without_overlap() -> None:
    heard = Diarization(
        (SpeakerSpan(4.0, 5.0, "A"), SpeakerSpan(0.0, 2.0, "A"), SpeakerSpan(1.0, 3.0, "A")), ()
    )
    _, [speaker] = name_speakers([said(0.0, 1.0, "A")], heard, channels("mono"), {})
    assert speaker.talk == (Interval(0.0, 3.0), Interval(4.0, 5.0))


def test_intervals_that_touch_are_merged_into_one() -> None:
    assert merge([Interval(1.0, 2.0), Interval(2.0, 3.0)]) == (Interval(1.0, 3.0),)


@given(words(), diarizations())
def test_words_change_nothing_but_their_speaker(spoken: tuple[Word, ...], heard: Diarization) -> None:
    named, people = name_speakers(spoken, heard, channels("mono"), {})
    assert [(word.text, word.start, word.end) for word in named] == [
        (word.text, word.start, word.end) for word in spoken
    ]
    assert len({(old.speaker, new.speaker) for old, new in zip(spoken, named, strict=True)}) == len(people)
    assert {word.speaker for word in named} == {person.name for person in people}


@given(st.lists(intervals(), max_size=4))
def test_merged_intervals_cover_the_same_time_once(sets: list[tuple[Interval, ...]]) -> None:
    every = [interval for intervals in sets for interval in intervals]
    merged = merge(every)
    assert all(before.end < after.start for before, after in pairwise(merged))
    edges = sorted({edge for interval in every for edge in (interval.start, interval.end)})
    for start, end in pairwise(edges):
        middle = (start + end) / 2
        if start < middle < end:
            assert any(i.start < middle < i.end for i in merged) == any(
                i.start < middle < i.end for i in every
            )
