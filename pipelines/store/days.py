"""The files that a table's day is made of, and how a day gets others in one step.

A day's folder has a file for each call that was written since, and merged files of many calls. To merge
files, or to set a call apart from a merged one, the folder is made anew beside the store's tables, with
links to the files that stay, and changes places with the old one: `renameat2` swaps two folders in a
single step of the system. No row changes by it.

What a reader sees that lists the folders by itself (pandas, DuckDB, Spark on `tables/<table>/*/*.parquet`):
a folder that is opened before the step has the old files, one that is opened after it has the new ones, and
never both or neither. A file that was listed before the step and is opened after it is gone, and the reader
says so; asked again, it reads the same rows. The old folder is kept as it was for a second, for those who
are still listing it.

Where the disk cannot swap folders (NFS, SMB), the old folder is moved away and the new one into its place:
between these two steps, a fraction of a millisecond, a day of one table is not there for such a reader.
`moving.json` says so to the readers of this package, who wait, and to whoever comes after a process that was
killed between the two, who finishes it.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.store import disk
from pipelines.store.parquet import (
    RowGroups,
    distinct_keys,
    groups_in,
    is_merged,
    parted,
    split,
    table_bytes,
    write_merged,
)
from pipelines.tables import PARTITION, TABLES

PARTS: Final = ("words", "turns", "speakers", "moments", "sentences", "entities", "scores", "categories")
"""The tables of a call but `calls`, which is written last and removed first."""
JUDGED: Final = ("scores", "categories")
"""These are replaced while the call stays, when it is judged again; calls of older stores have none."""
GRACE_S: Final = 1.0
"""How long an old folder is kept for those who were listing it."""

_PIECES: Final = 16
"""A merged file that a call is taken out of is cut into so many, between row groups, so that its neighbours,
which are likely to be next, cost a fraction of it."""


@dataclass(frozen=True)
class Change:
    """What a day of a table is to lose and to get: `without` are its files by name, with their stamps when
    they were read; `staged` are files that wait elsewhere, by the name that they are to have."""

    table: str
    day: str
    without: Mapping[str, tuple[int, int]]
    staged: Mapping[str, Path] = field(default_factory=dict)


class Days:
    """The days' folders of a store, and which keys its merged files hold."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder of the store."""
        self.root = root
        self.tables = root / "tables"
        self._listed: dict[Path, tuple[tuple[int, int], tuple[Path, ...]]] = {}
        self._keys: dict[Path, NDArray[np.bytes_]] = {}
        self._retired: list[tuple[float, Path]] = []

    # What is there

    def folders(self, table: str) -> Sequence[Path]:
        """The folders of a table's days, in order."""
        return sorted((self.tables / table).glob(f"{PARTITION}=*"))

    def merged(self, folder: Path) -> Sequence[Path]:
        """The merged files of a day's folder."""
        try:
            stamp = disk.stamp_of(folder)
            if folder not in self._listed or self._listed[folder][0] != stamp:
                # Merged files come and go with their folder only: one that has not changed is not listed.
                self._listed[folder] = stamp, tuple(sorted(filter(is_merged, folder.iterdir())))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return self._listed[folder][1]

    def keys(self, path: Path) -> NDArray[np.bytes_]:
        """The keys that a merged file holds, in order and without doubles. Raises FileNotFoundError."""
        if path not in self._keys:
            self._keys[path] = np.array(distinct_keys(path.parent.parent.name, path), dtype="S")
        return self._keys[path]

    def keys_on(self, table: str, day: str) -> set[str]:
        """The keys that the merged files of a day hold."""
        files = self.merged(self.tables / table / day)
        return {key.decode() for path in files for key in self.keys(path).tolist()}

    def find(self, table: str, key: str, day: str | None = None) -> Sequence[Path]:
        """The merged files that hold a key: of one day's folder, or of all days."""
        folders = self.folders(table) if day is None else [self.tables / table / day]
        files = [path for folder in folders for path in self.merged(folder)]
        return [path for path in files if self._holds(path, key.encode())]

    def holds_any(self, table: str, keys: Iterable[str]) -> bool:
        """Whether merged files of a table hold any of these keys."""
        wanted = [key.encode() for key in keys]
        files = [path for folder in self.folders(table) for path in self.merged(folder)]
        return any(self._holds(path, key) for path in files for key in wanted)

    def _holds(self, path: Path, key: bytes) -> bool:
        try:
            keys = self.keys(path)
        except FileNotFoundError:
            return False
        at = int(np.searchsorted(keys, key))
        return at < len(keys) and bool(keys[at] == key)

    def rows(self, table: str, day: str, key: str, groups: RowGroups) -> pa.Table | None:
        """The rows of a key in the merged files of a day; None where there is no merged file."""
        files = self.merged(self.tables / table / day)
        if not files:
            return None
        found = [groups.read_key(table, path, key) for path in files if self._holds(path, key.encode())]
        return pa.concat_tables(found) if found else TABLES[table].schema.empty_table()

    def layout(self, tables: Iterable[str], day: str) -> Sequence[int | None]:
        """What tells whether a day of these tables was laid out anew."""
        found: list[int | None] = []
        for table in tables:
            try:
                found.append((self.tables / table / day).stat().st_ino)
            except FileNotFoundError:
                found.append(None)
        return found

    # Laying out anew: all of this by who holds the lock `exclusive`

    def swap(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Make changes, one after the other, and return those that were not made.

        A change is not made when a file that it replaces is gone or another one, or a call has got a file of
        its own that it would replace; nor are then those of the same day.
        """
        self.recover()
        stale = {change.day for change in changes if not self._is_current(change)}
        for change in changes:
            if change.day not in stale:
                self._swap(change)
        return [change for change in changes if change.day in stale]

    def _is_current(self, change: Change) -> bool:
        folder = self.tables / change.table / change.day
        own = [name for name in change.staged.keys() - change.without.keys() if not is_merged(Path(name))]
        try:
            return not any((folder / name).exists() for name in own) and all(
                disk.stamp_of(folder / name) == stamp for name, stamp in change.without.items()
            )
        except FileNotFoundError:
            return False

    def _swap(self, change: Change) -> None:
        folder = self.tables / change.table / change.day
        folder.mkdir(parents=True, exist_ok=True)
        new = disk.temporary(self.root / "tmp", f"{change.table}.{change.day}")
        new.mkdir()
        for path in folder.iterdir():
            if path.name not in change.without and path.name not in change.staged:
                disk.link(path, new / path.name)
        for name, path in change.staged.items():
            path.rename(new / name)
        disk.sync_folder(new)
        self._replace(folder, new)
        disk.sync_folder(folder.parent)
        self._retired.append((time.monotonic() + GRACE_S, new))

    def _replace(self, folder: Path, new: Path) -> None:
        if disk.exchange(folder, new):
            return
        away = new.with_name(f"{new.name}-old")
        note = json.dumps({"folder": str(folder.relative_to(self.root)), "new": new.name, "away": away.name})
        disk.publish(disk.stage(self.root / "tmp", "moving", note.encode()), self._moving)
        folder.rename(away)
        new.rename(folder)
        away.rename(new)
        self._moving.unlink()

    @property
    def _moving(self) -> Path:
        return self.root / "moving.json"

    def is_moving(self) -> bool:
        """Whether a day may not be there for now, because the disk cannot swap folders."""
        return self._moving.exists()

    def recover(self) -> None:
        """Finish what a killed process left between two steps."""
        if not self._moving.exists():
            return
        note = json.loads(self._moving.read_bytes())
        folder, new = self.root / note["folder"], self.root / "tmp" / note["new"]
        # The new folder is whole before the old one is moved away.
        if not folder.exists() and new.exists():
            new.rename(folder)
        disk.remove([self.root / "tmp" / note["away"]])
        self._moving.unlink()

    def set_apart(self, keys: Mapping[str, Iterable[str]]) -> None:
        """Give these keys of these tables a file of their own, where a merged one holds them."""
        with self.setting_apart(keys) as changes:
            self.swap(changes)

    def take_out(self, keys: Mapping[str, Iterable[str]], day: str | None = None) -> None:
        """Take these keys of these tables out of the merged files, of one day's folders or of all."""
        with self.taking_out(keys, day) as changes:
            self.swap(changes)

    # What is needed for that is made before, by whoever will hold the lock

    @contextmanager
    def setting_apart(self, keys: Mapping[str, Iterable[str]]) -> Iterator[Sequence[Change]]:
        """The changes that give these keys of these tables a file of their own.

        A call that `calls` is given for is set apart in all its tables, the parts first: whatever a merged
        file of a part holds, one of `calls` holds. They are made beside the tables, while others go on, and
        are none where others lay out the days just now.
        """
        with self._staging() as folder:
            yield _unless_gone(
                self._parting(name, day, wanted, folder, keep=True)
                for table, wished in keys.items()
                for day, wanted in self._held(table, wished).items()
                for name in ((*PARTS, "calls") if table == "calls" else (table,))
            )

    @contextmanager
    def taking_out(
        self, keys: Mapping[str, Iterable[str]], day: str | None = None
    ) -> Iterator[Sequence[Change]]:
        """The changes that take these keys of these tables, in this order, out of the merged files, of one
        day's folders or of all. They are made as those of `setting_apart` are."""
        with self._staging() as folder:
            yield _unless_gone(
                self._parting(table, on, wanted, folder, keep=False)
                for table, wished in keys.items()
                for on, wanted in self._held(table, wished, day).items()
            )

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        folder = disk.temporary(self.root / "tmp", "apart")
        folder.mkdir()
        try:
            yield folder
        finally:
            disk.remove([folder])

    def _held(self, table: str, keys: Iterable[str], day: str | None = None) -> Mapping[str, set[str]]:
        """Which of the keys the merged files of each day hold."""
        wanted = np.unique(np.array([*keys], dtype="S"))
        by_day: dict[str, set[str]] = {}
        for folder in self.folders(table) if day is None else [self.tables / table / day]:
            for path in self.merged(folder):
                if found := np.intersect1d(self.keys(path), wanted, assume_unique=True).tolist():
                    by_day.setdefault(folder.name, set()).update(key.decode() for key in found)
        return by_day

    def _parting(self, table: str, day: str, wanted: Collection[str], folder: Path, keep: bool) -> Change:
        """The change that leaves these keys in no merged file of a day; `keep` gives each its own."""
        of_day = self.tables / table / day
        without: dict[str, tuple[int, int]] = {}
        staged: dict[str, Path] = {}
        found: dict[str, list[pa.Table]] = {}

        def others(path: Path) -> Iterator[pa.Table]:
            for apart, rest in parted(table, path, wanted):
                for key, rows in split(table, apart) if keep else ():
                    found.setdefault(key, []).append(rows)
                yield rest

        for path in self.merged(of_day):
            if not any(self._holds(path, key.encode()) for key in wanted):
                continue
            without[path.name] = disk.stamp_of(path)
            size, rest = max(1, -(-groups_in(path) // _PIECES)), others(path)
            while piece := tuple(islice(rest, size)):
                for file in write_merged(table, piece, folder / table / day):
                    staged[file.name] = file.path
        for key in wanted if keep else ():
            own = of_day / f"{key}.parquet"
            # A call without rows in a table has a file there all the same.
            if key in found or (table in PARTS and not own.exists()):
                rows = pa.concat_tables(found[key]) if key in found else TABLES[table].schema.empty_table()
                staged[own.name] = disk.stage(folder, key, table_bytes(table, rows))
                if own.exists():
                    without[own.name] = disk.stamp_of(own)
        return Change(table, day, without, staged)

    def discard(self, wait: bool = False) -> None:
        """Remove the folders that were replaced, once nobody can be listing them; `wait` until then."""
        for each in tuple(self._retired):
            due, folder = each
            if (left := due - time.monotonic()) > 0:
                if not wait:
                    continue
                time.sleep(left)
            with suppress(FileNotFoundError, ValueError):
                self._retired.remove(each)
                disk.remove([folder])


def _unless_gone(changes: Iterable[Change]) -> Sequence[Change]:
    """The changes, or none of them where a file that they are made from goes meanwhile."""
    try:
        return tuple(changes)
    except FileNotFoundError:
        return ()


def files_of(folder: Path, wanted: Callable[[Path], bool]) -> dict[Path, tuple[int, int]]:
    """The files of a day's folder with their stamps."""
    found: dict[Path, tuple[int, int]] = {}
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".parquet" and wanted(path):
                with suppress(FileNotFoundError):
                    found[path] = disk.stamp_of(path)
    return found
