"""What tests of keeping a store share: processes that are killed, and what a reader of the files sees."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from fast_folder import fast_folder
from keeper import STEP

from pipelines.store import Store
from pipelines.store.parquet import keys_of
from pipelines.tables import TABLES

HERE = Path(__file__).parent

Seen = dict[str, list[tuple[str, str, Any]]]


@contextmanager
def another(script: str, *arguments: object) -> "Iterator[subprocess.Popen[str]]":
    """Another process; it is killed at the end if it still lives."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    path = os.pathsep.join(map(str, (HERE.parents[2], HERE.parent, HERE)))
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def killed_at_each_change(what: str) -> Iterator[tuple[Path, list[Path]]]:
    """A store, and copies of it in which a process that did `what` was killed before its 1st, 4th, 7th, …
    change; in the last one it was not."""
    with fast_folder() as folder, another("keeper.py", folder, "die", what) as process:
        said, _ = process.communicate()
        assert process.returncode == 0
        moments, status = map(int, said.split())
        assert status == 0
        assert moments > 10
        yield folder / "template", [folder / str(moment) for moment in range(1, moments + 1, STEP)]


def rows_in_files(root: Path) -> Seen:
    """All rows that lie in the files of a store, with day and key, in order: those that a reader sees who
    reads the folders by itself."""
    seen: Seen = {}
    for name in TABLES:
        rows = []
        for path in sorted((root / "tables" / name).glob("call_date=*/*.parquet")):
            with pq.ParquetFile(path) as file:
                table = file.read()
            of_file = table.to_pylist(maps_as_pydicts="strict")
            rows += [
                (path.parent.name, key, row) for key, row in zip(keys_of(name, table), of_file, strict=True)
            ]
        seen[name] = sorted(rows, key=lambda each: each[:2])
    return seen


def merged_files(store: Store) -> int:
    return len(list(store.root.glob("tables/*/*/merged~*.parquet")))


def own_files(store: Store) -> int:
    return len(list(store.root.glob("tables/*/*/*.parquet"))) - merged_files(store)


def temporary_files(store: Store) -> list[Path]:
    return list((store.root / "tmp").iterdir())


def copy_of(root: Path, folder: Path) -> Store:
    return Store(Path(shutil.copytree(root, folder)))
