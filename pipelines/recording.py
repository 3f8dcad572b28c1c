"""Who a recording is: the identity of a file's bytes, taken before anything is made of them."""

import hashlib
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.failures import EmptyFile, Unreadable
from pipelines.sources import CallMetadata, Source

CALL_ID_DIGITS = 32
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Recording:
    """A file as it came. `source` is how the user named it, `path` is absolute, `size` is in bytes,
    `modified_at` is in UTC."""

    path: Path
    source: str
    call_id: str
    sha256: str
    size: int
    modified_at: datetime
    metadata: CallMetadata


def identify(source: Source, sha256: str | None = None) -> Recording:
    """Hash the bytes of `source`; the call's id is the first 32 hex digits of their SHA-256.

    They are not read where `sha256` says what they were when somebody read them. Raises Unreadable (also for
    a file that changed meanwhile: a recorder is still writing it), EmptyFile, and BadMetadata where
    `find_sources` met a metadata file that cannot be used.
    """
    if source.problem is not None:
        raise source.problem
    path = source.path.absolute()
    digest = hashlib.sha256()
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise Unreadable(path, "it is not a file" if path.exists() else "it is gone")
        if sha256 is None:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        after = path.stat()
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unreadable(path, "it is still being written")
    if not after.st_size:
        raise EmptyFile(path)
    sha256 = sha256 or digest.hexdigest()
    return Recording(
        path=path,
        source=str(source.path),
        call_id=sha256[:CALL_ID_DIGITS],
        sha256=sha256,
        size=after.st_size,
        modified_at=datetime.fromtimestamp(after.st_mtime, UTC),
        metadata=source.metadata,
    )
