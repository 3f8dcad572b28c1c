"""What is said on each track, and in which language."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.recogniser import Recogniser
from models.speech import LanguageGuess, Samples, Segment, SpeechActivity, Vocabulary
from pipelines.failures import LanguageUnsupported
from pipelines.word_times import settle_times

if TYPE_CHECKING:
    from models.aligner import Aligner

VERBATIM: Final = {"en": "Um, so, I, I mean, it's, it's, uh, you know, like, the, the, yeah. No, no."}
"""By language, a text that the recogniser takes for what was said before. Whisper leaves out what people say
twice, their hesitations and now and then a greeting, unless it sees that they are written. Of 3,090 words of
consultations 104 are lost without it and 26 with it; wrong are 16.9 and 15.6 %. To prompts it does no good:
of 670 words 16 are wrong without it and 22 with it. It has no content that could get into a transcript, and
was taken from no recording."""


def find_speech(tracks: Sequence[Samples], recogniser: Recogniser) -> tuple[SpeechActivity, ...]:
    """Detect speech on each track, shape `(n,)` each, all at once."""
    with ThreadPoolExecutor(len(tracks)) as threads:
        return tuple(threads.map(recogniser.find_speech, tracks))


def choose_language(
    path: Path,
    tracks: Sequence[Samples],
    activity: Sequence[SpeechActivity],
    given: str | None,
    recogniser: Recogniser,
) -> LanguageGuess:
    """The language that was given, or the one that the track with most speech is in.

    Raises `LanguageUnsupported` when the model does not know the language given for `path`.
    """
    if given is not None:
        if given not in recogniser.languages:
            raise LanguageUnsupported(path, given, recogniser.languages)
        return LanguageGuess(given, 1.0)
    track, heard = max(zip(tracks, activity, strict=True), key=lambda pair: pair[1].seconds)
    return recogniser.detect_language(track, heard.chunks)


def transcribe(
    tracks: Sequence[Samples],
    activity: Sequence[SpeechActivity],
    language: str,
    vocabulary: Vocabulary,
    recogniser: Recogniser,
    aligner: "Aligner | None",
    on_sound: bool = True,
    verbatim: bool = True,
) -> tuple[tuple[Segment, ...], ...]:
    """The segments of each track, all tracks at once, their words' times settled.

    The times come from the aligner where it knows the language; `on_sound` as for `settle_times`. Where the
    vocabulary has no prompt, that of a conversation, which is longer than a chunk, is the `verbatim` one. The
    first chunk is decoded with it and without: nothing was said before, and a greeting gets lost with one or
    the other. What is likelier is taken.
    """
    shown = vocabulary
    if verbatim and not vocabulary.prompt and any(len(heard.chunks) > 1 for heard in activity):
        shown = replace(vocabulary, prompt=VERBATIM.get(language, ""))

    def of_track(track: Samples, heard: SpeechActivity) -> tuple[Segment, ...]:
        begun = [
            recogniser.transcribe(track, heard.chunks[:1], language, either)
            for either in dict.fromkeys((shown, vocabulary))
        ]
        segments = max(begun, key=_likelihood)
        segments += recogniser.transcribe(track, heard.chunks[1:], language, shown)
        if aligner is not None and aligner.serves(language):
            segments = aligner.align(segments, track, language)
        return settle_times(segments, track, on_sound)

    with ThreadPoolExecutor(len(tracks)) as threads:
        return tuple(threads.map(of_track, tracks, activity))


def _likelihood(segments: Sequence[Segment]) -> float:
    return max((segment.mean_logprob for segment in segments), default=-math.inf)
