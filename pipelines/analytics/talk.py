"""Where each speaker talks, to the hundredth of a second.

Voice activity detection and diarization hear who talks, and little of it escapes them; but they begin up
to a tenth of a second early and end late, and take music for speech. Words have good edges, but some are
placed beside where they were said, and some were never recognised. So detection says that somebody talks
and the sound itself says when.

How long somebody talks is counted with short pauses, as speech is when it is cut into segments. A pause is
part of talk or is not, so that the limit has to be where few pauses are: of those within a turn most are
shorter than half a second and hardly any longer than one. Measured on 34 speakers of 17 made calls with two
channels that nothing was chosen by, whose noise is 22 to 42 dB below speech: talk time with pauses of up to
1 s is off by 0.06 s in the mean, by 0.22 s at most, and by no more than 0.15 s for 33 of the 34. What is left
are soft ends of words: 0.2 s of an s or a t that lies 3 dB below the noise, or at the very level, 30 dB below
the words around it, from which on a sound counts.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval, Samples
from pipelines.analytics.floor import UTTERANCE_PAUSE_S
from pipelines.analytics.stretches import Stretches, beyond, joined, seconds, shared
from pipelines.channels import Channels
from pipelines.speakers import merge
from pipelines.transcript import Speaker
from pipelines.word_times import (
    ABOVE_NOISE_DB,
    FRAME_S,
    find_sound,
    levels_db,
    sound_thresholds_db,
    sounding_above,
)

_REACH_S = 0.1
"""How far a channel's own talk may be extended to where its sound begins or ends."""

PAUSE_S = 0.2
"""Shorter silences, such as the closure of a plosive, are within talk; 0.18 to 0.2 s is the usual limit."""

TALK_PAUSE_S = 1.0
"""Pauses of up to this count as talk time, unless somebody else says something in them."""

OVERLAP_PAUSE_S = UTTERANCE_PAUSE_S
"""Pauses of up to this count where it is measured how long two speak at once, for the same reason: with 0.2 s
a soft consonant more or less is a third of a second of overlap."""

_NOISE_SPREADS = 3.5
"""Sound is this many standard deviations over the noise of the line, in dB, where detection hears nobody."""

_AVERAGED = 5
_SMEARED = 1
"""Frames over which the level is averaged, so that soft sounds stand out from the noise, and of those two by
which that would carry a loud edge outwards, how many it does in the mean."""

_FAINTEST_DB = 20.0
"""A sound is held against the stretch of talk it is in, which may be fainter than the speaker's others by up
to this; what is fainter still is no speech."""

_NOISE_MARGIN_S = 0.2
_LEAST_NOISE_S = 1.0
_DIGITAL_SILENCE_DB = -115.0
_TENTH = 1.28
"""Noise is what there is so far from detected speech, if it is that long in all and no digital silence. Of a
normal distribution the tenth percentile lies 1.28 standard deviations below the middle."""

_LEAST_S = 0.1
"""What is left of talk and is shorter is a click."""


def sounds_of(track: Samples) -> Stretches:
    """The stretches of `track`, shape `(n,)`, in which something sounds."""
    found = find_sound(track)
    return tuple(
        Interval(float(start) * FRAME_S, float(end) * FRAME_S)
        for start, end in zip(found.starts, found.ends, strict=True)
    )


def talk_time(talk: Stretches, others: Stretches, pause_s: float = TALK_PAUSE_S) -> Stretches:
    """A speaker's talk with the pauses that count as talk time; `others` is what anybody else says."""
    held: list[Interval] = []
    ends = [other.end for other in others]
    for part in talk:
        if held and part.start - held[-1].end <= pause_s:
            pause = Interval(held[-1].end, part.start)
            # Whoever else speaks within the pause: the first to end in it has to have begun before it.
            place = bisect_right(ends, pause.start)
            answered = place < len(others) and pause.start <= others[place].start and ends[place] <= pause.end
            if not answered:
                held[-1] = Interval(held[-1].start, part.end)
                continue
        held.append(part)
    return tuple(held)


def talk_of_all(people: Sequence[Speaker], pause_s: float) -> Mapping[str, Stretches]:
    """Each speaker's talk, by name, with pauses of up to `pause_s`, as `talk_time` has it."""
    return {
        person.name: talk_time(
            person.talk,
            merge([part for other in people if other.name != person.name for part in other.talk]),
            pause_s,
        )
        for person in people
    }


