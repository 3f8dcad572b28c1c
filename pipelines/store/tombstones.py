"""The records of what was erased: proof that it was, without saying what, and the reason it stays away."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipelines.store import disk

_FOLDER: Final = "erasures"


class Tombstones:
    """The folder `erasures` of a store: a JSON file for each erasure, and for each that was lifted.

    A call is in it as the HMAC-SHA-256 of its id under the key `salt` of the record: who has the id, or the
    recording, can check that it was erased and when; nobody can read from it which calls were.
    """

    def __init__(self, root: Path) -> None:
        """`root` is the folder of the store."""
        self._root = root
        self._known: tuple[tuple[int, int], Mapping[str, frozenset[str]]] | None = None

    @property
    def folder(self) -> Path:
        """Where the records lie."""
        return self._root / _FOLDER

    def records(self) -> Sequence[Mapping[str, Any]]:
        """All records, the oldest first, each with its file name as `record`. Raises OSError, ValueError."""
        if not self.folder.exists():
            return ()
        return [
            {**json.loads(path.read_bytes()), "record": path.name}
            for path in sorted(self.folder.glob("*.json"))
        ]

    def holds(self, call_id: str) -> bool:
        """Whether a call was erased and not allowed again since."""
        try:
            stamp = disk.stamp_of(self.folder)
        except FileNotFoundError:
            return False
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, self._hashes()
        return any(hashed(call_id, salt) in hashes for salt, hashes in self._known[1].items())

    def _hashes(self) -> Mapping[str, frozenset[str]]:
        known: dict[str, frozenset[str]] = {}
        for record in self.records():
            of_salt = known.get(record["salt"], frozenset())
            hashes = frozenset(record["call_hashes"])
            known[record["salt"]] = of_salt - hashes if "lifted_at" in record else of_salt | hashes
        return known

    def next_record(self) -> str:
        """The file name of the record that is next. Raises OSError, ValueError."""
        records = self.records()
        return f"{1 + int(records[-1]['record'].split('.')[0]) if records else 1:06}.json"

    def write(self, call_ids: Iterable[str], about: Mapping[str, Any], name: str) -> str:
        """Write the record of this file name, in the place of what it was, and return the name.

        `about` is what it says besides the hashes of `call_ids`.
        """
        salt = next((each["salt"] for each in self.records()), None) or secrets.token_hex(32)
        content = {**about, "salt": salt, "call_hashes": sorted(hashed(each, salt) for each in call_ids)}
        staged = disk.stage(self._root / "tmp", "erasure", json.dumps(content, indent=1).encode())
        disk.publish(staged, self.folder / name)
        self._known = None
        return name


def hashed(call_id: str, salt: str) -> str:
    """What a record has in the place of an id: its HMAC-SHA-256, in hexadecimal."""
    return hmac.new(bytes.fromhex(salt), call_id.encode(), hashlib.sha256).hexdigest()
