"""The file that makes a folder a store, and says which version of the tables it has."""

import json
from pathlib import Path
from typing import Final

from pipelines.tables import SCHEMA_VERSION

MARKER: Final = "callfolio-store.json"


def marker_bytes() -> bytes:
    """The marker of a store of the present version."""
    return json.dumps({"schema_version": SCHEMA_VERSION}).encode() + b"\n"


def version_of(marker: Path) -> int | None:
    """The version that the marker of a store holds, None when it holds none."""
    try:
        version = json.loads(marker.read_bytes())["schema_version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) else None
