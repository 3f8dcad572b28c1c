"""Merging the files of a store's calls into few large ones, without changing a row.

The merged files are made beside the tables, from files that are read as they are. Then, alone with the store
for the moment that this takes, the days get them in the place of those that were read: each day of each
table in one step (see `pipelines.store.days` for what a reader sees). A day in which a file changed
meanwhile is left as it is. Killed anywhere before a day's step, nothing has happened to it; anywhere after
it, nothing is left to do but to remove temporary files, which `Store.sweep` and the next compaction do.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipelines.store import disk
from pipelines.store.days import PARTS, Change, files_of
from pipelines.store.disk import StoreError
from pipelines.store.parquet import is_large, is_merged, merged, rows_in
from pipelines.store.store import Store
from pipelines.tables import PARTITION

BATCH_BYTES: Final = 1 << 30
"""Merged files that are made before days get them, all in a burst: a reader that looked at days one by one
would find one that has changed again and again."""

_ORDER: Final = ("calls", *PARTS, "failures", "runs")
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: days of which files were merged, how many files those had and have, and days
    that it left alone because calls were being written to them."""

    days: int = 0
    files_before: int = 0
    files_after: int = 0
    left_alone: int = 0


def compact(
    store: Store, before: dt.date | None = None, tell: Callable[[str], None] | None = None
) -> Compacted:
    """Merge the files of all days, or of those before a date, and return what that did.

    `tell` hears each day. A second compaction waits for the first and finds nothing to do. Raises
    StoreError; what was merged by then stays merged.
    """
    done = Compacted()
    with disk.storing(store.root), store.locks.upkeep():
        store.sweep(thorough=True)
        days = [day for day in _days(store) if before is None or day < f"{PARTITION}={before.isoformat()}"]
        for _ in range(_ATTEMPTS):
            stale: set[str] = set()
            for changes in _batches(store, days, stale, tell):
                with store.locks.exclusive():
                    not_made = store.days.swap(changes)
                store.days.discard(wait=True)
                stale |= {change.day for change in not_made}
                done = _counted(done, [change for change in changes if change not in not_made])
            days = sorted(stale)
    return replace(done, left_alone=len(days))


def _days(store: Store) -> Sequence[str]:
    return sorted({folder.name for table in _ORDER for folder in store.days.folders(table)})


def _batches(
    store: Store, days: Sequence[str], stale: set[str], tell: Callable[[str], None] | None
) -> Iterator[Sequence[Change]]:
    """The changes of as many days as are made before they are put into place; `stale` gets days in which
    files changed while they were read."""
    folder, changes, size = disk.temporary(store.root / "tmp", "compaction"), list[Change](), 0
    folder.mkdir()
    try:
        for day in days:
            try:
                of_day = _changes(store, day, folder)
            except FileNotFoundError:
                stale.add(day)
                continue
            if tell and of_day:
                tell(day.removeprefix(f"{PARTITION}="))
            changes += of_day
            size += sum(path.stat().st_size for each in of_day for path in each.staged.values())
            if size >= BATCH_BYTES:
                yield changes
                changes, size = [], 0
        if changes:
            yield changes
    finally:
        disk.remove([folder])


def _counted(done: Compacted, made: Sequence[Change]) -> Compacted:
    return Compacted(
        done.days + len({change.day for change in made}),
        done.files_before + sum(len(change.without) for change in made),
        done.files_after + sum(len(change.staged) for change in made),
    )


def _changes(store: Store, day: str, folder: Path) -> list[Change]:
    """What a day's tables are to lose and to get. Raises FileNotFoundError where a file goes meanwhile."""
    changes: list[Change] = []
    held: frozenset[str] = frozenset()
    for table in _ORDER:
        of_table = store.days.tables / table / day
        small = _mergeable(of_table)
        if table in PARTS:
            # Whatever a merged file of a part holds, one of `calls` holds: who looks for a call looks there.
            small = {path: stamp for path, stamp in small.items() if is_merged(path) or path.stem in held}
        if len(small) > 1:
            changes.append(_change(table, day, small, folder))
        if table == "calls":
            kept = {
                key.decode() for path in store.days.merged(of_table) for key in store.days.keys(path).tolist()
            }
            held = frozenset(
                kept | ({path.stem for path in small if not is_merged(path)} if changes else set())
            )
    return changes


def _mergeable(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files of a day that are not of a good size, with their stamps; none where there is but one."""
    files = files_of(folder, lambda path: not is_merged(path) or not is_large(path))
    return files if len(files) > 1 else {}


def _change(table: str, day: str, small: dict[Path, tuple[int, int]], folder: Path) -> Change:
    own = [path for path in small if not is_merged(path)]
    many = [path for path in small if is_merged(path)]
    files = merged(table, own, many, folder / day / table)
    if sum(rows_in(file.path) for file in files) != sum(file.rows for file in files):
        raise StoreError(f"The files of {table} of {day} were not merged: rows would have been lost.")
    return Change(
        table,
        day,
        {path.name: stamp for path, stamp in small.items()},
        {file.name: file.path for file in files},
    )
