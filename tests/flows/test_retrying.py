"""`callfolio retry`, and what `callfolio status` tells of the ledger."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_rows import made_call, made_failure

from flows.cli import main
from pipelines.failures import NoSpeech, RanOutOfMemory, RecordingFailure
from pipelines.ledger import Claim, Ledger
from pipelines.processes import this_process
from pipelines.recording import Recording
from pipelines.sources import CallMetadata
from pipelines.store import Store


def recording(name: str) -> Recording:
    row = made_call(name).call
    path = Path(f"/calls/{name}.wav")
    return Recording(
        path,
        str(path),
        row["call_id"],
        row["source_sha256"],
        10,
        datetime(2024, 3, 5, tzinfo=UTC),
        CallMetadata(),
    )


def claimed(ledger: Ledger, name: str) -> Claim:
    claim = ledger.claim(recording(name), "settings-0", "run-1", lambda: False)
    assert isinstance(claim, Claim)
    return claim


def failed(root: Path, name: str, failure: RecordingFailure) -> None:
    ledger = Ledger(root)
    claim = claimed(ledger, name)
    row = made_failure(f"/calls/{name}.wav", claim.call_id, reason=failure.reason, message=str(failure))
    Store(root).write_failure(row, claim.attempts)
    ledger.set_aside(claim, failure)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a call, two recordings that were set aside, and one that waits to be tried again."""
    folder = tmp_path / "store"
    Store(folder).write_call(made_call("done"))
    for name in ("mute", "silent"):
        failed(folder, name, NoSpeech(Path(f"/calls/{name}.wav"), 3.0))
    failed(folder, "large", RanOutOfMemory(Path("/calls/large.wav")))
    return folder


def callfolio(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def states(root: Path) -> dict[str, tuple[str, int]]:
    return {Path(entry.source).stem: (entry.state, entry.attempts) for entry in Ledger(root).entries()}


def test_a_recording_is_named_by_its_file_and_has_all_its_attempts_again(root: Path) -> None:
    result = callfolio("retry", "mute.wav", "--store", root)
    assert (result.exit_code, result.stderr) == (0, "1 recording will be tried again by the next run.\n")
    assert states(root)["mute"] == ("waiting", 0)
    assert states(root)["silent"] == ("set_aside", 1)


def test_all_are_tried_again_but_those_that_are_done(root: Path) -> None:
    result = callfolio("retry", "--all", "--store", root)
    assert result.stderr == "3 recordings will be tried again by the next run.\n"
    waiting = {name: state for name, (state, _) in states(root).items()}
    assert waiting.pop("") == "done"
    assert set(waiting.values()) == {"waiting"}


def test_after_the_ledger_was_lost_the_table_of_failures_tells_what_to_try(root: Path) -> None:
    Ledger(root).path.unlink()
    assert callfolio("retry", recording("mute").call_id[:8], "--store", root).exit_code == 0
    assert states(root)["mute"] == ("waiting", 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name recordings that were set aside, or give --all."),
        (("mute", "--all"), "Name recordings that were set aside, or give --all."),
        (("nowhere.wav",), '"nowhere.wav" is none of the recordings'),
    ],
)
def test_what_is_not_known_is_told(root: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = callfolio("retry", *arguments, "--store", root)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert states(root)["mute"] == ("set_aside", 1)


def test_the_table_of_failures_and_the_ledger_agree_on_the_attempts(root: Path) -> None:
    callfolio("retry", "mute", "--store", root)
    failed(root, "mute", NoSpeech(Path("/calls/mute.wav"), 3.0))
    rows = {Path(row["source"]).stem: row["attempts"] for row in Store(root).failures()}
    assert rows == {name: attempts for name, (_, attempts) in states(root).items() if name}


def test_status_tells_what_waits_what_is_at_work_and_what_nobody_is_at_work_on_any_more(root: Path) -> None:
    claimed(Ledger(root), "busy")
    claimed(Ledger(root, me=replace(this_process(), started=1)), "orphan")
    said = callfolio("status", "--store", root).stdout
    assert "waiting: /calls/large.wav after out_of_memory, not before" in said
    assert "2 × no_speech" in said
    [busy] = [line for line in said.splitlines() if "busy.wav" in line]
    [orphan] = [line for line in said.splitlines() if "orphan.wav" in line]
    assert str(this_process()) in busy
    assert "dead" not in busy
    assert "which is dead: the next run takes it over" in orphan
    told = json.loads(callfolio("status", "--store", root, "--format", "json").stdout)["ledger"]
    assert [told[state] for state in ("waiting", "working", "done", "set_aside")] == [1, 2, 0, 2]
    assert {Path(each["source"]).stem: each["lost"] for each in told["at_work"]} == {
        "busy": False,
        "orphan": True,
    }
    assert told["tried_again"][0]["reason"] == "out_of_memory"
