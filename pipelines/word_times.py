"""Word times that can be relied on: inside the call, in order, and never stretched across a silence.

Attention places a word to within a tenth of a second where speech goes on, and loosely beside a pause,
which it has to give to one word or the other. There the sound itself tells: a word begins and ends
where its stretch of sound does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, uniform_filter1d

from models.speech import SAMPLE_RATE, SENTENCE_ENDS, Samples, Segment, TimedWord

LONGEST_WORD_S = 2.0
"""No word lasts longer; what is placed beyond it is noise that follows it."""

LONGEST_DIGIT_S = 1.0
"""But a number may be said digit by digit, and slowly, for somebody to write down."""

DICTATED_DIGITS = 4
"""So many digits or more may have pauses between them."""

REACH_S = 0.3
"""How far a word's edge may move outwards to where the sound beside it begins or ends."""

FRAME_S = 0.01
"""Seconds from one frame of `Sounding` to the next."""

_CLOSURE_S = 0.15
"""Silences up to this length lie within words: before a p, t or k there is nothing to hear."""

_BELOW_SPEECH_DB = 30.0
ABOVE_NOISE_DB = 6.0
"""A frame sounds when it is no further than this below speech, and this far above the noise."""


@dataclass(frozen=True)
class Sounding:
    """The stretches of a track in which something sounds: first frame and frame after the last, in order."""

    starts: NDArray[np.intp]
    ends: NDArray[np.intp]


def settle_times(segments: Sequence[Segment], samples: Samples, on_sound: bool = True) -> tuple[Segment, ...]:
    """Settle the times of all words of one track, `samples` of shape `(n,)`.

    Words stay in their order; starts never go back, no word reaches into the next one, and every word lies
    within the track. With `on_sound` their edges are set on the sound, too.
    """
    duration = len(samples) / SAMPLE_RATE
    words = _in_order([word for segment in segments for word in segment.words], duration)
    if on_sound:
        sounding = find_sound(samples)
        placed = [_on_sound(word, *_room(words, i, duration), sounding) for i, word in enumerate(words)]
        parts = zip(_parted(words, segments), _parted(placed, segments), strict=True)
        words = _in_order([word for part in parts for word in _with_what_follows(*part, sounding)], duration)
    return tuple(
        replace(segment, words=tuple(part))
        for segment, part in zip(segments, _parted(words, segments), strict=True)
    )


def find_sound(samples: Samples) -> Sounding:
    """Find the stretches in which something sounds in `samples`, shape `(n,)`."""
    levels = levels_db(samples)
    if not len(levels):
        return Sounding(np.zeros(0, np.intp), np.zeros(0, np.intp))
    quiet, loud = np.percentile(levels, [10, 95])
    return sounding_above(levels, sound_threshold_db(quiet + ABOVE_NOISE_DB, loud))


def levels_db(samples: Samples, over: int = 3) -> NDArray[np.float64]:
    """The level of each frame of `samples`, shape `(n,)`, in dB re full scale, over so many frames."""
    frame = int(FRAME_S * SAMPLE_RATE)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    power = uniform_filter1d((frames**2).mean(axis=1), over) if len(frames) else np.zeros(0)
    return np.asarray(10 * np.log10(power + 1e-12))


def sound_threshold_db(noise: float, loud: float) -> float:
    """From which level on something sounds, where noise reaches `noise` and the speech is as `loud`."""
    return float(sound_thresholds_db(noise, np.asarray(loud)))


