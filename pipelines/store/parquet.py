"""Tables as Parquet files: those of one call, and the merged ones of many."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.invariants import InvariantBroken
from pipelines.store.disk import StoreError, sync_file
from pipelines.tables import SCHEMA_VERSION, TABLES, Row

FILE_ROWS: Final = 1_000_000
"""A merged file has no more rows than this, unless one call has."""
FILE_BYTES: Final = 128 << 20
"""Nor does it grow any more when it is as large as this."""
GROUP_BYTES: Final = 4 << 20
"""A row group is closed when it is as large as this in memory: one call is found by reading one or two of
them, and a reader of many still has thousands of rows at a time."""

_FEW_ROWS: Final = 20
_PLAIN: Final = (pa.types.is_integer, pa.types.is_floating, pa.types.is_string, pa.types.is_boolean)
_MERGED: Final = "merged~"
_UNFINISHED: Final = "unfinished"


def key_column(name: str) -> str:
    """The column that tells what a row of this table is of, where one column does."""
    return "run_id" if name == "runs" else "call_id"


def keys_of(name: str, table: pa.Table) -> Sequence[str]:
    """The key of each row: the call, the run, or, of a failure whose call is not known, its source."""
    keys = [str(key) for key in table.column(key_column(name)).to_pylist()]
    if name != "failures":
        return keys
    sources = table.column("source").to_pylist()
    return [key or source_key(str(source)) for key, source in zip(keys, sources, strict=True)]


def distinct_keys(name: str, path: Path) -> Sequence[str]:
    """The keys that a file holds, in order. Raises FileNotFoundError and StoreError."""
    if name == "failures":
        return sorted(set(keys_of(name, read_table(path, ["call_id", "source"]))))
    column = key_column(name)
    # As it is in the file: a dictionary of a few keys, and not a million strings.
    with _opened(path, read_dictionary=[column]) as file:
        chunks: Sequence[Any] = file.read(columns=[column], use_threads=False).column(column).chunks
    return sorted({str(key) for chunk in chunks for key in chunk.dictionary.to_pylist()})


def source_key(source: str) -> str:
    """The key of a recording that is known by where it lies."""
    return f"source-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def is_merged(path: Path) -> bool:
    """Whether a file is one of many calls. No key has a tilde."""
    return path.name.startswith(_MERGED)


def parquet_bytes(name: str, rows: Sequence[Row], source: str) -> memoryview:
    """The bytes of a file of this table. They are made in memory, so that all writing is done by `stage`.

    Raises InvariantBroken where a value is not of its column's type.
    """
    try:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name].schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvariantBroken(source, "types", f"{name}: {error}") from error
    return table_bytes(name, table)


def table_bytes(name: str, table: pa.Table) -> memoryview:
    """The bytes of a file with the rows of one call."""
    sink = pa.BufferOutputStream()
    with _writer(sink, name, table.num_rows > _FEW_ROWS and name != "sentences") as writer:
        writer.write_table(table.cast(TABLES[name].schema))
    return memoryview(sink.getvalue())


def _writer(sink: Any, name: str, dictionary: bool | list[str]) -> pq.ParquetWriter:
    writer = pq.ParquetWriter(
        sink,
        TABLES[name].schema,
        compression="zstd",
        # Descriptions, dictionaries and the Arrow schema would make up most of a file as small as that of
        # one call, and most of the time to open it.
        store_schema=False,
        use_dictionary=dictionary,  # type: ignore[arg-type]  # a list of columns is meant to be given
    )
    writer.add_key_value_metadata({"schema_version": str(SCHEMA_VERSION)})
    return writer


def read_rows(path: Path) -> Sequence[dict[str, Any]]:
    """The rows of a file, without `call_date`. Raises FileNotFoundError and StoreError."""
    return tuple(rows_of(read_table(path)))


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table: what `to_pylist` gives, in a third of its time where values are plain."""
    names, columns = table.column_names, [_values(column) for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: "pa.ChunkedArray[Any]") -> Sequence[Any]:
    kind = column.type
    if not column.null_count and any(is_kind(kind) for is_kind in _PLAIN):
        values: list[Any] = column.to_numpy().tolist()
        return values
    if pa.types.is_list(kind) and not column.null_count and pa.types.is_floating(kind.value_type):
        numbers = pc.list_flatten(column)
        if not numbers.null_count:
            flat, ends = numbers.to_numpy(), np.cumsum(pc.list_value_length(column).to_numpy()).tolist()
            return [flat[start:end].tolist() for start, end in zip([0, *ends], ends, strict=False)]
    return column.to_pylist(maps_as_pydicts="strict")


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A file as a table, without `call_date`. Raises FileNotFoundError and StoreError."""
    with _opened(path) as file:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)


class RowGroups:
    """Reads merged files key by key, and keeps the row groups of each table that it read last.

    They hold hundreds of calls: who reads many in the order in which they lie does not read them for each.
    """

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._last: dict[str, tuple[Path, tuple[int, ...], pa.Table]] = {}

    def read_key(self, name: str, path: Path, key: str) -> pa.Table:
        """The rows of one key, read from the row groups that may hold it. Raises FileNotFoundError and
        StoreError."""
        with _opened(path) as file:
            groups = tuple(
                group
                for group in range(file.metadata.num_row_groups)
                if name == "failures" or _may_hold(file.metadata.row_group(group), key)
            )
            if name not in self._last or self._last[name][:2] != (path, groups):
                self._last[name] = path, groups, file.read_row_groups(list(groups), use_threads=False)
        table = self._last[name][2]
        return table.filter(_are_of(name, table, [key]))


def _may_hold(group: pq.RowGroupMetaData, key: str) -> bool:
    statistics = group.column(0).statistics
    return statistics is None or str(statistics.min) <= key <= str(statistics.max)


def _are_of(name: str, table: pa.Table, keys: Collection[str]) -> Any:
    """Which rows of a table are of these keys, as a mask to filter it by."""
    if name == "failures":
        return pa.array([key in keys for key in keys_of(name, table)], pa.bool_())
    return pc.is_in(table.column(key_column(name)), pa.array(keys, pa.string()))


def schema_of(path: Path) -> pa.Schema:
    """The columns of a file. Raises FileNotFoundError and StoreError."""
    with _opened(path) as file:
        return file.schema_arrow


def rows_in(path: Path) -> int:
    """How many rows a file has. Raises FileNotFoundError and StoreError."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def is_large(path: Path) -> bool:
    """Whether a merged file is so large that merging it with others would mostly copy it."""
    return path.stat().st_size > FILE_BYTES // 2 or rows_in(path) > FILE_ROWS // 2


