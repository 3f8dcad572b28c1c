"""The models on disk: one folder each, put there whole or not at all, and checked against their digests.

    MODELS/whisper-base/{config.json, model.bin, …, files.json}

`files.json` records where the files came from and the SHA-256 and size of each. Below `.pull` lies what is
being fetched, below `.locks` what keeps two processes from fetching the same model at once.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from models.catalogue import Catalogue, HubSource, Model, ModelFile, Role, Source
from models.errors import ModelDamaged, ModelError, ModelMissing, ModelUnavailable, UsageError
from models.sources import Hook, fetch

_RECORD = "files.json"
_BLOCK = 1 << 20
_HUB_ID = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:@(?P<revision>[\w.-]+))?")


class State(StrEnum):
    """How a model stands on disk, as far as a glance at names and sizes tells."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model on disk.

    `path` is its folder and `files` maps each file's name to its path. `sha256` names the model in tables:
    the SHA-256 of the lines `<sha256 of file>  <name>\\n` of all files but `files.json`, sorted by name. That
    is what `sha256sum FILES | sha256sum` prints in the folder for the names in that order. `languages` is
    empty where the model is not restricted to any, and `attention_lead_s` as in the catalogue.
    """

    name: str
    role: Role
    path: Path
    files: Mapping[str, Path]
    sha256: str
    languages: tuple[str, ...] = ()
    attention_lead_s: float = 0.0


def models_dir() -> Path:
    """The folder of the models: $CALLFOLIO_MODELS, or the user's data folder."""
    chosen = os.environ.get("CALLFOLIO_MODELS")
    return Path(chosen).expanduser() if chosen else user_data_path("callfolio") / "models"


def resolve(reference: str, role: Role, catalogue: Catalogue) -> Model | Path:
    """What a user means by a model: a catalogue's name, a path, or `owner/name[@revision]` of the hub.

    A name of the catalogue wins over a folder of that name here (write `./name` for the folder), an existing
    folder over the hub. Raises UsageError where it is none of them, or a model of another role.
    """
    if reference in catalogue.models:
        model = catalogue.models[reference]
        if model.role != role:
            raise UsageError(f'The model "{reference}" is for the role {model.role}, not {role}.')
        return model
    path = Path(reference).expanduser()
    if path.exists():
        return path
    if (hub := _HUB_ID.fullmatch(reference)) and not reference.startswith((".", "/", "~")):
        return Model(
            name=reference,
            role=role,
            languages=(),
            licence="not known, see its page on the hub",
            licensor=hub["repository"].partition("/")[0],
            attribution=f"{hub['repository']}, from the model hub.",
            files=(),
            sources=(HubSource(hub["repository"], hub["revision"] or "main"),),
        )
    known = sorted(name for name, model in catalogue.models.items() if model.role == role)
    near = get_close_matches(reference, known, n=1)
    meant = f' Did you mean "{near[0]}"?' if near else ""
    raise UsageError(
        f'"{reference}" is neither a model of the catalogue nor a folder that exists nor owner/name of the '
        f"hub.{meant} Known for the role {role}: {', '.join(known) or 'none'}."
    )


def state(model: Model, directory: Path) -> State:
    """How a model stands in the bundle, by names and sizes; `verify` also reads what is in the files."""
    try:
        locate(model, directory)
    except ModelMissing:
        return State.MISSING
    except ModelDamaged:
        return State.DAMAGED
    return State.PRESENT


def locate(model: Model, directory: Path) -> LocatedModel:
    """Find a model in the bundle by names and sizes, without reading its files.

    Raises ModelMissing where the model or a file of it is not there, and ModelDamaged where a file has
    another size or is another version; both name the file and the command that mends it.
    """
    folder = directory / model.folder
    expected = _expected(model, folder)
    for name, (_, size) in expected.items():
        path = folder / name
        if not path.is_file():
            raise ModelMissing(f"The model {model.name} is not complete: {path} is missing. {_mend(model)}")
        if (found := path.stat().st_size) != size:
            raise ModelDamaged(
                f"The file {path} of the model {model.name} is damaged: it has {found} bytes and should have "
                f"{size}. {_mend(model)}"
            )
    digests = {name: sha256 for name, (sha256, _) in expected.items()}
    return replace(
        _located(model.name, model.role, folder, digests),
        languages=model.languages,
        attention_lead_s=model.attention_lead_s,
    )


