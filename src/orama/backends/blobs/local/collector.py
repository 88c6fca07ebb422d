"""Removes the blocks that nobody wants, while others come and go."""

from __future__ import annotations

from collections.abc import Iterable

from orama.backends.blobs.local.block_files import BlockFiles
from orama.backends.blobs.local.keeper import Keeper
from orama.backends.blobs.local.live_set import LiveSet
from orama.backends.blobs.local.translate import damaged
from orama.domain.content.blob import Collected
from orama.domain.content.cid import IDENTITY, RAW, Cid
from orama.domain.content.dag_pb import decode_node
from orama.errors import NotFound


class Collection:
    """One round: first every wanted root is marked, then what is not marked is removed. Blocks its thread.

    Memory is a few bytes a block, and more for each block of links that is being marked.
    """

    def __init__(self, files: BlockFiles, keeper: Keeper) -> None:
        self._files = files
        self._keeper = keeper
        self._live = LiveSet(files.count())
        self._seen: set[bytes] = set()
        self._blocks = 0
        self._size_bytes = 0

    def mark_all(self, roots: Iterable[Cid]) -> None:
        """`mark` each of `roots`."""
        for root in roots:
            self.mark(root)

    def mark(self, root: Cid) -> None:
        """Keep all that `root` leads to. A root that is not here leads to nothing.

        Raises:
            BadBackend: a block below it is lost or damaged: what that led to cannot be told from what nobody wants, so
                nothing may be removed until the root is wanted no more, or whole again.
        """
        pending = [root]
        while pending:
            cid = pending.pop()
            if cid.hash_name == IDENTITY and cid.codec == RAW:
                continue
            if cid.hash_name != IDENTITY:
                self._live.add(cid.multihash)
            if cid.codec == RAW or cid.multihash in self._seen:
                continue
            self._seen.add(cid.multihash)
            try:
                links, _ = decode_node(self._files.read(cid))
            except NotFound:
                if cid == root:
                    return
                raise damaged(cid) from None
            except ValueError:  # no links that anybody could follow
                continue
            pending.extend(link.cid for link in links)

    def sweep(self, shard: int) -> None:
        """Remove what is unwanted in one directory."""
        for multihash in self._files.list(shard):
            if multihash not in self._live and (size := self._keeper.remove(multihash, self._files.remove)) is not None:
                self._blocks += 1
                self._size_bytes += size

    @property
    def collected(self) -> Collected:
        """What was removed so far."""
        return Collected(self._blocks, self._size_bytes)
