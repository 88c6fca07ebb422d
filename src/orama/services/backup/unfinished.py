"""Places for work that is not finished: private, and gone afterwards, at the latest when the next work begins."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BACKUP: Final = ".orama-backup-"
RESTORE: Final = ".orama-restore-"


@contextmanager
def unfinished(parent: Path, prefix: str) -> Generator[Path, None, None]:
    """A new directory in `parent`, for the owner's eyes only, removed at the end of the block however it ends.

    What processes that were killed have left there is removed first.
    """
    remove_unfinished(parent, prefix)
    directory, lock = _make(parent, prefix)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
        os.close(lock)


def remove_unfinished(parent: Path, prefix: str) -> None:
    """Remove what processes that were killed have left in `parent`; what others work in stays."""
    for directory in leftovers(parent, prefix):
        lock = _lock(directory)
        if lock is not None:
            shutil.rmtree(directory)
            os.close(lock)


def leftovers(parent: Path, prefix: str) -> list[Path]:
    """The directories of unfinished work in `parent`, ours by owner, whether somebody still works there or not."""
    with os.scandir(parent) as entries:
        return [Path(entry.path) for entry in entries if entry.name.startswith(prefix) and _is_ours(entry)]


def write_private(file: Path, chunks: Iterable[bytes]) -> None:
    """Make a new file that only its owner can read; it is on the disk when this returns.

    Raises:
        OSError: it exists, or cannot be written.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        for chunk in chunks:
            opened.write(chunk)
        opened.flush()
        os.fsync(opened.fileno())


def synchronise(directory: Path) -> None:
    """Wait until the disk knows what lies in `directory`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock(directory)
        if lock is not None:
            return directory, lock
        # Another process took it for a leftover, as it was not locked yet.


def _lock(directory: Path) -> int | None:
    """A descriptor that keeps `directory` while it is open; None if another process has it, or it is gone.

    The lock is on the directory itself: there is no moment at which it exists and its lock does not, other than
    unlocked.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not directory.exists():
        os.close(descriptor)
        return None
    return descriptor


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        owner = entry.stat(follow_symlinks=False).st_uid
    except FileNotFoundError:
        return False  # It has just been finished.
    return entry.is_dir(follow_symlinks=False) and owner == os.geteuid()
