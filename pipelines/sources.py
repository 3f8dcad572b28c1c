"""Which recordings to process, and what is known about each before it is heard.

Paths, folders, patterns and addresses name recordings; a manifest and the JSON files beside recordings
describe them.
"""

import csv
import glob
import io
import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal, cast

from models.errors import UsageError
from pipelines.failures import BadMetadata
from pipelines.inbox import (
    OutOfReach,
    RemoteFile,
    is_address,
    list_files,
    local_path,
    named,
    read_all,
)

Kind = Literal["contact_center", "consultation"]

KINDS = ("contact_center", "consultation")
ROLES = ("agent", "customer", "doctor", "patient", "ivr", "other")

# In a folder everything may be a recording (exchanges invent suffixes) except what surely is something else.
_NOT_RECORDINGS = """
json jsonl ndjson csv tsv parquet arrow feather txt md rst log stm rttm ctm uem eaf textgrid lab trs srt
vtt ass ssa lrc sub ttml m3u m3u8 pls cue xspf yaml yml toml ini cfg conf env lock xml html htm css pdf
doc docx xls xlsx odt ods ppt pptx rtf eml msg py ipynb js sh bat ps1 sql r whl so dll exe jpg jpeg png
gif bmp tif tiff svg webp ico heic db sqlite sqlite3 duckdb npy npz pkl pt pth ckpt onnx safetensors
gguf md5 sha1 sha256 sfv sig asc bak part partial filepart crdownload tmp temp swp
"""
_NOT_RECORDING_NAMES = frozenset(
    {"readme", "license", "licence", "notice", "makefile", "dockerfile", "checksums"}
)


