"""Findings say what was found, on what, and with what."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.selection import Selection
from pipelines.benchmark.contest import ALL_ON, Ablation, Conditions, Contest, LeftOut
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.labelled import Labelled
from pipelines.benchmark.machine import Machine
from pipelines.benchmark.processes import OURS, THEIRS
from pipelines.benchmark.report import Circumstances, as_markdown, as_text, of_ablation, of_contest
from pipelines.evaluation import Rules
from pipelines.evaluation.document import Document, Span, Word
from pipelines.levers import Levers
from pipelines.recording import Recording
from pipelines.settings import CallSettings
from pipelines.sources import CallMetadata

MACHINE = Machine("A processor", 2, 24 * 2**30, "Linux", "3.11", 0.1)
CONDITIONS = Conditions(Selection("tiny", {}), CallSettings(), 2)
CIRCUMSTANCES = Circumstances(CONDITIONS, MACHINE, {"whisperx": "3.8"}, "callfolio benchmark", "")


def spoken(*words: tuple[str, str]) -> Document:
    """Words with their speakers, one a second."""
    return Document(
        "a",
        "",
        words=tuple(Word(text, who, float(i), i + 0.8) for i, (text, who) in enumerate(words)),
        speech=tuple(Span(float(i), i + 0.8, who) for i, (_, who) in enumerate(words)),
        word_times=True,
        language="en",
    )


TRUTH = spoken(("hello", "A"), ("there", "A"), ("good", "B"), ("morning", "B"))
WRONG_SPEAKER = spoken(("hello", "A"), ("there", "A"), ("good", "A"), ("morning", "B"))


def labelled(name: str, folder: str = "calls") -> Labelled:
    recording = Recording(Path(name), name, name, "ab" * 32, 10, datetime.now(UTC), CallMetadata())
    facts = {"folder": folder}
    return Labelled(name, folder, recording, replace(TRUTH, call=name, facts=facts))


def heard(document: Document, seconds: float, mode: str = "mono") -> Heard:
    return Heard(document, mode, 60.0, seconds, {"transcribe": seconds / 2})


def a_contest(mode: str = "mono", left_out: tuple[LeftOut, ...] = ()) -> Contest:
    return Contest(
        {
            OURS: {name: (heard(TRUTH, 10.0, mode),) for name in ("a", "b")},
            THEIRS: {name: (heard(WRONG_SPEAKER, 20.0),) for name in ("a", "b")},
        },
        left_out,
        {OURS: {"device": "cpu"}, THEIRS: {"device": "cpu"}},
        {OURS: 2**30, THEIRS: 2**31},
    )


def cells(text: str, begins: str) -> list[str]:
    """The cells of the first line that begins so, without the first of them."""
    line = next(line for line in text.splitlines() if line.startswith(begins))
    return [cell.strip() for cell in line.split("  ") if cell.strip()][1:]


CALLS = [labelled("a"), labelled("b")]


def test_accuracy_speed_and_memory_stand_side_by_side() -> None:
    text = as_text(of_contest(CALLS, a_contest(), CIRCUMSTANCES, Rules(), {}))
    assert cells(text, "word-speaker error")[:3] == ["0.0 %", "25.0 %", "-25.0 %"]
    assert cells(text, "whole") == ["6.0", "3.0", "2.00 ×"]
    assert cells(text, "peak of the process, GiB") == ["1.00", "2.00", "0.50 ×"]
    assert "Others were at work" not in text


def test_what_a_busy_machine_does_to_times_is_said() -> None:
    busy = replace(CIRCUMSTANCES, machine=replace(MACHINE, load=3.0))
    assert "Others were at work on the machine (load 3.0 on 2 cores)" in as_text(
        of_contest(CALLS, a_contest(), busy, Rules(), {})
    )


def test_that_whisperx_takes_the_mean_of_two_channels_is_said() -> None:
    text = as_text(of_contest(CALLS, a_contest("split"), CIRCUMSTANCES, Rules(), {}))
    assert "2 of the recordings have a channel for each speaker" in text
    assert "takes the mean" not in as_text(of_contest(CALLS, a_contest(), CIRCUMSTANCES, Rules(), {}))


def test_several_folders_are_told_apart() -> None:
    calls = [labelled("a", "en"), labelled("b", "es")]
    text = as_text(of_contest(calls, a_contest(), CIRCUMSTANCES, Rules(), {}))
    assert "By folder (recordings)" in text
    assert {"en (1)", "es (1)"} <= {line.split("  ")[0] for line in text.splitlines()}


def test_what_is_left_out_is_said_with_its_reason() -> None:
    left_out = (LeftOut("c", THEIRS, "it is torn"),)
    found = of_contest(
        CALLS, a_contest("mono", left_out), CIRCUMSTANCES, Rules(), {"d": OSError("it is gone")}
    )
    assert "it is torn" in as_text(found)
    assert "it is gone" in as_text(found)
    assert found.content["left_out"] == [
        {"name": "c", "by": "WhisperX", "why": "it is torn"},
        {"name": "d", "by": None, "why": "it is gone"},
    ]


def test_json_has_all_that_a_later_comparison_needs() -> None:
    found = of_contest(CALLS, a_contest(), CIRCUMSTANCES, Rules(), {})
    content = json.loads(json.dumps(found.content))
    assert content["machine"]["cpu"] == "A processor"
    assert content["versions"] == {"whisperx": "3.8"}
    assert content["call_settings"]["levers"] == vars(Levers())
    assert content["speed"]["stages"]["whole"]["ratio"] == 2.0
    assert content["accuracy"]["comparison"]["speaker_error"]["difference"] == -0.25
    assert content["whisperx"]["figures"]["speaker_error"]["value"] == 0.25
    assert [call["sha256"] for call in content["recordings"]] == ["ab" * 32] * 2
    assert len(content["trials"]) == 4


def test_markdown_has_every_table() -> None:
    found = of_contest(CALLS, a_contest(), CIRCUMSTANCES, Rules(), {})
    text = as_markdown(found)
    assert text.startswith("# Benchmark\n")
    assert sum(line.startswith("| --- |") for line in text.splitlines()) == len(found.sections)


def test_an_ablation_shows_what_changes_without_each_lever() -> None:
    made = Ablation(
        {
            ALL_ON: {name: heard(TRUTH, 1.0) for name in ("a", "b")},
            "two_party_prior": {name: heard(WRONG_SPEAKER, 1.0) for name in ("a", "b")},
            "cross_talk_suppression": {name: heard(TRUTH, 1.0) for name in ("a", "b")},
        },
        (),
        {"device": "cpu"},
    )
    found = of_ablation(CALLS, made, CIRCUMSTANCES, Rules(), {})
    text = as_text(found)
    assert "25.0 % (+25.0*)" in text
    [unchanged] = [line for line in text.splitlines() if line.startswith("cross talk suppression")]
    assert unchanged.count("(=)") == unchanged.count("(")
    assert found.content["without"]["two_party_prior"]["comparison"]["wer"]["difference"] == 0.0


def test_recordings_that_nothing_is_left_of_do_not_count() -> None:
    found = of_contest([*CALLS, labelled("c")], a_contest(), CIRCUMSTANCES, Rules(), {})
    assert len(found.content["recordings"]) == 2
    assert found.content["accuracy"]["calls"] == 2


@pytest.mark.parametrize("repeats", [1, 3])
def test_repeats_are_counted_in_words(repeats: int) -> None:
    many = replace(CIRCUMSTANCES, conditions=replace(CIRCUMSTANCES.conditions, repeats=repeats))
    text = as_text(of_contest(CALLS, a_contest(), many, Rules(), {}))
    assert text.splitlines()[0].endswith("1 repeat" if repeats == 1 else "3 repeats")
