"""What a run did and what a store holds, in words."""

from pathlib import Path

from made_rows import DAY, made_call, made_failure, made_run

from flows.processing import Summary
from flows.summary import describe, state_of, summarise
from flows.worker import Outcome
from pipelines.failures import EmptyFile
from pipelines.store import Store


def summary(**changes: object) -> Summary:
    fields: dict[str, object] = {
        "run_id": "run-1",
        "processed": 2,
        "skipped": 0,
        "set_aside": (),
        "set_aside_before": 0,
        "audio_s": 120.0,
        "working_s": 30.0,
    }
    return Summary(**{**fields, **changes})  # type: ignore[arg-type]


def failed(name: str) -> Outcome:
    return Outcome(name, 0, 0.0, EmptyFile(Path(name)))


def a_store(root: Path) -> Path:
    store = Store(root)
    store.write_call(made_call("a"))
    store.write_call(made_call("b", turns=5))
    return root


def test_a_run_is_told_by_its_counts_its_speed_and_the_turns_of_a_call(tmp_path: Path) -> None:
    text = summarise(summary(), a_store(tmp_path))
    assert "2 processed" in text
    assert "2.0 minutes" in text
    assert "4.0" in text
    assert "has 2 calls" in text
    assert f"{12 + 20} words" in text
    assert "[0:00] S1 (agent): v0. v0. v0. v0." in text
    assert f"show b.wav --store {tmp_path}" in text


def test_a_call_in_which_nobody_says_a_word_is_not_quoted(tmp_path: Path) -> None:
    Store(tmp_path).write_call(made_call("a", turns=0))
    text = summarise(summary(processed=1), tmp_path)
    assert "From " not in text
    assert f"show a.wav --store {tmp_path}" in text


def test_what_was_not_processed_is_counted_too(tmp_path: Path) -> None:
    text = summarise(summary(processed=0, skipped=3, set_aside_before=1), a_store(tmp_path))
    assert "0 processed, 3 in the store already, 1 set aside before" in text
    assert "real time" not in text


def test_calls_whose_metadata_changed_are_counted_among_those_in_the_store(tmp_path: Path) -> None:
    text = summarise(summary(processed=0, skipped=3, restated=2), a_store(tmp_path))
    assert "0 processed, 3 in the store already (2 with metadata brought up to date)" in text


def test_failures_are_told_by_their_sentences_as_far_as_they_fit(tmp_path: Path) -> None:
    outcomes = tuple(failed(f"{number}.wav") for number in range(12))
    text = summarise(summary(set_aside=outcomes), a_store(tmp_path))
    assert "12 set aside" in text
    assert text.count("is empty: it has no bytes") == 10
    assert "and 2 more" in text


def test_an_empty_store_has_no_call_to_show(tmp_path: Path) -> None:
    Store(tmp_path)
    text = summarise(summary(processed=0, audio_s=0.0, working_s=0.0), tmp_path)
    assert "has 0 calls" in text
    assert "show" not in text


def test_the_state_of_a_store_counts_calls_words_reasons_and_has_the_last_run(tmp_path: Path) -> None:
    store = Store(a_store(tmp_path))
    for source, reason in (("x", "unreadable"), ("y", "unreadable"), ("z", "empty_file")):
        store.write_failure(made_failure(source, reason=reason))
    store.write_run(made_run(run_id="early"))
    store.write_run(made_run(run_id="late", started_at=DAY.replace(hour=12), status="interrupted"))
    state = state_of(tmp_path)
    assert (state["calls"], state["words"], state["speakers"], state["to_review"]) == (2, 32, 4, 2)
    assert state["hours"] == (13.0 + 21.0) / 3600
    assert state["failures"] == {"unreadable": 2, "empty_file": 1}
    assert (state["last_run"]["run_id"], state["last_run"]["status"]) == ("late", "interrupted")


def test_the_state_of_a_store_in_words(tmp_path: Path) -> None:
    store = Store(a_store(tmp_path))
    store.write_failure(made_failure("x"))
    store.write_run(made_run(status="finished", processed=2))
    text = describe(state_of(tmp_path))
    assert "2 calls" in text
    assert "1 × unreadable" in text
    assert "20240305T093000-1: finished, 2 processed" in text


def test_a_store_without_runs_can_be_described(tmp_path: Path) -> None:
    Store(tmp_path)
    assert "0 calls" in describe(state_of(tmp_path))