@dataclass(frozen=True)
class CallMetadata:
    """What somebody knows about a call. `started_at` has a time zone. `channel_roles` maps a channel of the
    source, counted from 1, to the role of who speaks on it. `metadata` holds all other columns."""

    started_at: datetime | None = None
    kind: Kind | None = None
    language: str | None = None
    speakers: int | None = None
    agent_id: str | None = None
    customer_id: str | None = None
    queue: str | None = None
    direction: str | None = None
    channel_roles: Mapping[int, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: "CallMetadata") -> "CallMetadata":
        """These values, and those of `other` where nothing is known here."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}
        return replace(other, **{**known, "metadata": {**other.metadata, **self.metadata}})


@dataclass(frozen=True)
class Source:
    """A file to process, named as the user named it. `problem` is set where its metadata file cannot be used:
    the recording is then set aside with that reason, and the others are processed. `remote` is set where the
    file lies elsewhere; `path` is then its bare name."""

    path: Path
    metadata: CallMetadata = CallMetadata()
    problem: BadMetadata | None = None
    remote: RemoteFile | None = None

    @property
    def name(self) -> str:
        """What tables and messages call it: the path, or the address without credentials."""
        return self.remote.address if self.remote else str(self.path)


@dataclass(frozen=True)
class Period:
    """Dates from and up to which recordings are wanted, both included; in UTC."""

    since: date | None = None
    until: date | None = None

    def has(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        day = moment.astimezone(UTC).date()
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self.since is not None or self.until is not None


EVER = Period()
"""Leaves nothing out."""

_Manifest = dict[Path | str, tuple[Path | RemoteFile, CallMetadata]]
"""What a manifest says: by real path or address, the file and what is known of it."""


def find_sources(
    arguments: Sequence[str], manifest: Path | str | None = None, period: Period = EVER
) -> tuple[Source, ...]:
    """List the recordings that `arguments` (files, folders, patterns, addresses) name, each once and sorted.

    Folders are searched to the bottom; hidden files, stores and what surely is no recording are passed over.
    A manifest describes recordings, and names them where there are no arguments. `NAME.json` or
    `NAME.wav.json` beside `NAME.wav` describes it; what the manifest says counts for more. Those that began
    outside `period` are left out: by their `started_at`, else by the time of the file. An address that was
    given is the only thing that is connected to. Raises UsageError where an argument names nothing, or the
    manifest cannot be used.
    """
    rows = _read_manifest(str(manifest)) if manifest is not None else {}
    given = [local_path(argument) for argument in arguments]
    paths = [path for argument in given if not is_address(argument) for path in _expand(argument)]
    listed = [file for argument in given if is_address(argument) for file in list_files(argument)]
    asked = {named(argument).address: argument for argument in given if is_address(argument)}
    files = _recordings_in(listed, asked.keys())
    # All that lies beside a file is known where its folder was listed.
    whole = [top for top, argument in asked.items() if not glob.has_magic(argument)]
    known = {
        file.address for file in listed for top in whole if file.address.startswith(f"{top.rstrip('/')}/")
    }
    if not arguments:
        paths = [found for found, _ in rows.values() if isinstance(found, Path)]
        files = [found for found, _ in rows.values() if isinstance(found, RemoteFile)]
    sources = [*_described(paths, rows), *_described_elsewhere(files, known, rows)]
    return tuple(source for source in sources if not period or period.has(began(source)))


def _described(paths: Sequence[Path], rows: _Manifest) -> Iterator[Source]:
    once: dict[Path, Path] = {}
    for path in sorted(paths, key=str):
        once.setdefault(_identity(path), path)
    sidecars = {_identity(beside) for path in once.values() for beside in _sidecars(path)}
    for identity, path in once.items():
        if identity in sidecars and path.suffix.lower() == ".json":
            continue
        stated = rows[identity][1] if identity in rows else CallMetadata()
        try:
            yield Source(path, stated.over(_read_sidecar(path)))
        except BadMetadata as problem:
            yield Source(path, stated, problem)


def _described_elsewhere(
    files: Sequence[RemoteFile], known: Collection[str], rows: _Manifest
) -> Iterator[Source]:
    """As `_described`. `known` are the addresses of all files in the folders that were listed."""
    once = {file.address: file for file in sorted(files, key=lambda file: file.address)}
    beside = {
        address: [
            sidecar
            for path in _sidecars(Path(file.name))
            if path.name != file.name
            and ((sidecar := file.beside(path.name)).address in known or address not in known)
        ]
        for address, file in once.items()
    }
    content = read_all([sidecar for each in beside.values() for sidecar in each])
    there = {address for address, found in content.items() if not isinstance(found, FileNotFoundError)}
    sidecars = {each.address for of_file in beside.values() for each in of_file if each.address in there}
    for address, file in once.items():
        if address in sidecars and file.name.lower().endswith(".json"):
            continue
        stated = rows[address][1] if address in rows else CallMetadata()
        path, problem = Path(file.name), None
        try:
            for sidecar in [each for each in beside[address] if each.address in there][:1]:
                said = _metadata_in(content[sidecar.address], address, PurePosixPath(sidecar.key))
                stated = stated.over(said)
        except BadMetadata as error:
            problem = error
        yield Source(path, stated, problem, file)


def _recordings_in(listed: Sequence[RemoteFile], asked: Collection[str]) -> list[RemoteFile]:
    """Those that may be recordings, by their names; what was named itself is one whatever its name."""
    stores = {
        match[1] for file in listed if (match := re.match(r"(.*?)tables/[^/]+/call_date=", file.address))
    }

    def wanted(file: RemoteFile) -> bool:
        below = next((file.address.removeprefix(top) for top in asked if file.address.startswith(top)), "")
        parts = PurePosixPath(below or file.name).parts
        return (
            not any(part.startswith(".") for part in parts)
            and not any(file.address.startswith(store) for store in stores)
            and _named_like_recording(PurePosixPath(file.key))
        )

    return [file for file in listed if file.address in asked or wanted(file)]


def began(source: Source) -> datetime:
    """When a recording began, as far as it is known before it is heard: by its metadata, else its file."""
    if source.metadata.started_at:
        return source.metadata.started_at
    if source.remote:
        return source.remote.modified_at or datetime.now(UTC)
    try:
        return datetime.fromtimestamp(source.path.stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)  # its failure is told, not passed over


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _expand(argument: str) -> Iterator[Path]:
    path = _at_home(argument)
    if path.is_dir():
        yield from _walk(path)
    elif path.exists() or path.is_symlink():
        yield path
    elif glob.has_magic(argument):
        # Path.glob takes no absolute pattern.
        matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207
        found = [
            p for m in matches for p in (_walk(m) if m.is_dir() else [m] if _may_be_recording(m) else [])
        ]
        if not found:
            raise UsageError(
                f"The pattern {argument} matches no recording. Check it, and quote it in the shell."
            )
        yield from found
    else:
        raise UsageError(f"There is no file or folder {argument}. Check the path.")


def _walk(top: Path) -> Iterator[Path]:
    visited: set[Path] = set()
    unreadable: list[Path] = []

    def note(error: OSError) -> None:
        unreadable.append(Path(error.filename))

    for folder, folders, files in os.walk(top, onerror=note, followlinks=True):
        here = Path(folder)
        identity = _identity(here)
        if identity in visited or _is_store(here):
            folders.clear()
            continue
        visited.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (here / name for name in sorted(files) if _may_be_recording(here / name))
    yield from unreadable  # a folder that cannot be opened is accounted for like a file that cannot


def _named_like_recording(path: PurePath) -> bool:
    return (
        not path.name.startswith(".")
        and not path.name.endswith("~")
        and path.suffix.lower().removeprefix(".") not in _NOT_RECORDINGS.split()
        and path.name.lower() not in _NOT_RECORDING_NAMES
    )


def _may_be_recording(path: Path) -> bool:
    if not _named_like_recording(path):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a broken link, a vanished file: its failure is told, not passed over


def _is_store(folder: Path) -> bool:
    return next((folder / "tables").glob("*/call_date=*"), None) is not None


def _sidecars(path: Path) -> tuple[Path, ...]:
    if not path.name:  # the root of a file system
        return ()
    return path.with_name(path.name + ".json"), path.with_suffix(".json")


def _read_sidecar(path: Path) -> CallMetadata:
    for beside in _sidecars(path):
        if beside == path:
            continue
        try:
            content: bytes | Exception = beside.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            content = error
        return _metadata_in(content, path, beside)
    return CallMetadata()


def _metadata_in(content: bytes | Exception, source: PurePath | str, sidecar: PurePath) -> CallMetadata:
    """What a metadata file says that was read, or could not be. Raises BadMetadata."""
    try:
        if isinstance(content, Exception):
            raise content
        values = json.loads(content.decode("utf-8-sig"))
    except (OSError, OutOfReach, ValueError, RecursionError) as error:
        raise BadMetadata(source, sidecar, f"it is not readable JSON ({error})") from error
    if not isinstance(values, dict):
        raise BadMetadata(source, sidecar, "it is not a JSON object with named values")
    try:
        return _interpret({name: value for name, value in values.items() if name != "source"})
    except ValueError as error:
        raise BadMetadata(source, sidecar, str(error)) from error


def _read_manifest(manifest: str) -> _Manifest:
    described: _Manifest = {}
    first_row: dict[Path | str, int] = {}
    for number, row in _manifest_rows(manifest):
        source = row.pop("source", None)
        if source is None or not str(source).strip():
            raise UsageError(
                f"{manifest}, row {number}: the column source is empty; it must name a recording."
            )
        if "\0" in str(source):
            raise UsageError(f"{manifest}, row {number}: the column source holds no name of a file.")
        try:
            stated = _interpret(row)
        except ValueError as error:
            raise UsageError(f"{manifest}, row {number}: {error}.") from error
        found = _beside(manifest, str(source))
        identity = _identity(found) if isinstance(found, Path) else found.address
        if identity in described and described[identity][1] != stated:
            raise UsageError(
                f"{manifest}, row {number}: {source} was described differently in row {first_row[identity]}. "
                "Keep one of the two rows."
            )
        described.setdefault(identity, (found, stated))
        first_row.setdefault(identity, number)
    return described


def _beside(manifest: str, source: str) -> Path | RemoteFile:
    """The file that a manifest names: an address, or a path from where the manifest lies."""
    if is_address(local := local_path(source)):
        return named(local)
    if is_address(manifest):
        return named(manifest).beside(local.removeprefix("./"))
    return Path(manifest).parent / _at_home(local)


def _at_home(text: str) -> Path:
    """A path, from the home of a user where it begins with `~`; as it stands where there is no such user."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _manifest_rows(manifest: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows with the number that a spreadsheet shows: the line of names is row 1."""
    expected = "Expected a CSV (UTF-8) or Parquet file with a column named source."
    try:
        content = named(manifest).read() if is_address(manifest) else Path(manifest).read_bytes()
        if PurePath(manifest).suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet  # slow to import, and few manifests are Parquet

            table = pyarrow.parquet.read_table(io.BytesIO(content))
            names = table.column_names
            rows: list[dict[str, object]] = table.to_pylist()
        else:
            with io.StringIO(content.decode("utf-8-sig"), newline="") as file:
                first = file.readline()
                file.seek(0)
                delimiter = max(",;\t", key=first.count)
                reader = csv.DictReader(file, delimiter=delimiter, strict=True)
                names = [name.strip() for name in reader.fieldnames or []]
                reader.fieldnames = names
                rows = [cast(dict[str, object], row) for row in reader]
    except FileNotFoundError as error:
        raise UsageError(f"There is no manifest {manifest}. Check the path.") from error
    except (
        OSError,
        OutOfReach,
        ValueError,
        csv.Error,
    ) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise UsageError(f"The manifest {manifest} cannot be read: {error}. {expected}") from error
    if "source" not in names:
        raise UsageError(f"The manifest {manifest} has no column named source. {expected}")
    if len(set(names)) != len(names):
        raise UsageError(f"The manifest {manifest} has two columns of one name. Every name may stand once.")
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise UsageError(f"{manifest}, row {number}: it has more values than there are columns.")
        if any(value not in (None, "") for value in row.values()):
            yield number, row


