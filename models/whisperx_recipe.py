"""WhisperX's own recipe, whole and as it is published: what our path is measured against.

Its batched transcription with its voice activity detection, its alignment, its diarization with
pyannote's pipeline as published, its `assign_word_speakers`; the same weights as ours.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from faster_whisper.tokenizer import Tokenizer
from pyannote.audio.pipelines import SpeakerDiarization
from whisperx.asr import load_model
from whisperx.diarize import DiarizationPipeline, assign_word_speakers

from models.aligner import Aligner
from models.bundle import LocatedModel
from models.diarizer import COMMUNITY_1
from models.recogniser import device_name, joined_words
from models.selection import Selection
from models.speech import SAMPLE_RATE, Interval, Samples, SpeakerSpan

BATCH_SIZES = {"cpu": 8, "cuda": 16}
"""Chunks decoded together: the default of WhisperX's command, and what its README sets on a GPU."""

_PYANNOTE_BATCH = 32
"""Windows that pyannote segments, and embeds, at once, as in the configuration of community-1."""


@dataclass(frozen=True)
class RecipeWord(Interval):
    """A word as the recipe leaves it; `speaker` is None where `assign_word_speakers` gave none."""

    text: str
    speaker: str | None


@dataclass(frozen=True)
class RecipeResult:
    """What the recipe makes of a recording, and the seconds that each stage took."""

    language: str
    words: tuple[RecipeWord, ...]
    spans: tuple[SpeakerSpan, ...]
    stage_s: dict[str, float]


class WhisperXRecipe:
    """WhisperX's models in memory."""

    def __init__(self, selection: Selection, threads: int, batch_size: int | None = None) -> None:
        """Load the selected models as WhisperX does, onto a GPU where there is one, else with `threads`.

        `batch_size` is WhisperX's own for the device unless it is given.
        """
        device = device_name()
        torch.set_num_threads(threads)
        models, aligner = selection.models, selection.models.get("aligner")
        self.batch_size = batch_size or BATCH_SIZES[device]
        self._lead = models["recogniser"].attention_lead_s
        self._asr = load_model(
            str(models["recogniser"].path),
            device,
            compute_type="float16" if device == "cuda" else "int8",
            threads=threads,
            local_files_only=True,
        )
        self._clock = _Clock()
        vad = self._asr.vad_model
        vad.vad_pipeline = self._clock.timing("vad", vad.vad_pipeline)
        self._aligner = None if aligner is None else Aligner(aligner.path, aligner.languages, device)
        self._diarize = _LocalDiarization(_stock_pipeline(selection, device, threads))

    @property
    def word_times(self) -> str:
        """Where word times come from, as a phrase."""
        attention = "cross-attention of the same model"
        return attention if self._aligner is None else f"WhisperX's align, else {attention}"

    def __call__(self, samples: Samples, language: str | None = None) -> RecipeResult:
        """Process `samples`, shape `(n,)`, whose `language` is detected where it is not given."""
        clock = self._clock
        clock.seconds = {}
        if not self._asr.model.model.is_multilingual:
            language = "en"
        with clock("transcribe"):
            heard = self._asr.transcribe(samples, batch_size=self.batch_size, language=language)
        clock.seconds["transcribe"] -= clock.seconds["vad"]
        segments, language = [s for s in heard["segments"] if s["text"].strip()], str(heard["language"])
        with clock("word times"):
            if self._aligner is not None and self._aligner.serves(language):
                segments = self._aligner.align_texts(segments, samples, language)
            else:
                segments = self._attended(segments, samples, language)
        with clock("diarize"):
            spans = self._diarize(samples)
        with clock("attribute"):
            attributed = assign_word_speakers(spans, {"segments": segments})
        return RecipeResult(
            language,
            tuple(word for segment in attributed["segments"] for word in _words(segment)),
            tuple(SpeakerSpan(row.start, row.end, row.speaker) for row in spans.itertuples()),
            clock.seconds,
        )

    def _attended(
        self, segments: Sequence[dict[str, Any]], samples: Samples, language: str
    ) -> list[dict[str, Any]]:
        """Word times from the cross-attention of the same model, over the text that it wrote.

        WhisperX has none without an aligner, and gives words no speakers without times. It keeps neither
        its tokens nor what it encoded, so that both are made again.
        """
        whisper = self._asr.model
        tokenizer = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, "transcribe", language)
        timed: list[dict[str, Any]] = []
        for first in range(0, len(segments), self.batch_size):
            batch = segments[first : first + self.batch_size]
            chunks = [Interval(segment["start"], segment["end"]) for segment in batch]
            cut = [samples[int(c.start * SAMPLE_RATE) : int(c.end * SAMPLE_RATE)] for c in chunks]
            features = torch.stack([self._asr.preprocess({"inputs": each})["inputs"] for each in cut])
            alignments = whisper.find_alignment(
                tokenizer,
                [tokenizer.encode(segment["text"]) for segment in batch],
                whisper.encode(features.numpy()),
                [round(chunk.duration * whisper.frames_per_second) for chunk in chunks],
            )
            for segment, chunk, alignment in zip(batch, chunks, alignments, strict=True):
                words = joined_words(alignment, chunk, self._lead, language)
                listed = [{"word": word.text, "start": word.start, "end": word.end} for word in words]
                timed.append({**segment, "words": listed})
        return timed


class _LocalDiarization(DiarizationPipeline):  # type: ignore[misc]
    """WhisperX's diarization with a pipeline from local files, which it would get from the hub."""

    def __init__(self, pipeline: SpeakerDiarization) -> None:
        self.model = pipeline


class _Clock:
    """Seconds by the name of a stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started

    def timing(self, name: str, step: Any) -> Any:
        """The step, with its seconds noted under `name` each time that it is called."""

        def timed(*given: Any, **options: Any) -> Any:
            with self(name):
                return step(*given, **options)

        return timed


def _stock_pipeline(selection: Selection, device: str, threads: int) -> SpeakerDiarization:
    """pyannote's pipeline as published, with the settings of community-1 and all `threads`."""
    models = selection.models
    if "diarization" in models:
        whole = SpeakerDiarization.from_pretrained(str(models["diarization"].path))
        return whole.to(torch.device(device))
    [segmentation], [embedding] = (_paths(models[role]) for role in ("segmentation", "embedding"))
    pipeline = SpeakerDiarization(
        segmentation=str(segmentation),
        embedding=str(embedding),
        plda=str(models["plda"].path),
        clustering="VBxClustering",
        embedding_exclude_overlap=True,
        segmentation_batch_size=_PYANNOTE_BATCH,
        embedding_batch_size=_PYANNOTE_BATCH,
    )
    pipeline.instantiate(COMMUNITY_1)
    pipeline.to(torch.device(device))
    if device == "cpu":
        # pyannote lets an ONNX file have one thread; the torch model that the hub has takes all.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        pipeline._embedding.session_ = onnxruntime.InferenceSession(
            str(embedding), options, providers=["CPUExecutionProvider"]
        )
    return pipeline


def _paths(model: LocatedModel) -> list[Path]:
    return list(model.files.values())


def _words(segment: dict[str, Any]) -> list[RecipeWord]:
    """The words of a segment; those without times of their own, or a whole text, have the segment's."""
    words = segment["words"] or [
        {"word": text, "speaker": segment.get("speaker")} for text in segment["text"].split()
    ]
    return [
        RecipeWord(
            float(word.get("start", segment["start"])),
            float(word.get("end", segment["end"])),
            word["word"],
            word.get("speaker"),
        )
        for word in words
    ]
