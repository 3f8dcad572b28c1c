"""Every failure names the file, says what to do, and survives the way from a worker to its parent."""

import pickle
import re
from pathlib import Path

import pytest

from pipelines import failures
from pipelines.failures import RecordingFailure

PATH = Path("calls") / "night shift.wav"

EVERY_FAILURE = [
    failures.Unreadable(PATH, "Permission denied"),
    failures.BadMetadata(PATH, PATH.with_suffix(".json"), "it is not JSON"),
    failures.EmptyFile(PATH),
    failures.NotAudio(PATH, "it holds text"),
    failures.NoAudioStream(PATH),
    failures.UnsupportedCodec(PATH, "wav"),
    failures.Damaged(PATH, "its header is broken", 0.0),
    failures.TooShort(PATH, 0.02, 0.1),
    failures.NoSpeech(PATH, 30.0),
    failures.RanOutOfMemory(PATH),
    failures.ProcessingFailed(PATH, KeyError("words")),
    failures.LanguageUnsupported(PATH, "tlh", ["en", "es"]),
    failures.WorkerDied(PATH, -9),
    failures.TookTooLong(PATH, 600.0),
    failures.Erased(str(PATH)),
]


def test_the_list_above_is_complete() -> None:
    declared = {c for c in RecordingFailure.__subclasses__() if c.__module__ == failures.__name__}
    assert {type(failure) for failure in EVERY_FAILURE} == declared


def test_no_two_failures_share_a_reason() -> None:
    reasons = [failure.reason for failure in EVERY_FAILURE]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason) for reason in reasons)


def test_what_may_pass_by_itself_is_retried_and_nothing_else() -> None:
    assert {failure.reason for failure in EVERY_FAILURE if failure.retryable} == {
        "unreadable",
        "out_of_memory",
        "processing_failed",
        "worker_died",
        "took_too_long",
    }
    assert {failure.reason for failure in EVERY_FAILURE if failure.tries != 1} == {
        failure.reason for failure in EVERY_FAILURE if failure.retryable
    }


def test_each_reason_tells_how_often_a_recording_is_tried() -> None:
    assert all(failures.tries_of(failure.reason) == failure.tries for failure in EVERY_FAILURE)
    assert failures.tries_of(None) == failures.MOST_TRIES


@pytest.mark.parametrize("failure", EVERY_FAILURE, ids=lambda failure: failure.reason)
def test_a_failure_names_the_file_and_ends_with_what_to_do(failure: RecordingFailure) -> None:
    sentences = str(failure).split(". ")
    assert str(PATH) in sentences[0]
    assert len(sentences) >= 2
    assert str(failure).endswith(".")


@pytest.mark.parametrize("failure", EVERY_FAILURE, ids=lambda failure: failure.reason)
def test_a_failure_keeps_its_type_and_sentence_when_pickled(failure: RecordingFailure) -> None:
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is type(failure)
    assert str(copy) == str(failure)


def test_damage_says_how_much_could_be_read() -> None:
    assert "nothing of its sound could be read" in str(failures.Damaged(PATH, "it is broken", 0.0))
    assert "only 0.05 s of it could be read" in str(failures.Damaged(PATH, "it is broken", 0.05))
