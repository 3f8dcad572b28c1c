"""`callfolio nightly`, the flows of `prefect.yaml`, and that Prefect starts them."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import click
import pytest
import yaml
from made_audio import wav_bytes
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import Scheduled
from sample_calls import ROOT, samples_of

from flows import deployments
from flows.cli import main
from flows.deployments import arguments_of
from flows.missed import skip_missed
from flows.nightly import nightly_of
from flows.options import Duration
from flows.server import Server
from models.bundle import models_dir
from models.errors import UsageError
from models.speech import SAMPLE_RATE
from pipelines.query import query
from pipelines.store import Store


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been served, instead of serving it."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "flows.nightly._serve_flow",
        lambda parameters, cron, timezone: given.append(
            {"parameters": parameters, "cron": cron, "timezone": timezone}
        ),
    )
    return given


def nightly(*arguments: str) -> None:
    command = nightly_of(main.commands["run"])
    command.main(list(arguments), standalone_mode=False)


def test_a_night_has_the_sources_store_and_options_that_the_command_line_names(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nightly(
        *("recordings", "s3://bucket/calls/", "--store", "night", "--workers", "2", "--force"),
        *("--until", "06:00", "--settle", "5m", "--model", "recogniser=./own", "--profile", "tiny"),
        *("--cron", "30 21 * * 1-5", "--timezone", "Europe/Berlin"),
    )
    [night] = served
    assert (night["cron"], night["timezone"]) == ("30 21 * * 1-5", "Europe/Berlin")
    parameters = night["parameters"]
    assert parameters["sources"] == [str(tmp_path / "recordings"), "s3://bucket/calls/"]
    assert parameters["store"] == str(tmp_path / "night")
    options = parameters["options"]
    assert json.loads(json.dumps(options)) == options
    assert (options["workers"], options["force"], options["settle"]) == (2, True, 300.0)
    assert (options["profile"], options["model"]) == ("tiny", ["recogniser=./own"])
    assert options["until"] == "06:00"


def test_what_is_not_on_the_command_line_is_left_to_the_run(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLFOLIO_PROFILE", "tiny")
    nightly("recordings")
    assert served[0]["parameters"]["options"] == {}


def test_a_night_needs_something_to_process(served: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="Name a recording"):
        nightly()
    assert served == []


@pytest.mark.parametrize(
    "schedule", [["--cron", "at ten"], ["--cron", "0 25 * * *"], ["--timezone", "Europe/Nowhere"]]
)
def test_a_wrong_schedule_is_told_before_anything_starts(schedule: list[str]) -> None:
    with pytest.raises(UsageError, match=r"is no schedule. Expected five fields"):
        nightly("recordings", *schedule)


def test_options_become_a_command_line_of_run_again() -> None:
    options = {
        "workers": 2,
        "force": True,
        "debug": False,
        "until": "06:00",
        "model": ["a=b", "c=d"],
        "x": None,
    }
    line = list(arguments_of(options))
    assert line == ["--workers", "2", "--force", "--until", "06:00", "--model", "a=b", "--model", "c=d"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86_400.0), ("1.5", 1.5), (3, 3.0)],
)
def test_a_duration_is_a_number_with_a_unit(text: object, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 weeks", "-1s", "1h30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no length of time"):
        Duration().convert(text, None, None)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line that a flow starts, instead of starting it."""
    given: list[str] = []

    def run(group: click.Group, arguments: list[str], *_: Any, **__: Any) -> int:  # noqa: ARG001
        given.extend(arguments)
        return 0

    monkeypatch.setattr(click.Group, "main", run)
    return given


def test_at_night_files_settle_for_a_minute_unless_the_options_say_otherwise(line: list[str]) -> None:
    deployments.nightly.fn(["calls", "-odd.wav"], "night", {"profile": "tiny"})
    assert line == [
        "run",
        "--settle",
        "60s",
        "--profile",
        "tiny",
        "--store",
        "night",
        "--",
        "calls",
        "-odd.wav",
    ]
    line.clear()
    deployments.nightly.fn(["calls"], "night", {"settle": 0})
    assert line == ["run", "--settle", "0", "--store", "night", "--", "calls"]


@pytest.mark.parametrize(
    "run",
    [
        lambda: deployments.nightly.fn(["calls"], "night"),
        lambda: deployments.backfill.fn(["calls"], "night", date(2024, 5, 1), date(2024, 5, 31)),
        lambda: deployments.rescore.fn("night"),
        lambda: deployments.compaction.fn("night"),
        lambda: deployments.retention.fn("night", "400d"),
    ],
    ids=["nightly", "backfill", "rescore", "compaction", "retention"],
)
def test_each_deployment_is_a_command_that_there_is(line: list[str], run: Callable[[], object]) -> None:
    run()
    context = main.commands[line[0]].make_context(line[0], line[1:])
    assert str(context.params["store"]) == "night"


