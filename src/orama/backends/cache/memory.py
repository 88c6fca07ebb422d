"""The cache in this process: byte budgets, least-recently-used eviction, exact expiry."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from orama.backends.cache.expiry import ExpiryWheel
from orama.backends.cache.pattern import KeyPattern
from orama.contracts.cache import CacheGuarantees
from orama.contracts.clock import Clock
from orama.domain.cache import PutCondition
from orama.domain.namespace import Namespace
from orama.errors import TooLarge, Unavailable, Unprocessable

_ENTRY_OVERHEAD_BYTES: Final = 560
"""What an entry costs beside its strings, with a TTL second of its own: measured on CPython 3.11."""
_SWEEP_INTERVAL_S: Final = 1.0
_SWEEP_CHUNK: Final = 500
_SCAN_CHUNK_COST: Final = 1_000_000
_RELIEF_SHARE: Final = 1_024
"""When memory is short in all, this part of it is freed at once."""
_INTEGER: Final = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})")
_INTEGER_RANGE: Final = range(-(2**63), 2**63)

_Place = tuple[str, str]


class MemoryCacheSettings(msgspec.Struct, frozen=True):
    """How much the embedded cache may hold. Sizes count keys, values and what it takes to manage them."""

    namespace_bytes: int = 64 * 1024 * 1024
    """Most bytes of one namespace; beyond them its least recently used values go."""
    total_bytes: int = 256 * 1024 * 1024
    """Most bytes in all; beyond them values of the largest namespace go."""
    max_key_bytes: int = 1024
    """Longest key, in bytes of UTF-8."""
    max_value_bytes: int = 1024 * 1024
    """Longest value, in bytes."""


class _Entry:
    """One value, and where it stands."""

    __slots__ = ("expires_at", "place", "shelf", "size_bytes", "value")

    def __init__(self, shelf: _Shelf, place: _Place, value: bytes, size_bytes: int, expires_at: float | None) -> None:
        self.shelf = shelf
        self.place = place
        self.value = value
        self.size_bytes = size_bytes
        self.expires_at = expires_at


class _Shelf:
    """One namespace's entries, the least recently used first."""

    __slots__ = ("entries", "namespace", "size_bytes")

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.entries: OrderedDict[_Place, _Entry] = OrderedDict()
        self.size_bytes = 0


