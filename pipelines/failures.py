"""Why a recording was set aside: one class for each reason that the `failures` table can hold."""

from collections.abc import Collection
from pathlib import Path, PurePath
from typing import Any, ClassVar, Final, Self

from models.errors import CallfolioError

MOST_TRIES: Final = 3
"""How often a recording is tried that may have failed by no fault of its own."""

_TRIED_AGAIN: Final = "It is tried three times; if it fails again, run `callfolio retry` and "


class RecordingFailure(CallfolioError):
    """A recording cannot be processed. `reason` is what the `failures` table holds; `retryable` says
    whether the very same file may succeed at another time. It is tried `tries` times before it is set aside
    for good, and by every run where that is None."""

    reason: ClassVar[str]
    retryable: ClassVar[bool] = False
    tries: ClassVar[int | None] = 1

    @classmethod
    def _from_sentence(cls, sentence: str) -> Self:
        failure = cls.__new__(cls)
        failure.args = (sentence,)
        return failure

    def naming(self, path: Path, source: str) -> Self:
        """The same failure in a sentence that has `source` where this one has `path`, a fetched copy."""
        return self._from_sentence(str(self).replace(str(path), source))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the sentence: unpickling must not call `__init__` of any signature again."""
        return type(self)._from_sentence, (str(self),)


class Unreadable(RecordingFailure):
    """The file is gone, may not be read, or changed while it was read."""

    reason = "unreadable"
    retryable = True
    tries = None

    def __init__(self, path: PurePath | str, why: str) -> None:
        """`why` completes "it cannot be read because …"."""
        super().__init__(
            f"{path} cannot be read: {why}. Make it readable where it is and run again; it will be retried."
        )


class BadMetadata(RecordingFailure):
    """The JSON file beside the recording cannot be understood."""

    reason = "bad_metadata"

    def __init__(self, path: PurePath | str, sidecar: PurePath, why: str) -> None:
        """`sidecar` is the metadata file, `why` what is wrong with it."""
        super().__init__(
            f"{path} was not processed because its metadata file {sidecar.name} cannot be used: {why}. "
            "Correct the metadata file, or remove it, and run again."
        )


class EmptyFile(RecordingFailure):
    """The file has no bytes."""

    reason = "empty_file"

    def __init__(self, path: PurePath | str) -> None:
        """`path` is the file."""
        super().__init__(f"{path} is empty: it has no bytes. Copy it again from where it was recorded.")


class NotAudio(RecordingFailure):
    """The bytes are not those of a recording in any format that can be recognised."""

    reason = "not_audio"

    def __init__(self, path: Path, why: str) -> None:
        """`why` says what the file is instead."""
        super().__init__(
            f"{path} is not a recording: {why}. If it is one without a header, give it the suffix of its "
            "encoding (.ulaw, .alaw, .sln, .g722, .gsm); otherwise move it out of the folder."
        )


class NoAudioStream(RecordingFailure):
    """A media file without any sound in it."""

    reason = "no_audio_stream"

    def __init__(self, path: Path) -> None:
        """`path` is the file."""
        super().__init__(f"{path} is a video without sound. Look for the file that holds the sound.")


class UnsupportedCodec(RecordingFailure):
    """The file is audio, in an encoding for which there is no decoder."""

    reason = "unsupported_codec"

    def __init__(self, path: Path, container: str) -> None:
        """`container` is the name of the file format."""
        super().__init__(
            f"{path} is a {container} file whose sound is in an encoding that cannot be decoded here. "
            "Convert it to WAV or FLAC with the software that made it."
        )


class Damaged(RecordingFailure):
    """The file is a recording, but too little of it can be read to be of use."""

    reason = "damaged"

    def __init__(self, path: Path, why: str, readable_s: float) -> None:
        """`why` is what is wrong; `readable_s` seconds could be read."""
        read = f"only {readable_s:.2f} s of it" if readable_s else "nothing of its sound"
        super().__init__(
            f"{path} is damaged: {why}; {read} could be read. Copy it again from where it was recorded."
        )


class TooShort(RecordingFailure):
    """The recording ends before a single word could be said."""

    reason = "too_short"

    def __init__(self, path: Path, duration: float, least: float) -> None:
        """The sound lasts `duration` seconds of the `least` that are needed."""
        held = f"{duration:.3f} s of sound" if duration else "a header and no sound"
        super().__init__(
            f"{path} holds {held}; at least {least:g} s are needed. If the call was longer, copy it again."
        )


class NoSpeech(RecordingFailure):
    """Everything was heard and nobody speaks."""

    reason = "no_speech"

    def __init__(self, path: Path, duration: float) -> None:
        """The sound lasts `duration` seconds."""
        super().__init__(
            f"{path} has no speech in its {duration:.1f} s. Listen to it; if somebody speaks, check the "
            "recording level and the line."
        )


class RanOutOfMemory(RecordingFailure):
    """The recording did not fit into the memory that was free."""

    reason = "out_of_memory"
    retryable = True
    tries = MOST_TRIES

    def __init__(self, path: Path) -> None:
        """`path` is the file."""
        super().__init__(
            f"{path} needs more memory than a worker may have or than is free. {_TRIED_AGAIN}run with fewer "
            "workers or a higher --memory-limit."
        )


class ProcessingFailed(RecordingFailure):
    """Something failed that nobody foresaw."""

    reason = "processing_failed"
    retryable = True
    tries = MOST_TRIES

    def __init__(self, path: Path, error: BaseException) -> None:
        """`error` is what was caught."""
        super().__init__(
            f"{path} could not be processed because of an unexpected error "
            f"({type(error).__name__}: {error}). {_TRIED_AGAIN}please report it."
        )


class LanguageUnsupported(RecordingFailure):
    """The language that was given is not one that the recogniser can write."""

    reason = "language_unsupported"

    def __init__(self, path: Path, language: str, known: Collection[str]) -> None:
        """`language` was given; `known` are those that the model can write."""
        super().__init__(
            f'{path} is said to be in "{language}", which the chosen model cannot transcribe '
            f"(it knows {', '.join(sorted(known))}). Correct its language, or choose another profile."
        )


class WorkerDied(RecordingFailure):
    """The process that worked on the recording was killed or crashed."""

    reason = "worker_died"
    retryable = True
    tries = MOST_TRIES

    def __init__(self, path: Path, exit_code: int | None) -> None:
        """`exit_code` is negative where a signal ended the process, None where it is not known."""
        status = "" if exit_code is None else f" with status {exit_code}"
        super().__init__(
            f"{path} was not finished because the process that worked on it ended{status} "
            f"(killed, or crashed in a library). {_TRIED_AGAIN}convert it to WAV or FLAC."
        )


class TookTooLong(RecordingFailure):
    """The recording was not finished within the time that a call may take."""

    reason = "took_too_long"
    retryable = True
    tries = 2

    def __init__(self, path: Path, limit_s: float) -> None:
        """`limit_s` are the seconds that it had."""
        super().__init__(
            f"{path} was not finished within the {limit_s:.0f} s that it may take. It is tried twice; if it "
            "fails again and its length is right, run `callfolio retry` and give a longer --call-timeout."
        )


class Erased(RecordingFailure):
    """The call was erased from the store and must not come back."""

    reason = "erased"

    def __init__(self, source: str) -> None:
        """`source` names the recording."""
        super().__init__(
            f"{source} was erased from the store and is not put into it again. Remove the recording too, or "
            "allow it again with `callfolio erase --lift`."
        )


_MEMORY_PHRASES = ("out of memory", "cannot allocate memory", "unable to allocate", "bad_alloc")


def tries_of(reason: str | None) -> int | None:
    """How often a recording is tried that failed for this reason; None where every run tries it."""
    for kind in RecordingFailure.__subclasses__():
        if kind.reason == reason:
            return kind.tries
    return MOST_TRIES


def failure_of(path: Path, error: Exception) -> RecordingFailure:
    """The failure that an error means for the recording at `path`: the one place for backends' errors."""
    if isinstance(error, RecordingFailure):
        return error
    if isinstance(error, MemoryError) or any(phrase in str(error).lower() for phrase in _MEMORY_PHRASES):
        return RanOutOfMemory(path)
    return ProcessingFailed(path, error)
