"""What a night's report says, of made rows with exact truth."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_rows import DAY, made_call, made_failure, made_run

from models.errors import UsageError
from pipelines.night.quality import Night
from pipelines.night.reading import file_report, forget_calls, nights_filed, read_report
from pipelines.night.rendering import as_json, as_markdown
from pipelines.night.report import WORST, night_report
from pipelines.store import Store
from pipelines.tables import CallRows


def row(call_id: str, **changes: Any) -> dict[str, Any]:
    """A row of `calls` as far as the report reads it."""
    return {
        "call_id": call_id,
        "review_flags": [],
        "word_confidence": 0.8,
        "speech_s": 100.0,
        "uncovered_speech_s": 2.0,
        "speaker_count": 2,
        "duration_s": 120.0,
        **changes,
    }


def ended(**changes: Any) -> dict[str, Any]:
    return made_run(
        **{"status": "finished", "finished_at": DAY + timedelta(hours=1), "wall_s": 3600.0, **changes}
    )


def test_every_recording_is_accounted_for() -> None:
    run = ended(sources=10, processed=4, skipped=3, set_aside=2, settling=1)
    report = night_report(run, [], [])
    assert report.unaccounted == 0
    assert "10 in = 4 processed + 3 there already + 2 set aside + 1 still being written" in as_markdown(
        report
    )


def test_recordings_that_a_killed_run_did_not_reach_are_said_to_be_so() -> None:
    report = night_report(made_run(sources=10, processed=4), [], [])
    assert report.unaccounted == 6
    assert "10 in = 4 processed + 6 not reached" in as_markdown(report)
    assert "running, 2024-03-05 09:30 to not ended" in as_markdown(report)


def test_speed_is_audio_for_each_second_of_the_run() -> None:
    report = night_report(ended(audio_s=7200.0, wall_s=1800.0), [], [])
    assert report.speed == 4.0
    assert "120.0 minutes of audio in 30.0 minutes, 4.0 times as fast as real time" in as_markdown(report)
    assert night_report(ended(), [], []).speed is None


def test_failures_are_counted_by_reason_the_most_first() -> None:
    rows = [
        made_failure(reason=reason, retryable=reason == "unreadable") for reason in ("x", "unreadable", "x")
    ]
    report = night_report(ended(), [], rows)
    assert [(each.reason, each.recordings, each.retryable) for each in report.failures] == [
        ("x", 2, False),
        ("unreadable", 1, True),
    ]
    assert "| x | 2 | no |" in as_markdown(report)


def test_the_worst_calls_have_most_flags_then_least_speech_in_sure_words() -> None:
    calls = [
        row("fine", word_confidence=0.95),
        row("unsure", word_confidence=0.4),
        row("lacking", uncovered_speech_s=60.0),  # 0.8 × 0.4 = 0.32 of its speech is in sure words
        row("flagged", review_flags=["damaged"], word_confidence=0.99),
        row("flagged_twice", review_flags=["damaged", "low_confidence"]),
        row("wordless", word_confidence=None, speech_s=0.0, uncovered_speech_s=0.0),
    ]
    report = night_report(ended(), calls, [])
    order = ["flagged_twice", "flagged", "wordless", "lacking", "unsure", "fine"]
    assert [call.call_id for call in report.worst] == order
    assert "| flagged_twice | damaged, low_confidence | 0.80 | 2 % | 2.0 |" in as_markdown(report)
    assert "| wordless | – | – | 0 % | 2.0 |" in as_markdown(report)


def test_no_more_calls_are_named_than_a_person_can_hear() -> None:
    calls = [row(f"{number:03}") for number in range(3 * WORST)]
    assert [call.call_id for call in night_report(ended(), calls, []).worst] == [
        f"{number:03}" for number in range(WORST)
    ]


def test_drift_is_told_in_a_sentence() -> None:
    calls = [row(str(number), review_flags=["damaged"] if number < 5 else []) for number in range(10)]
    usual = {"flagged": 0.1, "word_confidence": 0.8, "uncovered_speech": 0.02, "speakers": 2.0}
    before = [Night(str(day), DAY - timedelta(days=day), 50, usual) for day in range(1, 5)]
    page = as_markdown(night_report(ended(), calls, [], before))
    assert (
        "- **Drifted.** Share of calls with a review flag: 50.0 %, higher than the median 10.0 % of the 4 "
        "nights before by 40.0 of their robust standard deviations." in page
    )
    assert "- Speakers in a call, on average: 2.00, as in the 4 nights before (median 2.00)." in page


def test_json_has_what_the_page_has() -> None:
    run = ended(sources=2, processed=1, set_aside=1, audio_s=7200.0)
    facts = json.loads(as_json(night_report(run, [row("a")], [made_failure()])))
    assert facts["recordings"] == 2
    assert (facts["ends"]["processed"], facts["ends"]["set_aside"], facts["unaccounted"]) == (1, 1, 0)
    assert facts["speed"] == 2.0
    assert facts["started_at"] == DAY.isoformat()
    assert facts["worst"][0]["call_id"] == "a"
    assert facts["failures"] == [{"reason": "unreadable", "recordings": 1, "retryable": True}]


def test_no_recording_is_named_by_its_name() -> None:
    calls = [{**made_call("bob_smith").call, "word_confidence": 0.5}]
    report = night_report(ended(), calls, [made_failure("calls/bob_smith.wav")])
    assert "bob" not in as_markdown(report) + as_json(report)


# From a store


def of_run(rows: CallRows, run_id: str) -> CallRows:
    return CallRows(
        {**rows.call, "run_id": run_id},
        rows.turns,
        rows.words,
        rows.speakers,
        rows.moments,
        rows.sentences,
        rows.entities,
    )


@pytest.fixture(scope="module")
def five_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five nights of ten calls, with their reports; the third night has a failure."""
    store = Store(tmp_path_factory.mktemp("five") / "nights")
    for night in range(5):
        run_id = f"night-{night}"
        store.write_run(
            ended(
                run_id=run_id, started_at=DAY + timedelta(days=night), sources=11, processed=10, set_aside=1
            )
        )
        for number in range(10):
            store.write_call(of_run(made_call(f"{night}-{number}", day=number % 3), run_id))
    store.write_failure(made_failure(run_id="night-2"))
    for night in range(5):
        file_report(read_report(store, f"night-{night}"), store.root)
    return store.root


