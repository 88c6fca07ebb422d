"""DAGs as archives, in and out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from orama.backends.blobs.local.adding import Adding, too_large
from orama.backends.blobs.local.block_files import BlockFiles
from orama.backends.blobs.local.workers import Ahead, Workers
from orama.domain.content.blob import Content, ContentKind
from orama.domain.content.car import CarReader, car_header, car_section
from orama.domain.content.cid import DAG_PB, IDENTITY, RAW, Cid
from orama.domain.content.dag_pb import Block, decode_node
from orama.domain.content.node import DirectoryNode, FileNode, ShardNode, SymlinkNode, content_of, read_node
from orama.errors import InvalidArgument

_AHEAD: Final = 2
_MAX_DEPTH: Final = 256
_MAX_BLOCK_LINKS: Final = 16_384
_MAX_NAME_BYTES: Final = 255
_LINKS_PER_BLOCK: Final = 5

_Key = tuple[int, bytes]


async def export(root: Cid, files: BlockFiles, workers: Workers) -> AsyncGenerator[bytes]:
    """The archive of the DAG below `root`: depth first, in the order of the links, each block once."""
    yield car_header(root)
    pending, seen = [root], set[_Key]()
    while pending:
        cid = pending.pop()
        if _key(cid) in seen:
            continue
        seen.add(_key(cid))
        data = await workers.start(files.read, cid)
        yield car_section(cid, data)
        if cid.codec != RAW:
            links, _ = await workers.start(decode_node, data)
            pending.extend(link.cid for link in reversed(links))


class Import:
    """One archive on its way in: each block is checked and stored as it comes, the whole once it is here.

    Memory is about 200 bytes a block.

    Args:
        max_blocks: most blocks, and a fifth of the most links that they may have.
    """

    def __init__(self, files: BlockFiles, workers: Workers, adding: Adding, *, max_blocks: int) -> None:
        self._files = files
        self._workers = workers
        self._adding = adding
        self._max_blocks = max_blocks
        self._present: set[_Key] = set()
        self._known: dict[_Key, tuple[ContentKind, int]] = {}
        self._links = 0

    async def run(self, archive: AsyncIterable[bytes], max_bytes: int) -> Content:
        """Store the archive.

        Raises:
            InvalidArgument: it is none, or not whole, or not what it says (reason ``invalid_car``).
            TooLarge: it has more than `max_bytes`.
        """
        reader, size = CarReader(), 0
        ahead: Ahead[None] = Ahead(self._workers, _AHEAD)
        try:
            async for piece in archive:
                size += len(piece)
                if size > max_bytes:
                    raise too_large(max_bytes)
                blocks = await self._workers.start(self._take, reader, piece)
                if ahead.full:
                    await ahead.take()
                ahead.start(self._store, blocks)
            while len(ahead):
                await ahead.take()
        finally:
            await ahead.settle()
        content = await self._workers.start(self._judge, _root_of(reader))
        await self._adding.sync()
        return content

    def _take(self, reader: CarReader, piece: bytes) -> list[tuple[Cid, bytes]]:
        """The blocks that are whole with `piece`; blocks its thread."""
        try:
            blocks = list(reader.feed(piece))
        except ValueError as fault:
            raise _invalid(str(fault)) from fault
        for cid, _ in blocks:
            if cid.codec not in (RAW, DAG_PB):
                raise _invalid(f"block {cid.text} is neither raw nor dag-pb")
            self._present.add(_key(cid))
        if len(self._present) > self._max_blocks:
            raise _invalid(f"more than {self._max_blocks} blocks")
        return blocks

    def _store(self, blocks: list[tuple[Cid, bytes]]) -> None:
        """Check and store some blocks; blocks its thread."""
        for cid, data in blocks:
            if not cid.matches(data):
                raise _invalid(f"the bytes of block {cid.text} are others than it says")
            if cid.hash_name != IDENTITY:
                self._adding.write(Block(cid, data, len(data)))

    def _judge(self, root: Cid) -> Content:
        """Walk the whole DAG; blocks its thread."""
        try:
            kind, size = self._measure(root, 0)
            node = read_node(root, self._files.read(root))
        except ValueError as fault:
            raise _invalid(str(fault)) from fault
        return Content(root, kind, size, content_of(root, node).tree_bytes)

    def _measure(self, cid: Cid, depth: int) -> tuple[ContentKind, int]:
        """What `cid` is and how long, once all below it is known to be here and to be as long as is said.

        Raises:
            ValueError: something is missing or wrong.
        """
        key = _key(cid)
        known = self._known.get(key)
        if known is not None:
            return known
        if key not in self._present and cid.hash_name != IDENTITY:
            raise ValueError(f"block {cid.text} is missing")
        if depth > _MAX_DEPTH:
            raise ValueError(f"blocks stand more than {_MAX_DEPTH} deep")
        node = read_node(cid, self._files.read(cid))
        self._count(len(node.links))
        match node:
            case FileNode():
                for link, part_bytes in node.parts:
                    if self._measure(link.cid, depth + 1) != (ContentKind.FILE, part_bytes):
                        raise ValueError(f"block {link.cid.text} is not as long as is said of it")
                known = ContentKind.FILE, node.size_bytes
            case SymlinkNode():
                known = ContentKind.SYMLINK, len(node.target)
            case DirectoryNode():
                names = [link.name for link in node.links]
                _check_names(names)
                known = ContentKind.DIRECTORY, sum(self._measure(link.cid, depth + 1)[1] for link in node.links)
            case ShardNode():
                _check_names([link.name for link in node.entries()])
                known = ContentKind.DIRECTORY, sum(self._measure(link.cid, depth + 1)[1] for link in node.links)
        self._known[key] = known
        return known

    def _count(self, links: int) -> None:
        self._links += links
        if links > _MAX_BLOCK_LINKS or self._links > self._max_blocks * _LINKS_PER_BLOCK:
            raise ValueError("too many links")


def _key(cid: Cid) -> _Key:
    """What tells blocks apart whose bytes may be the same and mean another thing."""
    return cid.codec, cid.multihash


def _root_of(reader: CarReader) -> Cid:
    try:
        reader.finish()
    except ValueError as fault:
        raise _invalid(str(fault)) from fault
    if reader.roots is None or len(reader.roots) != 1:
        raise _invalid("an archive to be stored has exactly one root")
    return reader.roots[0]


def _check_names(names: list[bytes]) -> None:
    for name in names:
        name.decode()
        if not 0 < len(name) <= _MAX_NAME_BYTES or name in (b".", b"..") or b"/" in name or b"\0" in name:
            raise ValueError("an entry has a name that no file can have")
    if len(set(names)) != len(names):
        raise ValueError("two entries of a directory have one name")


def _invalid(why: str) -> InvalidArgument:
    return InvalidArgument(f"invalid archive: {why}", reason="invalid_car")
