"""Recordings that lie elsewhere: at any address that fsspec knows (S3, SFTP, SMB, …), listed and fetched.

An address is the site's own and is only ever named by the operator; nothing else in Callfolio connects to
anything while calls are processed.
"""

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from models.errors import CallfolioError, UsageError
from pipelines.processes import is_pid_in_use

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOOK_AHEAD_BYTES = 1 << 30
"""Fetched recordings that may lie on this machine's disk before their turn comes: some 350 calls of six
minutes in G.711. No more are fetched until workers are done with some."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::.*)?://")
_MODIFIED = ("LastModified", "mtime", "last_write_time", "modified", "last_modified", "updated", "created")
_VERSIONS = ("ETag", "etag", "VersionId", "md5Hash", "content_md5")
_SCRATCH = "callfolio-inbox~"
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol"}


class OutOfReach(CallfolioError):
    """What is at an address cannot be read now. The sentence says why, for completing "… because …"."""

    retryable = True


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address. `address` names it without credentials and is what tables and messages show.

    `root` and `key` are for fsspec; `root` may hold credentials and is never shown. `size` in bytes,
    `modified_at` in UTC and `version` (an ETag or the like) are as they were when it was listed: None and
    empty where it was only named, or the protocol does not say.
    """

    root: str = field(repr=False)
    key: str
    address: str
    size: int | None = None
    modified_at: datetime | None = None
    version: str = ""

    @property
    def name(self) -> str:
        """The last part of the address, by whose suffix headerless recordings are known."""
        return PurePosixPath(self.key).name

    @property
    def only_named(self) -> bool:
        """Whether nothing is known of it, as nobody has listed it or looked."""
        return self.size is None and self.modified_at is None and not self.version

    def beside(self, name: str) -> "RemoteFile":
        """Another file in the same folder, or below it, of which nothing is known."""
        key = self.key[: len(self.key) - len(self.name)] + name
        address = self.address[: len(self.address) - len(self.name)] + name
        return RemoteFile(self.root, key, address)

    def look(self) -> "RemoteFile":
        """The file as it is now. Raises OutOfReach."""
        with _reaching(self.root):
            files = file_system(self.root)
            files.invalidate_cache()
            return _described(self, files.info(self.key))

    def read(self) -> bytes:
        """The bytes of a small file, such as a manifest. Raises OutOfReach; FileNotFoundError."""
        with _reaching(self.root):
            content: bytes = file_system(self.root).cat_file(self.key)
            return content

    def fetch(self, folder: Path) -> Path:
        """Copy the file into a folder of its own below `folder`, under its own name. Raises OutOfReach."""
        target = Path(tempfile.mkdtemp(dir=folder)) / (self.name or "recording")
        try:
            with _reaching(self.root):
                file_system(self.root).get_file(self.key, str(target))
        except BaseException:
            discard(target)
            raise
        return target


def is_address(text: str) -> bool:
    """Whether a source is named by an address, such as `s3://bucket/calls/`, and not by a path."""
    return _ADDRESS.match(text) is not None


def local_path(text: str) -> str:
    """The path that a `file://` address means; any other text as it is."""
    return re.sub(r"^(?:file|local)://(?:localhost(?=/))?", "", text)


def named(address: str) -> RemoteFile:
    """The file at an address, without looking. Raises UsageError where nothing can be at such an address."""
    if not is_address(address) or "::" in address:
        raise UsageError(f"{_without_credentials(address)} is not an address such as s3://bucket/calls/.")
    parts = urlsplit(address)
    root = f"{parts.scheme}://{parts.netloc}"
    key = _strip(root, address)
    return RemoteFile(root, key, _address(root, key))


def list_files(address: str) -> Sequence[RemoteFile]:
    """The files that an address names: itself, all below it, or those that it matches as a pattern; sorted.

    Raises UsageError where it names nothing, cannot be listed, or needs a package that is not installed.
    """
    at = named(address)
    try:
        files = file_system(at.root)
        with _reaching(at.root):
            try:
                infos = _below(files, files.info(at.key))
            except FileNotFoundError:
                matches = files.glob(at.key, detail=True) if glob.has_magic(at.key) else {}
                infos = [info for match in matches.values() for info in _below(files, match)]
                if not infos:
                    raise
    except (FileNotFoundError, OutOfReach) as error:
        why = error if isinstance(error, OutOfReach) else "there is nothing"
        raise UsageError(
            f"{at.address} cannot be listed: {why}. Check the address, and that this machine may read it."
        ) from error
    found = [
        _described(RemoteFile(at.root, info["name"], _address(at.root, info["name"])), info) for info in infos
    ]
    return sorted(found, key=lambda file: file.address)


