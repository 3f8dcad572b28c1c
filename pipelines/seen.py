"""What was fetched before: the hash of a file's bytes, so that a later night need not fetch it to know it."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

from pipelines.inbox import RemoteFile
from pipelines.recording import CALL_ID_DIGITS


class Seen:
    """Hashes by address, size, time and version of a file, in a small database beside the tables of a store.

    It holds digests only, no address. It saves network and nothing else: where it is missing, damaged or
    cannot be written, files are fetched once more.
    """

    def __init__(self, store: Path) -> None:
        """`store` is the folder of the store."""
        self._path = store / "inbox" / "seen.sqlite"
        self._lock = threading.Lock()

    def get(self, file: RemoteFile) -> str | None:
        """The SHA-256 of the bytes, where the file is as it was when it was fetched."""
        if (key := _key(file)) is not None and self._path.exists():
            with self._lock, suppress(sqlite3.Error), closing(sqlite3.connect(self._path)) as database:
                for (sha256,) in database.execute("select sha256 from seen where file = ?", (key,)):
                    return str(sha256)
        return None

    def put(self, file: RemoteFile, sha256: str) -> None:
        """Remember the hash of a file, where its place tells when it changes."""
        if (key := _key(file)) is not None:
            with self._lock, suppress(sqlite3.Error, OSError):
                self._path.parent.mkdir(exist_ok=True)
                with closing(sqlite3.connect(self._path)) as database, database:
                    database.execute("create table if not exists seen (file primary key, sha256)")
                    database.execute("insert or replace into seen values (?, ?)", (key, sha256))

    def forget(self, call_ids: Collection[str]) -> None:
        """Remove what is known of files with the bytes of these calls. Raises sqlite3.Error."""
        if self._path.exists():
            with self._lock, closing(sqlite3.connect(self._path)) as database, database:
                database.execute("pragma secure_delete = on")
                database.execute(
                    f"delete from seen where substr(sha256, 1, {CALL_ID_DIGITS}) in "
                    "(select value from json_each(?))",
                    (json.dumps(list(call_ids)),),
                )


def _key(file: RemoteFile) -> str | None:
    if file.modified_at is None and not file.version:
        return None
    facts = [file.address, file.size, str(file.modified_at), file.version]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