def _interpret(row: Mapping[str, object]) -> CallMetadata:
    """Raises ValueError with what is wrong and what is expected."""
    stated = {name: value for name, value in row.items() if _is_given(value)}
    roles = _channel_roles(stated.pop("channel_roles", {}))
    for role in ROLES:
        if (channel := stated.pop(f"{role}_channel", None)) is not None:
            number = _whole(f"{role}_channel", channel)
            if roles.setdefault(number, role) != role:
                raise ValueError(f"channel {number} has two roles, {roles[number]} and {role}")
    started_at = stated.pop("started_at", None)
    kind = _text(stated.pop("kind", None))
    language = _text(stated.pop("language", None))
    speakers = stated.pop("speakers", None)
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected {' or '.join(KINDS)}")
    if language is not None and not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", language):
        raise ValueError(f"language is {language!r}; expected a code such as en or es")
    return CallMetadata(
        started_at=None if started_at is None else _moment(started_at),
        kind=cast(Kind | None, kind),
        language=None if language is None else re.split("[-_]", language.lower())[0],
        speakers=None if speakers is None else _whole("speakers", speakers),
        agent_id=_text(stated.pop("agent_id", None)),
        customer_id=_text(stated.pop("customer_id", None)),
        queue=_text(stated.pop("queue", None)),
        direction=_text(stated.pop("direction", None)),
        channel_roles=roles,
        metadata={name: cast(str, _text(value)) for name, value in stated.items()},
    )


