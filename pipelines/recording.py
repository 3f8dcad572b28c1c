"""Who a recording is: the identity of a file's bytes, taken before anything is made of them."""

import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pipelines.failures import EmptyFile, RecordingFailure, Unreadable
from pipelines.inbox import OutOfReach, RemoteFile, Scratch, discard
from pipelines.sources import CallMetadata, Source

FailureT = TypeVar("FailureT", bound=RecordingFailure)

CALL_ID_DIGITS = 32
_CHUNK_BYTES = 1 << 20


class StillWritten(Unreadable):
    """The file is being written, or was so shortly before. A run leaves it for a later one."""

    def __init__(self, source: str) -> None:
        """`source` is what the user calls it."""
        super().__init__(source, "it is still being written")


@dataclass(frozen=True)
class Recording:
    """A file as it came. `source` is how the user named it, `path` is absolute, `size` is in bytes,
    `modified_at` is in UTC. `remote` is set where it was fetched to `path`, which may be gone again."""

    path: Path
    source: str
    call_id: str
    sha256: str
    size: int
    modified_at: datetime
    metadata: CallMetadata
    remote: RemoteFile | None = None

    def naming(self, failure: FailureT) -> FailureT:
        """The failure in a sentence that names the recording as the user does, where its file is a copy."""
        return failure if self.remote is None else failure.naming(self.path, self.source)


def identify(
    source: Source, sha256: str | None = None, settle_s: float = 0.0, scratch: Scratch | None = None
) -> Recording:
    """Hash the bytes of `source`; the call's id is the first 32 hex digits of their SHA-256.

    They are not read where `sha256` says what they were when somebody read them. What lies elsewhere is
    fetched into `scratch` for that, and stays there. Raises StillWritten for a file that
    changed less than `settle_s` seconds ago or since it was listed, Unreadable, EmptyFile, and BadMetadata
    where `find_sources` met a metadata file that cannot be used.
    """
    if source.problem is not None:
        raise source.problem
    if source.remote is not None:
        if scratch is None:
            raise ValueError("A recording that lies elsewhere is fetched into a scratch folder.")
        return _identify_elsewhere(source, source.remote, sha256, settle_s, scratch)
    path = source.path.absolute()
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise Unreadable(path, "it is not a file" if path.exists() else "it is gone")
        if _is_fresh(datetime.fromtimestamp(before.st_mtime, UTC), settle_s):
            raise StillWritten(source.name)
        sha256 = sha256 or _sha256(path)
        after = path.stat()
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise StillWritten(source.name)
    if not after.st_size:
        raise EmptyFile(path)
    return Recording(
        path=path,
        source=source.name,
        call_id=sha256[:CALL_ID_DIGITS],
        sha256=sha256,
        size=after.st_size,
        modified_at=datetime.fromtimestamp(after.st_mtime, UTC),
        metadata=source.metadata,
    )


@contextmanager
def at_hand(recording: Recording) -> Iterator[Recording]:
    """The recording with its file on this machine; a copy that was fetched is gone when this is left.

    Raises Unreadable where it cannot be fetched, or is another recording by now.
    """
    if recording.remote is None:
        yield recording
        return
    if recording.path.exists():
        try:
            yield recording
        finally:
            discard(recording.path)
        return
    with Scratch() as scratch:
        try:
            path = recording.remote.fetch(scratch.folder)
        except (OutOfReach, OSError) as error:
            raise Unreadable(recording.source, _why(error)) from error
        if _sha256(path) != recording.sha256:
            raise Unreadable(recording.source, "it is another recording than when the run began")
        yield replace(recording, path=path)


def _identify_elsewhere(
    source: Source, listed: RemoteFile, sha256: str | None, settle_s: float, scratch: Scratch
) -> Recording:
    path = scratch.folder / "not-fetched" / listed.name
    try:
        if listed.modified_at and _is_fresh(listed.modified_at, settle_s):
            raise StillWritten(source.name)
        if sha256 is None:
            path = listed.fetch(scratch.folder)
            try:
                size, sha256 = path.stat().st_size, _sha256(path)
                now = listed.look()
                if (
                    now.size not in (None, size)
                    or listed.size not in (None, size)
                    or (listed.modified_at not in (None, now.modified_at))
                ):
                    raise StillWritten(source.name)
                if now.modified_at and _is_fresh(now.modified_at, settle_s):
                    raise StillWritten(source.name)
                if not size:
                    raise EmptyFile(source.name)
            except BaseException:
                discard(path)
                raise
            listed = replace(now, size=size)
    except (OutOfReach, OSError) as error:
        raise Unreadable(source.name, _why(error)) from error
    return Recording(
        path=path,
        source=source.name,
        call_id=sha256[:CALL_ID_DIGITS],
        sha256=sha256,
        size=listed.size or 0,
        modified_at=listed.modified_at or datetime.now(UTC),
        metadata=source.metadata,
        remote=listed,
    )


def _is_fresh(modified_at: datetime, settle_s: float) -> bool:
    """Whether a file changed that little time ago. Clocks of other machines may be ahead of ours."""
    return abs(datetime.now(UTC) - modified_at) < timedelta(seconds=settle_s)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is gone"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
