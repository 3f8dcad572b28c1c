"""`callfolio benchmark` at the command line."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from made_audio import wav_bytes
from sample_calls import FOLDER, ROOT, SAMPLE_CALLS, samples_of

from flows.benchmarking import benchmark
from models.errors import UsageError
from models.loaded import LoadedModels
from models.speech import SAMPLE_RATE
from pipelines.levers import Levers

SECONDS = 20
LEVERS = [lever.name.replace("_", " ") for lever in fields(Levers)]


def run(*arguments: str | Path) -> Result:
    # Errors reach the group of commands, which says them in a sentence.
    return CliRunner().invoke(benchmark, [str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def labelled(tmp_path: Path, loaded: LoadedModels) -> Path:
    """The first seconds of a call with what is said in them, and a file that is no recording."""
    assert loaded
    folder = tmp_path / "calls"
    (folder / "reference").mkdir(parents=True)
    samples = samples_of("card_dispute")[: SECONDS * SAMPLE_RATE]
    (folder / "a.wav").write_bytes(wav_bytes(np.atleast_2d(samples), SAMPLE_RATE))
    said = [word for word in SAMPLE_CALLS["card_dispute"].words if word.end <= SECONDS]
    (folder / "reference" / "a.stm").write_text(
        "".join(f"a 1 {word.speaker} {word.start} {word.end} {word.word}\n" for word in said)
    )
    (folder / "b.wav").write_bytes(b"no recording at all")
    (folder / "reference" / "b.stm").write_text("b 1 A 0.0 1.0 hello\n")
    return folder


@pytest.mark.slow
def test_both_systems_are_run_and_what_one_cannot_process_is_said(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(labelled, "--profile", "tiny", "--repeats", "1", "--out", out, "--format", "json")
    assert result.exception is None
    assert result.return_value == 1
    found = json.loads(result.stdout)
    assert found["accuracy"]["comparison"]["wer"]["value"] < 0.35
    assert found["accuracy"]["comparison"]["wer"]["compared"] < 0.35
    assert found["speed"]["stages"]["whole"]["ratio"] > 0.0
    assert min(found["peak_bytes"].values()) > 2**28
    assert [one["name"] for one in found["left_out"]] == ["b.wav"]
    assert set(found["models"]) >= {"whisper-tiny.en"}
    assert json.loads((out / "benchmark.json").read_text(encoding="utf-8")) == found
    assert "| WER |" in (out / "benchmark.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_ablation_has_a_row_for_each_lever(labelled: Path) -> None:
    result = run(labelled, "--profile", "tiny", "--ablation")
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    for name in ("nothing: all on", *LEVERS):
        assert sum(line.startswith(name) for line in lines) == 1
    assert "WhisperX" not in result.stdout


def test_recordings_without_references_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    result = run(tmp_path, "--profile", "tiny")
    assert isinstance(result.exception, UsageError)
    assert "has a reference" in str(result.exception)


def test_a_folder_that_is_not_there_is_refused() -> None:
    result = run("nowhere")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "There is no file or folder nowhere. Check the path."


def test_out_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(FOLDER, "--out", tmp_path / "file")
    assert isinstance(result.exception, UsageError)
    assert "--out" in str(result.exception)


def test_where_nothing_can_be_processed_it_is_said_why(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.stm").write_text("a 1 A 0.0 1.0 hello\n")
    result = run(tmp_path, "--profile", "tiny")
    assert isinstance(result.exception, UsageError)
    assert "is empty" in str(result.exception)


def test_asking_for_help_needs_no_model() -> None:
    heavy = "torch", "whisperx", "faster_whisper", "ctranslate2", "pyannote.audio", "prefect"
    program = (
        "import sys, flows.benchmarking, pipelines.benchmark.contest, pipelines.benchmark.report;"
        f"sys.exit(', '.join(name for name in {heavy} if name in sys.modules) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
