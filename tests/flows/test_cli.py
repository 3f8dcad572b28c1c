"""The command line: one sentence and the right exit status for every mistake, and settings in their order."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from made_rows import made_call, made_failure, made_run

from flows.cli import main
from models.bundle import models_dir
from pipelines.store import Store


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


Callfolio = Callable[..., Ended]


@pytest.fixture
def callfolio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callfolio:
    """Runs a command line in an empty folder, with no setting in the environment but that of the models."""
    monkeypatch.chdir(tmp_path)
    models = models_dir()
    for name in [name for name in os.environ if name.startswith("CALLFOLIO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CALLFOLIO_MODELS", str(models))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["callfolio", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(list(arguments), prog_name="callfolio")
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two calls, a failure and a run."""
    store = Store(tmp_path / "night")
    store.write_call(made_call("a"))
    store.write_call(made_call("b", day=1))
    store.write_failure(made_failure("calls/c.wav"))
    store.write_run(made_run(status="finished", processed=2, set_aside=1))
    return store


# Wrong usage

WRONG = {
    "no recording": (["run"], "Name a recording, a folder or a pattern, or give --manifest FILE."),
    "a recording that is not there": (["run", "nowhere.wav"], "There is no file or folder nowhere.wav."),
    "a pattern without match": (["run", "*.opus"], "The pattern *.opus matches no recording."),
    "an unknown profile": (
        ["run", "a.wav", "--profile", "huge"],
        'There is no profile "huge". Known: base, standard, tiny.',
    ),
    "an unknown model": (
        ["run", "a.wav", "--profile", "tiny", "--model", "recogniser=whisper-bass"],
        'Did you mean "whisper-base"?',
    ),
    "a model without role": (["run", "a.wav", "--model", "whisper-base"], "--model takes ROLE=MODEL"),
    "an unknown role": (["run", "a.wav", "--model", "asr=whisper-base"], 'There is no model role "asr".'),
    "no manifest": (["run", "--manifest", "list.csv"], "There is no manifest list.csv."),
    "a manifest without sources": (["run", "--manifest", "bad.csv"], "bad.csv has no column named source."),
    "no speakers": (
        ["run", "a.wav", "--speakers", "0"],
        '--speakers takes a number from 1 on, or auto, and not "0"',
    ),
    "half a speaker": (["run", "a.wav", "--speakers", "1.5"], 'and not "1.5"'),
    "no vocabulary": (
        ["run", "a.wav", "--vocabulary", "words.toml"],
        "The vocabulary words.toml cannot be read",
    ),
    "no store to show": (["show", "abc"], "There is no store at store."),
    "no store to ask": (["query", "select 1", "--store", "elsewhere"], "There is no store at elsewhere."),
    "no store to tell of": (["status"], "There is no store at store."),
    "a store that is a file": (
        ["status", "--store", "a.wav"],
        "There is no store at a.wav.",
    ),
    "an unknown model to pull": (["models", "pull", "whisper-bass"], "whisper-bass"),
}


