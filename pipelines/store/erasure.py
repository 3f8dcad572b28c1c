"""Taking calls out of a store for good: out of every table, every export, and out of what is yet to come."""

import datetime as dt
import getpass
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.errors import UsageError
from pipelines.store import disk
from pipelines.store.beside import forget_beside
from pipelines.store.days import PARTS
from pipelines.store.parquet import source_key
from pipelines.versions import versions

if TYPE_CHECKING:
    from pipelines.store.store import Store

_JOURNAL: Final = "erasing.json"
_AGE: Final = re.compile(r"(\d+)([dwy])")
_DAYS: Final = {"d": 1, "w": 7, "y": 365}


@dataclass(frozen=True)
class Doomed:
    """What is to be erased: calls by id, failures by key, and the sources of both, as far as known."""

    call_ids: tuple[str, ...]
    failure_keys: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Erasure:
    """What was erased, and the file name of its record in `erasures`."""

    calls: int
    failures: int
    record: str


def doomed_calls(store: "Store", call_ids: Sequence[str]) -> Doomed:
    """These calls, there or not, with the failures of them and of their sources. Raises StoreError."""
    return _doomed(store, "call_id in (select unnest(?))", list(call_ids), call_ids)


def doomed_customer(store: "Store", customer_id: str) -> Doomed:
    """The calls of a customer, with their failures. Raises StoreError."""
    return _doomed(store, "customer_id = ?", customer_id)


def doomed_before(store: "Store", moment: dt.datetime) -> Doomed:
    """The calls that began, and the failures that happened, before a moment. Raises StoreError."""
    doomed = _doomed(store, "started_at < ?", moment)
    old = [row for row in store.failures() if row["failed_at"] < moment]
    ids = {row["call_id"] for row in old if row["call_id"]} - set(store.processed())
    return Doomed(
        tuple(sorted({*doomed.call_ids, *ids})),
        tuple(sorted({*doomed.failure_keys, *(row["call_id"] or source_key(row["source"]) for row in old)})),
        tuple(sorted({*doomed.sources, *(row["source"] for row in old)})),
    )


def age(text: str) -> dt.timedelta:
    """A length of time such as `400d`, `12w` or `2y` (of 365 days). Raises UsageError."""
    found = _AGE.fullmatch(text.strip().lower())
    if not found or not int(found[1]):
        raise UsageError(f'--older-than takes an age such as 400d, 12w or 2y, and not "{text}".')
    return dt.timedelta(days=int(found[1]) * _DAYS[found[2]])


def _doomed(store: "Store", condition: str, value: Any, named: Sequence[str] = ()) -> Doomed:
    found = store.read(
        lambda views: views.execute(
            f"select call_id, source from calls where {condition} order by 1", [value]
        ).fetchall()
    )
    sources = {source for _, source in found}
    ids = {*named, *(call_id for call_id, _ in found)}
    failed = [row for row in store.failures() if row["call_id"] in ids or row["source"] in sources]
    keys = {row["call_id"] or source_key(row["source"]) for row in failed}
    return Doomed(tuple(sorted(ids)), tuple(sorted(keys)), tuple(sorted(sources)))


def erase(store: "Store", doomed: Doomed, reason: str) -> Erasure:
    """Erase calls: tables, failures, temporary files, the ledger, reports, and what is known of inboxes.

    A record without personal data is left, and the calls are not written again (`Store.erased` tells). First
    comes a list of the ids of what is to go, which lies in the store until all is done: after a process that
    was killed, the next sweep or erasure finishes it. Then comes the record, so that nothing can come back,
    and only then does anything go. Exports are another step: `pipelines.store.export.refresh`. Raises
    StoreError.
    """
    with disk.storing(store.root), store.locks.upkeep():
        _finish(store)
        about = {
            "erased_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "finished_at": None,
            "calls": len(doomed.call_ids),
            "failures": len(doomed.failure_keys),
            "reason": reason,
            "by": getpass.getuser(),
            "versions": {"callfolio": versions()["callfolio"]},
        }
        record = store.tombstones.next_record()
        journal = {
            "record": record,
            "about": about,
            "call_ids": doomed.call_ids,
            "failure_keys": sorted({*doomed.failure_keys, *map(source_key, doomed.sources)}),
        }
        staged = disk.stage(store.root / "tmp", "erasing", json.dumps(journal).encode())
        disk.publish(staged, store.root / _JOURNAL)
        _finish(store)
    return Erasure(len(doomed.call_ids), len(doomed.failure_keys), record)


def is_erasing(root: Path) -> bool:
    """Whether an erasure was begun and is not done."""
    return (root / _JOURNAL).exists()


def finish_erasure(store: "Store") -> int:
    """Finish an erasure whose process was killed, and return how many files that removed."""
    if not is_erasing(store.root):
        return 0
    with store.locks.upkeep():
        return _finish(store)


def lift(store: "Store", call_ids: Sequence[str], reason: str) -> str:
    """Allow recordings of erased calls to be processed again, and return the name of the record of that.

    Raises UsageError where one was not erased, and StoreError.
    """
    for call_id in call_ids:
        if not store.tombstones.holds(call_id):
            raise UsageError(f"The call {call_id} was not erased from {store.root}, or was allowed again.")
    with disk.storing(store.root), store.locks.upkeep():
        about = {
            "lifted_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "reason": reason,
            "by": getpass.getuser(),
        }
        return store.tombstones.write(call_ids, about, store.tombstones.next_record())


def _finish(store: "Store") -> int:
    path = store.root / _JOURNAL
    if not path.exists():
        return 0
    journal: Mapping[str, Any] = json.loads(path.read_bytes())
    call_ids, keys = journal["call_ids"], journal["failure_keys"]
    store.tombstones.write(call_ids, journal["about"], journal["record"])
    # All at once, where merged files hold them: one by one, each would be written many times. What takes
    # time is done while others go on, and again where they changed what it was made from.
    merged = {**dict.fromkeys(("calls", *PARTS), call_ids), "failures": [*call_ids, *keys]}
    with store.days.taking_out(merged) as changes, store.locks.exclusive():
        store.days.swap(changes)
        store.days.take_out(merged)
    removed = sum(store.remove_call(call_id) for call_id in call_ids)
    removed += store.remove_failures(keys)
    forget_beside(store.root, call_ids)
    removed += _clear_temporary(store, set(call_ids))
    about = {**journal["about"], "finished_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")}
    store.tombstones.write(call_ids, about, journal["record"])
    disk.remove([path])
    return removed


def _clear_temporary(store: "Store", call_ids: set[str]) -> int:
    """Remove what lies in `tmp` of the calls: staged files, folders that were replaced, and what killed
    processes had merged or linked, in which any call may be."""
    store.days.discard(wait=True)
    # Who holds `upkeep` is the only one who makes such folders, and needs none any more.
    made = {*call_ids, "compaction", "export", "migration"}
    with store.locks.exclusive():
        return disk.remove(
            path
            for path in (store.root / "tmp").iterdir()
            if path.name[1:].partition("~")[0] in made or ".call_date=" in path.name or disk.is_stale(path)
        )
