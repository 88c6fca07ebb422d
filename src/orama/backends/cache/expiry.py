"""Which entries end when, without a trace of entries that were dropped before their time."""

from __future__ import annotations

import heapq
from typing import Generic, Protocol, TypeVar


class Expiring(Protocol):
    """Something hashable by identity that ends at `expires_at`, in monotonic seconds; None means never."""

    expires_at: float | None


_E = TypeVar("_E", bound=Expiring)


class ExpiryWheel(Generic[_E]):
    """Entries in buckets of one second each.

    A heap of entries would keep a stale item for each overwritten value: one key put for ever would fill the memory.
    Here the heap holds seconds, and is built anew when most of them are stale.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, set[_E]] = {}
        self._seconds: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def add(self, entry: _E) -> None:
        """Remember `entry`, if it ends at all. Its `expires_at` must not change before `discard`."""
        if entry.expires_at is None:
            return
        second = int(entry.expires_at)
        bucket = self._buckets.get(second)
        if bucket is not None:
            bucket.add(entry)
            return
        self._buckets[second] = {entry}
        heapq.heappush(self._seconds, second)
        if len(self._seconds) > 2 * len(self._buckets) + 16:
            self._seconds = sorted(self._buckets)

    def discard(self, entry: _E) -> None:
        """Forget `entry`, which was added before."""
        if entry.expires_at is None:
            return
        second = int(entry.expires_at)
        bucket = self._buckets[second]
        bucket.remove(entry)
        if not bucket:
            del self._buckets[second]

    def due(self, now: float, limit: int) -> list[_E]:
        """Up to `limit` entries of seconds that are wholly over at monotonic `now`.

        The caller discards each of them before it calls again.
        """
        found: list[_E] = []
        while self._seconds and (second := self._seconds[0]) < int(now):
            for entry in self._buckets.get(second, ()):
                if len(found) == limit:
                    return found
                found.append(entry)
            # A second stands twice if its bucket was emptied and filled again.
            while self._seconds and self._seconds[0] == second:
                heapq.heappop(self._seconds)
        return found