@dataclass(frozen=True)
class MergedFile:
    """A merged file that was written: where it lies for now, its name for ever, and its rows.

    The name is made of the hash of the content, so that files of one name never differ.
    """

    path: Path
    name: str
    rows: int


def merged(
    name: str, own: Sequence[Path], many: Sequence[Path], folder: Path, keys: frozenset[str] | None = None
) -> Sequence[MergedFile]:
    """Write the rows of files, in order of key, into as few files of a good size as it takes.

    `own` are files of one key each, `many` merged ones. The rows of a key keep their order and lie in one
    file. Rows whose key is not in `keys` are left out, where it is given. No more is held in memory than
    a row group of each file. Raises FileNotFoundError where a file went meanwhile, and StoreError.
    """
    singles = sorted((path.stem, path) for path in own)
    streams = [((key, read_table(path)) for key, path in singles), *(by_key(name, path) for path in many)]
    rows = merge(*streams, key=lambda each: each[0])
    wanted = ((key, table) for key, table in rows if keys is None or key in keys)
    return write_merged(name, (table for _, table in wanted), folder)


def write_merged(name: str, tables: Iterable[pa.Table], folder: Path) -> Sequence[MergedFile]:
    """Write tables in order of key, of whole keys each, into merged files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[MergedFile] = []
    writing = _Merging(name, folder, files)
    for table in tables:
        writing.add(table)
    writing.close()
    return files


class _Merging:
    """The merged file that is being written."""

    def __init__(self, name: str, folder: Path, files: list[MergedFile]) -> None:
        self._name, self._folder, self._files = name, folder, files
        self._waiting: list[pa.Table] = []
        self._bytes = self._rows = 0
        self._file: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        if self._rows and (self._rows + table.num_rows > FILE_ROWS or self._size() > FILE_BYTES):
            self.close()
        if table.num_rows:
            self._waiting.append(table)
            self._rows += table.num_rows
            self._bytes += table.nbytes
        if self._bytes >= GROUP_BYTES:
            self._flush()

    def _size(self) -> int:
        return self._file.tell() if self._file else 0

    def _flush(self) -> None:
        schema = TABLES[self._name].schema
        if self._writer is None:
            self._file = (self._folder / _UNFINISHED).open("wb")
            # Embeddings have no value twice: a dictionary makes their file a third larger.
            columns = [field.name for field in schema if field.name != "embedding"]
            self._writer = _writer(self._file, self._name, columns if self._name == "sentences" else True)
        table = pa.concat_tables(self._waiting).cast(schema).combine_chunks()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._waiting, self._bytes = [], 0

    def close(self) -> None:
        if self._waiting:
            self._flush()
        if self._writer is None or self._file is None:
            return
        self._writer.close()
        self._file.close()
        path = self._folder / _UNFINISHED
        sync_file(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = f"{_MERGED}{digest[:16]}.parquet"
        self._files.append(MergedFile(path.rename(self._folder / name), name, self._rows))
        self._writer, self._file, self._rows = None, None, 0


def by_key(name: str, path: Path) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a merged file, key by key; no more than a row group is held in memory.

    Raises FileNotFoundError and StoreError, at any row group.
    """
    held: tuple[str, list[pa.Table]] = ("", [])
    for group in _groups(path):
        for key, table in split(name, group):
            # Of a call that a row group ends in, the rest is in the next.
            if key != held[0]:
                if held[1]:
                    yield held[0], pa.concat_tables(held[1])
                held = (key, [])
            held[1].append(table)
    if held[1]:
        yield held[0], pa.concat_tables(held[1])


def parted(name: str, path: Path, wanted: Collection[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of a merged file, row group by row group: those of the wanted keys, and the others.

    Raises FileNotFoundError and StoreError, at any row group.
    """
    for group in _groups(path):
        mask = _are_of(name, group, wanted)
        yield group.filter(mask), group.filter(pc.invert(mask))


def groups_in(path: Path) -> int:
    """How many row groups a file has. Raises FileNotFoundError and StoreError."""
    with _opened(path) as file:
        return int(file.metadata.num_row_groups)


def _groups(path: Path) -> Iterator[pa.Table]:
    """The row groups of a file, one at a time."""
    with _opened(path) as file:
        for group in range(file.metadata.num_row_groups):
            yield file.read_row_group(group, use_threads=False)


@contextmanager
def _opened(path: Path, **options: Any) -> Iterator[pq.ParquetFile]:
    """The one place where what is wrong with a file becomes a sentence."""
    try:
        with pq.ParquetFile(path, **options) as file:
            yield file
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged. Delete it and process its recordings again.") from error


def split(name: str, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a table that is in order of key, key by key."""
    start = 0
    for key, of_key in groupby(keys_of(name, table)):
        count = sum(1 for _ in of_key)
        yield key, table.slice(start, count)
        start += count
