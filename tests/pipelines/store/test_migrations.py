import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from earlier_store import schema_1, store_of_version_1
from keeping import killed_at_each_change, rows_in_files, temporary_files
from made_rows import made_call

from models.errors import UsageError
from pipelines.store import Store, StoreError, migrations
from pipelines.store.compaction import compact
from pipelines.store.doctor import examine
from pipelines.store.migrations import NOT_KNOWN, Migrated, migrate
from pipelines.tables import SCHEMA_VERSION, TABLES

A, B = (made_call(name).call["call_id"] for name in "ab")


pytestmark = pytest.mark.usefixtures("no_grace")


@pytest.fixture
def root(fast_path: Path) -> Path:
    return store_of_version_1(fast_path / "store")


def test_a_store_of_an_earlier_version_is_refused_with_the_command_that_brings_it_up(root: Path) -> None:
    with pytest.raises(UsageError, match=rf"tables of version 1.*callfolio migrate --store {root}$"):
        Store(root)


def test_a_migrated_store_is_as_it_should_be_in_every_respect(root: Path) -> None:
    done = migrate(root)
    assert (done.before, done.after) == (1, SCHEMA_VERSION)
    store = Store(root, create=False)
    assert examine(store).findings == ()
    for name, table in TABLES.items():
        for path in (root / "tables" / name).rglob("*.parquet"):
            with pq.ParquetFile(path) as file:
                assert [(field.name, field.type, field.nullable) for field in file.schema_arrow] == [
                    (field.name, field.type, field.nullable) for field in table.schema
                ]
    assert temporary_files(store) == []


def test_what_version_1_knew_is_kept_and_what_follows_from_it_is_computed(root: Path) -> None:
    migrate(root)
    store = Store(root, create=False)
    old, new = made_call("a"), store.read_call(A)
    for name in ("words", "turns", "speakers"):
        for before, after in zip(getattr(old, name), getattr(new, name), strict=True):
            for column in schema_1(name).names:
                assert after[column] == before[column]
    assert {name: new.call[name] for name in schema_1("calls").names if name != "schema_version"} == {
        name: old.call[name] for name in schema_1("calls").names if name != "schema_version"
    }
    assert new.call["schema_version"] == SCHEMA_VERSION
    assert [row["talk_share"] for row in new.speakers] == pytest.approx([2 / 3, 1 / 3])
    assert [row["longest_turn_s"] for row in new.speakers] == [3.75, 3.75]
    assert [row["first_word_s"] for row in new.speakers] == [0.5, 4.5]
    assert (new.call["first_agent_word_s"], new.call["first_customer_word_s"]) == (0.5, 4.5)
    assert store.failures()[0]["attempts"] == 2
    assert store.table("runs").num_rows == 1


def test_what_cannot_be_known_is_empty_and_said_so(root: Path) -> None:
    migrate(root)
    call = Store(root, create=False).read_call(A)
    notes = call.call["analysis_notes"]
    assert {notes[each] for each in ("moments", "sentences", "topics", "hold_s", "turns.sentiment")} == {
        NOT_KNOWN
    }
    assert (call.moments, call.sentences, call.entities, call.scores) == ((), (), (), ())
    assert call.turns[0]["sentiment"] is None
    assert call.turns[0]["key_phrases"] == []
    assert call.speakers[0]["sentiment_by_quarter"] == [None] * 4
    # What is said to be unknown is not what was known, or could be computed.
    assert (
        not {"words", "duration_s", "overlap_share", "speakers.talk_share", "first_agent_word_s"}
        & notes.keys()
    )
    assert {name.partition(".")[0] for name in notes} <= {*TABLES, *TABLES["calls"].schema.names}


def test_a_migrated_call_is_one_of_the_settings_that_made_it(root: Path) -> None:
    migrate(root)
    store = Store(root, create=False)
    assert store.processed() == {A: "settings-0", B: "settings-0"}
    store.write_call(made_call("a", version=1))
    assert store.read_call(A) == made_call("a", version=1)
    compact(store)
    assert examine(store).findings == ()


def test_a_store_of_the_present_version_is_left_alone(fast_path: Path) -> None:
    store = Store(fast_path / "store")
    store.write_call(made_call("a"))
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*.parquet")}
    assert migrate(store.root) == Migrated(SCHEMA_VERSION, SCHEMA_VERSION, 0)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*.parquet")} == before


def test_merged_files_that_lack_a_column_get_it(fast_path: Path) -> None:
    """A later version adds a column: here one is taken away, of merged files and of others."""
    store = Store(fast_path / "store")
    for name in "abc":
        store.write_call(made_call(name, turns=4))
    compact(store)
    store.write_call(made_call("d", turns=2))
    expected = rows_in_files(store.root)["speakers"]
    for path in (store.root / "tables" / "speakers").rglob("*.parquet"):
        with pq.ParquetFile(path) as file:
            table = file.read().drop_columns(["sentiment"])
        path.unlink()
        pq.write_table(table, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        migrate(store.root)
    found = rows_in_files(store.root)["speakers"]
    assert found == [(day, key, {**row, "sentiment": None}) for day, key, row in expected]
    assert not [each for each in examine(Store(store.root)).findings if each.kind != "invariant"]


def test_there_must_be_a_store_that_is_not_newer(root: Path, fast_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no store at"):
        migrate(fast_path / "nowhere")
    (root / "callfolio-store.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(UsageError, match="Update Callfolio"):
        migrate(root)


def test_a_damaged_file_stops_the_migration_and_is_named(root: Path) -> None:
    (path,) = root.glob(f"tables/words/*/{A}.parquet")
    path.write_bytes(b"no Parquet")
    with pytest.raises(StoreError, match=f"{path} is damaged"):
        migrate(root)


def test_a_migration_that_dies_at_any_change_goes_on_with_what_is_left() -> None:
    with killed_at_each_change("migrate") as (template, stores):
        migrate(shutil.copytree(template, template.with_name("migrated")))
        expected = rows_in_files(template.with_name("migrated"))
        assert expected["calls"]
        for root in stores:
            migrate(root)
            assert rows_in_files(root) == expected
            store = Store(root, create=False)
            store.sweep()
            assert temporary_files(store) == []
        assert examine(Store(stores[-1])).findings == ()
