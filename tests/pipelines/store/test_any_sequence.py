"""Whatever is done to a store, in whatever order: it has the rows of a model, in its files and its views."""

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import pytest
from fast_folder import fast_folder
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from keeper import of_customer
from keeping import rows_in_files
from made_rows import made_call, made_failure, made_judgement

from models.errors import UsageError
from pipelines.failures import Erased
from pipelines.store import Judged, Store, days, disk
from pipelines.store.compaction import compact
from pipelines.store.doctor import examine
from pipelines.store.erasure import doomed_calls, doomed_customer, erase, lift
from pipelines.store.export import Destination, export, refresh
from pipelines.tables import PARTITION, CallRows

names = st.sampled_from("abcdef")
PARTS = ("turns", "words", "speakers", "moments", "sentences", "entities", "scores", "categories")


class Stopped(BaseException):
    """Stands for the end of a process in the middle of its work, as far as one process can play it."""


class Kept(RuleBasedStateMachine):
    """A store beside a dictionary of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.open_until_the_end = ExitStack()
        self.folder = self.open_until_the_end.enter_context(fast_folder())
        self.open_until_the_end.enter_context(patch.object(days, "GRACE_S", 0.0))
        self.calls: dict[str, CallRows] = {}
        self.gone: set[str] = set()
        self.failed: dict[str, int] = {}
        self.exported = False

    def teardown(self) -> None:
        assert not [each for each in examine(self.store).findings if each.kind != "leftover"]
        self.open_until_the_end.close()

    @initialize()
    def open(self) -> None:
        self.store = Store(self.folder / "store")

    @rule(name=names, version=st.integers(0, 3), day=st.integers(0, 1), turns=st.integers(0, 3))
    def write(self, name: str, version: int, day: int, turns: int) -> None:
        rows = of_customer(made_call(name, version, day, turns), name)
        if name in self.gone:
            with pytest.raises(Erased):
                self.store.write_call(rows)
            return
        self.store.write_call(rows)
        self.calls[name] = rows
        self.failed.pop(name, None)

    @rule(name=names, version=st.integers(0, 9))
    def judge(self, name: str, version: int) -> None:
        if name not in self.calls:
            return
        rows = self.calls[name]
        scores, categories = made_judgement(rows.call["call_id"], version)
        scores = [{**row, "evidence": []} for row in scores]
        stored = self.store.read_stored(rows.call["call_id"])
        assert self.store.write_judgements([Judged(stored, scores, categories)]) == []
        self.calls[name] = replace(rows, scores=tuple(scores), categories=tuple(categories))

    @rule(name=names)
    def fail(self, name: str) -> None:
        attempts = self.failed.get(name, 0) + 1
        assert self.store.write_failure(made_failure(f"calls/{name}.wav")) == attempts
        self.failed[name] = attempts

    @rule()
    def compact(self) -> None:
        compact(self.store)

    @rule(at=st.integers(1, 40))
    def compact_in_part(self, at: int) -> None:
        self.interrupted(at, lambda: compact(self.store))

    @rule(name=names, at=st.integers(1, 60))
    def erase_in_part(self, name: str, at: int) -> None:
        if name in self.calls:
            doomed = doomed_customer(self.store, name)
            self.interrupted(at, lambda: erase(self.store, doomed, "made"))
            self.store.sweep()
            if self.store.erased(self.calls[name].call["call_id"]):
                self.forget(name)

    @rule(name=names)
    def erase(self, name: str) -> None:
        if name in self.calls:
            erase(self.store, doomed_calls(self.store, [self.calls[name].call["call_id"]]), "made")
            self.forget(name)

    def forget(self, name: str) -> None:
        self.gone.add(name)
        del self.calls[name]
        self.failed.pop(name, None)

    @rule(name=names)
    def lift(self, name: str) -> None:
        call_id = made_call(name).call["call_id"]
        if name in self.gone:
            lift(self.store, [call_id], "made")
            self.gone.remove(name)
        else:
            with pytest.raises(UsageError):
                lift(self.store, [call_id], "made")

    @rule()
    def sweep(self) -> None:
        self.store.sweep()

    @rule()
    def reopen(self) -> None:
        self.store = Store(self.store.root, create=False)

    @rule()
    def export(self) -> None:
        export(self.store, Destination(str(self.folder / "out"), ("calls", "words")))
        self.exported = True

    @precondition(lambda self: self.exported)
    @rule()
    def refresh(self) -> None:
        assert refresh(self.store) == []
        out = Store(self.folder / "view")
        shutil.rmtree(out.root / "tables")
        shutil.copytree(self.folder / "out", out.root / "tables")
        assert self.counted(out)["words"] == self.expected()["words"]
        shutil.rmtree(out.root)

    def interrupted(self, at: int, action: Callable[[], object]) -> None:
        """Do something and stop before its change to a folder that has the number `at`."""
        steps = iter(range(1, 10_000))

        def counting(real: Callable[..., object]) -> Callable[..., object]:
            def stop_or_go(*arguments: object) -> object:
                if next(steps) == at:
                    raise Stopped
                return real(*arguments)

            return stop_or_go

        with (
            patch.object(disk, "exchange", counting(disk.exchange)),
            patch.object(disk, "link", counting(disk.link)),
            patch.object(disk, "publish", counting(disk.publish)),
            patch.object(disk, "remove", counting(disk.remove)),
        ):
            try:
                action()
            except Stopped:
                self.store = Store(self.store.root)

    def expected(self) -> dict[str, Counter[tuple[str, str]]]:
        """By table, how many rows of which call are on which day."""
        found: dict[str, Counter[tuple[str, str]]] = {}
        for name in PARTS:
            found[name] = Counter(
                {
                    (f"{PARTITION}={rows.call[PARTITION]}", rows.call["call_id"]): len(getattr(rows, name))
                    for rows in self.calls.values()
                    if getattr(rows, name)
                }
            )
        days_of_calls = [
            (f"{PARTITION}={each.call[PARTITION]}", each.call["call_id"]) for each in self.calls.values()
        ]
        return {**found, "calls": Counter(days_of_calls)}

    def counted(self, store: Store) -> dict[str, Counter[tuple[str, str]]]:
        seen = rows_in_files(store.root)
        return {name: Counter(each[:2] for each in seen[name]) for name in ("calls", *PARTS)}

    @invariant()
    def the_files_have_the_rows(self) -> None:
        assert self.counted(self.store) == self.expected()
        assert sum(1 for _ in rows_in_files(self.store.root)["failures"]) == len(self.failed)

    @invariant()
    def a_call_is_read_as_it_was_written(self) -> None:
        if self.calls:
            rows = self.calls[min(self.calls)]
            assert self.store.read_call(rows.call["call_id"]) == rows
        assert set(self.store.processed()) == {rows.call["call_id"] for rows in self.calls.values()}


TestKept = Kept.TestCase
TestKept.settings = settings(max_examples=12, stateful_step_count=14, deadline=None)
