"""The part of the tar format that backups use: regular files, one after the other, written and read as streams."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from orama.services.backup.manifest import not_whole

CHUNK_BYTES: Final = 256 * 1024
"""How much is in memory at a time."""

END: Final = bytes(2 * tarfile.BLOCKSIZE)
"""The end of an archive."""

_MAX_NAME_BYTES: Final = 1024


def head(name: str, size: int, *, modified_at: float) -> bytes:
    """What stands before the `size` bytes of the member `name`; afterwards stands `padding`."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(modified_at)
    return member.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """What stands after a member of `size` bytes."""
    return bytes(-size % tarfile.BLOCKSIZE)


def chunks_of(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes of `source`.

    Raises:
        Unprocessable: there are fewer.
    """
    while size:
        chunk = source.read(min(size, CHUNK_BYTES))
        if not chunk:
            raise not_whole("it is cut off")
        size -= len(chunk)
        yield chunk


class Entry:
    """One member of an archive that is being read. Its content can be had once, and only before the next member's."""

    def __init__(self, name: str, size: int, source: BinaryIO) -> None:
        self.name = name
        self.size = size
        self._chunks = chunks_of(source, size)

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        return self._chunks

    def read(self, max_bytes: int) -> bytes:
        """The content as a whole.

        Raises:
            Unprocessable: it is longer than `max_bytes`.
        """
        if self.size > max_bytes:
            raise not_whole(f"its member {self.name!r} passes {max_bytes} bytes")
        return b"".join(self._chunks)


def entries(source: BinaryIO) -> Iterator[Entry]:
    """The members of the archive `source`, to the end of the archive and of `source`.

    What a consumer leaves of a member is skipped.

    Raises:
        Unprocessable: it is no archive as `head` and `padding` make them, it is cut off, or something follows it.
    """
    while (member := _next_member(source)) is not None:
        entry = Entry(member.name, member.size, source)
        yield entry
        for _ in entry.chunks():
            pass
        _skip_padding(source, member.size)
    # The first half of the end has been read; the second is the last that there is.
    if source.read(len(END)) != END[tarfile.BLOCKSIZE :]:
        raise not_whole("something follows its end")


def _next_member(source: BinaryIO) -> tarfile.TarInfo | None:
    member = _read_head(source)
    if member is None or member.type == tarfile.REGTYPE:
        return member
    if member.type != tarfile.GNUTYPE_LONGNAME:
        raise not_whole(f"its member {member.name!r} is no file")
    # A name too long for a head is a member of its own, before the one that it belongs to.
    name = Entry(member.name, member.size, source).read(_MAX_NAME_BYTES)
    _skip_padding(source, member.size)
    named = _read_head(source)
    if named is None or named.type != tarfile.REGTYPE:
        raise not_whole("a name belongs to no file")
    named.name = name.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return named


def _read_head(source: BinaryIO) -> tarfile.TarInfo | None:
    block = b"".join(chunks_of(source, tarfile.BLOCKSIZE))
    if block == bytes(tarfile.BLOCKSIZE):
        return None
    try:
        head_read = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise not_whole("a member has no head") from error
    if head_read.size < 0:
        raise not_whole("a member has no head")
    return head_read


def _skip_padding(source: BinaryIO, size: int) -> None:
    if source.read(len(padding(size))) != padding(size):
        raise not_whole("it is cut off")