def _is_given(value: object) -> bool:
    return value is not None and value == value and str(value).strip() != ""  # NaN is how tables leave out


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # tables turn identifiers with gaps into floats
    return str(value).strip()


def _whole(name: str, value: object) -> int:
    text = _text(value) or ""
    if not re.fullmatch(r"0*[1-9]\d{0,2}(\.0*)?", text):
        raise ValueError(f"{name} is {text!r}; expected a whole number from 1 on")
    return int(float(text))


def _moment(value: object) -> datetime:
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"started_at is {text!r}; expected a date and time such as 2024-05-31T14:05:00+02:00 "
            "(without an offset it is taken as UTC)"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _channel_roles(value: object) -> dict[int, str]:
    """Accepts a mapping or pairs (JSON, Parquet), JSON text, and the text `1=agent, 2=customer`."""
    expected = f"expected for example 1=agent, 2=customer, with the roles {', '.join(ROLES)}"
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f"channel_roles is {value!r}; {expected}") from None
    if isinstance(value, str):
        pairs = [re.split("[=:]", part, maxsplit=1) for part in re.split("[,;]", value) if part.strip()]
    elif isinstance(value, Mapping):
        pairs = [list(pair) for pair in value.items()]
    elif isinstance(value, list) and all(isinstance(pair, (tuple, list)) for pair in value):
        pairs = [list(pair) for pair in value]
    else:
        pairs = [[]]
    roles: dict[int, str] = {}
    for pair in pairs:
        if len(pair) != 2 or _text(pair[1]) not in ROLES:
            raise ValueError(f"channel_roles is {value!r}; {expected}")
        number = _whole("a channel in channel_roles", pair[0])
        if number in roles:
            raise ValueError(f"channel_roles names channel {number} twice")
        roles[number] = cast(str, _text(pair[1]))
    return roles
