"""What lies in a store beside its tables and belongs to others, who stand on this package."""

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.ledger import Ledger


def ledger_of(root: Path) -> "Ledger | None":
    """The ledger of a store; None where there is none."""
    from pipelines.ledger import FILE, Ledger

    return Ledger(root) if (root / FILE).exists() else None


def forget_beside(root: Path, call_ids: Collection[str]) -> None:
    """Take calls out of the ledger, of what is known of inboxes, and of the reports. Raises StoreError."""
    from pipelines.night.reading import forget_calls
    from pipelines.seen import Seen
    from pipelines.store import StoreError

    if (ledger := ledger_of(root)) is not None:
        ledger.forget(call_ids)
    try:
        Seen(root).forget(call_ids)
    except sqlite3.Error as error:
        raise StoreError(
            f"What the store {root} knows of inboxes cannot be changed: {error}. Delete the folder "
            f"{root / 'inbox'}; the recordings in it are fetched once more."
        ) from error
    forget_calls(root, call_ids)
