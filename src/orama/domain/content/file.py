"""Files as DAGs: chunks of one size, under a balanced tree.

The profile is ``unixfs-v1-2025`` (IPIP-0499), so that the same bytes have the same identifier everywhere: chunks of
1 MiB are raw blocks, a tree's blocks have up to 1,024 links, and all chunks stand equally deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from orama.domain.content.cid import Cid
from orama.domain.content.dag_pb import Block, Link
from orama.domain.content.unixfs import NodeKind, UnixFs, encode_unixfs

CHUNK_BYTES: Final = 1024 * 1024
"""Bytes of a file that one block holds; the last one of a file holds what is left."""
MAX_LINKS: Final = 1024
"""Links of one block of a file's tree."""


class Chunker:
    """Cuts a stream into chunks of `CHUNK_BYTES`, whatever the pieces in which it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self.total_bytes = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take a piece; the chunks that are full now."""
        self.total_bytes += len(piece)
        start = 0
        while self._waiting_bytes + len(piece) - start >= CHUNK_BYTES:
            end = start + CHUNK_BYTES - self._waiting_bytes
            self._pieces.append(piece[start:end])
            yield b"".join(self._pieces)
            self._pieces.clear()
            self._waiting_bytes, start = 0, end
        if start < len(piece):
            self._pieces.append(piece[start:] if start else piece)
            self._waiting_bytes += len(piece) - start

    def rest(self) -> Iterator[bytes]:
        """The last chunk, after the stream's end. A stream of no bytes has one chunk, which is empty."""
        if self._pieces or not self.total_bytes:
            yield b"".join(self._pieces)


class Part(msgspec.Struct, frozen=True, gc=False):
    """Something that a block of a file's tree links to. `tree_bytes` as in `Link`."""

    cid: Cid
    size_bytes: int
    tree_bytes: int


class FileTree:
    """Builds the tree over a file's chunks as they come. Holds at most `max_links` parts of each of its levels.

    Another number of links than the profile's makes another identifier.
    """

    def __init__(self, max_links: int = MAX_LINKS) -> None:
        self._max_links = max_links
        self._levels: list[list[Part]] = [[]]

    def add(self, chunk: Part) -> Iterator[Block]:
        """Take the next chunk; the blocks of the tree that are complete now."""
        yield from self._place(0, chunk)

    def finish(self) -> Iterator[Block]:
        """The blocks that are left; then `root` is the file's. At least one chunk was taken."""
        level = 0
        while level < len(self._levels) - 1 or len(self._levels[level]) > 1:
            yield from self._close(level)
            level += 1

    @property
    def root(self) -> Part:
        """The whole file, after `finish`."""
        return self._levels[-1][0]

    def _place(self, level: int, part: Part) -> Iterator[Block]:
        if level == len(self._levels):
            self._levels.append([])
        if len(self._levels[level]) == self._max_links:
            yield from self._close(level)
        self._levels[level].append(part)

    def _close(self, level: int) -> Iterator[Block]:
        """Make one block of a level's parts, and a part of the level above of it."""
        parts = self._levels[level]
        block = file_node(parts)
        self._levels[level] = []
        yield block
        size = sum(part.size_bytes for part in parts)
        yield from self._place(level + 1, Part(block.cid, size, block.tree_bytes))


def file_node(parts: list[Part]) -> Block:
    """The block that links to the consecutive `parts` of a file."""
    sizes = tuple(part.size_bytes for part in parts)
    data = encode_unixfs(UnixFs(NodeKind.FILE, size_bytes=sum(sizes), part_bytes=sizes))
    return Block.of([Link(part.cid, b"", part.tree_bytes) for part in parts], data)
