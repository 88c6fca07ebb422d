"""The port for content: files and directories, stored under the identifiers of their bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from orama.domain.content.blob import Collected, Content, Entries
from orama.domain.content.cid import Cid


class BlobsGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class."""

    survives_restart: bool
    """What was added, and is kept, is there after the process dies and starts again."""
    verifies_reads: bool
    """Bytes that do not match their identifier are never given out: the read fails with ``content_damaged``."""
    collects_at_once: bool
    """What `Blobs.collect` may remove is gone when it returns. Where False, the engine removes it in its own time."""


class Hold(Protocol):
    """Keeps what is added under it until it ends, so that its owner can write down that the content is wanted."""


class Blobs(Protocol):
    """Content by identifier, which is the same everywhere for the same bytes: profile ``unixfs-v1-2025`` (IPIP-0499).

    There are no owners here: who may know of an identifier is for the services to say. Content is kept while somebody
    holds it, and otherwise as long as each `collect` is told to keep it.

    Whatever is given out or taken in is streamed: a call takes a few blocks of memory, however large the content.
    Content is durable before `add` returns: it survives a crash of the process and of the machine.

    Common to all methods:

    Raises:
        NotFound: the content, or a part of it, is not here (reason ``content_not_found``).
        Unprocessable: the content is not of the wanted kind (reasons ``not_a_file``, ``not_a_directory``,
            ``not_unixfs``).
        BadBackend: the content was damaged on the disk (reason ``content_damaged``).
        Unavailable: the engine is away, closed, or too busy.
    """

    @property
    def guarantees(self) -> BlobsGuarantees:
        """What this engine promises beyond the contract; known also while the engine is away."""
        ...

    def hold(self) -> AbstractAsyncContextManager[Hold]:
        """Begin to hold. What is added under the hold stays at least until it ends, whatever `collect` is told."""
        ...

    async def add(self, hold: Hold, content: AsyncIterable[bytes], *, max_bytes: int) -> Content:
        """Store a file. A failure of `content` itself is passed on.

        However it fails, or if it is cancelled, nothing of it is kept beyond the next `collect`.

        Raises:
            TooLarge: it is longer than `max_bytes` (reason ``content_too_large``).
            StorageFull: no room (reason ``storage_full``).
        """
        ...

    async def add_directory(self, hold: Hold, files: Mapping[tuple[str, ...], Content]) -> Content:
        """Store a directory of content that was added under the same hold, by paths of at least one name.

        `Content.size_bytes` of the result is the sum of the files'.

        Raises:
            InvalidArgument: a path leads through a file (reason ``invalid_path``).
            StorageFull: no room (reason ``storage_full``).
        """
        ...

    async def import_car(self, hold: Hold, archive: AsyncIterable[bytes], *, max_bytes: int) -> Content:
        """Store the one DAG of an archive (CAR, version 1).

        Every block of it must be in the archive, whatever is stored here already: else an archive of one block with a
        link would be a way to read what others stored. The blocks are UnixFS, and what they say of sizes is true.
        `Content.size_bytes` of a directory is the sum of its files'.

        Raises:
            InvalidArgument: it is no such archive, a block does not match its identifier, it has not exactly one root,
                or lacks a block (reason ``invalid_car``).
            TooLarge: it is longer than `max_bytes` (reason ``content_too_large``).
            StorageFull: no room (reason ``storage_full``).
        """
        ...

    async def stat(self, cid: Cid) -> Content:
        """What `cid` leads to. Reads one block."""
        ...

    async def resolve(self, cid: Cid, path: tuple[str, ...]) -> Content:
        """What stands in the directory `cid` under `path`; `cid` itself, if that is empty."""
        ...

    async def entries(self, cid: Cid, *, after: str | None, limit: int) -> Entries:
        """Up to `limit` entries of a directory, those whose names come after `after`."""
        ...

    def read(self, cid: Cid, *, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes]:
        """A file's bytes from `offset` on, `length` of them or all. Nothing is read until the first is asked for.

        What is being read is not removed meanwhile. The caller closes the generator if it does not reach the end.
        """
        ...

    def export_car(self, cid: Cid) -> AsyncGenerator[bytes]:
        """The whole DAG as an archive (CAR, version 1): depth first, each block once. Else as `read`."""
        ...

    async def block(self, cid: Cid) -> bytes:
        """The one block that `cid` names."""
        ...

    async def collect(self, keep: AsyncIterable[Cid]) -> Collected:
        """Remove what none of `keep` leads to, but nothing that is held now or comes to be held meanwhile.

        The caller has seen to it that a wish to keep something is written down before its hold ends: `keep` is read
        only after the holds have been noted. Content that `keep` names and that is not here is passed over.
        """
        ...

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        ...

    async def close(self) -> None:
        """Let go of everything. A second call does nothing."""
        ...