@pytest.fixture
def store(five_nights: Path, tmp_path: Path) -> Store:
    shutil.copytree(five_nights, tmp_path / "nights")
    return Store(tmp_path / "nights")


def test_a_report_is_read_from_the_rows_of_its_run_and_the_nights_before(store: Store) -> None:
    report = read_report(store, "night-2")
    assert (report.night.calls, report.recordings, report.unaccounted) == (10, 11, 0)
    assert report.night.figures["word_confidence"] == 0.75
    assert report.night.figures["flagged"] == 1.0
    assert report.night.figures["speakers"] == 2.0
    assert len(report.failures) == 1
    assert report.drifts == ()  # two nights before are too few
    assert len(report.worst) == 10


def test_the_last_run_is_the_one_that_began_last(store: Store) -> None:
    report = read_report(store)
    assert report.run_id == "night-4"
    assert [drift.nights for drift in report.drifts] == [4] * 4
    assert not any(drift.drifted for drift in report.drifts)


def test_a_run_that_is_not_there_is_a_wrong_usage(store: Store) -> None:
    with pytest.raises(UsageError, match="has no run night-9"):
        read_report(store, "night-9")


def test_a_report_is_filed_in_the_store_in_both_forms(store: Store) -> None:
    report = read_report(store)
    page = file_report(report, store.root)
    file_report(report, store.root)
    assert page == store.root / "reports" / "night-4.md"
    assert page.read_text() == as_markdown(report)
    assert len(list(page.parent.iterdir())) == 10
    assert json.loads(page.with_suffix(".json").read_text())["run_id"] == "night-4"


def test_a_damaged_report_is_no_night_and_no_obstacle(store: Store) -> None:
    (store.root / "reports" / "night-1.json").write_text("{")
    (store.root / "reports" / "night-2.json").write_text('{"night": {"figures": {}}}')
    assert [night.run_id for night in nights_filed(store.root)] == ["night-0", "night-3", "night-4"]
    assert read_report(store).drifts == ()  # two nights before it are left, which are too few


def test_a_night_without_a_report_is_compared_with_nothing(store: Store) -> None:
    for path in (store.root / "reports").iterdir():
        path.unlink()
    assert read_report(store).drifts == ()


def test_a_call_that_is_erased_is_taken_out_of_the_reports(store: Store) -> None:
    report = read_report(store, "night-3")
    gone, kept = report.worst[0].call_id, report.worst[1].call_id
    forget_calls(store.root, [gone])
    for path in (store.root / "reports").iterdir():
        assert gone not in path.read_text()
    assert kept in (store.root / "reports" / "night-3.md").read_text()
    facts = json.loads((store.root / "reports" / "night-3.json").read_text())
    assert [call["call_id"] for call in facts["worst"]] == [call.call_id for call in report.worst[1:]]
    assert len(nights_filed(store.root)) == 5
