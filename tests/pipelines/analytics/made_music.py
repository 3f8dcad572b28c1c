"""What a telephone line carries besides speech, made by formula: music, ringing, tones, keys, noise."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from models.speech import SAMPLE_RATE, Samples

_Wave = NDArray[np.float64]


def on_the_line(wave: _Wave, dbfs: float = -26.0, noise_dbfs: float = -60.0, seed: int = 0) -> Samples:
    """The wave at a level, in the band of a telephone, with the noise of the line."""
    band = signal.sosfiltfilt(signal.butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos"), wave)
    level = np.sqrt(np.mean(band**2)) or 1.0
    noise = np.random.default_rng(seed).normal(0.0, 10 ** (noise_dbfs / 20), len(wave))
    return np.asarray(band / level * 10 ** (dbfs / 20) + noise, np.float32)


def quiet(seconds: float, seed: int = 0) -> Samples:
    """The noise of the line."""
    return np.random.default_rng(seed).normal(0.0, 1e-3, round(seconds * SAMPLE_RATE)).astype(np.float32)


def times(seconds: float) -> _Wave:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def note(hertz: float, seconds: float, decay: float = 3.0) -> _Wave:
    time = times(seconds)
    partials = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 7))
    return np.asarray(partials * np.exp(-decay * time) * np.minimum(1.0, time / 0.01))


def _semitones(count: int, seed: int) -> list[int]:
    return [int(n) for n in np.random.default_rng(seed).integers(-9, 13, count)]


def melody(seconds: float, note_s: float = 0.25) -> _Wave:
    notes = [note(440 * 2 ** (n / 12), note_s) for n in _semitones(int(np.ceil(seconds / note_s)), 1)]
    return np.concatenate(notes)[: round(seconds * SAMPLE_RATE)]


def chords(seconds: float) -> _Wave:
    roots = _semitones(int(np.ceil(seconds)), 2)
    made = [sum(note(220 * 2 ** ((root + n) / 12), 1.0, 1.0) for n in (0, 4, 7)) for root in roots]
    return np.concatenate(made)[: round(seconds * SAMPLE_RATE)]


def violin(seconds: float) -> _Wave:
    """A long note with vibrato."""
    time = times(seconds)
    phase = np.cumsum(440 * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * time))) / SAMPLE_RATE
    return np.asarray(sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 6)))


def chords_with_drums(seconds: float) -> _Wave:
    wave = chords(seconds) / 3
    hit = np.random.default_rng(3).normal(size=3000) * np.exp(-np.arange(3000) / 500)
    for start in range(0, len(wave) - 3000, SAMPLE_RATE // 2):
        wave[start : start + 3000] += 0.5 * hit
    return wave


def tone(seconds: float, *hertz: float) -> _Wave:
    return np.asarray(sum(np.sin(2 * np.pi * f * times(seconds)) for f in hertz))


def ringing_in_america(seconds: float) -> _Wave:
    """ITU-T E.180: 440 and 480 Hz, two seconds on, four off."""
    return tone(seconds, 440.0, 480.0) * (times(seconds) % 6 < 2)


def ringing_in_britain(seconds: float) -> _Wave:
    """400 and 450 Hz: 0.4 s on, 0.2 off, 0.4 on, 2 off."""
    beat = times(seconds) % 3
    return tone(seconds, 400.0, 450.0) * ((beat < 0.4) | ((beat >= 0.6) & (beat < 1.0)))


def keys(seconds: float) -> _Wave:
    """Somebody types a number: a key of two tones every half second."""
    return tone(seconds, 770.0, 1336.0) * (times(seconds) % 0.5 < 0.15)


def hum(seconds: float) -> _Wave:
    return np.asarray(sum(np.sin(2 * np.pi * 50 * k * times(seconds)) / k for k in range(1, 40)))


def white(seconds: float) -> _Wave:
    return np.random.default_rng(4).normal(size=round(seconds * SAMPLE_RATE))
