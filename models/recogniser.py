"""Speech to words: WhisperX's voice activity detection and batched Whisper decoding.

WhisperX leaves word times to a second model. Here the cross-attention of the same decoding gives
them (Radford et al. 2022, section on long-form transcription; CTranslate2's `align`), so that every
language that Whisper knows has word times, without decoding twice.
"""

import math
import re
import string
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from faster_whisper import WhisperModel  # WhisperX's differs in what is not used here, and takes a second
from faster_whisper.tokenizer import Tokenizer
from whisperx.audio import log_mel_spectrogram
from whisperx.vads import Pyannote
from whisperx.vads.pyannote import Binarize

from models.errors import ModelMissing
from models.speech import (
    SAMPLE_RATE,
    Interval,
    LanguageGuess,
    Samples,
    Segment,
    SpeechActivity,
    TimedWord,
    Vocabulary,
)

CHUNK_S = 30.0
"""Whisper's window: the longest stretch that is decoded at once."""

VAD_ONSET = 0.5
VAD_OFFSET = 0.363
"""WhisperX's defaults for the hysteresis on the speech probability."""

BEAM_SIZE = 5
"""Whisper's own. With 10 and twice the patience as many words are wrong: bank calls 5.9 and not 5.7 %,
consultations 15.7 % with both."""

_BATCH_SIZES = {"cpu": 4, "cuda": 16}
"""Chunks decoded together. On a CPU four are as fast as eight, which take 300 MB more."""

NO_SPEECH_PROBABILITY = 0.6
NO_SPEECH_LOGPROB = -1.0
"""Whisper's own rule: a chunk that it takes for silence with this probability at least, and whose words it
believes in with less than this mean log-probability, has no words. WhisperX leaves the rule out, and hears a
"thank you" in a click."""

SURELY_NO_SPEECH_PROBABILITY = 0.8
SURELY_NO_SPEECH_LOGPROB = -0.25
"""A chunk with such a probability of silence may have likelier words and yet has none. Noise and the impulse
responses of rooms, where detection takes them for speech, have 0.78 to 0.93, with words such as "thank you"
(-1.0 to -1.2); of 111 chunks of calls and prompts in five languages none has over 0.19."""

LOOP_COMPRESSION = 2.4
"""Whisper's own: what zlib makes smaller by this factor is a loop and not what anybody said. The chunk is
decoded again. Of 2,113 transcripts of chunks of calls and consultations none has over 1.9."""

LOOP_NGRAM = 3
"""So many tokens in a row may occur but once where a loop is decoded again."""

LANGUAGE_CHUNKS = 4
"""Stretches of speech, spread over the recording, that vote on its language."""

LANGUAGE_SURE = 0.7
LANGUAGE_POSSIBLE = 0.1
"""The share of the vote from which on a language is taken unseen, and the least with which it may be the one.
Of 132 read sentences and prompts in five languages, the vote alone takes three for another language; with the
second look all three are right."""

_UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
"""Languages that Whisper writes without spaces between words."""
_CLOSING = set(".,!?:;…—–-)]}”»。，、？！：；")
"""Marks that belong to the word before them even after a space."""

_SPELLED_NUMBER = re.compile(r"(?<![\d-])\d(?:-\d){2,}(?![\d-])")
"""A number that is said digit by digit, as Whisper often writes one; elsewhere it writes 70023."""

_SINGLE_DIGIT = re.compile(r"\d[,.?!]?")
_LEAST_DIGITS = 4
"""So many single digits in a row are a number; fewer may be a list, as in "options 1, 2, 3"."""

_PUNCTUATION = set(string.punctuation + "¿¡…—–“”‘’«»。，、？！：；")


