"""Music and tones on a line, told from speech by how long their pitches stay.

A note, a chord or a ringing tone keeps its partials where they are for a tenth of a second and more. In
speech the pitch glides all the time and vowels change, so that the peaks of one spectrum are no longer
those of the next; noise has no peaks that stay. This is the steadiness of spectral peaks which
speech/music discriminators use beside the 4 Hz modulation of speech (Scheirer and Slaney 1997,
"Construction and evaluation of a robust multifeature speech/music discriminator"; Hawley 1993 for the
peaks). Alone it separates what telephone lines carry; see the figures below.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.ndimage import uniform_filter1d

from models.speech import SAMPLE_RATE, Interval, Samples
from pipelines.analytics.stretches import Stretches, beyond, gaps, joined, seconds, shared
from pipelines.analytics.talk import sounds_of
from pipelines.speakers import merge

_RATE = SAMPLE_RATE // 2
_WINDOW, _HOP = 512, 256
"""Samples at 8 kHz: spectra of 64 ms, one every 32 ms; each is compared with the next that shares none."""

_BAND_HZ = (200.0, 3500.0)
_SURROUND = 21
"""Bins (330 Hz) around a bin over whose mean a peak rises …"""

_PEAK_DB, _PEAK_TOP_DB = 6.0, 26.0
"""… by at least this; what rises higher counts as much as this."""

_HUM_PERCENTILE = 20
"""A peak that is there in four fifths of all spectra is the hum of the line."""

_BLOCK = 1 << 20
"""Samples that are transformed at once: an hour's spectra would take gigabytes."""

LEAST_DBFS = -45.0
"""Fainter tones are those of the line, and what noise reduction leaves of it."""

MUSIC_IN_TALK = 0.65
MUSIC_ALONE = 0.55
"""Mean steadiness (0 to 1) over two seconds from which a sound is music: where speech was detected, and
where not. Over two seconds of real calls (7, each side by itself) it is at most 0.50; over made melodies,
chords, long notes and steady tones at least 0.74. Noise has 0.18."""

TONE_ALONE = 0.6
"""The same over one second, for ringing in short bursts; in real calls it is at most 0.58."""

LEAST_MUSIC_S = 2.0
"""A beep before a message, or a key that is pressed, is shorter."""

RINGING_PAUSE_S = 4.5
"""Between bursts of ringing in North America 4 s, in Europe up to 4 s, in Britain 2 s (ITU-T E.180)."""

_SPREAD_S = 1.0
"""Half of the two seconds: how far music may reach beyond where its mean shows it."""


def find_music(track: Samples, talk: Sequence[Interval]) -> Stretches:
    """Where there is music or a tone on `track`, shape `(n,)`, in which `talk` was detected.

    Talk that for the most part is music was detected in error, and so was talk beside music in the same
    stretch of sound. Otherwise music does not reach into talk.
    """
    steadiness = _steadiness(track)
    frame_s = _HOP / _RATE
    if len(steadiness) * frame_s < 1.0:
        return ()
    talked = np.zeros(len(steadiness), bool)
    for span in talk:
        talked[int(span.start / frame_s) : int(np.ceil(span.end / frame_s))] = True
    over_two = uniform_filter1d(steadiness, round(2.0 / frame_s))
    over_one = uniform_filter1d(steadiness, round(1.0 / frame_s))
    alone = (over_two >= MUSIC_ALONE) | (over_one >= TONE_ALONE)
    seeds = _runs(np.where(talked, over_two >= MUSIC_IN_TALK, alone), frame_s)
    if not seeds:
        return ()
    spoken = [span for span in talk if seconds(shared([span], seeds)) < 0.5 * span.duration]
    extents = _extents(seeds, sounds_of(track), beyond(spoken, seeds))
    free = gaps(beyond(spoken, extents), 0.0, len(track) / SAMPLE_RATE)
    bridged = [part for gap in free for part in joined(shared(extents, [gap]), RINGING_PAUSE_S)]
    return tuple(stretch for stretch in bridged if stretch.duration >= LEAST_MUSIC_S)


def _extents(seeds: Stretches, sounds: Stretches, spoken: Stretches) -> Stretches:
    """The sound that the seeds are of, out to its ends where they are near, else to where talk begins."""
    wide = []
    for seed in seeds:
        own = [sound for sound in sounds if sound.overlap(seed) > 0.0]
        if not own:
            continue
        earliest = max([part.end for part in spoken if part.end <= seed.start], default=0.0)
        latest = min([part.start for part in spoken if part.start >= seed.end], default=float("inf"))
        start, end = own[0].start, own[-1].end
        if start < seed.start - _SPREAD_S:
            start = max(seed.start - _SPREAD_S, earliest)
        if end > seed.end + _SPREAD_S:
            end = min(seed.end + _SPREAD_S, latest)
        wide.append(Interval(start, end))
    return shared(merge(wide), sounds)


def _steadiness(track: Samples) -> NDArray[np.float32]:
    """How much each spectrum's peaks are those of the next one, 0 to 1; 0 where it is too quiet."""
    low, high = (round(hertz * _WINDOW / _RATE) for hertz in _BAND_HZ)
    even = len(track) // 2 * 2
    halved = (track[0:even:2] + track[1:even:2]) * np.float32(0.5)  # a telephone carries nothing above 4 kHz
    window = np.hanning(_WINDOW).astype(np.float32)
    peaks, loud = [], []
    for frames in _frames(halved):
        spectra = rfft(frames * window, axis=1)[:, low:high]
        levels = 10 * np.log10(spectra.real**2 + spectra.imag**2 + 1e-9)
        rise = levels - uniform_filter1d(levels, _SURROUND, axis=1)
        peaks.append(np.clip(rise - _PEAK_DB, 0.0, _PEAK_TOP_DB - _PEAK_DB).astype(np.float16))
        loud.append(np.einsum("ij,ij->i", frames, frames) / _WINDOW > 10 ** (LEAST_DBFS / 10) / 2)
    if not peaks:
        return np.zeros(0, np.float32)
    return _similarity(np.concatenate(peaks).astype(np.float32), np.concatenate(loud))


def _similarity(peaks: NDArray[np.float32], loud: NDArray[np.bool_]) -> NDArray[np.float32]:
    lag = _WINDOW // _HOP
    hum = np.percentile(peaks[:: max(1, len(peaks) // 1000)], _HUM_PERCENTILE, axis=0).astype(np.float32)
    peaks = np.maximum(peaks - hum, 0.0)
    size = np.sqrt(np.einsum("ij,ij->i", peaks, peaks))
    products = np.einsum("ij,ij->i", peaks[lag:], peaks[:-lag])
    alike = products / (size[lag:] * size[:-lag] + 1e-3)
    return np.asarray(np.where(loud[lag:] & loud[:-lag], alike, 0.0), np.float32)


def _frames(track: Samples) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(track) - _WINDOW + 1, _BLOCK):
        block = track[start : start + _BLOCK + _WINDOW - _HOP]
        if len(block) >= _WINDOW:
            yield np.lib.stride_tricks.sliding_window_view(block, _WINDOW)[::_HOP]


def _runs(holds: NDArray[np.bool_], frame_s: float) -> Stretches:
    edges = np.flatnonzero(np.diff(holds.astype(np.int8), prepend=0, append=0))
    # A comparison stands for the time from one spectrum's middle to that of the one it is compared with.
    times = edges * frame_s + _WINDOW / _RATE
    return tuple(Interval(float(a), float(b)) for a, b in zip(times[::2], times[1::2], strict=True))
