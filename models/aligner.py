"""Word times from a CTC model, through WhisperX's alignment."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import whisperx.alignment

from models.speech import Samples, Segment, TimedWord


class _WholeText:
    """Stands in for NLTK's sentence splitter, whose data WhisperX would download: one sentence for all."""

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


whisperx.alignment.nltk_load = lambda _: _WholeText()


class Aligner:
    """A wav2vec2 CTC model in memory."""

    def __init__(self, folder: Path, languages: Sequence[str], device: str = "cpu") -> None:
        """Load the transformers folder `folder`, which serves `languages`, or any where there are none."""
        self._languages = languages
        self._device = device
        self._model, self._metadata = whisperx.alignment.load_align_model(
            languages[0] if languages else "", device, model_name=str(folder), model_cache_only=True
        )

    def serves(self, language: str) -> bool:
        """Whether the model can spell the language."""
        return not self._languages or language in self._languages

    def align(self, segments: Sequence[Segment], samples: Samples, language: str) -> tuple[Segment, ...]:
        """Give the words of `segments` times from `samples`, shape `(n,)`.

        A word keeps the times that it has where the model finds none, as in a segment that does not align.
        """
        return tuple(replace(segment, words=self._times(segment, samples, language)) for segment in segments)

    def align_texts(
        self, texts: list[dict[str, Any]], samples: Samples, language: str, characters: bool = False
    ) -> list[dict[str, Any]]:
        """What WhisperX makes of its own segments (`start`, `end`, `text`): segments with `words`."""
        with torch.inference_mode():
            result = whisperx.alignment.align(
                texts,
                self._model,
                {**self._metadata, "language": language},
                samples,
                self._device,
                return_char_alignments=characters,
            )
        segments: list[dict[str, Any]] = result["segments"]
        return segments

    def _times(self, segment: Segment, samples: Samples, language: str) -> tuple[TimedWord, ...]:
        spaced = language not in whisperx.alignment.LANGUAGES_WITHOUT_SPACES
        text = (" " if spaced else "").join(word.text for word in segment.words)
        whole = {"start": segment.start, "end": segment.end, "text": text}
        aligned = self.align_texts([whole], samples, language, characters=True)
        characters = [char for part in aligned for char in part["chars"] or []]
        if len(characters) != len(text):
            return segment.words
        words, place = [], 0
        for word in segment.words:
            words.append(_timed(word, characters[place : place + len(word.text)], segment))
            place += len(word.text) + spaced
        return tuple(words)


def _timed(word: TimedWord, characters: Sequence[dict[str, Any]], segment: Segment) -> TimedWord:
    """The word with the times of its letters and digits, or `word` itself where none was found.

    WhisperX lets a character that the model's alphabet lacks stand for any sound; for a digit that is
    right, and for punctuation it would reach into the silence behind the word.
    """
    heard = [c for c in characters if "start" in c and "end" in c]
    spelled = [c for c in heard if c["char"].isalnum()] or heard
    if not spelled:
        return word
    start = max(segment.start, min(float(c["start"]) for c in spelled))
    end = min(segment.end, max(float(c["end"]) for c in spelled))
    return replace(word, start=start, end=max(start, end), timing_source="ctc")