class Recogniser:
    """A Whisper model in memory, with WhisperX's voice activity detection."""

    def __init__(
        self, folder: Path, device: str = "cpu", threads: int = 2, attention_lead_s: float = 0.0
    ) -> None:
        """Load the CTranslate2 model in `folder`: int8 on the CPU, float16 on a GPU.

        Word times are moved later by `attention_lead_s`, by which the model's attention runs ahead. Raises
        `ModelMissing` where there is no tokenizer in the folder.
        """
        # Without it faster-whisper fetches one from the hub, and it may be another model's.
        if not (folder / "tokenizer.json").is_file():
            raise ModelMissing(
                f"The recogniser in {folder} has no tokenizer.json. "
                "Copy the one of the model that it was made from."
            )
        self._lead = attention_lead_s
        self._whisper = WhisperModel(
            str(folder),
            device=device,
            compute_type="float16" if device == "cuda" else "int8",
            cpu_threads=threads,
            num_workers=2,  # two threads may decode at once: the channels of a split call
            local_files_only=True,
        )
        self._vad = Pyannote(torch.device(device), vad_onset=VAD_ONSET, vad_offset=VAD_OFFSET)
        self._batch_size = _BATCH_SIZES[device]
        # WhisperX takes 32 windows at once, which is no faster on a CPU and takes 150 MB more.
        self._vad.vad_pipeline._segmentation.batch_size = 2 * self._batch_size

    @property
    def multilingual(self) -> bool:
        """Whether the model knows other languages than English."""
        return bool(self._whisper.model.is_multilingual)

    @cached_property
    def languages(self) -> frozenset[str]:
        """The codes of the languages that the model can write."""
        return frozenset(self._whisper.supported_languages)

    def find_speech(self, samples: Samples) -> SpeechActivity:
        """Detect speech in `samples`, shape `(n,)`, and put it together to chunks as WhisperX does."""
        scores = self._vad({"waveform": Pyannote.preprocess_audio(samples), "sample_rate": SAMPLE_RATE})
        binarize = Binarize(onset=VAD_ONSET, offset=VAD_OFFSET, max_duration=CHUNK_S)
        speech = tuple(Interval(span.start, span.end) for span in binarize(scores).get_timeline())
        merged = Pyannote.merge_chunks(scores, CHUNK_S, VAD_ONSET, VAD_OFFSET) if speech else []
        return SpeechActivity(speech, tuple(Interval(chunk["start"], chunk["end"]) for chunk in merged))

    def detect_language(self, samples: Samples, chunks: Sequence[Interval]) -> LanguageGuess:
        """Let several stretches of speech vote, each with the weight of its seconds.

        Where the vote is close, the longest stretch is decoded in the languages in question, and the one in
        which its words are likeliest is taken.
        """
        if not self.multilingual:
            return LanguageGuess("en", 1.0)
        chosen = _spread(chunks, LANGUAGE_CHUNKS)
        encoded = self._whisper.encode(self._features(samples, chosen))
        votes: dict[str, float] = {}
        for chunk, guesses in zip(chosen, self._whisper.model.detect_language(encoded), strict=True):
            for token, probability in guesses:
                code = token.strip("<|>")
                votes[code] = votes.get(code, 0.0) + probability * chunk.duration
        shares = {code: vote / sum(votes.values()) for code, vote in votes.items()}
        code = max(shares, key=shares.__getitem__)
        if shares[code] < LANGUAGE_SURE:
            longest = max(chosen, key=lambda chunk: chunk.duration)
            close = [each for each, share in shares.items() if share > LANGUAGE_POSSIBLE]
            code = max([code, *close], key=lambda each: self._likelihood(samples, longest, each))
        return LanguageGuess(code, shares[code])

    def _likelihood(self, samples: Samples, chunk: Interval, language: str) -> float:
        """The mean log-probability of the words of a chunk when it is decoded in a language."""
        segments = self.transcribe(samples, [chunk], language, Vocabulary())
        return segments[0].mean_logprob if segments else -math.inf

    def transcribe(
        self,
        samples: Samples,
        chunks: Sequence[Interval],
        language: str,
        vocabulary: Vocabulary,
    ) -> tuple[Segment, ...]:
        """Decode each chunk of `samples`, shape `(n,)`, in batches; a chunk without words is left out."""
        tokenizer = Tokenizer(self._whisper.hf_tokenizer, self.multilingual, "transcribe", language)
        segments: list[Segment] = []
        for start in range(0, len(chunks), self._batch_size):
            batch = chunks[start : start + self._batch_size]
            segments += self._decode(samples, batch, tokenizer, vocabulary)
        return tuple(segment for segment in segments if segment.words)

    def _features(self, samples: Samples, chunks: Sequence[Interval]) -> Any:
        """Log-mel features of each chunk, padded to 30 s: `(chunks, mels, frames)`."""
        mels = self._whisper.feat_kwargs.get("feature_size") or 80
        window = int(CHUNK_S * SAMPLE_RATE)
        cut = [samples[int(c.start * SAMPLE_RATE) : int(c.end * SAMPLE_RATE)][:window] for c in chunks]
        return torch.stack([log_mel_spectrogram(c, mels, padding=window - len(c)) for c in cut]).numpy()

    def _decode(
        self,
        samples: Samples,
        chunks: Sequence[Interval],
        tokenizer: Tokenizer,
        vocabulary: Vocabulary,
        may_repeat: bool = True,
    ) -> Iterator[Segment]:
        """A segment for each chunk; one in which the recogniser loops is decoded so that it cannot."""
        whisper = self._whisper
        encoded = whisper.encode(self._features(samples, chunks))
        prompt = whisper.get_prompt(
            tokenizer,
            _shown(tokenizer, vocabulary, whisper.max_length // 2 - 1),
            without_timestamps=True,
        )
        results = whisper.model.generate(
            encoded,
            [prompt] * len(chunks),
            beam_size=BEAM_SIZE,
            no_repeat_ngram_size=0 if may_repeat else LOOP_NGRAM,
            max_length=whisper.max_length,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = [
            [] if _is_silence(r) else [token for token in r.sequences_ids[0] if token < tokenizer.eot]
            for r in results
        ]
        frames = [round(chunk.duration * whisper.frames_per_second) for chunk in chunks]
        alignments = whisper.find_alignment(tokenizer, texts, encoded, frames)
        for chunk, tokens, result, alignment in zip(chunks, texts, results, alignments, strict=True):
            if may_repeat and _is_loop(tokenizer.decode(tokens)):
                yield from self._decode(samples, [chunk], tokenizer, vocabulary, may_repeat=False)
                continue
            yield Segment(
                chunk.start,
                chunk.end,
                words=_with_numbers_joined(
                    joined_words(alignment, chunk, self._lead, tokenizer.language_code)
                ),
                mean_logprob=result.scores[0],
            )


def _shown(tokenizer: Tokenizer, vocabulary: Vocabulary, most: int) -> list[int]:
    """The tokens that are taken for what was said before: hotwords and, nearest to what is said, the prompt.

    Both together are at most `most`, as Whisper has it: half of its context is for what it writes.
    faster-whisper allows so many for each, and then cannot write a word.
    """
    hotwords, prompt = (
        tokenizer.encode(" " + text.strip()) if text else []
        for text in (vocabulary.hotwords, vocabulary.prompt)
    )
    prompt = prompt[-most:]
    return [*hotwords[: most - len(prompt)], *prompt]


def _is_silence(result: Any) -> bool:
    """Whether Whisper takes the chunk that it decoded for silence."""
    probability, logprob = result.no_speech_prob, result.scores[0]
    return bool(
        (probability > NO_SPEECH_PROBABILITY and logprob < NO_SPEECH_LOGPROB)
        or (probability > SURELY_NO_SPEECH_PROBABILITY and logprob < SURELY_NO_SPEECH_LOGPROB)
    )


def _is_loop(text: str) -> bool:
    written = text.encode()
    return len(written) > LOOP_COMPRESSION * len(zlib.compress(written))


def joined_words(
    alignment: list[dict[str, Any]], chunk: Interval, lead: float, language: str
) -> tuple[TimedWord, ...]:
    """The word pieces of faster-whisper's `find_alignment`, joined to words, on the clock of the samples.

    Where words are written with spaces between them, a piece without one belongs to the word before it,
    as in "$1" + ",860"; otherwise only punctuation does. Opening marks and "$" come with their space.
    """
    spaced = language not in _UNSPACED
    words: list[TimedWord] = []
    for piece in alignment:
        text = piece["word"].strip()
        if not text:
            continue
        start, end = (
            chunk.start + float(np.clip(piece[edge] + lead, 0.0, chunk.duration)) for edge in ("start", "end")
        )
        end = max(start, end)
        confidence = float(np.clip(piece["probability"], 0.0, 1.0))
        punctuation = set(text) <= _PUNCTUATION
        continues = not piece["word"].startswith(" ") and (spaced or punctuation)
        if words and (continues or set(text) <= _CLOSING):
            last = words[-1]
            words[-1] = replace(
                last,
                text=last.text + text,
                # Punctuation has no sound: it may not stretch its word, nor say how sure the word is.
                end=last.end if punctuation else end,
                confidence=last.confidence if punctuation else min(last.confidence, confidence),
            )
        else:
            words.append(TimedWord(start, end, text, confidence, "cross_attention"))
    return tuple(words)


def _with_numbers_joined(words: Sequence[TimedWord]) -> tuple[TimedWord, ...]:
    written = [replace(word, text=_SPELLED_NUMBER.sub(_joined_digits, word.text)) for word in words]
    return tuple(_joined_numbers(written))


def _joined_digits(spelled: re.Match[str]) -> str:
    return spelled.group().replace("-", "")


def _joined_numbers(words: Sequence[TimedWord]) -> Iterator[TimedWord]:
    """Words, with runs of single digits, as in "7, 0, 0, 2, 3.", written as the number that they spell."""
    for digits, run in groupby(words, lambda word: bool(_SINGLE_DIGIT.fullmatch(word.text))):
        spelled = list(run)
        if digits and len(spelled) >= _LEAST_DIGITS:
            number = "".join(word.text[0] for word in spelled) + spelled[-1].text[1:]
            sure = min(word.confidence for word in spelled)
            yield replace(spelled[0], end=spelled[-1].end, text=number, confidence=sure)
        else:
            yield from spelled


def _spread(chunks: Sequence[Interval], count: int) -> Sequence[Interval]:
    """At most `count` of `chunks`, evenly spread from the first to the last."""
    if len(chunks) <= count:
        return chunks
    picks = np.linspace(0, len(chunks) - 1, count).round().astype(int)
    return [chunks[i] for i in picks]


def device_name() -> str:
    """Where models compute: `cuda` or `cpu`."""
    return "cuda" if cuda_available() else "cpu"


def cuda_available() -> bool:
    """Whether CTranslate2 and torch can both use a GPU."""
    return ctranslate2.get_cuda_device_count() > 0 and torch.cuda.is_available()