def sound_thresholds_db(noise: float, loud: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for each frame, of speech as `loud` as there."""
    return np.asarray(np.maximum(loud - _BELOW_SPEECH_DB, np.minimum(noise, loud - ABOVE_NOISE_DB)))


def sounding_above(levels: NDArray[np.float64], threshold: float | NDArray[np.float64]) -> Sounding:
    """The stretches in which the frames' levels exceed a threshold, or theirs, short silences filled."""
    sounds = levels > threshold
    padded = np.pad(sounds, round(_CLOSURE_S / FRAME_S))  # closing must not eat into the ends of the track
    closed = binary_closing(padded, np.ones(round(_CLOSURE_S / FRAME_S)))
    sounds = closed[round(_CLOSURE_S / FRAME_S) :][: len(sounds)]
    edges = np.flatnonzero(np.diff(sounds.astype(np.int8), prepend=0, append=0))
    return Sounding(edges[::2], edges[1::2])


def _room(words: Sequence[TimedWord], i: int, duration: float) -> tuple[float, float]:
    """Where the word may lie: after the end of the one before and before the start of the next."""
    earliest = words[i - 1].end if i else 0.0
    latest = words[i + 1].start if i + 1 < len(words) else duration
    return min(earliest, words[i].start), max(latest, words[i].end)


def _on_sound(word: TimedWord, earliest: float, latest: float, sounding: Sounding) -> TimedWord:
    """The word on the stretch of sound that most of it lies in, out to its edges where they are near.

    A number that may be dictated is on all the stretches that it lies in with more than half of each.
    """
    starts, ends = _sound_of(word, sounding)
    if not len(starts):
        return _shortened(word)
    start, end = word.start / FRAME_S, word.end / FRAME_S
    homes = np.argmax(np.minimum(ends, end) - np.maximum(starts, start), keepdims=True)
    if _digits(word) >= DICTATED_DIGITS:
        middles = (starts + ends) / 2
        homes = np.append(homes, np.flatnonzero((start <= middles) & (middles <= end)))
    begins, finishes = float(starts[homes.min()]) * FRAME_S, float(ends[homes.max()]) * FRAME_S
    start_s = max(begins, earliest) if word.start - begins <= REACH_S else word.start
    end_s = min(finishes, latest) if finishes - word.end <= REACH_S else word.end
    return _shortened(replace(word, start=start_s, end=max(start_s, end_s)))


def _with_what_follows(
    words: Sequence[TimedWord], placed: Sequence[TimedWord], sounding: Sounding
) -> list[TimedWord]:
    """The words as `placed` on the sound, but for the first of a sentence that is not near its second.

    Attention stretches it over the pause before the sentence, or leaves it where nothing is to be heard.
    """
    settled = list(placed)
    for i in reversed(range(len(words) - 1)):
        word, following = words[i], settled[i + 1]
        begins = i == 0 or words[i - 1].text.endswith(SENTENCE_ENDS)
        stretched = word.end > word.start + _longest(word)
        silent = following.start > placed[i].end + REACH_S and not _sounds(placed[i], sounding)
        if not begins or word.text.endswith(SENTENCE_ENDS) or not (stretched or silent):
            continue
        for end in (word.end, following.start):
            late = replace(word, start=max(word.start, end - REACH_S), end=end)
            if _sounds(late, sounding):
                settled[i] = _on_sound(late, word.start, following.start, sounding)
                break
        else:
            end = following.start + min(REACH_S, following.duration / 2)
            settled[i : i + 2] = [
                replace(word, start=following.start, end=end),
                replace(following, start=end),
            ]
    return settled


def _sound_of(word: TimedWord, sounding: Sounding) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The starts and ends, in frames, of the stretches of sound that the word lies in."""
    first = np.searchsorted(sounding.ends, word.start / FRAME_S, side="right")
    last = np.searchsorted(sounding.starts, word.end / FRAME_S, side="left")
    return sounding.starts[first:last], sounding.ends[first:last]


def _sounds(word: TimedWord, sounding: Sounding) -> bool:
    return bool(len(_sound_of(word, sounding)[0]))


def _longest(word: TimedWord) -> float:
    return max(LONGEST_WORD_S, LONGEST_DIGIT_S * _digits(word))


def _digits(word: TimedWord) -> int:
    return sum(letter.isdigit() for letter in word.text)


def _shortened(word: TimedWord) -> TimedWord:
    return replace(word, end=min(word.end, word.start + _longest(word)))


def _in_order(words: Sequence[TimedWord], duration: float) -> list[TimedWord]:
    """Starts that never go back, ends that do not reach into the next word, all within the track."""
    ordered: list[TimedWord] = []
    floor = 0.0
    for word in words:
        start = min(max(word.start, floor), duration)
        ordered.append(replace(word, start=start, end=min(max(word.end, start), duration)))
        floor = start
    following = [word.start for word in ordered[1:]] + [duration] * bool(ordered)
    return [replace(word, end=min(word.end, end)) for word, end in zip(ordered, following, strict=True)]


def _parted(words: Sequence[TimedWord], segments: Sequence[Segment]) -> Iterator[list[TimedWord]]:
    """The words of all segments, segment by segment."""
    left = iter(words)
    for segment in segments:
        yield list(islice(left, len(segment.words)))
