"""What models there are by name, where each file of them can be had, and which of them make up a profile."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar, get_args

from models.errors import UsageError

Role = Literal[
    "recogniser", "aligner", "segmentation", "embedding", "plda", "diarization", "sentence_embedding"
]
ROLES: tuple[Role, ...] = get_args(Role)

_T = TypeVar("_T")
# Names become folders, so they hold nothing that any file system would refuse.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its path below the model's folder, its SHA-256 in hex and its size.

    `sha256` and `bytes` are None where only the source can tell them; they are known once the file is pulled.
    """

    name: str
    sha256: str | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A member of a wheel that is a file of a model, or the next part of one.

    `platform` names the wheel's platform tag where the package holds machine code and is built for few.
    """

    package: str
    version: str
    member: str
    file: str
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A model that travels inside wheels on the package index; pieces of one file are joined in order."""

    pieces: tuple[Piece, ...]

    def __str__(self) -> str:
        """How messages name the source."""
        return "package " + " + ".join(dict.fromkeys(f"{p.package}=={p.version}" for p in self.pieces))


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the model hub at a revision.

    `paths` maps a file's name to its path in the repository where the two differ.
    """

    repository: str
    revision: str
    paths: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """How messages name the source."""
        return f"hub repository {self.repository}"


Source = PackageSource | HubSource


@dataclass(frozen=True, slots=True)
class Model:
    """A model by name: what it does, whose it is, its files, and where they can be had, best source first.

    `attention_lead_s` is by how much a recogniser's cross-attention runs ahead of the sound, in seconds.

    `languages` is empty where the model is not restricted to any. `files` is empty for a whole repository of
    the hub, whose files are not known before it is pulled.
    """

    name: str
    role: Role
    languages: tuple[str, ...]
    licence: str
    licensor: str
    attribution: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    attention_lead_s: float = 0.0

    @property
    def bytes(self) -> int | None:
        """The size of all files together, or None where it is not known before the model is pulled."""
        sizes = [file.bytes for file in self.files]
        return sum(size for size in sizes if size) if sizes and None not in sizes else None

    @property
    def folder(self) -> str:
        """The name of the model's folder in the bundle."""
        return self.name.replace("/", "--")


