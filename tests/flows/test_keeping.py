import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from made_rows import made_call, made_failure

from flows.cli import main
from pipelines.store import Store, days

A = made_call("a").call["call_id"]


class Ended(NamedTuple):
    status: int
    out: str
    err: str


Callfolio = Callable[..., Ended]


@pytest.fixture
def callfolio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callfolio:
    """Runs a command line in a folder with a store `night`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(days, "GRACE_S", 0.0)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["callfolio", *arguments])
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--store", "night"], prog_name="callfolio")
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three calls, of which one is a customer's, whose recording lies there still; and a failure."""
    store = Store(tmp_path / "night")
    recording = tmp_path / "a.wav"
    recording.write_text("a")
    a = made_call("a")
    store.write_call(replace(a, call={**a.call, "customer_id": "4711", "source": str(recording)}))
    store.write_call(made_call("b"))
    store.write_call(made_call("c", day=40))
    store.write_failure(made_failure("calls/d.wav"))
    return store


def test_a_compaction_tells_how_many_files_became_how_many(callfolio: Callfolio, store: Store) -> None:
    assert callfolio("compact", "--before", "2024-03-05").out == "Merged 0 files of 0 days into 0.\n"
    assert callfolio("compact") == (0, "Merged 18 files of 1 days into 7.\n", "")
    told = json.loads(callfolio("compact", "--format", "json").out)
    assert told == {"days": 0, "files_before": 0, "files_after": 0, "left_alone": 0}
    assert len(store.processed()) == 3


def test_a_doctor_who_finds_nothing_says_so(callfolio: Callfolio, store: Store) -> None:  # noqa: ARG001
    ended = callfolio("doctor")
    assert ended.status == 0
    assert ended.out.endswith("of 3 calls.\nAll is well.\n")


def test_a_doctor_tells_what_is_wrong_and_what_to_do(callfolio: Callfolio, store: Store) -> None:
    [path] = store.root.glob(f"tables/calls/*/{A}.parquet")
    path.unlink()
    ended = callfolio("doctor")
    assert ended.status == 1
    assert "orphan (8)\n" in ended.out
    assert "What to do: Run `callfolio compact`, which removes them." in ended.out
    found = json.loads(callfolio("doctor", "--format", "json").out)
    assert {each["kind"] for each in found["findings"]} == {"orphan"}
    assert found["calls"] == 2


def test_a_doctor_looks_at_the_recordings_when_asked(callfolio: Callfolio, store: Store) -> None:  # noqa: ARG001
    found = json.loads(callfolio("doctor", "--sources", "--format", "json").out)["findings"]
    assert [(each["kind"], Path(each["where"]).name) for each in found] == [
        ("source_gone", "b.wav"),
        ("source_gone", "c.wav"),
    ]


def test_a_store_of_the_present_version_is_not_migrated(callfolio: Callfolio, store: Store) -> None:  # noqa: ARG001
    ended = callfolio("migrate")
    assert ended.status == 0
    assert "already" in ended.out


def test_an_older_store_is_told_with_the_command_that_brings_it_up(
    callfolio: Callfolio, store: Store
) -> None:
    (store.root / "callfolio-store.json").write_text('{"schema_version": 1}')
    ended = callfolio("status")
    assert ended.status == 2
    assert "callfolio migrate --store night" in ended.err
    assert callfolio("migrate").status == 0
    assert callfolio("doctor").status == 0


def test_a_customer_is_erased_and_the_recordings_that_are_left_are_named(
    callfolio: Callfolio, store: Store
) -> None:
    dry = callfolio("erase", "--customer", "4711", "--dry-run")
    assert dry.status == 0
    assert dry.out.startswith("1 calls and 0 failures:\n")
    assert len(store.processed()) == 3
    ended = callfolio("erase", "--customer", "4711", "--yes", "--reason", "request 7")
    assert ended.status == 0
    assert ended.out == "Erased 1 calls and 0 failures, as erasures/000001.json says.\n"
    assert "still lie where they were; delete them there:\n" in ended.err
    assert "a.wav" in ended.err
    assert len(store.processed()) == 2
    assert callfolio("erase", "--customer", "4711", "--yes").out == "There is nothing to erase.\n"


def test_nothing_is_erased_where_nobody_can_be_asked(callfolio: Callfolio, store: Store) -> None:
    ended = callfolio("erase", "a.wav")
    assert ended.status == 2
    assert "Nothing was erased: say --yes" in ended.err
    assert len(store.processed()) == 3


def test_a_call_that_never_came_is_kept_away_by_its_id(callfolio: Callfolio, store: Store) -> None:
    assert callfolio("erase", "ab" * 16, "--yes").status == 0
    assert store.erased("ab" * 16)
    assert callfolio("erase", "abab", "--yes").status == 2


@pytest.mark.parametrize(
    "arguments", [[], ["a.wav", "--customer", "4711"], ["--customer", "4711", "--older-than", "1d"]]
)
def test_an_erasure_says_which_calls_in_one_way(
    callfolio: Callfolio, store: Store, arguments: list[str]
) -> None:
    ended = callfolio("erase", *arguments, "--yes")
    assert ended.status == 2
    assert "one of these" in ended.err
    assert len(store.processed()) == 3


def test_calls_are_erased_by_age(callfolio: Callfolio, store: Store) -> None:
    told = json.loads(callfolio("erase", "--older-than", "400d", "--yes", "--format", "json").out)
    assert (told["calls"], told["failures"]) == (3, 1)
    assert store.processed() == {}
    assert "takes an age" in callfolio("erase", "--older-than", "soon").err


def test_an_erased_call_is_allowed_again_by_its_recording(callfolio: Callfolio, store: Store) -> None:
    callfolio("erase", "a.wav", "--yes")
    assert store.erased(A)
    assert callfolio("erase", "--lift", "a.wav").status == 0
    assert not store.erased(A)
    assert "was not erased" in callfolio("erase", "--lift", A).err


def test_an_export_is_told_and_loses_what_is_erased(
    callfolio: Callfolio, store: Store, tmp_path: Path
) -> None:
    ended = callfolio("export", "out", "--tables", "calls,words")
    assert ended == (
        0,
        "out has 39 rows: 4 days of tables were written, 0 had not changed, 0 were removed.\n",
        "",
    )
    assert callfolio("erase", "c.wav", "--yes").status == 0
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.parquet")} == {"call_date=2024-03-05"}
    done = json.loads(callfolio("export", "out", "--tables", "calls,words", "--format", "json").out)
    assert done == {"written": 0, "unchanged": 2, "removed": 0, "rows": 26}
    assert len(store.processed()) == 2


def test_an_export_that_cannot_be_reached_when_calls_are_erased_is_told_with_status_1(
    callfolio: Callfolio, store: Store, tmp_path: Path
) -> None:
    callfolio("export", "out")
    (tmp_path / "out").rename(tmp_path / "away")
    (tmp_path / "out").write_text("in the way")
    ended = callfolio("erase", "b.wav", "--yes")
    assert ended.status == 1
    assert "still has what was erased" in ended.err
    assert len(store.processed()) == 2