def _talk_sounds(track: Samples, talk: Stretches) -> Stretches:
    """The stretches of `track`, shape `(n,)`, that sound as loud as the speech detected in `talk`."""
    levels = levels_db(track, _AVERAGED)
    spoken, near = _frames(talk, 0.0, len(levels)), _frames(talk, _NOISE_MARGIN_S, len(levels))
    if not spoken.any():
        return ()
    noise = np.percentile(levels, 10) + ABOVE_NOISE_DB
    quiet = levels[~near & (levels > _DIGITAL_SILENCE_DB)]
    if len(quiet) * FRAME_S >= _LEAST_NOISE_S:
        low, middle = np.percentile(quiet, [10, 50])
        noise = min(low + ABOVE_NOISE_DB, middle + _NOISE_SPREADS * (middle - low) / _TENTH)
    found = sounding_above(levels, sound_thresholds_db(noise, _loudness(levels, spoken, talk)))
    sounds = [
        Interval(float(start + _SMEARED) * FRAME_S, float(end - _SMEARED) * FRAME_S)
        for start, end in zip(found.starts, found.ends, strict=True)
        if end - start > 2 * _SMEARED
    ]
    return tuple(sounds)


def _loudness(levels: NDArray[np.float64], spoken: NDArray[np.bool_], talk: Stretches) -> NDArray[np.float64]:
    """For each frame, how loud the stretch of talk is that is nearest to it."""
    usual = np.percentile(levels[spoken], 95)
    loud = []
    for stretch in talk:
        own = levels[int(stretch.start / FRAME_S) : int(np.ceil(stretch.end / FRAME_S))]
        loud.append(max(np.percentile(own, 95), usual - _FAINTEST_DB) if len(own) else usual)
    middles = [(before.end + after.start) / 2 for before, after in pairwise(talk)]
    return np.asarray(loud)[np.searchsorted(middles, np.arange(len(levels)) * FRAME_S)]


def _frames(stretches: Sequence[Interval], margin: float, count: int) -> NDArray[np.bool_]:
    """Which of `count` frames are in one of the stretches, or within the margin of one."""
    within = np.zeros(count, bool)
    for stretch in stretches:
        start, end = (stretch.start - margin) / FRAME_S, (stretch.end + margin) / FRAME_S
        within[max(0, int(start)) : int(np.ceil(end))] = True
    return within


def track_of(speaker: Speaker, channels: Channels) -> int:
    """Which of the tracks the speaker is on."""
    return (
        channels.source_channels.index(speaker.channel) if channels.mode == "split" and speaker.channel else 0
    )


def detected_talk(people: Sequence[Speaker], channels: Channels) -> tuple[Stretches, ...]:
    """Where anybody was detected to talk, on each track."""
    return tuple(
        merge([span for person in people if track_of(person, channels) == track for span in person.talk])
        for track in range(len(channels.tracks))
    )


def settle_talk(
    people: Sequence[Speaker], channels: Channels, music: Sequence[Stretches]
) -> tuple[Speaker, ...]:
    """The speakers with their talk where there is sound and, on their track, no music.

    `music` has the stretches of music of each track.
    """
    sounds = [
        _talk_sounds(track, talk)
        for track, talk in zip(channels.tracks, detected_talk(people, channels), strict=True)
    ]
    # On a track with others, the sound beside somebody's talk may be theirs.
    reach = _REACH_S if channels.mode == "split" else 0.0
    settled = []
    for speaker in people:
        track = track_of(speaker, channels)
        talk = [span for span in speaker.talk if 2 * seconds(shared([span], music[track])) < span.duration]
        own = joined(_on_sound(talk, sounds[track], reach), PAUSE_S)
        kept = [part for part in beyond(own, music[track]) if part.duration >= _LEAST_S]
        settled.append(replace(speaker, talk=tuple(kept)))
    return tuple(settled)


def _on_sound(talk: Sequence[Interval], sounds: Stretches, reach: float) -> list[Interval]:
    """Talk as far as it sounds, out to the edges of a sound that are no further than `reach`."""
    starts = [sound.start for sound in sounds]
    found = []
    for part in shared(talk, sounds):
        sound = sounds[bisect_right(starts, part.start) - 1]
        start = sound.start if part.start - sound.start <= reach else part.start
        end = sound.end if sound.end - part.end <= reach else part.end
        found.append(Interval(start, end))
    return found