@dataclass(frozen=True, slots=True)
class Profile:
    """Models that work together, at most one of each role."""

    name: str
    description: str
    models: tuple[Model, ...]

    def get(self, role: Role) -> Model | None:
        """The profile's model of a role, or None where it has none."""
        return next((model for model in self.models if model.role == role), None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models and profiles by name."""

    models: Mapping[str, Model]
    profiles: Mapping[str, Profile]
    default_profile: str

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises UsageError, which lists the known ones, where there is none."""
        return _named(name, self.profiles, "profile")

    def model(self, name: str) -> Model:
        """The model of that name. Raises UsageError, which lists the known ones, where there is none."""
        return _named(name, self.models, "model")


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue in a TOML file, or the one that comes with Callfolio.

    Raises UsageError, which names the file and the entry, where the file cannot be read as a catalogue.
    """
    path = path or Path(__file__).with_name("catalogue.toml")
    try:
        top = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The model catalogue {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The model catalogue {path} is not valid TOML: {error}.") from error
    try:
        return _catalogue(top)
    except _MalformedError as error:
        raise UsageError(f"The model catalogue {path} has a mistake in {error}.") from None


class _MalformedError(Exception):
    """An entry is not what it should be: the message is `where: what`."""


def _catalogue(top: dict[str, Any]) -> Catalogue:
    default = _take(top, "default_profile", str, "the top level")
    tables = _take(top, "models", dict, "the top level")
    profile_tables = _take(top, "profiles", dict, "the top level")
    _nothing_left(top, "the top level")
    models = {name: _model(name, _table(table, f"models.{name}")) for name, table in tables.items()}
    profiles = {
        name: _profile(name, _table(table, f"profiles.{name}"), models)
        for name, table in profile_tables.items()
    }
    if default not in profiles:
        raise _MalformedError(f'the top level: default_profile is "{default}", which is not a profile here')
    return Catalogue(models, profiles, default)


def _profile(name: str, table: dict[str, Any], models: Mapping[str, Model]) -> Profile:
    where = f"profiles.{name}"
    description = _take(table, "description", str, where)
    names = _strings(table, "models", where)
    _nothing_left(table, where)
    for each in names:
        if each not in models:
            raise _MalformedError(f'{where}: "{each}" is not a model here')
    chosen = tuple(models[each] for each in names)
    for role in ROLES:
        if sum(model.role == role for model in chosen) > 1:
            raise _MalformedError(f"{where}: more than one model has the role {role}")
    return Profile(name, description, chosen)


def _model(name: str, table: dict[str, Any]) -> Model:
    where = f"models.{name}"
    if not _NAME.fullmatch(name):
        raise _MalformedError(
            f"{where}: the name may hold only letters, digits, dots, hyphens and underscores"
        )
    role = _take(table, "role", str, where)
    if role not in ROLES:
        raise _MalformedError(f'{where}: role is "{role}" and should be one of {", ".join(ROLES)}')
    files = tuple(
        _file(_table(each, f"{where}.files"), f"{where}.files") for each in _take(table, "files", list, where)
    )
    names = [file.name for file in files]
    if not files or len(set(names)) != len(names):
        raise _MalformedError(f"{where}.files: there should be at least one file, and each once")
    sources = tuple(
        _source(_table(each, f"{where}.sources"), files, f"{where}.sources[{at}]")
        for at, each in enumerate(_take(table, "sources", list, where))
    )
    if not sources:
        raise _MalformedError(f"{where}: sources is empty")
    model = Model(
        name=name,
        role=role,
        languages=tuple(_strings(table, "languages", where, [])),
        licence=_take(table, "licence", str, where),
        licensor=_take(table, "licensor", str, where),
        attribution=_take(table, "attribution", str, where),
        files=files,
        sources=sources,
        attention_lead_s=_take(table, "attention_lead_s", float, where, 0.0),
    )
    _nothing_left(table, where)
    return model


def _file(table: dict[str, Any], where: str) -> ModelFile:
    name = _inside(_take(table, "name", str, where), where)
    sha256 = _take(table, "sha256", str, f"{where} {name}", None)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise _MalformedError(
            f'{where} {name}: sha256 is "{sha256}" and should be 64 hex digits in lower case'
        )
    size = _take(table, "bytes", int, f"{where} {name}", None)
    if size is not None and size < 0:
        raise _MalformedError(f"{where} {name}: bytes is {size} and cannot be negative")
    _nothing_left(table, f"{where} {name}")
    return ModelFile(name, sha256, size)


def _source(table: dict[str, Any], files: tuple[ModelFile, ...], where: str) -> Source:
    if len(table) != 1 or next(iter(table)) not in ("package", "hub"):
        raise _MalformedError(f"{where}: a source is either package = [...] or hub = {{...}}")
    if "hub" in table:
        return _hub_source(_take(table, "hub", dict, where), files, where)
    pieces = tuple(_piece(_table(each, where), files, where) for each in _take(table, "package", list, where))
    for file in files:
        if file.name not in {piece.file for piece in pieces}:
            raise _MalformedError(f"{where}: no piece gives {file.name}")
        if file.sha256 is None:
            raise _MalformedError(f"{where}: {file.name} comes in a package, so its sha256 has to be known")
    return PackageSource(pieces)


def _piece(table: dict[str, Any], files: tuple[ModelFile, ...], where: str) -> Piece:
    piece = Piece(
        package=_take(table, "name", str, where),
        version=_take(table, "version", str, where),
        member=_take(table, "member", str, where),
        file=_take(table, "file", str, where),
        platform=_take(table, "platform", str, where, None),
    )
    _nothing_left(table, where)
    _known(piece.file, files, where)
    return piece


def _hub_source(table: dict[str, Any], files: tuple[ModelFile, ...], where: str) -> HubSource:
    repository = _take(table, "repository", str, where)
    revision = _take(table, "revision", str, where)
    paths = _take(table, "paths", dict, where, {})
    _strings({"paths": list(paths.values())}, "paths", where)
    _nothing_left(table, where)
    if not _REPOSITORY.fullmatch(repository):
        raise _MalformedError(f'{where}: repository is "{repository}" and should be of the form owner/name')
    if not _COMMIT.fullmatch(revision):
        raise _MalformedError(f'{where}: revision is "{revision}" and should be a commit of 40 hex digits')
    for name in paths:
        _known(name, files, where)
    return HubSource(repository, revision, paths)


def _known(name: str, files: tuple[ModelFile, ...], where: str) -> None:
    if name not in {file.name for file in files}:
        raise _MalformedError(f"{where}: {name} is not among the model's files")


def _inside(name: str, where: str) -> str:
    # A path that climbs out of the model's folder would let a catalogue overwrite other files.
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or str(path) != name:
        raise _MalformedError(f'{where}: "{name}" is not a plain path below the model\'s folder')
    return name


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _MalformedError(f"{where}: should be a table")
    return value


_REQUIRED: Any = object()


def _take(table: dict[str, Any], key: str, kind: type[Any], where: str, default: Any = _REQUIRED) -> Any:
    if key not in table:
        if default is _REQUIRED:
            raise _MalformedError(f"{where}: {key} is missing")
        return default
    value = table.pop(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _MalformedError(f"{where}: {key} should be of type {kind.__name__}")
    return value


def _strings(table: dict[str, Any], key: str, where: str, default: Any = _REQUIRED) -> list[str]:
    values: list[str] = _take(table, key, list, where, default)
    if not all(isinstance(value, str) for value in values):
        raise _MalformedError(f"{where}: {key} should hold nothing but strings")
    return values


def _nothing_left(table: dict[str, Any], where: str) -> None:
    if table:
        raise _MalformedError(f"{where}: {', '.join(sorted(table))} is not known")


def _named(name: str, known: Mapping[str, _T], kind: str) -> _T:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    meant = f' Did you mean "{near[0]}"?' if near else ""
    raise UsageError(f'There is no {kind} "{name}".{meant} Known: {", ".join(sorted(known))}.')
