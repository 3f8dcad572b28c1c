"""The store: Parquet files in folders by date, written so that being killed at any point harms nothing."""

from pipelines.store.disk import StoreError
from pipelines.store.store import Judged, Store, StoredCall

__all__ = ["Judged", "Store", "StoreError", "StoredCall"]
