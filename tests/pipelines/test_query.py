import datetime as dt
from pathlib import Path

import duckdb
import pytest
from made_rows import made_call, made_failure, made_run

from models.errors import UsageError
from pipelines.query import connect, query
from pipelines.store import Store, StoreError
from pipelines.tables import TABLES


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two calls of two days, a failure and a run, in a folder whose name is hard to quote."""
    store = Store(tmp_path / "o'clock [a-z]*? store")
    store.write_call(made_call("a", day=0))
    store.write_call(made_call("b", day=1, turns=5))
    store.write_failure(made_failure("calls/c.wav"))
    store.write_run(made_run())
    return store


def test_every_table_is_a_view_with_its_declared_columns(store: Store) -> None:
    assert query(store, "show tables").column("name").to_pylist() == sorted(TABLES)
    for name, table in TABLES.items():
        assert query(store, f"from {name}").cast(table.read_schema).schema.names == table.read_schema.names


def test_an_empty_store_has_empty_views_with_the_same_columns(tmp_path: Path, store: Store) -> None:
    empty = Store(tmp_path / "empty")
    assert query(empty, "show tables").column("name").to_pylist() == sorted(TABLES)
    for name in TABLES:
        assert query(empty, f"select count(*) as n from {name}").to_pylist() == [{"n": 0}]
        described = f"select column_name, column_type from (describe {name})"
        assert query(empty, described).equals(query(store, described))


def test_tables_join_and_are_cut_by_date(store: Store) -> None:
    answer = query(
        store,
        "select c.source, c.call_date, c.metadata['version'] as version, count(*) as n "
        "from calls c join words w using (call_id) "
        "where c.call_date >= date '2024-03-06' group by all order by 1",
    )
    assert answer.to_pylist() == [
        {"source": "calls/b.wav", "call_date": dt.date(2024, 3, 6), "version": "0", "n": 20}
    ]


def test_the_order_of_an_answer_is_that_of_the_query(store: Store) -> None:
    answer = query(store, "select position from words order by call_date desc, position desc")
    assert answer.column("position").to_pylist() == [*range(19, -1, -1), *range(11, -1, -1)]


def test_times_are_in_utc(store: Store) -> None:
    answer = query(
        store, "select started_at, hour(started_at) as hour from calls order by started_at limit 1"
    ).to_pylist()
    assert answer == [{"started_at": dt.datetime(2024, 3, 5, 9, 30, tzinfo=dt.UTC), "hour": 9}]


def test_a_call_without_its_row_in_calls_is_in_no_view(store: Store) -> None:
    (path,) = (store.root / "tables" / "calls").glob("call_date=2024-03-05/*.parquet")
    path.unlink()
    for name, left in (("calls", 1), ("words", 20), ("turns", 5), ("speakers", 2)):
        assert query(store, f"select count(*) as n from {name}").to_pylist() == [{"n": left}]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "select * from wrods",
            'The query cannot be answered: Table with name wrods does not exist! Did you mean "words"?',
        ),
        ("selec 1", 'The query cannot be answered: syntax error at or near "selec".'),
        ("select 'a'::int", "The query cannot be answered: Could not convert string 'a' to INT32."),
        ("", "A query is one `select` statement, such as: select * from calls limit 10."),
        ("select 1; select 2", "A query is one `select` statement, such as: select * from calls limit 10."),
        ("drop view calls", "A query is one `select` statement, such as: select * from calls limit 10."),
        (
            "select * from read_text('/etc/passwd')",
            "A query can read nothing but the tables: calls, turns, words, speakers, moments, sentences, "
            "entities, scores, categories, failures, runs.",
        ),
    ],
)
def test_a_wrong_query_is_one_sentence_or_two(store: Store, sql: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        query(store, sql)
    assert str(caught.value) == sentence


def test_a_wrong_column_is_named_with_those_that_may_be_meant(store: Store) -> None:
    with pytest.raises(UsageError, match=r'Referenced column "worrd" not found .* "word"') as caught:
        query(store, "select worrd from words")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{file}'",
        "with x as (copy (select 1) to '{file}') select * from x",
        "select 1 union all (with x as (copy (select 1) to '{file}') select 1)",
        "copy (pivot calls on queue using count(*)) to '{file}'",
        "explain analyze copy (select 1) to '{file}'",
        "attach '{file}'",
        "export database '{file}'",
        "call enable_logging(storage='file', storage_config={{'path': '{file}'}})",
        "select * from enable_logging(storage='file', storage_path='{file}')",
        "select * from query('with x as (copy (select 1) to ''{file}'') select 1')",
        "select 1) with x as (copy (select 1) to '{file}') select * from (select 1",
    ],
)
def test_a_query_writes_nothing_not_even_into_the_store(tmp_path: Path, sql: str) -> None:
    store = Store(tmp_path / "store")
    store.write_call(made_call())
    before = contents(tmp_path)
    for folder in (tmp_path, store.root, store.root / "tables", *(store.root / "tables" / "calls").iterdir()):
        with pytest.raises(UsageError):
            query(store, sql.format(file=folder / "written.parquet"))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('{file}')",
        "from read_blob('{file}')",
        "from '{file}'",
        "from read_csv('{file}')",
        "from sniff_csv('{file}')",
        "from glob('{file}')",
        "from read_text('{tables}/../../secret.csv')",
        "from read_text((select '{file}'))",
    ],
)
def test_a_query_reads_nothing_but_the_tables(tmp_path: Path, sql: str) -> None:
    store = Store(tmp_path / "store")
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nvalue\n")
    with pytest.raises(UsageError):
        query(store, sql.format(file=secret, tables=store.root / "tables"))


def test_a_connection_cannot_be_freed_of_its_confines(store: Store, tmp_path: Path) -> None:
    with connect(store) as connection:
        assert connection.sql("select count(*) from words").fetchall() == [(32,)]
        for statement in (
            "set enable_external_access = true",
            "set allowed_directories = ['/']",
            "set autoload_known_extensions = true",
            "reset lock_configuration",
            "install httpfs",
            "load httpfs",
            "from read_text('/etc/hostname')",
            "from read_csv('https://example.org/a.csv')",
            f"copy calls to '{(tmp_path / 'out.csv').as_posix()}'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
        variable = [1]
        assert variable
        with pytest.raises(duckdb.CatalogException):
            connection.execute("from variable")


def test_a_connection_stays_with_the_calls_that_were_there_when_it_was_opened(store: Store) -> None:
    with connect(store) as connection:
        store.write_call(made_call("later"))
        assert connection.sql("select count(*) from calls").fetchall() == [(2,)]
        assert connection.sql("select count(*) from words").fetchall() == [(32,)]
    with connect(store) as connection:
        assert connection.sql("select count(*) from calls").fetchall() == [(3,)]


def test_a_query_is_asked_again_when_a_call_was_replaced_meanwhile(store: Store) -> None:
    asked = []

    def question(views: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
        asked.append(1)
        if len(asked) == 1:
            store.write_call(made_call("a", version=1))
        return views.sql("select distinct word from words order by 1").fetchall()

    assert store.read(question) == [("v0.",), ("v1.",)]
    assert len(asked) == 2


def test_a_query_is_not_asked_again_when_a_call_was_added_meanwhile(store: Store) -> None:
    asked = []

    def question(views: duckdb.DuckDBPyConnection) -> list[tuple[int]]:
        asked.append(1)
        store.write_call(made_call(f"added {len(asked)}"))
        return views.sql("select count(*) from calls").fetchall()

    assert store.read(question) == [(2,)]
    assert len(asked) == 1


def test_a_damaged_file_is_named(store: Store) -> None:
    (path,) = (store.root / "tables" / "calls").glob("call_date=2024-03-05/*.parquet")
    path.write_bytes(b"not Parquet, whatever its name says")
    with pytest.raises(StoreError, match=r"has a file that cannot be read: .*calls/call_date=2024-03-05/"):
        query(store, "select 1")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
