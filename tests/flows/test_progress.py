"""How far a run is: plain lines where there is no terminal, and a tally of how recordings ended."""

import time
from pathlib import Path

import pytest

from flows.progress import ProgressReport, Tally
from flows.worker import Outcome
from pipelines.failures import EmptyFile


def done(source: str, size: int = 100, duration_s: float = 60.0) -> Outcome:
    return Outcome(source, size, duration_s, None)


def failed(source: str, size: int = 100) -> Outcome:
    return Outcome(source, size, 0.0, EmptyFile(Path(source)))


def test_a_tally_counts_how_recordings_ended() -> None:
    tally = Tally()
    for outcome in (done("a"), failed("b"), done("c", duration_s=30.0)):
        tally.count(outcome)
    assert (tally.processed, tally.audio_s) == (2, 90.0)
    assert [outcome.source for outcome in tally.set_aside] == ["b"]


def test_without_a_terminal_there_is_a_line_for_each_recording_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressReport() as report:
        report.identified(3, 3)
        report.begin(3, 400)
        report.doing("calls/a.wav", "decode")
        time.sleep(0.05)
        report.finished(done("calls/a.wav", 100))
        report.finished(failed("calls/b.wav", 100))
        report.finished(done("calls/c.wav", 200))
    said = capsys.readouterr()
    first, *lines = said.err.splitlines()
    assert said.out == ""
    assert first.startswith("3 ")
    assert [line.split(" · ")[0] for line in lines] == ["1/3 calls", "2/3 calls", "3/3 calls"]
    assert [line.split(" · ")[1] for line in lines] == ["25 %", "50 %", "100 %"]
    assert all("real time" in line and "left" in line for line in lines)
    assert [line.split(": ")[-1] for line in lines] == ["done", "set aside (empty_file)", "done"]


def test_time_counts_from_the_first_recording_on() -> None:
    with ProgressReport() as report:
        report.begin(1, 100)
        assert report.working_s == 0.0
        time.sleep(0.05)
        began = time.monotonic()
        report.doing("a.wav", "decode")
        time.sleep(0.05)
        assert 0.05 <= report.working_s <= time.monotonic() - began


def test_with_nothing_to_do_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport() as report:
        report.identified(5, 5)
        report.begin(0, 0)
    assert capsys.readouterr().err == ""