@pytest.mark.parametrize(("arguments", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_told_in_one_sentence(
    callfolio: Callfolio, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "bad.csv").write_text("file\na.wav\n")
    ended = callfolio(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("callfolio: ")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "a.wav", "--silence", "0"], "0.0 is not in the range x>=0.5"),
        (["run", "a.wav", "--kind", "meeting"], "'meeting' is not one of 'contact_center', 'consultation'"),
        (["run", "a.wav", "--workers", "0"], "0 is not in the range x>=1"),
        (["run", "a.wav", "--fast"], "--fast"),
        (["show"], "Missing argument 'CALL'"),
        (["sing"], "No such command 'sing'"),
    ],
)
def test_an_option_that_is_not_understood_is_told_with_where_to_read_of_it(
    callfolio: Callfolio, arguments: list[str], sentence: str
) -> None:
    ended = callfolio(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert sentence in ended.err.splitlines()[-1]
    assert "--help" in ended.err
    assert "Traceback" not in ended.err


def test_models_that_were_not_pulled_are_told_with_the_command_that_pulls_them(
    callfolio: Callfolio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    monkeypatch.setenv("CALLFOLIO_MODELS", str(tmp_path / "empty"))
    ended = callfolio("run", "a.wav", "--profile", "tiny")
    assert ended == Ended(
        2,
        "",
        f"callfolio: The model whisper-tiny.en is not in {tmp_path / 'empty'}. "
        'Run "callfolio models pull whisper-tiny.en".\n',
    )
    assert not (tmp_path / "store").exists()


@pytest.mark.usefixtures("loaded")
def test_a_store_that_is_a_file_is_told_before_anything_is_processed(
    callfolio: Callfolio, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    ended = callfolio("run", "a.wav", "--profile", "tiny", "--store", "a.wav")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"callfolio: The store {tmp_path / 'a.wav'} cannot be made: "
        "there is a file where a folder should be. Name another folder.\n"
    )


def test_a_fault_of_our_own_is_told_without_a_traceback(
    callfolio: Callfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path) -> None:
        raise ZeroDivisionError(f"by {root}")

    monkeypatch.setattr("flows.summary.state_of", fail)
    ended = callfolio("status")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[0] == "callfolio: Unexpected error: ZeroDivisionError('by store')"
    assert "--debug" in ended.err.splitlines()[1]


@pytest.mark.parametrize(("flags", "lines"), [([], 1), (["--debug"], 5)])
def test_a_traceback_is_shown_when_it_is_asked_for_and_only_then(
    flags: list[str], lines: int, tmp_path: Path
) -> None:
    program = "import sys; from flows.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *flags, "status", "--store", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert ("Traceback" in done.stderr) == bool(flags)
    assert "There is no store at nowhere." in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) >= lines


# Help


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", [*commands(main)], ids=" ".join)
def test_every_command_has_help_with_an_example(callfolio: Callfolio, command: tuple[str, ...]) -> None:
    ended = callfolio(*command, "--help")
    assert ended.status == 0
    assert f"Example: callfolio {' '.join(command)}" in " ".join(ended.out.split())


def test_the_help_lists_the_commands_and_the_order_of_settings(callfolio: Callfolio) -> None:
    ended = callfolio("--help")
    assert ended.status == 0
    assert all(f"\n  {name} " in ended.out for name in main.commands)
    assert "the flag, the environment" in " ".join(ended.out.split())


def test_the_version_is_told(callfolio: Callfolio) -> None:
    assert callfolio("--version").out.startswith("callfolio, version ")


# Settings


def test_a_setting_is_that_of_the_flag_else_the_environment_else_the_file_else_the_default(
    callfolio: Callfolio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_for() -> str:
        return callfolio("status").err

    assert "There is no store at store." in asked_for()
    (tmp_path / "callfolio.toml").write_text('store = "of-file"\n')
    assert "There is no store at of-file." in asked_for()
    monkeypatch.setenv("CALLFOLIO_STORE", "of-environment")
    assert "There is no store at of-environment." in asked_for()
    assert "There is no store at of-flag." in callfolio("status", "--store", "of-flag").err


def test_a_profile_is_chosen_in_the_same_order(
    callfolio: Callfolio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "callfolio.toml").write_text('profile = "of-file"\n')
    assert 'There is no profile "of-file"' in callfolio("run", "a.wav").err
    assert 'There is no profile "of-file"' in callfolio("models", "pull").err
    monkeypatch.setenv("CALLFOLIO_PROFILE", "of-environment")
    assert 'There is no profile "of-environment"' in callfolio("run", "a.wav").err
    assert 'There is no profile "of-environment"' in callfolio("models", "verify").err
    assert 'There is no profile "of-flag"' in callfolio("run", "a.wav", "--profile", "of-flag").err


def test_a_table_of_the_file_is_for_one_command(callfolio: Callfolio, tmp_path: Path) -> None:
    (tmp_path / "callfolio.toml").write_text(
        'store = "all"\n[show]\nstore = "shown"\n[models.pull]\nprofile = "mine"\n'
    )
    assert "There is no store at shown." in callfolio("show", "abc").err
    assert "There is no store at all." in callfolio("status").err
    assert 'There is no profile "mine"' in callfolio("models", "pull").err


def test_any_option_can_be_set_by_its_name_in_the_file_or_the_environment(
    callfolio: Callfolio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    monkeypatch.setenv("CALLFOLIO_RUN_SPEAKERS", "many")
    assert 'and not "many"' in callfolio("run", "a.wav").err
    monkeypatch.delenv("CALLFOLIO_RUN_SPEAKERS")
    (tmp_path / "callfolio.toml").write_text('[run]\nmodel = ["asr=./mine"]\n')
    assert 'There is no model role "asr".' in callfolio("run", "a.wav").err


def test_the_format_of_output_can_be_set_in_the_file(
    callfolio: Callfolio, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "callfolio.toml").write_text('format = "json"\n')
    assert json.loads(callfolio("status", "--store", str(store.root)).out)["calls"] == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"store = ", "callfolio.toml cannot be used: "),
        (b"\xff", "callfolio.toml cannot be used: "),
        (b'profil = "tiny"', "callfolio.toml has profil, which no command has as an option."),
        (b"[rum]\nworkers = 2", "callfolio.toml has rum, which no command has as an option."),
        (b"[run]\nworker = 2", "callfolio.toml has worker, which no command has as an option."),
    ],
)
def test_a_file_of_settings_that_cannot_be_used_is_told(
    callfolio: Callfolio, content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "callfolio.toml").write_bytes(content)
    ended = callfolio("status")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert sentence in ended.err


