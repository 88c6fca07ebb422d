"""Blocks as files: each whole or absent, whatever happens to the process or the machine. All calls block."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from orama.backends.blobs.local.translate import damaged, full, not_found
from orama.domain.content.cid import IDENTITY, Cid
from orama.domain.content.multibase import decode_multibase, encode_base32

_SHARDS: Final = 256
_PERCENT: Final = 100


class BlockFiles:
    """Files by their blocks' hashes: identifiers that differ in version or format only share one.

    A block is written under another name, synchronised and renamed; `sync` then makes the new names durable. Files lie
    in 256 directories, after the last byte of their hash.

    Args:
        directory: where; made by `prepare`.
        min_free_percent: of the disk; below it nothing is written.
    """

    def __init__(self, directory: Path, *, min_free_percent: float) -> None:
        self._blocks = directory / "blocks"
        self._staging = directory / "staging"
        self._min_free_percent = min_free_percent
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Make the directories, for the owner's eyes only, and remove what an earlier process left half done."""
        for place in (self._blocks.parent, self._blocks, self._staging, *self._shards()):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in self._staging.iterdir():
            file.unlink()
        for place in (self._blocks, self._blocks.parent):
            _sync_directory(place)

    def write(self, multihash: bytes, data: bytes) -> None:
        """Store a block unless it is here already; one that was damaged is mended.

        Raises:
            StorageFull: too little of the disk is free.
        """
        path = self._path(multihash)
        with suppress(OSError):  # absent, or so damaged that it cannot be read
            if path.read_bytes() == data:
                return
        self._check_room()
        temporary = self._staging / f"{next(self._numbers)}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.rename(path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise

    def sync(self, multihashes: Iterable[bytes]) -> None:
        """Make the names of these blocks durable, whoever wrote them."""
        for shard in {multihash[-1] for multihash in multihashes}:
            _sync_directory(self._blocks / f"{shard:02x}")

    def read(self, cid: Cid) -> bytes:
        """A block, checked against its hash.

        Raises:
            NotFound: it is not here.
            BadBackend: its bytes are others.
        """
        if cid.hash_name == IDENTITY:
            return cid.digest
        try:
            data = self._path(cid.multihash).read_bytes()
        except FileNotFoundError:
            raise not_found(cid) from None
        if not cid.matches(data):
            raise damaged(cid)
        return data

    def size(self, cid: Cid) -> int:
        """How many bytes a block has, without reading it.

        Raises:
            NotFound: it is not here.
        """
        if cid.hash_name == IDENTITY:
            return len(cid.digest)
        try:
            return self._path(cid.multihash).stat().st_size
        except FileNotFoundError:
            raise not_found(cid) from None

    def remove(self, multihash: bytes) -> int:
        """Remove a block; how many bytes it had."""
        path = self._path(multihash)
        size = path.stat().st_size
        path.unlink()
        return size

    def shards(self) -> range:
        """The numbers of the directories, for `list`."""
        return range(_SHARDS)

    def list(self, shard: int) -> list[bytes]:
        """The hashes of the blocks in one directory; files of other names are not ours and passed over."""
        found: list[bytes] = []
        for file in (self._blocks / f"{shard:02x}").iterdir():
            with suppress(ValueError):
                found.append(decode_multibase(f"b{file.name}"))
        return found

    def count(self) -> int:
        """How many blocks there are."""
        return sum(1 for shard in self._shards() for _ in shard.iterdir())

    def check(self) -> None:
        """Fail if the directories cannot be reached."""
        os.statvfs(self._staging)

    def _shards(self) -> Iterator[Path]:
        return (self._blocks / f"{shard:02x}" for shard in self.shards())

    def _path(self, multihash: bytes) -> Path:
        return self._blocks / f"{multihash[-1]:02x}" / encode_base32(multihash)

    def _check_room(self) -> None:
        disk = os.statvfs(self._staging)
        if disk.f_bavail * _PERCENT < self._min_free_percent * disk.f_blocks:
            raise full(f"less than {self._min_free_percent:g} % of the node's disk is free; nothing was stored")


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
