"""Where each namespace's database lies."""

# pyright: reportUnknownMemberType=false
# apsw's stubs name a type (Buffer) that Python has from 3.12 on.

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

import apsw

from orama.domain.namespace import PLATFORM, Namespace

_PLATFORM_FILE: Final = "system.db"
_TENANT_FILE: Final = re.compile(r"namespaces/(?:~[a-z]|[a-z0-9])(?:~[a-z]|[a-z0-9_-]){0,63}\.db", re.ASCII)


def database_path(data_directory: Path, namespace: Namespace) -> Path:
    """The file of `namespace`.

    Namespaces that differ only in case get files that differ on every filesystem: a capital letter is written as
    ``~`` and the small one. ``~`` stands in no namespace, and a path holds no other character of the name's than it
    may: nothing here needs escaping.
    """
    if namespace == PLATFORM:
        return data_directory / _PLATFORM_FILE
    name = "".join(f"~{letter.lower()}" if letter.isupper() else letter for letter in namespace)
    return data_directory / "namespaces" / f"{name}.db"


def is_database(name: str) -> bool:
    """Whether `name`, a path within a data directory, is that of some namespace's file."""
    return name == _PLATFORM_FILE or _TENANT_FILE.fullmatch(name) is not None


def databases_in(data_directory: Path) -> list[str]:
    """The databases, as paths within `data_directory`: the tenants' in order of name, the platform's last."""
    found = (file.relative_to(data_directory).as_posix() for file in data_directory.glob("namespaces/*.db"))
    return [*sorted(name for name in found if is_database(name)), _PLATFORM_FILE]


def prepare_directory(data_directory: Path) -> None:
    """Make the directories, for the owner's eyes only.

    Raises:
        OSError: they cannot be made.
    """
    (data_directory / "namespaces").mkdir(mode=0o700, parents=True, exist_ok=True)


def create_file(path: Path) -> None:
    """Make an empty database in WAL mode, with mode 0600, unless the file exists; its companions get the same mode.

    It gets its name only when it is whole: of two processes that open a new file at once, one would otherwise find the
    other in the middle of the switch to WAL mode, for which SQLite does not wait. The directory is synchronised, so
    that a power cut cannot take away a file whose rows were acknowledged.

    Raises:
        apsw.Error: it cannot be made.
        OSError: it cannot be made.
    """
    if path.exists():
        return
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(str(temporary))
        try:
            connection.pragma("journal_mode", "wal")
        finally:
            connection.close()
        os.link(temporary, path)  # unlike rename, never replaces what another process has just made
    except FileExistsError:
        return
    finally:
        for companion in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + companion).unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
