"""Where each namespace's database lies."""

from __future__ import annotations

import os
from pathlib import Path

from orama.domain.namespace import PLATFORM, Namespace


def database_path(data_directory: Path, namespace: Namespace) -> Path:
    """The file of `namespace`.

    Namespaces that differ only in case get files that differ on every filesystem: a capital letter is written as
    ``~`` and the small one. ``~`` stands in no namespace, and a path holds no other character of the name's than it
    may: nothing here needs escaping.
    """
    if namespace == PLATFORM:
        return data_directory / "system.db"
    name = "".join(f"~{letter.lower()}" if letter.isupper() else letter for letter in namespace)
    return data_directory / "namespaces" / f"{name}.db"


def prepare_directory(data_directory: Path) -> None:
    """Make the directories, for the owner's eyes only.

    Raises:
        OSError: they cannot be made.
    """
    (data_directory / "namespaces").mkdir(mode=0o700, parents=True, exist_ok=True)


def create_file(path: Path) -> None:
    """Make an empty file with mode 0600 unless it exists; SQLite gives the same mode to its companions.

    The directory is synchronised, so that a power cut cannot take away a file whose rows were acknowledged.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