def test_a_value_in_the_file_that_is_none_for_the_option_is_told(
    callfolio: Callfolio, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "callfolio.toml").write_text('[run]\nworkers = "many"\n')
    ended = callfolio("run", "a.wav")
    assert (ended.status, ended.out) == (2, "")
    assert "'many' is not a valid integer" in ended.err
    assert "Traceback" not in ended.err


# What is asked of a store


def test_status_as_json_counts_what_is_in_the_store(callfolio: Callfolio, store: Store) -> None:
    ended = callfolio("status", "--store", str(store.root), "--format", "json")
    state = json.loads(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert (state["calls"], state["words"], state["failures"]) == (2, 24, {"unreadable": 1})
    assert state["last_run"]["status"] == "finished"


def test_status_as_text_is_for_people(callfolio: Callfolio, store: Store) -> None:
    out = callfolio("status", "--store", str(store.root)).out
    assert f"Store {store.root}" in out
    assert "set aside: 1 × unreadable" in out


@pytest.mark.parametrize("reference", ["a", "a.wav", "calls/a.wav"])
def test_a_call_is_shown_by_the_name_of_its_file(callfolio: Callfolio, store: Store, reference: str) -> None:
    ended = callfolio("show", reference, "--store", str(store.root))
    assert (ended.status, ended.err) == (0, "")
    assert "[0:00] S1 (agent): v0. v0. v0. v0." in ended.out


def test_a_call_is_shown_by_its_id_or_the_first_digits_of_it(callfolio: Callfolio, store: Store) -> None:
    call_id = made_call("a").call["call_id"]
    shown = {callfolio("show", call_id[:digits], "--store", str(store.root)).out for digits in (6, 32)}
    assert len(shown) == 1
    assert call_id in shown.pop()


def test_a_call_as_json_has_all_its_rows(callfolio: Callfolio, store: Store) -> None:
    shown = json.loads(callfolio("show", "a", "--store", str(store.root), "--format", "json").out)
    assert shown["call"]["source"] == "calls/a.wav"
    assert [len(shown[table]) for table in ("speakers", "turns", "words")] == [2, 3, 12]
    assert [len(shown[table]) for table in ("sentences", "entities")] == [3, 3]


def test_a_call_that_is_not_there_or_one_of_several_is_told(callfolio: Callfolio, store: Store) -> None:
    ended = callfolio("show", "late_parcel", "--store", str(store.root))
    assert (ended.status, ended.out) == (2, "")
    assert 'There is no call "late_parcel"' in ended.err
    other = made_call("other")
    store.write_call(replace(other, call={**other.call, "source": "archive/a.wav"}))
    ended = callfolio("show", "a.wav", "--store", str(store.root))
    assert (ended.status, ended.out) == (2, "")
    assert '"a.wav" may be any of 2 calls' in ended.err


SQL = "select source, count(*) as n from calls join words using (call_id) group by all order by all"


def test_a_query_is_answered_as_json_as_csv_and_as_text(callfolio: Callfolio, store: Store) -> None:
    at = ("--store", str(store.root))
    assert json.loads(callfolio("query", SQL, *at, "--format", "json").out) == [
        {"source": "calls/a.wav", "n": 12},
        {"source": "calls/b.wav", "n": 12},
    ]
    assert callfolio("query", SQL, *at, "--format", "csv").out == "source,n\ncalls/a.wav,12\ncalls/b.wav,12\n"
    assert [line.split() for line in callfolio("query", SQL, *at).out.splitlines()] == [
        ["source", "n"],
        ["calls/a.wav", "12"],
        ["calls/b.wav", "12"],
    ]


def test_times_lists_and_maps_of_an_answer_are_json(callfolio: Callfolio, store: Store) -> None:
    sql = "select started_at, review_flags, metadata from calls order by source limit 1"
    [row] = json.loads(callfolio("query", sql, "--store", str(store.root), "--format", "json").out)
    assert row == {
        "started_at": "2024-03-05 09:30:00+00:00",
        "review_flags": ["low_confidence"],
        "metadata": {"version": "0"},
    }


@pytest.mark.parametrize(
    "sql", ["selekt 1", "select * from nothing", "drop table calls", "select 1; select 2"]
)
def test_a_query_that_cannot_be_answered_is_told_in_one_sentence(
    callfolio: Callfolio, store: Store, sql: str
) -> None:
    ended = callfolio("query", sql, "--store", str(store.root))
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("callfolio: ")


def test_who_has_read_enough_ends_a_command_without_complaint(store: Store, tmp_path: Path) -> None:
    program = "import sys; from flows.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "query", "from range(1000000)", "--store", str(store.root)]
    with subprocess.Popen(
        [*command, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"range\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


# Models


def test_the_models_are_listed_with_what_is_here_and_their_licences(
    callfolio: Callfolio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLFOLIO_MODELS", str(tmp_path / "empty"))
    rows = json.loads(callfolio("models", "list", "--format", "json").out)
    assert {row["state"] for row in rows} == {"missing"}
    assert all(row["licence"] and row["attribution"] for row in rows)
    [tiny] = [row for row in rows if row["model"] == "whisper-tiny.en"]
    assert (tiny["role"], tiny["profiles"], tiny["licence"]) == ("recogniser", ["tiny"], "MIT")
    text = callfolio("models", "list").out
    assert all(row["model"] in text and row["licence"] in text for row in rows)


@pytest.mark.usefixtures("loaded")
def test_models_that_are_whole_are_verified(callfolio: Callfolio) -> None:
    ended = callfolio("models", "verify", "--profile", "tiny")
    assert (ended.status, ended.out) == (0, "")
    assert [line.split(":")[0] for line in ended.err.splitlines()] == [
        "whisper-tiny.en",
        "pyannote-segmentation-3.0",
        "wespeaker-resnet34",
        "vbx-plda",
        "all-minilm-l6-v2",
    ]


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    program = "import sys, flows.cli; print({'torch', 'prefect', 'duckdb', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
