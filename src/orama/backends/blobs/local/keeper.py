"""Which blocks must not be removed now, though nothing durable says so yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from orama.errors import Internal


class LocalHold:
    """`contracts.blobs.Hold`: the hashes of the blocks that it keeps. Made and changed by `Keeper` only."""

    def __init__(self) -> None:
        self.multihashes: set[bytes] = set()
        self.ended = False


class Keeper:
    """Keeps blocks from the collector. For use from any thread.

    A block is kept *before* its file is looked for, and the collector removes a file only while nobody can begin to
    keep it: so no upload ever relies on a block that is about to go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: Counter[bytes] = Counter()
        self._since: set[bytes] | None = None

    def begin(self) -> LocalHold:
        """A hold that keeps nothing yet."""
        return LocalHold()

    def keep(self, hold: LocalHold, multihash: bytes) -> None:
        """Keep a block until the hold ends.

        Raises:
            Internal: the hold has ended: whoever began this work is gone.
        """
        with self._lock:
            if hold.ended:
                raise Internal("content was added under a hold that has ended")
            if multihash not in hold.multihashes:
                hold.multihashes.add(multihash)
                self._kept[multihash] += 1
            if self._since is not None:
                self._since.add(multihash)

    def end(self, hold: LocalHold) -> None:
        """Let go of everything that the hold kept. A second call does nothing."""
        with self._lock:
            hold.ended = True
            self._kept.subtract(hold.multihashes)
            for multihash in hold.multihashes:
                if not self._kept[multihash]:
                    del self._kept[multihash]
            hold.multihashes.clear()

    def begin_collection(self) -> None:
        """From now on, until `end_collection`, what is kept or comes to be kept is not removed."""
        with self._lock:
            self._since = set(self._kept)

    def end_collection(self) -> None:
        """The collection is over."""
        with self._lock:
            self._since = None

    def remove(self, multihash: bytes, remove: Callable[[bytes], int]) -> int | None:
        """Call `remove` unless the block is kept; what it returned, else None. For use in a collection."""
        with self._lock:
            if self._since is None or multihash in self._since:
                return None
            return remove(multihash)
