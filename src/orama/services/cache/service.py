"""The cache for tenants: what a name, a value and a time to live may be, whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orama.contracts.cache import Cache
from orama.domain.cache import CacheLimits, PutCondition
from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, OramaError, TooLarge, Unavailable
from orama.services.cache.ttl import parse_ttl_s

_NULL: Final = b"null"


class CacheService:
    """Named maps of JSON values, per namespace.

    Values are JSON texts, stored and returned byte for byte. Common to all methods:

    Raises:
        InvalidArgument: a name is empty, blank or too long.
        Unavailable: the engine is away.

    `hits` and `misses` count looked-up keys since the start, for telemetry.
    """

    def __init__(self, cache: Cache, limits: CacheLimits) -> None:
        self._cache = cache
        self._limits = limits
        self._max_key_bytes = min(limits.max_key_bytes, cache.guarantees.max_key_bytes)
        self.hits = 0
        self.misses = 0

    async def health(self) -> None:
        """Ask the engine for a sign of life.

        Raises:
            Unavailable: there was none.
        """
        try:
            await self._cache.ping()
        except OramaError as cause:
            raise Unavailable(f"cache health check failed: {cause.text}", retry_after_s=cause.retry_after_s) from cause

    async def get(self, namespace: Namespace, dmap: str, key: str) -> bytes:
        """The value.

        Raises:
            NotFound: there is none.
        """
        self._check(dmap, key)
        value = await self._cache.get(namespace, dmap, key)
        if value is None:
            self.misses += 1
            raise _absent()
        self.hits += 1
        return value

    async def get_many(self, namespace: Namespace, dmap: str, keys: Sequence[str]) -> list[tuple[str, bytes]]:
        """Those of `keys` that have a value, with it, in the order asked for.

        Raises:
            TooLarge: the values together pass the limit.
        """
        self._check_dmap(dmap)
        if not keys:
            raise InvalidArgument("keys array is required and cannot be empty")
        if len(keys) > self._limits.max_keys:
            raise InvalidArgument(
                f"too many keys: {len(keys)}, at most {self._limits.max_keys} in one request", reason="too_many_keys"
            )
        for key in keys:
            self._check(dmap, key)
        values = await self._cache.get_many(namespace, dmap, keys)
        found = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        self.hits += len(found)
        self.misses += len(keys) - len(found)
        if sum(len(value) for _, value in found) > self._limits.max_result_bytes:
            raise TooLarge(
                f"the values are more than {self._limits.max_result_bytes} bytes together: ask for fewer keys",
                reason="result_too_large",
            )
        return found

    async def put(
        self,
        namespace: Namespace,
        dmap: str,
        key: str,
        value: bytes,
        *,
        ttl: str | int | None = None,
        only_if_absent: bool = False,
        only_if_present: bool = False,
    ) -> None:
        """Store `value`. `ttl`: a Go duration or whole seconds; None or empty means no end.

        Raises:
            Conflict: there is a value, and `only_if_absent` was stated (reason ``key_exists``).
            NotFound: there is none, and `only_if_present` was stated.
            TooLarge: the value does not fit.
        """
        self._check(dmap, key)
        _check_value(value)
        ttl_s = parse_ttl_s(ttl, self._limits.max_ttl_s) if ttl is not None and ttl != "" else None
        if not only_if_absent and not only_if_present:
            await self._cache.put(namespace, dmap, key, value, ttl_s=ttl_s)
            return
        if only_if_absent and only_if_present:
            raise InvalidArgument("nx and xx exclude each other")
        condition = PutCondition.IF_ABSENT if only_if_absent else PutCondition.IF_PRESENT
        if await self._cache.put(namespace, dmap, key, value, ttl_s=ttl_s, condition=condition):
            return
        raise Conflict("key already exists", reason="key_exists") if only_if_absent else _absent()

    async def get_put(self, namespace: Namespace, dmap: str, key: str, value: bytes) -> bytes | None:
        """Store `value` without a TTL and return what stood there before, in one step."""
        self._check(dmap, key)
        _check_value(value)
        return await self._cache.get_put(namespace, dmap, key, value)

    async def increment(self, namespace: Namespace, dmap: str, key: str, delta: int) -> int:
        """Add `delta` to an integer of 64 bits (0 if absent) in one step, and return the sum. Its TTL lives on.

        Raises:
            Unprocessable: the value is no integer, or the sum would not fit (reason ``not_an_integer``).
        """
        self._check(dmap, key)
        return await self._cache.increment(namespace, dmap, key, delta)

    async def expire(self, namespace: Namespace, dmap: str, key: str, ttl: str | int | None) -> None:
        """Let the value live for `ttl` from now.

        Raises:
            NotFound: there is none.
        """
        self._check(dmap, key)
        if ttl is None or ttl == "":
            raise InvalidArgument("ttl is required")
        if not await self._cache.expire(namespace, dmap, key, parse_ttl_s(ttl, self._limits.max_ttl_s)):
            raise _absent()

    async def delete(self, namespace: Namespace, dmap: str, key: str) -> None:
        """Remove the value, if there is one."""
        self._check(dmap, key)
        await self._cache.delete(namespace, dmap, key)

    async def scan(self, namespace: Namespace, dmap: str, match: str) -> list[str]:
        """The keys in which the RE2 expression `match` is found; all, if it is empty.

        Raises:
            TooLarge: more keys than the limit.
        """
        self._check_dmap(dmap)
        if len(match.encode()) > self._limits.max_pattern_bytes:
            raise InvalidArgument(
                f"match is longer than {self._limits.max_pattern_bytes} bytes", reason="invalid_pattern"
            )
        limit = self._limits.max_scan_keys
        keys = await self._cache.scan(namespace, dmap, pattern=match or None, limit=limit)
        if len(keys) > limit:
            raise TooLarge(f"more than {limit} keys: narrow 'match'", reason="too_many_keys")
        return keys

    def _check(self, dmap: str, key: str) -> None:
        if not dmap.strip() or not key.strip():
            raise InvalidArgument("dmap and key are required")
        # Four bytes is the most that UTF-8 takes for a character: only long names need to be encoded.
        if (len(key) + len(dmap)) * 4 > self._max_key_bytes:
            self._check_length("dmap", dmap)
            self._check_length("key", key)

    def _check_dmap(self, dmap: str) -> None:
        if not dmap.strip():
            raise InvalidArgument("dmap is required")
        self._check_length("dmap", dmap)

    def _check_length(self, name: str, text: str) -> None:
        if len(text.encode()) > self._max_key_bytes:
            raise InvalidArgument(f"{name} is longer than {self._max_key_bytes} bytes", reason="key_too_long")


def _check_value(value: bytes) -> None:
    if not value or value == _NULL:
        raise InvalidArgument("value is required")
    if not value.isascii():
        # The decoder checks the structure of a value that it leaves unread, but not the encoding of its strings.
        try:
            value.decode()
        except UnicodeDecodeError as cause:
            raise InvalidArgument("value is not UTF-8") from cause


def _absent() -> NotFound:
    return NotFound("key not found", reason="key_not_found")
