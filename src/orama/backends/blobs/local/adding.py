"""Files and directories on their way in."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Final

from orama.backends.blobs.local.block_files import BlockFiles
from orama.backends.blobs.local.keeper import Keeper, LocalHold
from orama.backends.blobs.local.workers import Ahead, Workers
from orama.domain.content.blob import Content, ContentKind
from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Block, Link
from orama.domain.content.directory import nested_directory
from orama.domain.content.file import Chunker, FileTree, Part
from orama.errors import InvalidArgument, TooLarge

_AHEAD: Final = 4


class Adding:
    """Stores blocks under one hold. The blocks of one call are durable once `sync` has returned."""

    def __init__(self, files: BlockFiles, keeper: Keeper, workers: Workers, hold: LocalHold) -> None:
        self._files = files
        self._keeper = keeper
        self._workers = workers
        self._hold = hold
        self._written: set[bytes] = set()

    async def file(self, content: AsyncIterable[bytes], max_bytes: int) -> Content:
        """Store a file: hashing and writing of its chunks overlap with their coming.

        Raises:
            TooLarge: it is longer than `max_bytes`.
        """
        chunker, tree = Chunker(), FileTree()
        ahead: Ahead[Part] = Ahead(self._workers, _AHEAD)

        async def take() -> None:
            for block in tree.add(await ahead.take()):
                await self._workers.start(self.write, block)

        async def store(chunks: Iterable[bytes]) -> None:
            for chunk in chunks:
                if ahead.full:
                    await take()
                ahead.start(self._write_chunk, chunk)

        try:
            async for piece in content:
                if chunker.total_bytes + len(piece) > max_bytes:
                    raise too_large(max_bytes)
                await store(chunker.feed(piece))
            await store(chunker.rest())
            while len(ahead):
                await take()
        finally:
            await ahead.settle()
        for block in tree.finish():
            await self._workers.start(self.write, block)
        await self.sync()
        root = tree.root
        return Content(root.cid, ContentKind.FILE, root.size_bytes, root.tree_bytes)

    async def directory(self, files: Mapping[tuple[str, ...], Content]) -> Content:
        """Store a directory of what is stored already.

        Raises:
            InvalidArgument: a path leads through a file, or two names have one hash.
        """
        root = await self._workers.start(self._write_directory, files)
        await self.sync()
        size = sum(content.size_bytes for content in files.values())
        return Content(root.cid, ContentKind.DIRECTORY, size, root.tree_bytes)

    def write(self, block: Block) -> None:
        """Store one block; blocks its thread."""
        self._written.add(block.cid.multihash)
        self._keeper.keep(self._hold, block.cid.multihash)
        self._files.write(block.cid.multihash, block.data)

    async def sync(self) -> None:
        """Make everything durable that was written."""
        await self._workers.start(self._files.sync, self._written)

    def _write_chunk(self, chunk: bytes) -> Part:
        cid = Cid.of(RAW, chunk)
        self.write(Block(cid, chunk, len(chunk)))
        return Part(cid, len(chunk), len(chunk))

    def _write_directory(self, files: Mapping[tuple[str, ...], Content]) -> Block:
        block: Block | None = None
        for block in _directory_blocks(files):
            self.write(block)
        assert block is not None
        return block


def _directory_blocks(files: Mapping[tuple[str, ...], Content]) -> Iterator[Block]:
    links = {path: Link(content.cid, b"", content.tree_bytes) for path, content in files.items()}
    try:
        yield from nested_directory(links)
    except ValueError as fault:
        raise InvalidArgument(f"invalid path: {fault}", reason="invalid_path") from fault


def too_large(max_bytes: int) -> TooLarge:
    """The content is longer than it may be."""
    return TooLarge(f"the content is larger than {max_bytes} bytes", reason="content_too_large")
