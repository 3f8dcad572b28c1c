"""What tests of keeping a store begin with."""

from pathlib import Path

import pytest
from keeper import fill

from pipelines.store import Store, days


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that were replaced go at once."""
    monkeypatch.setattr(days, "GRACE_S", 0.0)


@pytest.fixture
def store(fast_path: Path) -> Store:
    """The call a, of the customer 4711, and b, without words, of one day, and c of the next; a and b are
    judged. Two failures, one of a call, and a run."""
    store = Store(fast_path / "store")
    fill(store)
    return store