def verify(model: Model, directory: Path, hook: Hook | None = None) -> LocatedModel:
    """Find a model in the bundle and compare the SHA-256 of every file, which takes seconds a gigabyte.

    Raises ModelMissing or ModelDamaged, which name the file, both digests and the command that mends it.
    """
    located = locate(model, directory)
    for name, (sha256, _) in _expected(model, located.path).items():
        if (found := _sha256(located.files[name], hook or _silent)) != sha256:
            raise ModelDamaged(
                f"The file {located.files[name]} of the model {model.name} is damaged: its SHA-256 is "
                f"{found} and should be {sha256}. {_mend(model)}"
            )
    return located


def located_from_folder(role: Role, path: Path) -> LocatedModel:
    """A model of the user's own: a folder with all files in it, hidden ones aside, or a single file.

    Reads every file for its digest. Raises ModelMissing where there is no file.
    """
    path = path.resolve()
    folder = path.parent if path.is_file() else path
    paths = [path] if path.is_file() else sorted(path.rglob("*"))
    names = [each.relative_to(folder) for each in paths if each.is_file()]
    digests = {
        name.as_posix(): _sha256(folder / name, _silent)
        for name in names
        if not any(part.startswith(".") for part in name.parts) and name != Path(_RECORD)
    }
    if not digests:
        raise ModelMissing(f"There is no file of a model in {path}; give the folder that holds its files.")
    return _located(path.name, role, folder, digests)


def pull(model: Model, directory: Path, hook: Hook | None = None) -> LocatedModel:
    """Bring a model into the bundle, from the first of its sources that gives the right files.

    Returns after a check of every digest where the model is there already, and replaces it where it is
    damaged. Waits while another process pulls the same model. Killed at any moment it leaves the model either
    absent or whole; what it had fetched until then is swept away by the next pull of that model.

    Raises ModelUnavailable, with the reason of each source, where none gives the right files, or where this
    machine cannot hold them.
    """
    hook, directory = hook or _silent, directory.absolute()
    stale = directory / ".pull" / model.folder
    try:
        # A bundle may be read-only, as in a container: then no lock can be taken, and none is needed.
        if not stale.exists() and (present := _whole(model, directory, hook)):
            return present
        (directory / ".locks").mkdir(parents=True, exist_ok=True)
        with _alone(FileLock(directory / ".locks" / f"{model.folder}.lock"), model, hook):
            shutil.rmtree(stale, ignore_errors=True)
            try:
                return _whole(model, directory, hook) or _fetch(model, directory, hook)
            finally:
                shutil.rmtree(stale, ignore_errors=True)
    except OSError as error:
        raise ModelUnavailable(_disk_sentence(error, model, directory)) from error


def _fetch(model: Model, directory: Path, hook: Hook) -> LocatedModel:
    reasons = []
    for source in model.sources:
        workspace = directory / ".pull" / model.folder / uuid4().hex
        try:
            _fetch_from(source, model, workspace, hook)
            _put_in_place(workspace, directory / model.folder)
            return locate(model, directory)
        except ModelUnavailable as error:
            reasons.append(f"\n- {source}: {error}")
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
    raise ModelUnavailable(f"The model {model.name} could not be pulled:{''.join(reasons)}")