class MemoryCache:
    """`contracts.Cache` within one process. All state is touched from one event loop only.

    A namespace below its share is never evicted to make room for a larger one. Expired values leave memory within
    two seconds, read or not; the task that sees to it lives only while there is something to expire.
    """

    def __init__(self, settings: MemoryCacheSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._shelves: dict[Namespace, _Shelf] = {}
        self._expiring: ExpiryWheel[_Entry] = ExpiryWheel()
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False
        self.used_bytes = 0
        self.guarantees = CacheGuarantees(
            ttl_resolution_s=0.0,
            exact_expiry=True,
            retains_until_ttl=True,
            evicts_least_recently_used=True,
            atomic_updates=True,
            conditional_ttl=True,
            changes_ttl=True,
            max_key_bytes=settings.max_key_bytes,
            max_value_bytes=settings.max_value_bytes,
        )

    async def get(self, namespace: Namespace, dmap: str, key: str) -> bytes | None:
        """See `Cache.get`."""
        entry = self._find(namespace, (dmap, key))
        return None if entry is None else entry.value

    async def get_many(self, namespace: Namespace, dmap: str, keys: Sequence[str]) -> list[bytes | None]:
        """See `Cache.get_many`."""
        found = [self._find(namespace, (dmap, key)) for key in keys]
        return [None if entry is None else entry.value for entry in found]

    async def put(
        self,
        namespace: Namespace,
        dmap: str,
        key: str,
        value: bytes,
        *,
        ttl_s: float | None = None,
        condition: PutCondition = PutCondition.ALWAYS,
    ) -> bool:
        """See `Cache.put`."""
        place = (dmap, key)
        present = self._find(namespace, place) is not None
        if condition is not PutCondition.ALWAYS and present is (condition is PutCondition.IF_ABSENT):
            return False
        self._store(namespace, place, value, None if ttl_s is None else self._clock.monotonic() + ttl_s)
        return True

    async def get_put(self, namespace: Namespace, dmap: str, key: str, value: bytes) -> bytes | None:
        """See `Cache.get_put`."""
        entry = self._find(namespace, (dmap, key))
        self._store(namespace, (dmap, key), value, None)
        return None if entry is None else entry.value

    async def increment(self, namespace: Namespace, dmap: str, key: str, delta: int) -> int:
        """See `Cache.increment`."""
        place = (dmap, key)
        entry = self._find(namespace, place)
        if entry is not None and _INTEGER.fullmatch(entry.value) is None:
            raise Unprocessable("the value is not an integer", reason="not_an_integer")
        total = delta if entry is None else int(entry.value) + delta
        if total not in _INTEGER_RANGE:
            raise Unprocessable("the sum is not an integer of 64 bits", reason="not_an_integer")
        self._store(namespace, place, b"%d" % total, None if entry is None else entry.expires_at)
        return total

    async def expire(self, namespace: Namespace, dmap: str, key: str, ttl_s: float) -> bool:
        """See `Cache.expire`."""
        entry = self._find(namespace, (dmap, key))
        if entry is None:
            return False
        self._expiring.discard(entry)
        entry.expires_at = self._clock.monotonic() + ttl_s
        self._expire_later(entry)
        return True

    async def delete(self, namespace: Namespace, dmap: str, key: str) -> None:
        """See `Cache.delete`."""
        entry = self._find(namespace, (dmap, key))
        if entry is not None:
            self._remove(entry)

    async def scan(self, namespace: Namespace, dmap: str, *, pattern: str | None, limit: int) -> list[str]:
        """See `Cache.scan`. Gives way to others after each millisecond or so of work."""
        self._check_open()
        shelf = self._shelves.get(namespace)
        wanted = KeyPattern(pattern)
        if shelf is None:
            return []
        now = self._clock.monotonic()
        found: list[str] = []
        cost = 0
        # The plain dict beneath keeps another order, but is copied ten times as fast.
        entries: Iterable[_Entry] = dict[_Place, _Entry].values(shelf.entries)
        for entry in list(entries):
            entry_dmap, key = entry.place
            cost += wanted.cost(key)
            if cost > _SCAN_CHUNK_COST:
                cost = 0
                await asyncio.sleep(0)
            ended = entry.expires_at is not None and entry.expires_at <= now
            if entry_dmap == dmap and not ended and wanted.found_in(key):
                found.append(key)
                if len(found) > limit:
                    break
        return found

    async def ping(self) -> None:
        """See `Cache.ping`."""
        self._check_open()

    async def close(self) -> None:
        """See `Cache.close`."""
        self._closed = True
        self._shelves.clear()
        self._expiring = ExpiryWheel()
        self.used_bytes = 0
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
            self._sweeper = None

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the cache is closed", reason="closed")

    def _find(self, namespace: Namespace, place: _Place) -> _Entry | None:
        """The living entry, which this use makes the most recent."""
        self._check_open()
        shelf = self._shelves.get(namespace)
        if shelf is None:
            return None
        entry = shelf.entries.get(place)
        if entry is None:
            return None
        if entry.expires_at is not None and entry.expires_at <= self._clock.monotonic():
            self._remove(entry)
            return None
        shelf.entries.move_to_end(place)
        return entry

    def _store(self, namespace: Namespace, place: _Place, value: bytes, expires_at: float | None) -> None:
        size_bytes = self._measure(place, value)
        shelf = self._shelves.get(namespace)
        before = None if shelf is None else shelf.entries.get(place)
        if before is not None:
            self._remove(before)
        self._make_room(namespace, size_bytes)
        shelf = self._shelves.get(namespace)
        if shelf is None:
            shelf = self._shelves[namespace] = _Shelf(namespace)
        entry = shelf.entries[place] = _Entry(shelf, place, value, size_bytes, expires_at)
        shelf.size_bytes += size_bytes
        self.used_bytes += size_bytes
        self._expire_later(entry)

    def _measure(self, place: _Place, value: bytes) -> int:
        dmap, key = place
        if len(key.encode()) > self._settings.max_key_bytes:
            raise TooLarge(f"the key is longer than {self._settings.max_key_bytes} bytes", reason="key_too_large")
        size_bytes = sys.getsizeof(dmap) + sys.getsizeof(key) + sys.getsizeof(value) + _ENTRY_OVERHEAD_BYTES
        budget_bytes = min(self._settings.namespace_bytes, self._settings.total_bytes)
        if len(value) > self._settings.max_value_bytes or size_bytes > budget_bytes:
            raise TooLarge(
                f"the value is longer than {min(self._settings.max_value_bytes, budget_bytes)} bytes",
                reason="value_too_large",
            )
        return size_bytes

    def _make_room(self, namespace: Namespace, size_bytes: int) -> None:
        shelf = self._shelves.get(namespace)
        if shelf is not None:
            while shelf.size_bytes + size_bytes > self._settings.namespace_bytes:
                self._remove(next(iter(shelf.entries.values())))
        while self.used_bytes + size_bytes > self._settings.total_bytes:
            # The search is linear in the namespaces: it is made once for many evictions.
            largest = max(self._shelves.values(), key=lambda one: one.size_bytes)
            enough = largest.size_bytes - self._settings.total_bytes // _RELIEF_SHARE
            while largest.entries and largest.size_bytes >= enough:
                self._remove(next(iter(largest.entries.values())))

    def _remove(self, entry: _Entry) -> None:
        shelf = entry.shelf
        del shelf.entries[entry.place]
        shelf.size_bytes -= entry.size_bytes
        self.used_bytes -= entry.size_bytes
        self._expiring.discard(entry)
        if not shelf.entries:
            del self._shelves[shelf.namespace]

    def _expire_later(self, entry: _Entry) -> None:
        self._expiring.add(entry)
        if self._sweeper is None and self._expiring:
            self._sweeper = asyncio.create_task(self._sweep(), name="cache-sweeper")

    async def _sweep(self) -> None:
        """Drop what has expired, in small portions, until nothing is left that could."""
        while self._expiring:
            await self._clock.sleep(_SWEEP_INTERVAL_S)
            while due := self._expiring.due(self._clock.monotonic(), _SWEEP_CHUNK):
                for entry in due:
                    self._remove(entry)
                await asyncio.sleep(0)
        self._sweeper = None
