"""The node's directory: made private, locked by one process, with the node's secret and identity in it."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from orama.errors import Conflict, InvalidArgument
from orama.services.backup.unfinished import BACKUP, RESTORE, leftovers, remove_unfinished

KEY_BYTES: Final = 32
KEY_FILE: Final = "cluster.key"
_ID_FILE: Final = "node.id"
_LOCK_FILE: Final = "node.lock"
_DATA: Final = ("system.db", "namespaces/*.db")
_NO_DATA: Final = frozenset({_LOCK_FILE, "lost+found"})
"""What may lie in an empty directory; the latter is every filesystem's own."""


class DataDirectory:
    """The files of one node. Making one creates the directory (0700) but nothing in it.

    Raises:
        InvalidArgument: the path is no directory or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as cause:
            raise InvalidArgument(
                f"cannot use {self.path} as the data directory: {cause.strerror}; name another with --data-dir"
            ) from cause

    def lock(self) -> DirectoryLock:
        """Claim the directory for this process, until the lock is closed or the process ends, however it ends.

        Raises:
            Conflict: a node is running on it; the text has its pid.
        """
        return DirectoryLock(self.path / _LOCK_FILE)

    def root_secret(self) -> bytes:
        """The 32 bytes that every key of the cluster is derived from; made at the first start.

        Raises:
            InvalidArgument: the file is missing although there is data, has another length, or others may read it.
            Conflict: a restore was not finished.
        """
        file = self.path / KEY_FILE
        # In this order: another process that starts at the same time makes the key before the database.
        has_data = any(any(self.path.glob(pattern)) for pattern in _DATA)
        if not file.exists():
            if leftovers(self.path, RESTORE):
                raise self._restore_unfinished()
            if has_data:
                raise InvalidArgument(
                    f"{file} is missing, but there is data beside it that only this key can open: "
                    "restore the file from your backup, or from another node of the cluster"
                )
            _write_private(file, secrets.token_bytes(KEY_BYTES))
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise InvalidArgument(f"{file} can be read by others (mode {mode:04o}): chmod 600 {file}")
        secret = file.read_bytes()
        if len(secret) != KEY_BYTES:
            raise InvalidArgument(f"{file} holds {len(secret)} bytes instead of {KEY_BYTES}: restore it from a backup")
        return secret

    def node_id(self) -> str:
        """The node's own name, random, made at the first start."""
        file = self.path / _ID_FILE
        if not file.exists():
            _write_private(file, secrets.token_hex(16).encode())
        return file.read_text("ascii").strip()

    def check_empty(self) -> None:
        """Refuse a directory in which there is anything.

        Raises:
            Conflict: there is; the text says what to do.
        """
        found = {file.name for file in self.path.iterdir()} - _NO_DATA
        found = {name for name in found if not name.startswith((BACKUP, RESTORE))}
        if found and not (self.path / KEY_FILE).exists() and leftovers(self.path, RESTORE):
            raise self._restore_unfinished()
        if found:
            raise Conflict(
                f"{self.path} is not empty ({min(found)} is there): restore into a new directory", reason="not_empty"
            )

    def remove_leftovers(self) -> None:
        """Remove what backups and restores left here that were killed.

        An unfinished restore stays until there is a key: `root_secret` refuses to start something new in its place.
        """
        remove_unfinished(self.path, BACKUP)
        if (self.path / KEY_FILE).exists():
            remove_unfinished(self.path, RESTORE)

    def database_bytes(self) -> int:
        """What the databases take on disk, with their write-ahead logs. Walks the directory: not for an event loop."""
        return sum(file.stat().st_size for file in self.path.rglob("*.db*") if file.is_file())

    def _restore_unfinished(self) -> Conflict:
        return Conflict(
            f"a restore into {self.path} was not finished: empty the directory, then restore again",
            reason="restore_unfinished",
        )


class DirectoryLock:
    """An advisory lock that the operating system gives back when the process dies."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise Conflict(
                f"a node with pid {holder} is already running on {file.parent}: stop it, or choose another --data-dir"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def _write_private(file: Path, content: bytes) -> None:
    """Write a file that is whole or absent after a crash, and nobody else's to read; an existing one is kept."""
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, file)  # unlike rename, never replaces what another process has just made
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
