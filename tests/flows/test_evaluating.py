"""`callfolio evaluate` at the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.evaluating import evaluate
from models.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
STM = "{0} 1 agent 0.0 2.0 hello there\n{0} 2 caller 2.0 5.0 i lost my card\n"


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """References of two calls."""
    folder = tmp_path / "said"
    folder.mkdir()
    for call in ("a", "b"):
        (folder / f"{call}.stm").write_text(STM.format(call))
    return folder


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Transcripts of both: `a` as it was said and `b` with one word of six lost."""
    folder = tmp_path / "heard"
    folder.mkdir()
    for call, words in (("a", "I lost my card."), ("b", "I lost card.")):
        (folder / f"{call}.vtt").write_text(
            "WEBVTT\n\n00:00.000 --> 00:02.000\n<v S1>Hello there.\n\n"
            f"00:02.000 --> 00:05.000\n<v S2>{words}\n"
        )
    return folder


def run(*arguments: str | Path) -> Result:
    # Errors reach the group of commands, which says them in a sentence.
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments], standalone_mode=False)


def figures(result: Result) -> dict[str, float]:
    return {name: of["value"] for name, of in json.loads(result.stdout)["figures"].items()}


def test_transcripts_are_scored_against_references_of_another_format(said: Path, heard: Path) -> None:
    result = run("--reference", said, "--hypothesis", heard, "--format", "json")
    assert result.return_value == 0
    found = figures(result)
    assert (found["wer"], found["cpwer"], found["speaker_error"]) == (1 / 12, 1 / 12, 0.0)
    assert (found["der"], found["speaker_count"]) == (0.0, 1.0)
    assert "roles" not in found


def test_an_option_takes_all_files_that_a_star_gives(said: Path, heard: Path) -> None:
    references, hypotheses = sorted(said.iterdir()), sorted(heard.iterdir())
    result = run("--reference", *references, "--hypothesis", *hypotheses, "--format", "json")
    assert json.loads(result.stdout)["calls"] == 2


def test_a_lost_call_is_named_and_told_by_the_exit_status(said: Path, heard: Path) -> None:
    (heard / "b.vtt").unlink()
    result = run("--reference", said, "--hypothesis", heard, "--format", "json")
    assert result.return_value == 1
    assert "Counted as lost (1 × no hypothesis): b" in result.stderr
    assert figures(result)["wer"] == 0.5
    result = run("--reference", said, "--hypothesis", heard, "--format", "json", "--only-paired")
    assert result.return_value == 0
    assert "Left out (1 × no hypothesis): b" in result.stderr
    assert figures(result)["wer"] == 0.0


def test_a_call_without_a_reference_is_named(said: Path, heard: Path) -> None:
    (said / "b.stm").unlink()
    result = run("--reference", said, "--hypothesis", heard)
    assert result.return_value == 0
    assert "Not scored (1 × no reference): b" in result.stderr


def test_two_systems_are_compared(said: Path, heard: Path) -> None:
    result = run("--reference", said, "--hypothesis", heard, "--compare", said, "--format", "json")
    wer = json.loads(result.stdout)["comparison"]["wer"]
    assert (wer["value"], wer["compared"]) == (1 / 12, 0.0)


def test_the_report_is_written_as_its_suffix_says(said: Path, heard: Path, tmp_path: Path) -> None:
    run("--reference", said, "--hypothesis", heard, "--report", tmp_path / "x.md")
    assert "| my | 1 |" in (tmp_path / "x.md").read_text(encoding="utf-8")
    run("--reference", said, "--hypothesis", heard, "--report", tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["errors"]["lost"] == [["my", 1]]
    refused = run("--reference", said, "--hypothesis", heard, "--report", tmp_path / "x.pdf")
    assert isinstance(refused.exception, UsageError)


def test_a_file_that_is_wrong_is_named_with_its_line(said: Path, heard: Path) -> None:
    (said / "b.stm").write_text("b 1 agent 0.0 soon hello\n")
    result = run("--reference", said, "--hypothesis", heard)
    assert isinstance(result.exception, UsageError)
    assert "b.stm, line 1: expected" in str(result.exception)


def test_slices_need_a_column_that_is_there(said: Path, heard: Path) -> None:
    result = run("--reference", said, "--hypothesis", heard, "--by", "source")
    assert "By source (calls)" in result.stdout
    result = run("--reference", said, "--hypothesis", heard, "--by", "weather")
    assert isinstance(result.exception, UsageError)


def test_the_sample_calls_score_perfectly_against_themselves() -> None:
    truth = ROOT / "data" / "sample_calls" / "truth"
    found = figures(run("--reference", truth, "--hypothesis", truth, "--format", "json"))
    perfect = {"speaker_count": 1.0, "roles": 1.0}
    assert found == {name: perfect.get(name, 0.0) for name in found}
    assert {"word_start_p95", "tcpwer", "der_collar", "hallucination"} <= found.keys()


def test_the_references_of_the_corpus_can_be_read(corpus: Path) -> None:
    for folder in ("bank_calls", "consultations", "meetings"):
        references = corpus / folder / "reference"
        found = figures(run("--reference", references, "--hypothesis", references, "--format", "json"))
        assert found["speaker_count"] == 1.0


def test_evaluating_needs_no_model() -> None:
    heavy = "torch", "whisperx", "faster_whisper", "ctranslate2", "pyannote.audio", "prefect"
    program = (
        "import sys, flows.evaluating, pipelines.evaluation, pipelines.evaluation.metrics.diarization;"
        f"sys.exit(', '.join(name for name in {heavy} if name in sys.modules) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
