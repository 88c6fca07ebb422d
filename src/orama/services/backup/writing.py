"""Making a backup."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from orama.contracts.backup import Section
from orama.errors import Conflict
from orama.services.backup import tar
from orama.services.backup.age import Recipient, encrypt
from orama.services.backup.manifest import HEADER_NAME, MANIFEST_NAME, Backup, Header, Manifest, Part, encode
from orama.services.backup.unfinished import BACKUP, synchronise, unfinished


class Created(msgspec.Struct, frozen=True):
    """A backup, and the file that it is in: its size and its SHA-256."""

    backup: Backup
    bytes: int
    sha256: str


def create_backup(
    sections: Sequence[Section], header: Header, recipients: Sequence[Recipient], *, output: Path, scratch: Path
) -> Created:
    """Write a backup to `output`, which appears when it is whole and on the disk.

    Args:
        sections: what is in it; copied in this order.
        header: what it says of itself.
        recipients: who will be able to read it.
        output: a file that does not exist.
        scratch: a directory for copies in clear, of one part at a time.

    Raises:
        Conflict: `output` exists.
        OSError: a directory or the disk does not take it.
        OramaError: something cannot be copied.
    """
    _refuse_if_exists(output)
    with unfinished(output.parent, BACKUP) as place, unfinished(scratch, BACKUP) as copies:
        archive = Archive(sections, header, copies)
        file = place / "archive.age"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            sha256 = encrypt(archive.chunks(), opened, recipients)
            opened.flush()
            os.fsync(descriptor)
        size = file.stat().st_size
        _refuse_if_exists(output)
        file.rename(output)
        synchronise(output.parent)
    return Created(Backup(header, archive.parts), size, sha256)


class Archive:
    """An archive that is made as it is read. `parts` are those that it has so far."""

    def __init__(self, sections: Sequence[Section], header: Header, copies: Path) -> None:
        self._sections = sections
        self._header = header
        self._copy = copies / "copy"
        self.parts: list[Part] = []

    def chunks(self) -> Iterator[bytes]:
        """The archive, from its beginning to its end."""
        yield from self._text(HEADER_NAME, encode(self._header))
        for section in self._sections:
            for name in section.names():
                yield from self._part(section, name)
        yield from self._text(MANIFEST_NAME, encode(Manifest(self.parts)))
        yield tar.END

    def _part(self, section: Section, name: str) -> Iterator[bytes]:
        sha256 = hashlib.sha256()
        try:
            file = section.export(name, self._copy)
            content = section.examine(name, file)
            with file.open("rb") as opened:
                size = os.fstat(opened.fileno()).st_size
                yield self._head(name, size)
                for chunk in tar.chunks_of(opened, size):
                    sha256.update(chunk)
                    yield chunk
                yield tar.padding(size)
        finally:
            self._copy.unlink(missing_ok=True)
        self.parts.append(Part(name, size, sha256.hexdigest(), content))

    def _text(self, name: str, text: bytes) -> Iterator[bytes]:
        yield self._head(name, len(text))
        yield text
        yield tar.padding(len(text))

    def _head(self, name: str, size: int) -> bytes:
        return tar.head(name, size, modified_at=self._header.created_at / 1000)


def _refuse_if_exists(output: Path) -> None:
    if output.exists():
        raise Conflict(f"{output} exists already: backups are never written over, choose another name")