def read_all(files: Sequence[RemoteFile]) -> Mapping[str, bytes | Exception]:
    """The bytes of many small files, by address, all at once where the protocol can."""
    content: dict[str, bytes | Exception] = {}
    for root in {file.root for file in files}:
        here = {file.key: file.address for file in files if file.root == root}
        try:
            with _reaching(root):
                got = file_system(root).cat(list(here), on_error="return")
        except (OutOfReach, FileNotFoundError) as error:
            got = dict.fromkeys(here, error)
        got = got if isinstance(got, dict) else {next(iter(here)): got}
        content.update({here[key]: each for key, each in got.items()})
    return content


class Scratch:
    """A private folder for recordings that were fetched, gone with the context, and with a killed process
    when the next one opens its own."""

    def __init__(self, look_ahead_bytes: int = LOOK_AHEAD_BYTES) -> None:
        """The folder is made when it is needed."""
        self._room = look_ahead_bytes
        self._folder: Path | None = None

    def __enter__(self) -> "Scratch":
        """Nothing is made yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """The folder, which nobody else may read."""
        if self._folder is None:
            _sweep()
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}~"))
        return self._folder

    def has_room(self) -> bool:
        """Whether what lies here is within the look-ahead."""
        if self._folder is None:
            return True
        held = 0
        for path in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):  # a worker is done with it
                held += path.stat().st_size
        return held <= self._room


def _sweep() -> None:
    """Remove what dead processes of this user left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        with suppress(OSError, ValueError):
            if left.stat().st_uid == os.getuid() and not is_pid_in_use(int(left.name.split("~")[1])):
                shutil.rmtree(left)


def discard(path: Path) -> None:
    """Remove a fetched file with the folder of its own."""
    shutil.rmtree(path.parent, ignore_errors=True)


def file_system(root: str) -> "AbstractFileSystem":
    """The file system at the root of an address, connected. Raises OutOfReach and UsageError."""
    kind = _kind(urlsplit(root).scheme)
    with _reaching(root):
        return kind(**kind._get_kwargs_from_urls(root))


def _kind(scheme: str) -> "type[AbstractFileSystem]":
    import fsspec

    try:
        if scheme in ("sftp", "ssh"):
            from pipelines.sftp import KnownHosts

            return KnownHosts
        kind: type[AbstractFileSystem] = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        package = _PACKAGES.get(scheme, f"the package that fsspec names for {scheme}")
        raise UsageError(
            f"Recordings at {scheme}:// need {package}, which is not installed. "
            "Install it with: pip install 'callfolio[inbox]'"
        ) from error
    except ValueError as error:
        raise UsageError(f"{scheme}:// is no protocol that fsspec knows. Check the address.") from error
    return kind


@contextmanager
def _reaching(root: str) -> Iterator[None]:
    """The one place where errors of protocols become ours. What is not there stays a FileNotFoundError."""
    try:
        yield
    except (FileNotFoundError, ImportError, CallfolioError):
        raise
    except Exception as error:
        said = str(error) or type(error).__name__
        parts = urlsplit(root)
        for secret in filter(None, (parts.password, parts.netloc if parts.username else None)):
            said = said.replace(secret, "…")
        raise OutOfReach(said.rstrip(".")) from error


def _below(files: "AbstractFileSystem", info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if info["type"] != "directory":
        return [info]
    found = files.find(info["name"], detail=True)
    return [each for each in found.values() if each["type"] != "directory"]


def _described(file: RemoteFile, info: Mapping[str, Any]) -> RemoteFile:
    modified = next((info[name] for name in _MODIFIED if info.get(name) is not None), None)
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    return replace(file, size=info.get("size"), modified_at=_moment(modified), version=version)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _strip(root: str, address: str) -> str:
    key: str = _kind(urlsplit(root).scheme)._strip_protocol(address)
    return key


def _address(root: str, key: str) -> str:
    """The address of a key, without credentials. Some protocols have the host in their keys (a bucket)."""
    if is_address(key):
        return _without_credentials(key)
    parts = urlsplit(root)
    host = parts.netloc.rpartition("@")[2]
    top = _strip(root, f"{root}/x").strip("/")
    below = f"{host}/{key.lstrip('/')}" if top == "x" else key.lstrip("/")
    return f"{parts.scheme}://{below}"


def _without_credentials(address: str) -> str:
    return re.sub(r"(://)[^/@]*@", r"\1", address.partition("?")[0])
