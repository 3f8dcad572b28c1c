"""Reading a store again gives what processing its recordings again would give, without hearing anything."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_rows import made_call
from sample_calls import SAMPLE_CALLS, Processed

from models.loaded import LoadedModels
from pipelines.analytics.examples import SHIPPED, examples_in
from pipelines.call import process
from pipelines.recording import identify
from pipelines.rereading import Reader, reread
from pipelines.rows import rows_of
from pipelines.scorecards.parsing import load
from pipelines.scorecards.scoring import Scorer
from pipelines.settings import CallSettings
from pipelines.sources import find_sources
from pipelines.store import Store
from pipelines.tables import CallRows

MODEL = "ef" * 32
PROVENANCE = {"profile": "tiny", "models": {"minilm": MODEL}, "settings_sha256": "s", "run_id": "r"}
HEARD_WHEN = ("processed_at", "stage_s")
"""What differs between two runs whatever they are given."""


def reader(loaded: LoadedModels, examples: Path = SHIPPED) -> Reader:
    assert loaded.embedder is not None
    rulebook = load(SHIPPED / "scorecards", SHIPPED / "categories")
    return Reader(
        loaded.parser,
        loaded.sentiment,
        loaded.embedder,
        MODEL,
        examples_in(examples, loaded.embedder),
        Scorer(rulebook, loaded.embedder.embed, MODEL),
    )


def without_times(rows: CallRows) -> CallRows:
    call = {name: value for name, value in rows.call.items() if name not in HEARD_WHEN}
    return replace(rows, call=call)


@pytest.fixture
def changed_examples(tmp_path: Path) -> Path:
    """Roles the wrong way round, and one topic for everything."""
    folder = tmp_path / "examples"
    for part in ("roles", "topics", "gist"):
        shutil.copytree(SHIPPED / part, folder / part)
    roles = folder / "roles" / "contact_center.yaml"
    text = (
        roles.read_text("utf-8").replace("\n  agent:", "\n  nobody:").replace("\n  customer:", "\n  agent:")
    )
    roles.write_text(text.replace("\n  nobody:", "\n  customer:"), "utf-8")
    for kind in ("contact_center", "consultation"):
        topic = "kind: KIND\ntopics:\n  internet:\n    - My internet has been down since Sunday night.\n"
        (folder / "topics" / f"{kind}.yaml").write_text(topic.replace("KIND", kind), "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["card_dispute", "broadband_outage"])
def test_it_gives_the_rows_of_a_run_with_the_same_files(
    processed: Callable[[str], Processed],
    loaded: LoadedModels,
    changed_examples: Path,
    tmp_path: Path,
    name: str,
) -> None:
    """Roles that a channel map gave stay, those that were found are found anew; `card_dispute` is mono."""
    before, after = reader(loaded), reader(loaded, changed_examples)
    store, fresh = Store(tmp_path / "store"), Store(tmp_path / "fresh")
    call = processed(name).call
    store.write_call(before.scorer.score_rows(rows_of(call, PROVENANCE)))
    [source] = find_sources([str(SAMPLE_CALLS[name].path)])
    again = process(identify(source), loaded, CallSettings(), examples=lambda: after.examples)
    fresh.write_call(after.scorer.score_rows(rows_of(again, PROVENANCE)))
    call_id = call.recording.call_id
    heard = store.read_call(call_id)

    result = reread(store, [call_id], after)
    assert (result.calls, result.replaced, result.left_alone) == (1, 1, ())
    assert without_times(store.read_call(call_id)) == without_times(fresh.read_call(call_id))
    assert store.read_call(call_id) != heard

    reread(store, [call_id], before)
    assert store.read_call(call_id) == heard
    assert reread(store, [call_id], before).replaced == 0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two calls that were read with `MODEL`, and one that was not."""
    store = Store(tmp_path / "store")
    for name, model in (("a", MODEL), ("b", MODEL), ("c", "00" * 32)):
        rows = made_call(name)
        store.write_call(replace(rows, call={**rows.call, "models": {"minilm": model}}))
    return store


A, B, C = (made_call(name).call["call_id"] for name in "abc")


def test_calls_of_another_model_and_calls_that_went_are_left_alone(
    store: Store, loaded: LoadedModels
) -> None:
    before = store.read_call(C)
    result = reread(store, [A, "0" * 32, C], reader(loaded))
    assert (result.calls, result.left_alone) == (1, (C,))
    assert store.read_call(C) == before


def test_what_was_heard_stays_as_it_was(store: Store, loaded: LoadedModels) -> None:
    before = store.read_call(A)
    assert reread(store, [A, B], reader(loaded)).replaced == 2
    after = store.read_call(A)
    assert after.moments == before.moments
    for table in ("turns", "words", "speakers"):
        for old, new in zip(getattr(before, table), getattr(after, table), strict=True):
            said = {"role", "role_confidence", "questions", "key_phrases"}
            assert {name for name in old if old[name] != new[name] and "sentiment" not in name} <= said
    assert {name for name in before.call if before.call[name] != after.call[name]} <= {
        *("kind", "topic", "topic_score", "topics", "reason", "outcome", "next_steps", "analysis_notes"),
        *("examples_sha256", "first_agent_word_s", "first_customer_word_s"),
    }


@pytest.mark.parametrize(("source", "kept"), [("given", True), (None, True), ("recognised", False)])
def test_a_kind_that_was_given_stays(
    store: Store, loaded: LoadedModels, source: str | None, kept: bool
) -> None:
    rows = made_call("a")
    call = {**rows.call, "models": {"minilm": MODEL}, "kind": "consultation", "kind_source": source}
    store.write_call(replace(rows, call=call))
    reread(store, [A], reader(loaded))
    assert (store.read_call(A).call["kind"] == "consultation") is kept


def test_a_call_that_is_processed_meanwhile_is_read_again_and_not_overwritten(
    store: Store, loaded: LoadedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = made_call("a", version=1)
    meanwhile = replace(meanwhile, call={**meanwhile.call, "models": {"minilm": MODEL}})
    write, pending = Store.write_call, [meanwhile]

    def late(self: Store, rows: CallRows, instead_of: Any = None) -> bool:
        if instead_of is not None and pending:
            write(self, pending.pop())
        return write(self, rows, instead_of)

    monkeypatch.setattr(Store, "write_call", late)
    reread(store, [A], reader(loaded))
    assert [word["word"] for word in store.read_call(A).words][:1] == ["v1."]
    assert store.read_stored(A).rows().call["settings_sha256"] == "settings-1"
