"""Which recordings to process, and what is known about each before it is heard.

Paths, folders and patterns name recordings; a manifest and the JSON files beside recordings describe them.
"""

import csv
import glob
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast

from models.errors import UsageError
from pipelines.failures import BadMetadata

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
    the recording is then set aside with that reason, and the others are processed."""

    path: Path
    metadata: CallMetadata = CallMetadata()
    problem: BadMetadata | None = None


def find_sources(arguments: Sequence[str], manifest: Path | None = None) -> tuple[Source, ...]:
    """List the recordings that `arguments` (files, folders, glob patterns) name, sorted, each once.

    Folders are searched to the bottom; hidden files, stores and what surely is no recording are passed over.
    A manifest describes recordings, and names them where there are no arguments. `NAME.json` or
    `NAME.wav.json` beside `NAME.wav` describes it; what the manifest says counts for more. Raises UsageError
    where an argument names nothing, or the manifest cannot be used.
    """
    rows = _read_manifest(manifest) if manifest is not None else {}
    paths = [path for argument in arguments for path in _expand(argument)]
    if not arguments:
        paths = [path for path, _ in rows.values()]
    once: dict[Path, Path] = {}
    for path in sorted(paths, key=str):
        once.setdefault(_identity(path), path)
    sidecars = {_identity(beside) for path in once.values() for beside in _sidecars(path)}
    sources = []
    for identity, path in once.items():
        if identity in sidecars and path.suffix.lower() == ".json":
            continue
        stated = rows[identity][1] if identity in rows else CallMetadata()
        try:
            sources.append(Source(path, stated.over(_read_sidecar(path))))
        except BadMetadata as problem:
            sources.append(Source(path, stated, problem))
    return tuple(sources)


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _expand(argument: str) -> Iterator[Path]:
    path = Path(argument).expanduser()
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


def _may_be_recording(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith("~"):
        return False
    if (
        path.suffix.lower().removeprefix(".") in _NOT_RECORDINGS.split()
        or path.name.lower() in _NOT_RECORDING_NAMES
    ):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a broken link, a vanished file: its failure is told, not passed over


def _is_store(folder: Path) -> bool:
    return next((folder / "tables").glob("*/call_date=*"), None) is not None


def _sidecars(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".json"), path.with_suffix(".json")


def _read_sidecar(path: Path) -> CallMetadata:
    for beside in _sidecars(path):
        if beside == path:
            continue
        try:
            content = json.loads(beside.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            raise BadMetadata(path, beside, f"it is not readable JSON ({error})") from error
        if not isinstance(content, dict):
            raise BadMetadata(path, beside, "it is not a JSON object with named values")
        try:
            return _interpret({name: value for name, value in content.items() if name != "source"})
        except ValueError as error:
            raise BadMetadata(path, beside, str(error)) from error
    return CallMetadata()


def _read_manifest(manifest: Path) -> dict[Path, tuple[Path, CallMetadata]]:
    described: dict[Path, tuple[Path, CallMetadata]] = {}
    first_row: dict[Path, int] = {}
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
        path = manifest.parent / Path(str(source)).expanduser()
        identity = _identity(path)
        if identity in described and described[identity][1] != stated:
            raise UsageError(
                f"{manifest}, row {number}: {source} was described differently in row {first_row[identity]}. "
                "Keep one of the two rows."
            )
        described.setdefault(identity, (path, stated))
        first_row.setdefault(identity, number)
    return described


def _manifest_rows(manifest: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows with the number that a spreadsheet shows: the line of names is row 1."""
    expected = "Expected a CSV (UTF-8) or Parquet file with a column named source."
    try:
        if manifest.suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet  # slow to import, and few manifests are Parquet

            table = pyarrow.parquet.read_table(manifest)
            names = table.column_names
            rows: list[dict[str, object]] = table.to_pylist()
        else:
            with manifest.open(encoding="utf-8-sig", newline="") as file:
                first = file.readline()
                file.seek(0)
                delimiter = max(",;\t", key=first.count)
                reader = csv.DictReader(file, delimiter=delimiter, strict=True)
                names = [name.strip() for name in reader.fieldnames or []]
                reader.fieldnames = names
                rows = [cast(dict[str, object], row) for row in reader]
    except FileNotFoundError as error:
        raise UsageError(f"There is no manifest {manifest}. Check the path.") from error
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's errors are ValueErrors and OSErrors
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
