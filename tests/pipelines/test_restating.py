"""What metadata says by now against what the store has of a call."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from made_rows import DAY, made_call
from sample_calls import SAMPLE_CALLS, Processed

from models.loaded import LoadedModels
from pipelines.analytics.examples import SHIPPED, examples_in
from pipelines.call import process
from pipelines.recording import identify
from pipelines.rereading import Reader, read_again
from pipelines.restating import (
    Restatement,
    StatedCalls,
    restated,
    restatement,
    said_before,
    stated_calls,
)
from pipelines.rows import rows_of
from pipelines.scorecards.cards import Rulebook
from pipelines.scorecards.scoring import Scorer
from pipelines.settings import CallSettings
from pipelines.sources import CallMetadata, find_sources
from pipelines.store import Store
from pipelines.tables import TABLES, CallRows

SAME = CallMetadata(
    started_at=DAY.astimezone(timezone(timedelta(hours=5))),
    kind="contact_center",
    language="en",
    speakers=7,
    queue="billing",
    metadata={"version": "0"},
)
"""What the rows of a made call say, and a number of speakers, which they do not."""


def on_channels(rows: CallRows, *confidences: float) -> CallRows:
    """The call with each speaker on a channel, whose role is as certain as that."""
    speakers = [
        {**person, "channel": channel, "role_confidence": confidence}
        for channel, (person, confidence) in enumerate(zip(rows.speakers, confidences, strict=True), 1)
    ]
    return replace(rows, speakers=tuple(speakers))


def said(rows: CallRows, given: CallMetadata) -> Restatement:
    return restatement(given, rows.call, rows.speakers)


@pytest.mark.parametrize("given", [CallMetadata(), SAME], ids=["nothing", "the same"])
def test_nothing_or_the_same_is_nothing_to_bring(given: CallMetadata) -> None:
    rows = made_call()
    assert not said(rows, given)
    assert restated(rows, given) == rows


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (CallMetadata(agent_id="a1"), {"agent_id": "a1"}),
        (CallMetadata(queue="sales", direction="outbound"), {"queue": "sales", "direction": "outbound"}),
        (CallMetadata(metadata={"version": "0", "team": "n"}), {"metadata": {"version": "0", "team": "n"}}),
        (CallMetadata(metadata={"team": "n"}), {"metadata": {"version": "0", "team": "n"}}),
        (CallMetadata(started_at=DAY + timedelta(days=1)), {"started_at": DAY + timedelta(days=1)}),
    ],
)
def test_a_column_that_is_said_otherwise_takes_the_value_and_the_others_stay(
    given: CallMetadata, columns: dict[str, Any]
) -> None:
    rows = made_call()
    assert said(rows, given) == Restatement(columns)
    after = restated(rows, given)
    assert {name: after.call[name] for name in rows.call} == {
        **rows.call,
        **columns,
        "call_date": (given.started_at or DAY).date(),
    }
    assert not said(after, given)


def test_a_moment_that_was_guessed_and_is_said_now_is_known_from_the_metadata() -> None:
    rows = made_call()
    guessed = replace(rows, call={**rows.call, "started_at_source": "file_modified"})
    assert said(guessed, SAME).columns == {"started_at_source": "metadata"}


def test_another_kind_has_the_call_read_again_and_the_same_one_does_not() -> None:
    rows = made_call()
    assert said(rows, CallMetadata(kind="consultation")) == Restatement({"kind": "consultation"}, reread=True)
    recognised = replace(rows, call={**rows.call, "kind_source": "recognised"})
    assert said(recognised, SAME) == Restatement({"kind_source": "given"})


def test_another_language_has_the_recording_heard_again() -> None:
    assert said(made_call(), CallMetadata(language="es")) == Restatement(reheard=True)


@pytest.mark.parametrize(
    ("confidences", "roles", "reread"),
    [
        ((1.0, 1.0), {1: "agent", 2: "customer"}, False),
        ((1.0, 1.0), {1: "customer", 2: "agent"}, True),
        ((1.0, 0.5), {1: "agent"}, False),
        ((1.0, 1.0), {1: "agent"}, True),
        ((0.5, 0.5), {1: "agent"}, True),
        ((0.5, 0.5), {}, False),
        ((1.0, 1.0), {3: "ivr", 1: "agent", 2: "customer"}, False),
    ],
)
def test_roles_of_channels_count_where_a_speaker_has_one(
    confidences: tuple[float, float], roles: dict[int, str], reread: bool
) -> None:
    given = CallMetadata(channel_roles=roles)
    rows = on_channels(made_call(), *confidences)
    assert said(rows, given).reread is reread
    after = restated(rows, given)
    assert not said(after, given)
    assert all(
        (person["role"], person["role_confidence"]) == (roles[person["channel"]], 1.0)
        for person in after.speakers
        if person["channel"] in roles
    )
    assert not said(made_call(), given), "nobody has a channel to himself"


def test_what_was_said_before_is_known_from_the_rows() -> None:
    rows = on_channels(restated(made_call(), replace(SAME, agent_id="a1")), 1.0, 0.5)
    before = said_before(rows)
    assert before == CallMetadata(
        started_at=DAY,
        agent_id="a1",
        queue="billing",
        direction="inbound",
        channel_roles={1: "agent"},
        metadata={"version": "0"},
    )
    assert not said(rows, before)


def test_roles_of_channels_are_said_together_also_of_a_call_that_is_processed_again() -> None:
    rows = on_channels(made_call(), 1.0, 1.0)
    given = CallMetadata(channel_roles={1: "agent"})
    assert [person["role"] for person in restated(rows, given).speakers] == ["agent", "unknown"]
    assert given.over(said_before(rows)).channel_roles == {1: "agent"}
    assert CallMetadata().over(said_before(rows)).channel_roles == {1: "agent", 2: "customer"}


def test_what_may_have_been_found_out_is_not_taken_for_said() -> None:
    rows = restated(made_call(), CallMetadata(kind="consultation"))
    assert (rows.call["kind"], rows.call["kind_source"]) == ("consultation", "given")
    before = said_before(rows)
    assert (before.kind, before.language, before.speakers) == (None, None, None)


def test_a_whole_store_is_asked_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain, split = made_call("a"), on_channels(made_call("b"), 1.0, 0.5)
    for rows in (plain, split):
        store.write_call(rows)
    for channels in (False, True):
        stated = stated_calls(store, channels)
        assert set(stated) == {plain.call["call_id"], split.call["call_id"]}
        assert not restatement(SAME, stated[plain.call["call_id"]].call, ())
        people = stated[split.call["call_id"]].speakers
        assert [person["channel"] for person in people] == ([1, 2] if channels else [])
    swapped = CallMetadata(channel_roles={1: "customer", 2: "agent"})
    assert restatement(swapped, stated[split.call["call_id"]].call, people).reread
    assert "ff" * 16 not in stated
    assert dict(stated_calls(Store(tmp_path / "empty"), True)) == {}


def test_what_a_whole_store_says_is_not_held_as_rows() -> None:
    ids = sorted(f"{number:032x}" for number in range(3_000))
    calls = pa.table(
        {
            "call_id": ids,
            "metadata": pa.array(
                [[("team", each)] for each in ids], TABLES["calls"].schema.field("metadata").type
            ),
        }
    )
    people = pa.table(
        {"call_id": [each for each in ids[1:] for _ in "12"], "channel": [1, 2] * (len(ids) - 1)}
    )
    tracemalloc.start()
    try:
        stated = StatedCalls(calls, people)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100 * len(ids), "bytes; a row of one value takes 180"
    assert list(stated) == ids
    for call_id, channels in ((ids[0], []), (ids[1], [1, 2]), (ids[-1], [1, 2])):
        assert stated[call_id].call == {"call_id": call_id, "metadata": {"team": call_id}}
        assert [person["channel"] for person in stated[call_id].speakers] == channels


def test_a_moved_call_is_on_its_new_day_only(tmp_path: Path) -> None:
    store, rows = Store(tmp_path), made_call()
    store.write_call(rows)
    later = restated(rows, CallMetadata(started_at=datetime(2025, 1, 1, 0, 30, tzinfo=UTC)))
    assert store.write_call(later, instead_of=store.read_stored(rows.call["call_id"]))
    assert store.read_call(rows.call["call_id"]) == later
    folders = {path.parent.name for path in (tmp_path / "tables").glob("*/*/*.parquet")}
    assert folders == {f"call_date={date(2025, 1, 1)}"}


def test_what_is_in_calls_alone_is_replaced_in_one_step(tmp_path: Path) -> None:
    store, rows = Store(tmp_path), made_call()
    store.write_call(rows)
    files = {path: path.stat().st_ino for path in tmp_path.glob("tables/*/*/*.parquet")}
    after = restated(rows, CallMetadata(agent_id="a1"))
    assert store.write_call(after, instead_of=store.read_stored(rows.call["call_id"]))
    assert store.read_call(rows.call["call_id"]) == after
    left = {path: path.stat().st_ino for path in tmp_path.glob("tables/*/*/*.parquet")}
    [replaced] = [path for path in files if files[path] != left[path]]
    assert (set(left), replaced.parent.parent.name) == (set(files), "calls")


@pytest.mark.slow
def test_with_other_roles_it_is_the_call_that_processing_it_again_makes(
    processed: Callable[[str], Processed], loaded: LoadedModels, tmp_path: Path
) -> None:
    provenance = {"profile": "tiny", "models": {"minilm": "m"}, "settings_sha256": "s", "run_id": "r"}
    assert loaded.embedder is not None
    examples = examples_in(SHIPPED, loaded.embedder)
    scorer = Scorer(Rulebook(), None)
    reader = Reader(loaded.parser, loaded.sentiment, loaded.embedder, "m", examples, scorer)
    call = processed("broadband_outage").call
    assert call.channels.mode == "split"
    given = CallMetadata(
        kind="consultation",
        channel_roles={1: "doctor", 2: "patient"},
        agent_id="a1",
        started_at=DAY,
        metadata=call.recording.metadata.metadata,
    )
    [source] = find_sources([str(SAMPLE_CALLS["broadband_outage"].path)])
    again = process(identify(replace(source, metadata=given.over(source.metadata))), loaded, CallSettings())
    store, fresh, call_id = Store(tmp_path / "store"), Store(tmp_path / "fresh"), call.recording.call_id
    store.write_call(rows_of(call, provenance))
    fresh.write_call(rows_of(again, provenance))
    stored = store.read_stored(call_id)
    store.write_call(read_again(restated(stored.rows(), given), reader), instead_of=stored)
    found, wanted = store.read_call(call_id), fresh.read_call(call_id)
    run_only = {name: wanted.call[name] for name in ("processed_at", "stage_s")}
    assert replace(found, call={**found.call, **run_only}) == wanted
