"""Systems take turns, and a recording counts for both or for neither."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.selection import Selection
from pipelines.benchmark import contest as contests
from pipelines.benchmark.contest import ALL_ON, Conditions, ablation, contest
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.labelled import Labelled
from pipelines.benchmark.processes import OURS, THEIRS, Setup
from pipelines.evaluation.document import Document, Word
from pipelines.levers import Levers
from pipelines.recording import Recording
from pipelines.settings import CallSettings
from pipelines.sources import CallMetadata

CONDITIONS = Conditions(Selection("tiny", {}), CallSettings(), cores=2, repeats=2)


def labelled(name: str, size: int = 10) -> Labelled:
    recording = Recording(Path(name), name, name, name, size, datetime.now(UTC), CallMetadata())
    return Labelled(name, "calls", recording, Document(name, "", words=(Word("hello"),)))


class Made:
    """Stands in for the process of a system: notes what it is asked, and fails where it is told to."""

    asked: list[tuple[str, str, CallSettings]]
    failing: set[tuple[str, str]]

    def __init__(self, setup: Setup) -> None:
        self._name = setup.system

    def __enter__(self) -> "Made":
        return self

    def __exit__(self, *_: object) -> None: ...

    def settings(self) -> dict[str, str]:
        return {"device": "cpu"}

    def hear(self, recording: Recording, settings: CallSettings) -> Heard | str:
        self.asked.append((self._name, recording.source, settings))
        if (self._name, recording.source) in self.failing:
            return "it is torn"
        document = Document("", "", words=(Word("hello"),), language="en")
        return Heard(document, "mono", 1.0, 0.5, peak_bytes=len(self.asked))


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> type[Made]:
    Made.asked, Made.failing = [], set()
    monkeypatch.setattr(contests, "SystemProcess", Made)
    return Made


def test_who_goes_first_alternates_from_recording_to_recording_and_from_repeat_to_repeat(
    made: type[Made],
) -> None:
    contest([labelled("a"), labelled("b", size=5)], CONDITIONS, lambda _: None)
    asked = [(system, source) for system, source, _ in made.asked]
    assert asked[:2] == [(OURS, "b"), (THEIRS, "b")], "both are used once before anything counts"
    assert asked[2:] == [
        *[(OURS, "a"), (THEIRS, "a"), (THEIRS, "b"), (OURS, "b")],
        *[(THEIRS, "a"), (OURS, "a"), (OURS, "b"), (THEIRS, "b")],
    ]


def test_every_repeat_is_kept_and_memory_is_the_most_of_all() -> None:
    found = contest([labelled("a")], CONDITIONS, lambda _: None)
    assert [len(found.heard[system]["a"]) for system in (OURS, THEIRS)] == [2, 2]
    assert found.peak_bytes == {OURS: 6, THEIRS: 5}


@pytest.mark.parametrize("system", [OURS, THEIRS])
def test_a_recording_that_one_cannot_process_is_left_out_for_both(made: type[Made], system: str) -> None:
    made.failing = {(system, "b")}
    found = contest([labelled("a"), labelled("b")], CONDITIONS, lambda _: None)
    assert [list(found.heard[each]) for each in (OURS, THEIRS)] == [["a"], ["a"]]
    [left_out] = found.left_out
    assert (left_out.name, left_out.by, left_out.why) == ("b", system, "it is torn")


def test_an_ablation_asks_our_path_alone_with_everything_and_without_each_lever(made: type[Made]) -> None:
    found = ablation([labelled("a")], CONDITIONS, lambda _: None)
    without = dict(Levers().each_off())
    assert list(found.heard) == [ALL_ON, *without]
    assert [(system, settings.levers) for system, _, settings in made.asked] == [
        (OURS, levers) for levers in (Levers(), *without.values())
    ]


def test_an_ablation_leaves_out_what_cannot_be_processed(made: type[Made]) -> None:
    made.failing = {(OURS, "a")}
    found = ablation([labelled("a"), labelled("b")], replace(CONDITIONS, repeats=1), lambda _: None)
    assert all(list(of_lever) == ["b"] for of_lever in found.heard.values())
    assert [one.name for one in found.left_out] == ["a"]