def _fetch_from(source: Source, model: Model, workspace: Path, hook: Hook) -> None:
    """Leave the whole model, checked and with its record, in the folder `model` of the workspace."""
    folder = workspace / "model"
    folder.mkdir(parents=True)
    (workspace / "work").mkdir()
    origin = fetch(source, model.files, folder, workspace / "work", hook)
    found = {
        path.relative_to(folder).as_posix(): (_sha256(path, hook), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for file in model.files:
        sha256, size = found[file.name]
        if file.sha256 not in (None, sha256) or file.bytes not in (None, size):
            raise ModelUnavailable(
                f"its {file.name} is not the one in the catalogue and was refused: {size} bytes with SHA-256 "
                f"{sha256}, should be {file.bytes or 'any number of'} bytes with {file.sha256 or 'any'}."
            )
    record = {
        "model": model.name,
        "source": origin,
        "files": {name: {"sha256": sha256, "bytes": size} for name, (sha256, size) in found.items()},
    }
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _put_in_place(workspace: Path, folder: Path) -> None:
    if folder.exists():
        folder.replace(workspace / "replaced")
    (workspace / "model").replace(folder)


def _whole(model: Model, directory: Path, hook: Hook) -> LocatedModel | None:
    try:
        return verify(model, directory, hook)
    except ModelError:
        return None


@contextmanager
def _alone(lock: FileLock, model: Model, hook: Hook) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        hook(f"waiting for another process that pulls {model.name}", 0, None)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _expected(model: Model, folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and size of each of the model's files: the catalogue's, else what was recorded at the pull."""
    if not folder.is_dir():
        raise ModelMissing(f"The model {model.name} is not in {folder.parent}. {_mend(model)}")
    recorded = _recorded(model, folder)
    expected = {}
    for file in model.files or [ModelFile(name, None, None) for name in recorded]:
        sha256, size = recorded.get(file.name, (file.sha256, file.bytes))
        if sha256 is None or size is None:
            raise ModelMissing(
                f"The model {model.name} cannot be checked: {folder / _RECORD} is missing or says nothing of "
                f"{file.name}. {_mend(model)}"
            )
        if file.sha256 not in (None, sha256):
            raise ModelDamaged(
                f"The file {folder / file.name} of the model {model.name} is another version than the "
                f"catalogue's: its SHA-256 is {sha256} and should be {file.sha256}. {_mend(model)}"
            )
        expected[file.name] = (sha256, size if file.bytes is None else file.bytes)
    if not expected:
        raise ModelMissing(
            f"The model {model.name} cannot be checked: {folder / _RECORD} is missing. {_mend(model)}"
        )
    return expected


def _recorded(model: Model, folder: Path) -> dict[str, tuple[str, int]]:
    try:
        content = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return {name: (str(file["sha256"]), int(file["bytes"])) for name, file in content["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelDamaged(
            f"The file {folder / _RECORD} of the model {model.name} cannot be read. {_mend(model)}"
        ) from error


def _located(name: str, role: Role, folder: Path, digests: Mapping[str, str]) -> LocatedModel:
    lines = "".join(f"{digests[each]}  {each}\n" for each in sorted(digests))
    files = {each: folder / each for each in sorted(digests)}
    return LocatedModel(name, role, folder, files, hashlib.sha256(lines.encode()).hexdigest())


def _sha256(path: Path, hook: Hook) -> str:
    digest = hashlib.sha256()
    total = path.stat().st_size
    with path.open("rb") as data:
        while block := data.read(_BLOCK):
            digest.update(block)
            hook(f"checking {path.name}", data.tell(), total)
    return digest.hexdigest()


def _mend(model: Model) -> str:
    return f'Run "callfolio models pull {model.name}".'


def _disk_sentence(error: OSError, model: Model, directory: Path) -> str:
    elsewhere = "or set CALLFOLIO_MODELS to a folder elsewhere"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # The packages lie beside the files taken out of them until the model is whole.
        need = f"; about {2 * model.bytes / 1e6:.0f} MB are needed while it is pulled" if model.bytes else ""
        return (
            f"There is no room for the model {model.name} in {directory}{need}. Free some space, {elsewhere}."
        )
    return (
        f"The model {model.name} cannot be put into {directory}: {error.strerror or error}. "
        f"Make the folder writable, {elsewhere}."
    )


def _silent(step: str, completed: int, total: int | None) -> None:
    """The hook of those who want to know nothing."""
