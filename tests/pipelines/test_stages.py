"""Stages are announced as they begin and timed, also where they fail, and one may run beside the others."""

import threading
import time

import pytest

from pipelines.stages import Stages


def test_each_stage_is_announced_before_its_work_begins() -> None:
    events: list[str] = []
    with Stages(events.append) as stage:
        with stage("decode"):
            events.append("decoding")
        with stage("vad"):
            events.append("listening")
    assert events == ["decode", "decoding", "vad", "listening"]


def test_each_stage_is_timed_in_seconds() -> None:
    with Stages() as stage:
        with stage("decode"):
            time.sleep(0.05)
        began = time.perf_counter()
        with stage("vad"):
            pass
        took = time.perf_counter() - began
    assert list(stage.seconds) == ["decode", "vad"]
    assert stage.seconds["decode"] >= 0.05
    assert 0.0 <= stage.seconds["vad"] <= took


def test_a_stage_that_fails_is_timed_and_its_error_goes_on() -> None:
    with Stages() as stage, pytest.raises(ValueError, match="no sound"), stage("decode"):
        raise ValueError("no sound")
    assert list(stage.seconds) == ["decode"]


def test_a_stage_beside_the_others_runs_while_they_do_and_is_timed_by_its_own_name() -> None:
    met = threading.Barrier(2, timeout=200)

    def diarize(speakers: int) -> str:
        met.wait()
        return f"{speakers} voices"

    events: list[str] = []
    with Stages(events.append) as stage:
        voices = stage.beside("diarize", diarize, 2)
        with stage("transcribe"):
            met.wait()
        assert voices.result() == "2 voices"
    assert set(stage.seconds) == set(events) == {"diarize", "transcribe"}


def test_what_fails_beside_the_others_fails_where_its_result_is_asked_for() -> None:
    def diarize() -> str:
        raise ValueError("no voices")

    with Stages() as stage:
        voices = stage.beside("diarize", diarize)
        with pytest.raises(ValueError, match="no voices"):
            voices.result()


def test_no_stage_goes_on_when_the_call_is_left() -> None:
    ended = threading.Event()

    def diarize() -> None:
        time.sleep(0.2)
        ended.set()

    with Stages() as stage:
        stage.beside("diarize", diarize)
    assert ended.is_set()
