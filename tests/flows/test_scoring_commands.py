"""`callfolio score` and `callfolio scorecards check`: what they print, and when they do not begin."""

import json
from pathlib import Path

import pytest
from made_rows import made_call
from test_cli import Callfolio
from test_cli import callfolio as callfolio

from pipelines.store import Store

CARD = """\
scorecard: house
version: 1
sections:
  - section: All
    criteria:
      - {criterion: first, question: Is it said?, points: 2, critical: true, pass_if: {said: WORD}}
"""
CATEGORY = "category: spoken\nversion: 1\nwhen: {said: {exact: v0, by: agent}}\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    """A store of two calls and folders of cards, as options."""
    store = Store(tmp_path / "night")
    store.write_call(made_call("a"))
    store.write_call(made_call("b", version=1))
    for name, text in (("cards", CARD.replace("WORD", "v0")), ("categories", CATEGORY)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made.yaml").write_text(text)
    cards = ("--scorecards", str(tmp_path / "cards"), "--categories", str(tmp_path / "categories"))
    return ("--store", str(tmp_path / "night"), *cards)


def test_a_store_is_judged_and_what_changed_is_told(
    callfolio: Callfolio, folders: tuple[str, ...], tmp_path: Path
) -> None:
    ended = callfolio("score", *folders)
    assert (ended.status, ended.err) == (0, "")
    assert "house 1: 2 calls, mean score 50%, 1 fail a critical criterion, 0 need a person" in ended.out
    assert "Categories: spoken 1" in ended.out
    assert "house / first: nothing → pass in 1 calls: a.wav" in ended.out
    (tmp_path / "cards" / "made.yaml").write_text(
        CARD.replace("WORD", "v1").replace("version: 1", "version: 2")
    )
    out = callfolio("score", *folders).out
    assert "house / first: pass → fail in 1 calls: a.wav" in out
    assert "house / first: fail → pass in 1 calls: b.wav" in out
    assert "What changed" not in callfolio("score", *folders).out


def test_what_changed_is_told_to_programs_as_json(callfolio: Callfolio, folders: tuple[str, ...]) -> None:
    ended = callfolio("score", "a", *folders, "--format", "json")
    told = json.loads(ended.out)
    assert (ended.status, told["calls"], told["replaced"], told["categories"]) == (0, 1, 1, {"spoken": 1})
    call_id = made_call("a").call["call_id"]
    assert {
        "card": "house",
        "criterion": "first",
        "before": "",
        "after": "pass",
        "calls": [[call_id, "calls/a.wav"]],
    } in told["changes"]


def test_a_call_is_explained_with_its_evidence_and_nothing_is_written(
    callfolio: Callfolio, folders: tuple[str, ...], tmp_path: Path
) -> None:
    ended = callfolio("score", "--explain", "a.wav", *folders)
    assert (ended.status, ended.err) == (0, "")
    for part in (
        "house 1: 100%",
        "pass           first (critical) 2 of 2, confidence 0.75",
        "Is it said?",
        "Somebody says at 0:00: “v0.”",
        "[0:00] turn 0, S1 (agent): “v0.”",
        "matched        spoken",
    ):
        assert part in ended.out
    assert "failed by first (critical)" in callfolio("score", "--explain", "b", *folders).out
    assert Store(tmp_path / "night").table("scores").num_rows == 0
    explained = json.loads(callfolio("score", "--explain", "a", *folders, "--format", "json").out)
    assert [row["criterion"] for row in explained["scores"]] == ["first"]


def test_a_broken_card_stops_before_a_call_is_touched(
    callfolio: Callfolio, folders: tuple[str, ...], tmp_path: Path
) -> None:
    broken = tmp_path / "cards" / "made.yaml"
    broken.write_text(CARD.replace("said: WORD", "sayd: v0"))
    column = broken.read_text().splitlines()[5].index("sayd") + 1
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    for command in (["score"], ["run", "a.wav"]):
        ended = callfolio(*command, *folders)
        assert (ended.status, ended.out) == (2, "")
        assert f'{broken}:6:{column}: "sayd" is no kind of condition.' in ended.err
        assert "Did you mean `said`?" in ended.err
    assert Store(tmp_path / "night").table("scores").num_rows == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "cards", "categories", "night"]


def test_folders_of_cards_come_from_the_flag_the_environment_or_the_file(
    callfolio: Callfolio, folders: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = folders[:2]
    (tmp_path / "callfolio.toml").write_text('scorecards = "of-file"\n')
    assert "There is no folder of-file." in callfolio("score", *store).err
    monkeypatch.setenv("CALLFOLIO_SCORECARDS", "of-environment")
    assert "There is no folder of-environment." in callfolio("score", *store).err
    assert "There is no folder of-flag." in callfolio("score", *store, "--scorecards", "of-flag").err
    monkeypatch.setenv("CALLFOLIO_CATEGORIES", "categories-of-environment")
    assert "categories-of-environment" in callfolio("score", *folders[:4]).err


def test_the_shipped_cards_are_checked_and_explained(callfolio: Callfolio) -> None:
    ended = callfolio("scorecards", "check")
    assert (ended.status, ended.err) == (0, "")
    assert "scorecard contact-center 1" in ended.out
    assert "Passes if it is not so that there is interruption by the doctor" in " ".join(ended.out.split())


def test_a_file_is_checked_and_all_its_mistakes_are_told(callfolio: Callfolio, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("category: a\nwhen: {said: a, meaning: b}\nversoin: 2\n")
    ended = callfolio("scorecards", "check", "a.yaml")
    assert (ended.status, ended.out) == (2, "")
    assert [line.split(": ")[0].removeprefix("callfolio: ") for line in ended.err.splitlines()] == [
        "callfolio",
        "a.yaml:2:17",
        "a.yaml:3:1",
    ]
    told = json.loads(callfolio("scorecards", "check", "a.yaml", "--format", "json").out)
    assert [(each["line"], each["column"]) for each in told["mistakes"]] == [(1, 1), (2, 17), (3, 1)]


def test_a_call_that_is_not_there_is_told(callfolio: Callfolio, folders: tuple[str, ...]) -> None:
    for arguments in (["score", "nothing"], ["score", "--explain", "nothing"]):
        ended = callfolio(*arguments, *folders)
        assert (ended.status, ended.out) == (2, "")
        assert 'There is no call "nothing"' in ended.err
    assert "leave the others out" in callfolio("score", "a", "--explain", "b", *folders).err


def test_a_regular_expression_that_may_take_for_ever_is_warned_of(
    callfolio: Callfolio, tmp_path: Path
) -> None:
    pattern = r"(?:(?:\w|\w\w)+\s?)+\d"
    (tmp_path / "a.yaml").write_text(f"category: a\nversion: 1\nwhen: {{said: {{regex: '{pattern}'}}}}\n")
    ended = callfolio("scorecards", "check", "a.yaml")
    assert ended.status == 0
    assert f"Warning: the regular expression “{pattern}” can take very long." in ended.err
    told = json.loads(callfolio("scorecards", "check", "a.yaml", "--format", "json").out)
    assert (told["mistakes"], told["slow_expressions"]) == ([], [pattern])
