"""Files and directories on their way out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from orama.backends.blobs.local.block_files import BlockFiles
from orama.backends.blobs.local.translate import damaged
from orama.backends.blobs.local.workers import Ahead, Workers
from orama.domain.content.blob import Content, ContentKind, Entries, Entry
from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Link
from orama.domain.content.node import DirectoryNode, FileNode, Node, ShardNode, SymlinkNode, content_of, read_node
from orama.errors import Unprocessable

_AHEAD: Final = 2
_ENTRIES_AT_ONCE: Final = 100
_MAX_DEPTH: Final = 64
"""Blocks above each other in a file's tree: four suffice for a petabyte."""


class _Leaf(msgspec.Struct, frozen=True, gc=False):
    """A raw block of a file: how long it is, and from where to where it is wanted (None: to its end)."""

    cid: Cid
    size_bytes: int
    first: int
    last: int | None


class Reading:
    """Reads DAGs. Every block is checked against its hash before a byte of it is given out."""

    def __init__(self, files: BlockFiles, workers: Workers) -> None:
        self._files = files
        self._workers = workers

    async def node(self, cid: Cid) -> Node:
        """The block `cid`, understood.

        Raises:
            Unprocessable: it is no UnixFS.
        """
        return await self._workers.start(self._read_node, cid)

    async def content(self, cid: Cid) -> Content:
        """What `cid` leads to. A raw block is not read: its length says it all."""
        return await self._workers.start(self._read_content, cid)

    async def file(self, cid: Cid, offset: int, length: int | None) -> AsyncGenerator[bytes]:
        """The bytes of a file, a block at a time; the next one is read meanwhile."""
        ahead: Ahead[bytes] = Ahead(self._workers, _AHEAD)
        try:
            async for piece in self._pieces(cid, offset, length):
                while ahead.full or (len(ahead) and isinstance(piece, bytes)):
                    yield await ahead.take()
                if isinstance(piece, bytes):
                    yield piece
                else:
                    ahead.start(self._read_leaf, piece)
            while len(ahead):
                yield await ahead.take()
        finally:
            await ahead.settle()

    async def find(self, directory: Cid, name: str) -> Cid | None:
        """The entry `name` of a directory."""
        wanted = name.encode("utf-8", "surrogateescape")
        node = _as_directory(directory, await self.node(directory))
        depth = 0
        while isinstance(node, ShardNode):
            link = node.find(wanted, depth)
            if link is None or link.name:
                return None if link is None else link.cid
            depth += 1
            node = _as_directory(directory, await self.node(link.cid))
        return next((link.cid for link in node.links if link.name == wanted), None)

    async def entries(self, directory: Cid, after: str | None, limit: int) -> Entries:
        """A page of a directory. Of one that stands in shards all shards are read for each page."""
        links = await self._workers.start(self._read_links, directory)
        if after is not None:
            start = after.encode("utf-8", "surrogateescape")
            links = [link for link in links if link.name > start]
        page: list[Entry] = []
        for start in range(0, min(limit, len(links)), _ENTRIES_AT_ONCE):
            some = links[start : min(limit, start + _ENTRIES_AT_ONCE)]
            page += await self._workers.start(self._read_all, some)
        return Entries(page, len(links) > limit)

    async def _pieces(self, cid: Cid, offset: int, length: int | None) -> AsyncGenerator[bytes | _Leaf]:
        """The wanted bytes of a file in order, those in raw blocks as what is to be read.

        Raises:
            Unprocessable: it is no file.
        """
        end = None if length is None else offset + length
        pending: list[tuple[Cid, int, int | None, int]] = [(cid, 0, None, 0)]
        while pending:
            here, start, size, depth = pending.pop()
            first, last = max(0, offset - start), None if end is None else max(0, end - start)
            if here.codec == RAW and size is not None:
                yield _Leaf(here, size, first, last)
                continue
            node = await self.node(here)
            if not isinstance(node, FileNode):
                raise Unprocessable(f"not a file: {cid.text}", reason="not_a_file")
            if depth > _MAX_DEPTH or size not in (None, node.size_bytes):
                raise damaged(here)
            if own := node.content[first:last]:
                yield own
            start += len(node.content)
            below: list[tuple[Cid, int, int | None, int]] = []
            for link, part_bytes in node.parts:
                if part_bytes and start + part_bytes > offset and (end is None or start < end):
                    below.append((link.cid, start, part_bytes, depth + 1))
                start += part_bytes
            pending.extend(reversed(below))

    def _read_node(self, cid: Cid) -> Node:
        try:
            return read_node(cid, self._files.read(cid))
        except ValueError as fault:
            raise Unprocessable(f"not a file or directory: {fault}", reason="not_unixfs") from fault

    def _read_leaf(self, leaf: _Leaf) -> bytes:
        data = self._files.read(leaf.cid)
        if len(data) != leaf.size_bytes:
            raise damaged(leaf.cid)
        return data if leaf.first == 0 and leaf.last is None else data[leaf.first : leaf.last]

    def _read_all(self, links: list[Link]) -> list[Entry]:
        return [Entry(link.name.decode("utf-8", "replace"), self._read_content(link.cid)) for link in links]

    def _read_content(self, cid: Cid) -> Content:
        if cid.codec == RAW:
            size = self._files.size(cid)
            return Content(cid, ContentKind.FILE, size, size)
        return content_of(cid, self._read_node(cid))

    def _read_links(self, directory: Cid) -> list[Link]:
        """All entries of a directory, in the order of their names' bytes."""
        links: list[Link] = []
        pending, seen = [directory], {directory}
        while pending:
            cid = pending.pop()
            node = _as_directory(cid, self._read_node(cid))
            links.extend(node.entries() if isinstance(node, ShardNode) else node.links)
            for shard in node.shards() if isinstance(node, ShardNode) else ():
                if shard not in seen:
                    seen.add(shard)
                    pending.append(shard)
        return sorted(links, key=lambda link: link.name)


def _as_directory(cid: Cid, node: Node) -> DirectoryNode | ShardNode:
    if isinstance(node, FileNode | SymlinkNode):
        raise Unprocessable(f"not a directory: {cid.text}", reason="not_a_directory")
    return node
