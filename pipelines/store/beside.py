"""What lies in a store beside its tables and belongs to others."""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

_LEDGER: Final = "ledger.sqlite"


def ledger_of(root: Path) -> Any:
    """The ledger of a store, a `pipelines.ledger.Ledger`; None where there is none."""
    if not (root / _LEDGER).exists():
        return None
    # It stands on this package, and so cannot be imported with it.
    return import_module("pipelines.ledger").Ledger(root)
