"""``/v1/cache``: values that live for a while."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.errors import Code
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import CREDENTIAL, Idempotency, RouteClass, operation
from orama.services.cache.service import CacheService
from orama.wire.cache import (
    CacheHealth,
    DeleteKey,
    ExpireKey,
    GetKey,
    GetKeys,
    Hit,
    Hits,
    IncrementKey,
    KeyCount,
    KeyList,
    KeyStatus,
    KeyValue,
    PutKey,
    ReplaceKey,
    ScanKeys,
)

_READ: Final = "cache:read"
_WRITE: Final = "cache:write"
_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)


class CacheHandlers:
    """The cache of the caller's own namespace."""

    def __init__(self, cache: CacheService) -> None:
        self._cache = cache

    @operation(
        "GET",
        "/v1/cache/health",
        scope=CREDENTIAL,
        route_class=RouteClass.READ,
        errors=(Code.UNAVAILABLE,),
        any_method=True,
    )
    async def health(self, _call: Call) -> CacheHealth:
        """Whether the cache answers."""
        await self._cache.health()
        return CacheHealth()

    @operation("POST", "/v1/cache/get", scope=_READ, route_class=RouteClass.READ, errors=(*_ALWAYS, Code.NOT_FOUND))
    async def get(self, call: Call, request: GetKey) -> KeyValue:
        """Read a value."""
        value = await self._cache.get(call.caller.namespace, request.dmap, request.key)
        return KeyValue(request.key, msgspec.Raw(value), request.dmap)

    @operation("POST", "/v1/cache/mget", scope=_READ, route_class=RouteClass.READ, errors=(*_ALWAYS, Code.TOO_LARGE))
    async def mget(self, call: Call, request: GetKeys) -> Hits:
        """Read several values of one map.

        Keys without a value are left out.
        """
        found = await self._cache.get_many(call.caller.namespace, request.dmap, request.keys)
        return Hits([Hit(key, msgspec.Raw(value)) for key, value in found], request.dmap)

    @operation(
        "POST",
        "/v1/cache/put",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ALWAYS, Code.NOT_FOUND, Code.CONFLICT, Code.TOO_LARGE, Code.UNIMPLEMENTED),
        idempotency=Idempotency.RECORDED,
    )
    async def put(self, call: Call, request: PutKey) -> KeyStatus:
        """Store a value, perhaps for a limited time.

        With `nx`, 409 (reason `key_exists`) if the key has a value; with `xx`, 404 if it has none.
        """
        await self._cache.put(
            call.caller.namespace,
            request.dmap,
            request.key,
            bytes(request.value),
            ttl=request.ttl,
            only_if_absent=request.nx,
            only_if_present=request.xx,
        )
        return KeyStatus(request.key, request.dmap)

    @operation(
        "POST",
        "/v1/cache/getput",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ALWAYS, Code.TOO_LARGE, Code.UNIMPLEMENTED),
        idempotency=Idempotency.RECORDED,
    )
    async def getput(self, call: Call, request: ReplaceKey) -> KeyValue:
        """Store a value and read the one before it, in one step.

        The answer's value is null if there was none. The new value has no time to live.
        """
        before = await self._cache.get_put(call.caller.namespace, request.dmap, request.key, bytes(request.value))
        return KeyValue(request.key, msgspec.Raw(b"null" if before is None else before), request.dmap)

    @operation(
        "POST",
        "/v1/cache/incr",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ALWAYS, Code.UNPROCESSABLE, Code.UNIMPLEMENTED),
        idempotency=Idempotency.RECORDED,
    )
    async def incr(self, call: Call, request: IncrementKey) -> KeyCount:
        """Add to an integer in one step.

        An absent key counts as 0. The time to live stays. Integers are signed, of 64 bits.
        """
        total = await self._cache.increment(call.caller.namespace, request.dmap, request.key, request.delta)
        return KeyCount(request.key, total, request.dmap)

    @operation(
        "POST",
        "/v1/cache/expire",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ALWAYS, Code.NOT_FOUND, Code.UNIMPLEMENTED),
        idempotency=Idempotency.RECORDED,
    )
    async def expire(self, call: Call, request: ExpireKey) -> KeyStatus:
        """Give a value a new time to live, from now."""
        await self._cache.expire(call.caller.namespace, request.dmap, request.key, request.ttl)
        return KeyStatus(request.key, request.dmap)

    @operation(
        "POST",
        "/v1/cache/delete",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=_ALWAYS,
        idempotency=Idempotency.RECORDED,
    )
    async def delete(self, call: Call, request: DeleteKey) -> KeyStatus:
        """Remove a value.

        A key without one is no error.
        """
        await self._cache.delete(call.caller.namespace, request.dmap, request.key)
        return KeyStatus(request.key, request.dmap)

    @operation("POST", "/v1/cache/scan", scope=_READ, route_class=RouteClass.READ, errors=(*_ALWAYS, Code.TOO_LARGE))
    async def scan(self, call: Call, request: ScanKeys) -> KeyList:
        """List the keys of a map.

        `match` is an RE2 expression that is looked for anywhere in the key.
        """
        keys = await self._cache.scan(call.caller.namespace, request.dmap, request.match)
        return KeyList(keys, len(keys), request.dmap)
