"""Questions to a store in SQL, by DuckDB: they read the store's tables and can do nothing else."""

import duckdb
import pyarrow as pa

from models.errors import UsageError
from pipelines.store import Store
from pipelines.tables import TABLES

_ONE_SELECT = "A query is one `select` statement, such as: select * from calls limit 10."


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """A connection with a view for each table of the store, for a notebook or a program.

    It shows the calls that were in the store when it was opened; open another to see later ones. A call
    that is replaced while a statement runs may be seen in part: `query` takes care of that. It opens no
    file but those of the tables and no network connection. It is not for SQL of people who are not trusted,
    as that could write into the folder of the tables: `query` is. Raises StoreError.
    """
    return store.views()


def query(store: Store, sql: str) -> pa.Table:
    """The answer to one `select` (or `describe`, `summarize`, `show tables`) over the store's tables.

    Nothing can be written by it, and nothing read but the tables. A call that is replaced meanwhile is seen
    as it was or as it is, and whole. Raises UsageError with DuckDB's own reason when the query is wrong,
    StoreError when the store cannot be read.
    """
    try:
        return store.read(lambda views: _answer(views, sql))
    except duckdb.PermissionException as error:
        raise UsageError(f"A query can read nothing but the tables: {', '.join(TABLES)}.") from error
    except duckdb.Error as error:
        raise UsageError(f"The query cannot be answered: {_sentence(error)}") from error


def _answer(views: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    statements = views.extract_statements(sql)
    # `enable_logging` is a function that a select may call, and writes a file.
    if (
        len(statements) != 1
        or statements[0].type != duckdb.StatementType.SELECT
        or "enable_logging" in sql.lower()
    ):
        raise UsageError(_ONE_SELECT)
    # `with x as (copy …) select …` is of the type SELECT and writes a file; DuckDB refuses to bind it
    # anywhere but at the top, so the statement must bind as a subquery before it may run.
    views.execute(f"explain select * from (\n{statements[0].query}\n)")
    answer: pa.Table = views.sql(statements[0]).to_arrow_table()
    return answer


def _sentence(error: duckdb.Error) -> str:
    """What DuckDB says, in one line, without the kind of error before it and the statement after it."""
    message = str(error).partition("\n\nLINE ")[0].partition("Error: ")[2] or str(error)
    message = " ".join(message.split())
    return message if message.endswith((".", "?", "!")) else f"{message}."
