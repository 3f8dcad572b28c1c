"""A store is judged again: the rows are those of a fresh judgement, and what changed is told."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cards_in_text import rulebook
from made_rows import made_call, made_judgement
from spoken_rows import embed_by_words

from pipelines.invariants import InvariantBroken
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.rescoring import Change, rescore
from pipelines.scorecards.scoring import Judgement, Scorer
from pipelines.store import Judged, Store

HERE = Path(__file__).resolve().parents[1]
A, B = (made_call(name).call["call_id"] for name in ("a", "b"))

CARD = """
    scorecard: house
    version: 1
    sections:
      - section: All
        criteria:
          - {criterion: first, points: 2, pass_if: {said: {exact: v0, by: agent}}}
          - {criterion: second, points: 2, critical: true, pass_if: {said: {meaning: V1, threshold: 0.9}}}
"""
CATEGORY = "category: spoken\nversion: 1\nwhen: {said: {lemma: v0}}\n"


def scorer(*cards: str) -> Scorer:
    return Scorer(rulebook(*cards), embed_by_words)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two calls, in which `v0` and `v1` is all that is said."""
    store = Store(tmp_path / "store")
    store.write_call(made_call("a", 0))
    store.write_call(made_call("b", 1, day=1))
    return store


@contextmanager
def writer(folder: Path, what: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, str(HERE / "writer.py"), str(folder), what]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def test_judging_again_gives_the_rows_of_a_fresh_judgement(store: Store, tmp_path: Path) -> None:
    judge = scorer(CARD, CATEGORY)
    fresh = Store(tmp_path / "fresh")
    for call in (made_call("a", 0), made_call("b", 1, day=1)):
        fresh.write_call(judge.score_rows(call))
    rescore(store, [A, B], judge)
    for name in ("scores", "categories"):
        assert store.table(name).num_rows > 0
        assert store.table(name).equals(fresh.table(name))
    for call_id in (A, B):
        assert store.read_call(call_id) == fresh.read_call(call_id)
    assert rescore(fresh, [A, B], judge).replaced == 0


def test_only_what_calls_are_judged_is_replaced(store: Store) -> None:
    before = {call_id: store.read_call(call_id) for call_id in (A, B)}
    finished = store.processed()
    rescore(store, [A, B], scorer(CARD, CATEGORY))
    assert store.processed() == finished
    for call_id, call in before.items():
        assert replace(store.read_call(call_id), scores=(), categories=()) == call


def test_what_a_changed_card_changes_is_told(store: Store) -> None:
    first = rescore(store, [A, B], scorer(CARD, CATEGORY))
    a, b = (A, "calls/a.wav"), (B, "calls/b.wav")
    assert (first.calls, first.replaced) == (2, 2)
    assert Change("house", "first", "", "pass", (a,)) in first.changes
    assert Change("house", "first", "", "fail", (b,)) in first.changes
    [standing] = first.standings
    assert (standing.calls, standing.score, standing.failed, standing.to_judge) == (2, 0.25, 2, 0)
    changed = CARD.replace("version: 1", "version: 2").replace("exact: v0", "exact: [v0, v1]")
    second = rescore(store, [A, B], scorer(changed, CATEGORY))
    assert second.changes == (Change("house", "first", "fail", "pass", (b,)),)
    assert second.replaced == 2  # the rows say another version
    third = rescore(store, [A, B], scorer(CATEGORY))
    assert {(each.criterion, each.after) for each in third.changes} == {("first", ""), ("second", "")}
    assert store.table("scores").num_rows == 0
    assert store.table("categories").num_rows == 1


def test_only_the_calls_that_were_named_are_judged(store: Store) -> None:
    rescore(store, [B], scorer(CARD))
    assert set(store.table("scores")["call_id"].to_pylist()) == {B}


def test_a_store_whose_calls_were_never_judged_is_read_and_judged(store: Store) -> None:
    for name in ("scores", "categories"):
        for path in (store.root / "tables" / name).rglob("*.parquet"):
            path.unlink()
    assert store.read_call(A) == made_call("a", 0)
    assert store.table("scores").num_rows == 0
    rescore(store, [A, B], scorer(CARD))
    assert store.table("scores").num_rows == 4


class _Busy(Scorer):
    """Judges a call, which is processed again by somebody else meanwhile, the first time."""

    def __init__(self, store: Store) -> None:
        super().__init__(rulebook(CARD), embed_by_words)
        self.store, self.disturbed = store, False

    def score(self, conversation: Conversation) -> Judgement:
        judgement = super().score(conversation)
        if conversation.call_id == A and not self.disturbed:
            self.disturbed = True
            self.store.write_call(made_call("a", 1))
        return judgement


def test_a_call_that_is_processed_meanwhile_is_judged_as_it_is_then(store: Store) -> None:
    told = rescore(store, [A, B], _Busy(store))
    assert told.calls == 2
    results = {row["criterion"]: row["result"] for row in store.read_call(A).scores}
    assert results["first"] == "fail"  # of the call that is there now, in which v1 is said
    assert list((store.root / "tmp").iterdir()) == []


def test_a_call_that_is_gone_is_left_out(store: Store) -> None:
    assert rescore(store, ["0" * 32, B], scorer(CARD)).calls == 1


def test_rows_that_no_table_may_hold_replace_nothing(store: Store) -> None:
    call = store.read_stored(A)
    scores, categories = made_judgement(A, 1)
    with pytest.raises(InvariantBroken):
        store.write_judgements([Judged(call, [{**scores[0], "result": "perhaps"}], categories)])
    assert store.read_call(A) == made_call("a", 0)
    assert list((store.root / "tmp").iterdir()) == []


def test_judging_that_dies_at_any_change_to_a_file_leaves_a_call_as_it_was_or_as_it_is_to_be(
    tmp_path: Path,
) -> None:
    with writer(tmp_path, "die-judging") as process:
        said, _ = process.communicate()
        assert process.returncode == 0
    moments, status = map(int, said.split())
    assert status == 0
    seen = set()
    for moment in range(1, moments + 1):
        store = Store(tmp_path / str(moment), create=False)
        read = store.read_call(A)
        assert replace(read, scores=(), categories=()) == made_call("a")
        versions = []
        for of_table, place in ((read.scores, 0), (read.categories, 1)):
            [version] = {int(row["version"]) for row in of_table}
            assert list(of_table) == made_judgement(A, version)[place]
            versions.append(version)
        seen.add(tuple(versions))
        store.sweep()
        assert list((store.root / "tmp").iterdir()) == []
    assert seen == {(1, 1), (2, 2)}


def test_a_reader_never_sees_half_of_what_a_call_is_judged(store: Store) -> None:
    for name in ("c", "d"):
        store.write_call(made_call(name))
    statement = "select call_id, list(distinct version), count(*), list(evidence) from scores group by 1"
    seen: set[str] = set()
    with writer(store.root, "judge") as process:
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + 200
        while len(seen) < 3 and time.monotonic() < until:
            rows = store.read(lambda views: views.sql(statement).fetchall())
            assert len(rows) == 4
            for call_id, versions, count, evidence in rows:
                [version] = versions
                expected, _ = made_judgement(call_id, int(version))
                assert count == len(expected)
                assert evidence == [row["evidence"] for row in expected]
                seen.add(version)
    assert len(seen) > 2
