"""Files that appear whole or not at all, folders that change places, and what the disk says against it."""

import ctypes
import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from models.errors import CallfolioError
from pipelines.processes import is_pid_in_use

_STALE_AFTER_S: Final = 3600.0
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_CANNOT_EXCHANGE: Final = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP)
_CANNOT_LINK: Final = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EMLINK, errno.EXDEV)


class StoreError(CallfolioError):
    """The store cannot be read or written now. What was finished is in it; the rest may be tried again."""

    retryable = True


@contextmanager
def storing(root: Path) -> Iterator[None]:
    """The one place where errors of the operating system become sentences."""
    try:
        yield
    except OSError as error:
        raise StoreError(_sentence(root, error)) from error


def stage(folder: Path, key: str, content: memoryview | bytes) -> Path:
    """A temporary file in `folder` with this content, on the disk when this returns."""
    path = temporary(folder, key)
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def temporary(folder: Path, key: str) -> Path:
    """A name in `folder` that nobody else has, from which can be told whether its owner is alive."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f".{key}~{_host()}~{os.getpid()}~{secrets.token_hex(4)}"


def publish(staged: Path, target: Path) -> None:
    """Move a temporary file into place, in one step for whoever reads."""
    folder = target.parent
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    staged.replace(target)
    sync_folder(folder)


def remove(paths: Iterable[Path]) -> int:
    """Remove files and folders with all that is in them, and return how many were there."""
    removed = 0
    for path in paths:
        with suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            sync_folder(path.parent)
            removed += 1
    return removed


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system or the disk cannot do that.

    This is `renameat2` with RENAME_EXCHANGE: Linux, and most disks of it, but no network ones.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(one))


def link(source: Path, target: Path) -> None:
    """Let a file have a second name; where the disk knows no such thing, copy it."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        shutil.copy2(source, target)


def stamp_of(path: Path) -> tuple[int, int]:
    """What tells a file from any that takes its place."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def is_stale(left: Path) -> bool:
    """Whether nobody is writing this file any more: its process is dead, or it is too old."""
    _, host, pid, _ = left.name.split("~") if left.name.count("~") == 3 else ("", "", "0", "")
    if host == _host() and not is_pid_in_use(int(pid)):
        return True
    try:
        return time.time() - left.stat().st_mtime > _STALE_AFTER_S
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Put the content of a file on the disk."""
    sync_folder(path)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())


def _sentence(root: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the store {root} is full. Make room on it and run again; what was finished is kept."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"The store {root} cannot be written: {error.strerror}. Make the folder writable, or name "
            "another one, and run again."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return (
            f"The store {root} cannot be made: there is a file where a folder should be. Name another folder."
        )
    return (
        f"The store {root} cannot be used: {error.strerror or error}. Look after the disk and run again; "
        "what was finished is kept."
    )