def test_a_backfill_is_a_run_over_its_dates(line: list[str]) -> None:
    deployments.backfill.fn(["calls"], "night", date(2024, 5, 1), date(2024, 5, 31))
    given = main.commands["run"].make_context("run", line[1:]).params
    assert (given["since"].date(), given["until_date"].date()) == (date(2024, 5, 1), date(2024, 5, 31))
    assert given["sources"] == ("calls",)


def test_prefect_yaml_deploys_flows_that_there_are_with_their_parameters() -> None:
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    entrypoints = [each["entrypoint"] for each in content["deployments"]]
    names = [entrypoint.removeprefix("flows/deployments.py:") for entrypoint in entrypoints]
    assert names == ["nightly", "backfill", "rescore", "compaction", "retention"]
    for name, deployment in zip(names, content["deployments"], strict=True):
        known = getattr(deployments, name).parameters.properties
        assert set(deployment["parameters"]) <= set(known)
        env = deployment["work_pool"]["job_variables"]["env"]
        assert env == {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


# With a real server


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Runs Prefect's command line against a server that starts runs, in the folder of the checkout."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("CALLFOLIO_MODELS", str(models_dir()))
        patch.setenv("PYTHONPATH", str(ROOT))
        own = {PREFECT_HOME: home, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120}
        with temporary_settings(own), Server(lasting=True) as server:
            server.wait()
            patch.setenv("PREFECT_API_URL", PREFECT_API_URL.value() or "")

            def run(*arguments: str) -> str:
                command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout

            yield run


@pytest.mark.slow
def test_of_nights_that_were_missed_one_is_made_up_for(
    prefect: Callable[..., str],  # noqa: ARG001 - the server
) -> None:
    runner, given = Runner(name="missed"), {"sources": ["calls"], "store": "night"}
    schedule = Cron("0 22 * * *", timezone="UTC")
    deployment = cast(
        UUID, runner.add_flow(deployments.nightly, name="missed", schedule=schedule, parameters=given)
    )
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:

        def scheduled(days: float) -> UUID:
            state: State[None] = Scheduled(scheduled_time=now + timedelta(days=days))
            return client.create_flow_run_from_deployment(deployment, state=state).id

        missed = [scheduled(-3), scheduled(-2), scheduled(-1), scheduled(0.5)]
        with closing(sqlite3.connect(PREFECT_HOME.value() / "prefect.db")) as database, database:
            database.execute("update flow_run set auto_scheduled = 1")
        asked_for = scheduled(-2)
        assert skip_missed(deployment) == 2
        states = [client.read_flow_run(each).state_type for each in (*missed, asked_for)]
        assert [str(state.value) for state in states if state] == [*["CANCELLED"] * 2, *["SCHEDULED"] * 3]
        due = client.read_flow_run(missed[0]).state
        assert due is not None
        assert due.message == "Missed; a later run processes its recordings."
        assert skip_missed(deployment) == 0
        client.delete_deployment(deployment)


@pytest.mark.slow
def test_all_is_deployed_and_a_worker_runs_a_night(
    prefect: Callable[..., str],
    tmp_path: Path,
    loaded: object,  # noqa: ARG001 - says what to do without models
) -> None:
    prefect("work-pool", "create", "callfolio", "--type", "process")
    said = prefect("deploy", "--all")
    assert said.count("successfully created") == 5
    sound = samples_of("voicemail")[None, SAMPLE_RATE : 9 * SAMPLE_RATE]
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.wav").write_bytes(wav_bytes(sound, SAMPLE_RATE))
    (tmp_path / "calls" / "fresh.wav").write_bytes(b"still being written")
    os.utime(tmp_path / "calls" / "a.wav", (1_700_000_000, 1_700_000_000))
    prefect(
        *("deployment", "run", "nightly/callfolio"),
        *("--param", f"sources={json.dumps([str(tmp_path / 'calls')])}"),
        *(
            "--param",
            f"store={json.dumps(str(tmp_path / 'night'))}",
            "--param",
            'options={"profile": "tiny"}',
        ),
    )
    prefect("worker", "start", "--pool", "callfolio", "--run-once")
    store = Store(tmp_path / "night", create=False)
    [run] = query(store, "select * from runs").to_pylist()
    assert [run[name] for name in ("status", "sources", "processed", "settling")] == ["finished", 2, 1, 1]
    assert (tmp_path / "night" / "reports" / f"{run['run_id']}.md").exists()
    runs = prefect("flow-run", "ls")
    assert "night of" in runs
    assert f"run {run['run_id']}"[:12] in runs
    assert "night-report" in prefect("artifact", "ls")
