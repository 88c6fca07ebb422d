"""The content port on the local disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from orama.backends.blobs.local.adding import Adding
from orama.backends.blobs.local.archive import Import, export
from orama.backends.blobs.local.block_files import BlockFiles
from orama.backends.blobs.local.collector import Collection
from orama.backends.blobs.local.keeper import Keeper, LocalHold
from orama.backends.blobs.local.reading import Reading
from orama.backends.blobs.local.settings import LocalBlobsSettings
from orama.backends.blobs.local.translate import not_found, translate
from orama.backends.blobs.local.workers import Admission, Workers
from orama.contracts.blobs import BlobsGuarantees, Hold
from orama.domain.content.blob import Collected, Content, Entries
from orama.domain.content.cid import Cid
from orama.errors import BadBackend

_GUARANTEES: Final = BlobsGuarantees(survives_restart=True, verifies_reads=True, collects_at_once=True)
_MARK_AT_ONCE: Final = 500


class LocalBlobs:
    """`contracts.Blobs`: every block a file under its hash, hashed, written and read in threads of its own.

    One process at a time works on a directory: holds are kept in its memory, and die with it.
    """

    def __init__(self, settings: LocalBlobsSettings, files: BlockFiles) -> None:
        self._settings = settings
        self._files = files
        self._workers = Workers(settings.threads)
        self._keeper = Keeper()
        self._reading = Reading(files, self._workers)
        self._adds = Admission(settings.max_adds)
        self._reads = Admission(settings.max_reads)
        self._being_read: Counter[Cid] = Counter()
        self._collecting = asyncio.Lock()
        self._collection: Collection | None = None
        self._collection_step = asyncio.Lock()

    @classmethod
    async def open(cls, settings: LocalBlobsSettings) -> LocalBlobs:
        """The adapter. What a process that died left half done is removed.

        Raises:
            Unavailable: the directory cannot be made.
        """
        files = BlockFiles(settings.data_directory, min_free_percent=settings.min_free_percent)
        try:
            await asyncio.to_thread(files.prepare)
        except OSError as error:
            raise translate(error) from error
        return cls(settings, files)

    @property
    def guarantees(self) -> BlobsGuarantees:
        """See `Blobs.guarantees`."""
        return _GUARANTEES

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[Hold]:
        """See `Blobs.hold`."""
        hold = self._keeper.begin()
        try:
            yield hold
        finally:
            self._keeper.end(hold)

    async def add(self, hold: Hold, content: AsyncIterable[bytes], *, max_bytes: int) -> Content:
        """See `Blobs.add`."""
        with self._adds.enter():
            return await self._adding(hold).file(content, max_bytes)

    async def add_directory(self, hold: Hold, files: Mapping[tuple[str, ...], Content]) -> Content:
        """See `Blobs.add_directory`."""
        with self._adds.enter():
            return await self._adding(hold).directory(files)

    async def import_car(self, hold: Hold, archive: AsyncIterable[bytes], *, max_bytes: int) -> Content:
        """See `Blobs.import_car`."""
        with self._adds.enter():
            importing = Import(
                self._files, self._workers, self._adding(hold), max_blocks=self._settings.max_archive_blocks
            )
            return await importing.run(archive, max_bytes)

    async def stat(self, cid: Cid) -> Content:
        """See `Blobs.stat`."""
        return await self._reading.content(cid)

    async def resolve(self, cid: Cid, path: tuple[str, ...]) -> Content:
        """See `Blobs.resolve`."""
        here = cid
        for name in path:
            below = await self._reading.find(here, name)
            if below is None:
                raise not_found(cid, path)
            here = below
        return await self.stat(here)

    async def entries(self, cid: Cid, *, after: str | None, limit: int) -> Entries:
        """See `Blobs.entries`."""
        return await self._reading.entries(cid, after, limit)

    async def read(self, cid: Cid, *, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes]:
        """See `Blobs.read`."""
        async with self._in_use(cid):
            pieces = self._reading.file(cid, offset, length)
            try:
                async for piece in pieces:
                    yield piece
            finally:
                await pieces.aclose()

    async def export_car(self, cid: Cid) -> AsyncGenerator[bytes]:
        """See `Blobs.export_car`."""
        async with self._in_use(cid):
            sections = export(cid, self._files, self._workers)
            try:
                async for section in sections:
                    yield section
            finally:
                await sections.aclose()

    async def block(self, cid: Cid) -> bytes:
        """See `Blobs.block`."""
        return await self._workers.start(self._files.read, cid)

    async def collect(self, keep: AsyncIterable[Cid]) -> Collected:
        """See `Blobs.collect`. One collection at a time; others wait."""
        async with self._collecting:
            self._keeper.begin_collection()
            try:
                collection = await self._workers.start(Collection, self._files, self._keeper)
                self._collection = collection
                return await self._collect(collection, keep)
            finally:
                self._collection = None
                self._keeper.end_collection()

    async def ping(self) -> None:
        """See `Blobs.ping`."""
        await self._workers.start(self._files.check)

    async def close(self) -> None:
        """See `Blobs.close`."""
        await self._workers.close()

    async def _collect(self, collection: Collection, keep: AsyncIterable[Cid]) -> Collected:
        roots = list(self._being_read)
        async for root in keep:
            roots.append(root)
            if len(roots) >= _MARK_AT_ONCE:
                await self._workers.start(collection.mark_all, roots)
                roots = []
        await self._workers.start(collection.mark_all, roots)
        for shard in self._files.shards():
            async with self._collection_step:
                await self._workers.start(collection.sweep, shard)
        return collection.collected

    @asynccontextmanager
    async def _in_use(self, cid: Cid) -> AsyncGenerator[None]:
        """Let nobody remove what is being read."""
        with self._reads.enter():
            self._being_read[cid] += 1
            try:
                if self._collection is not None:
                    async with self._collection_step:
                        await self._mark(cid)
                yield
            finally:
                self._being_read[cid] -= 1
                if not self._being_read[cid]:
                    del self._being_read[cid]

    async def _mark(self, cid: Cid) -> None:
        if self._collection is not None:
            with suppress(BadBackend):  # the read will tell
                await self._workers.start(self._collection.mark, cid)

    def _adding(self, hold: Hold) -> Adding:
        assert isinstance(hold, LocalHold), "a hold of this adapter"
        return Adding(self._files, self._keeper, self._workers, hold)
