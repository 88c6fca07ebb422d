"""The port for the cache: named maps of short-lived values, per namespace."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from orama.domain.namespace import Namespace


class PutCondition(Enum):
    """When a put may take effect."""

    ALWAYS = "always"
    IF_ABSENT = "nx"
    IF_PRESENT = "xx"


class CacheGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class."""

    ttl_resolution_s: float
    """A value is gone at most this long after its TTL ended, and never before."""
    retains_until_ttl: bool
    """A value stays until its TTL ends unless memory runs short."""
    evicts_least_recently_used: bool
    """When a namespace's byte budget is full, the value unused for longest goes first."""
    max_value_bytes: int
    """The longest value that fits."""


class Cache(Protocol):
    """Maps from key to bytes with an optional time to live. Values come back byte for byte.

    A cache may forget: absence is an answer, never an error. `dmap` names a map of `namespace`; maps of different
    namespaces never meet, whatever their names. `ttl_s` is in seconds, greater than 0; None means no end.

    Common to all methods:

    Raises:
        TooLarge: key and value do not fit (reason ``value_too_large``).
        Unavailable: the engine is away or closed.
    """

    @property
    def guarantees(self) -> CacheGuarantees:
        """What this engine promises beyond the contract."""
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
        """Store `value`; False if `condition` did not hold. An earlier value's TTL does not live on."""
        ...

    async def get_put(self, namespace: Namespace, dmap: str, key: str, value: bytes) -> bytes | None:
        """Store `value` and return what stood there before, in one step. An earlier TTL does not live on."""
        ...

    async def increment(self, namespace: Namespace, dmap: str, key: str, delta: int) -> int:
        """Add `delta` to a decimal integer (0 if absent) in one step, and return the sum. A TTL lives on.

        Raises:
            Unprocessable: the value is no integer of 64 bits, or the sum would not be (reason ``not_an_integer``).
        """
        ...

    async def expire(self, namespace: Namespace, dmap: str, key: str, ttl_s: float) -> bool:
        """Give an existing value a new TTL, from now; False if there is none."""
        ...

    async def delete(self, namespace: Namespace, dmap: str, key: str) -> bool:
        """Remove the value; whether there was one, as far as the engine can tell."""
        ...

    async def scan(self, namespace: Namespace, dmap: str, *, pattern: str | None, limit: int) -> list[str]:
        """Up to `limit` + 1 keys, in no order, of those in which the RE2 `pattern` is found (all, if None).

        Raises:
            InvalidArgument: the pattern is no RE2 expression (reason ``invalid_pattern``).
        """
        ...

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        ...

    async def close(self) -> None:
        """Let go of everything. A second call does nothing."""
        ...
