"""The port for the cache: named maps of short-lived values, per namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from orama.domain.cache import PutCondition
from orama.domain.namespace import Namespace


class CacheGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class.

    What Olric 0.7.0 can promise was measured before each line was written: see ADR 0003.
    """

    ttl_resolution_s: float
    """`Cache.get` misses a value at most this long after its TTL ended, and never before."""
    exact_expiry: bool
    """A value whose TTL ended counts as absent for every method. Where False, it may still satisfy
    `PutCondition.IF_PRESENT`, be revived by `Cache.expire` and be listed by `Cache.scan` until the engine sweeps."""
    retains_until_ttl: bool
    """A value stays until its TTL ends unless memory runs short."""
    evicts_least_recently_used: bool
    """When a namespace's byte budget is full, the value unused for longest goes first."""
    atomic_updates: bool
    """`Cache.increment` and `Cache.get_put` are one step among all callers of all gateways.
    Where False, both raise `Unimplemented`."""
    conditional_ttl: bool
    """`Cache.put` takes a condition and a TTL together. Where False, that raises `Unimplemented`."""
    changes_ttl: bool
    """`Cache.expire` works. Where False, it raises `Unimplemented`."""
    max_key_bytes: int
    """The longest key that fits, in UTF-8."""
    max_value_bytes: int
    """The longest value that fits."""


class Cache(Protocol):
    """Maps from key to bytes with an optional time to live. Keys and values come back byte for byte.

    A cache may forget: absence is an answer, never an error. `dmap` names a map of `namespace`; maps of different
    namespaces never meet, whatever their names. `ttl_s` is in seconds, greater than 0; None means no end. An engine
    may round it up by `CacheGuarantees.ttl_resolution_s`.

    Common to all methods:

    Raises:
        TooLarge: the key or the value does not fit (reasons ``key_too_large``, ``value_too_large``).
        Unimplemented: the engine's guarantees exclude it.
        Unavailable: the engine is away or closed.
    """

    @property
    def guarantees(self) -> CacheGuarantees:
        """What this engine promises beyond the contract; known also while the engine is away."""
        ...

    async def get(self, namespace: Namespace, dmap: str, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def get_many(self, namespace: Namespace, dmap: str, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of `keys`, None where there is none."""
        ...

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
        """Store `value`; False if `condition` did not hold. An earlier value's TTL does not live on.

        Of several concurrent puts with `PutCondition.IF_ABSENT` exactly one is True.
        """
        ...

    async def get_put(self, namespace: Namespace, dmap: str, key: str, value: bytes) -> bytes | None:
        """Store `value` and return what stood there before, in one step. An earlier TTL does not live on."""
        ...

    async def increment(self, namespace: Namespace, dmap: str, key: str, delta: int) -> int:
        """Add `delta` to a decimal integer (0 if absent) in one step, and return the sum. A TTL lives on.

        Both are signed integers of 64 bits. The value is ASCII digits without leading zeros, perhaps after a minus.

        Raises:
            Unprocessable: the value is no such integer, or the sum would not be (reason ``not_an_integer``);
                the value is as it was.
        """
        ...

    async def expire(self, namespace: Namespace, dmap: str, key: str, ttl_s: float) -> bool:
        """Give an existing value a new TTL, from now; False if there is none."""
        ...

    async def delete(self, namespace: Namespace, dmap: str, key: str) -> None:
        """Remove the value, if there is one. Nothing is returned: Olric counts missing keys as deleted."""
        ...

    async def scan(self, namespace: Namespace, dmap: str, *, pattern: str | None, limit: int) -> list[str]:
        """Up to `limit` + 1 keys, in no order, of those in which the RE2 `pattern` is found (all, if None).

        A key that is there throughout is listed; one that comes or goes meanwhile may be.

        Raises:
            InvalidArgument: the pattern is no RE2 expression, or too costly (reason ``invalid_pattern``).
        """
        ...

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        ...

    async def close(self) -> None:
        """Let go of everything. A second call does nothing."""
        ...
