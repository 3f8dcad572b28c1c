"""SFTP to hosts that the operator knows: fsspec's own accepts any host key, and so anyone in between."""

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem


class KnownHosts(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """SFTP with the host keys in `~/.ssh/known_hosts` and nothing else; keys and agent as for `ssh`."""

    protocol = ("sftp", "ssh")

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        self.client.connect(self.host, **self.ssh_kwargs)
        self.ftp = self.client.open_sftp()
