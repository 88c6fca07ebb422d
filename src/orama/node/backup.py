"""The composition root of backups: what a node keeps, and how it comes into a file and back."""

from __future__ import annotations

import errno
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orama
from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.database.sqlite.snapshot import SqliteSnapshots
from orama.config.model import Config
from orama.contracts.backup import Content, Section
from orama.domain.timestamp import to_ms
from orama.errors import InvalidArgument, NotFound, StorageFull
from orama.node.data_directory import KEY_BYTES, KEY_FILE, DataDirectory
from orama.services.backup.age import parse_identities, parse_recipient
from orama.services.backup.manifest import FORMAT, Backup, Header, not_whole
from orama.services.backup.reading import read_backup
from orama.services.backup.unfinished import BACKUP, RESTORE, synchronise, unfinished
from orama.services.backup.writing import Created, create_backup

_ESSENTIAL: Final = frozenset({KEY_FILE, "system.db"})
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def create(config: Config, recipients: Sequence[str], output: Path, scratch: Path | None) -> Created:
    """Back up the node that `config` describes, which may be running.

    Args:
        config: the node's configuration.
        recipients: public keys of age.
        output: the file to make.
        scratch: where copies lie in clear meanwhile, one at a time; by default in the node's own directory.

    Raises:
        NotFound: there is no node's data.
        OramaError: see `create_backup`.
    """
    directory = config.database.sqlite.data_directory
    if not (directory / KEY_FILE).exists():
        raise NotFound(f"there is no node's data in {directory}: name its directory with --data-dir", reason="no_data")
    header = Header(FORMAT, orama.__version__, to_ms(SystemClock().now()))
    readers = [parse_recipient(text) for text in recipients]
    with _failures_told():
        return create_backup(
            _sections(config.database.sqlite), header, readers, output=output.absolute(), scratch=scratch or directory
        )


def verify(file: Path, identities: str, scratch: Path | None) -> Backup:
    """Check everything in a backup. `identities`: private keys of age; `scratch`: as in `create`, by default beside it.

    Raises:
        OramaError: see `read_backup`.
    """
    keys = parse_identities(identities)
    with (
        _failures_told(),
        file.open("rb") as encrypted,
        unfinished(scratch or file.absolute().parent, BACKUP) as directory,
    ):
        return _complete(read_backup(encrypted, keys, _sections_of_a_copy(directory), directory, keep=False))


def restore(config: Config, file: Path, identities: str) -> Backup:
    """Lay out what is in a backup as the data directory of a new node, once everything has been checked.

    Raises:
        Conflict: the directory is not empty, or in use.
        OramaError: see `read_backup`. The directory is as empty as before.
    """
    keys = parse_identities(identities)
    data = DataDirectory(config.node.data_dir)
    data.check_empty()
    with (
        _failures_told(),
        file.open("rb") as encrypted,
        data.lock(),
        unfinished(data.path, RESTORE) as staging,
    ):
        backup = _complete(read_backup(encrypted, keys, _sections_of_a_copy(staging), staging, keep=True))
        data.check_empty()
        _move(staging, data.path)
    return backup


class RootSecret:
    """`contracts.backup.Section`: the file of the root secret, without which the rest cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / KEY_FILE

    def names(self) -> tuple[str, ...]:
        """See `contracts.backup.Section`."""
        return (KEY_FILE,)

    def export(self, name: str, scratch: Path) -> Path:  # noqa: ARG002 (it never changes)
        """See `contracts.backup.Section`."""
        return self._file

    def owns(self, name: str) -> bool:
        """See `contracts.backup.Section`."""
        return name == KEY_FILE

    def examine(self, name: str, file: Path) -> Content:
        """See `contracts.backup.Section`."""
        size = file.stat().st_size
        return Content(damage=None if size == KEY_BYTES else f"{name} holds {size} bytes instead of {KEY_BYTES}")


def _sections(sqlite: SqliteSettings) -> tuple[Section, ...]:
    """What a backup holds, in the order of copying: what refers to something before what it refers to."""
    return (SqliteSnapshots(sqlite), RootSecret(sqlite.data_directory))


def _sections_of_a_copy(directory: Path) -> tuple[Section, ...]:
    return _sections(SqliteSettings(data_directory=directory))


def _complete(backup: Backup) -> Backup:
    """`backup`, if it has what every node has.

    Raises:
        Unprocessable: it has not; somebody else than `create` made it.
    """
    missing = _ESSENTIAL.difference(part.name for part in backup.parts)
    if missing:
        raise not_whole(f"{min(missing)} is not in it")
    return backup


def _move(staging: Path, target: Path) -> None:
    """Move everything to its place, durably, the root secret last: without it a node refuses to start on the rest."""
    rest = [entry for entry in staging.iterdir() if entry.name != KEY_FILE]
    for entry in rest:
        if entry.is_dir():
            synchronise(entry)
        entry.rename(target / entry.name)
    synchronise(target)
    (staging / KEY_FILE).rename(target / KEY_FILE)
    synchronise(target)


@contextmanager
def _failures_told() -> Generator[None, None, None]:
    """Turn what the filesystem refuses into an error with a text for the operator."""
    try:
        yield
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        if error.errno in _NO_ROOM:
            raise StorageFull(f"no room is left on the disk{place and ' for'}{place}", reason="storage_full") from error
        raise InvalidArgument(f"cannot use{place}: {error.strerror}") from error
