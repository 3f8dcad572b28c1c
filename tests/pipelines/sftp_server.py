"""An SFTP server on loopback over a folder, for one user with a password."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "night", "s3cr:t"


class _Door(paramiko.ServerInterface):  # type: ignore[misc]
    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return int(paramiko.OPEN_SUCCEEDED)

    def check_auth_password(self, username: str, password: str) -> int:
        return int(
            paramiko.AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else paramiko.AUTH_FAILED
        )


def _files(top: Path) -> type:
    class Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
        def _at(self, path: str) -> Path:
            return top / path.lstrip("/")

        def list_folder(self, path: str) -> Any:
            return [
                paramiko.SFTPAttributes.from_stat(each.stat(), each.name)
                for each in sorted(self._at(path).iterdir())
            ]

        def stat(self, path: str) -> Any:
            try:
                return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)

        lstat = stat

        def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002
            handle = paramiko.SFTPHandle(flags)
            try:
                handle.readfile = self._at(path).open("rb")
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)
            return handle

    return Files


@contextmanager
def sftp_server(top: Path, home: Path) -> Iterator[str]:
    """The address of a server over `top`, without credentials; its key is made known in `home`'s .ssh."""
    key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (home / ".ssh").mkdir(parents=True, exist_ok=True)
        (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} ssh-rsa {key.get_base64()}\n")
        open_doors: list[Any] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    transport = paramiko.Transport(connection)
                    transport.add_server_key(key)
                    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _files(top))
                    open_doors.append(transport)
                    with contextlib.suppress(paramiko.SSHException, EOFError):
                        transport.start_server(server=_Door())

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{port}"
        listening.shutdown(socket.SHUT_RDWR)
        for transport in open_doors:
            transport.close()


def credentials() -> str:
    """User and password as an address has them."""
    return f"{USER}:{PASSWORD}"
