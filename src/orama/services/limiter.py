"""Rate limits: token buckets for each credential, namespace and address, per class of route.

A bucket holds `burst` tokens and gains `rate_per_s` each second. It is kept as one number, the moment at which it will
be full again (the generic cell rate algorithm, ITU-T I.371 annex A), so that an idle bucket costs nothing to refill.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.errors import RateLimited

_TOLERANCE_S: Final = 1e-6
"""Who waits exactly as long as told is admitted, whatever floating point makes of the sum."""


class Rate(msgspec.Struct, frozen=True):
    """What one bucket allows."""

    rate_per_s: float
    """Tokens gained each second; a request usually costs one."""
    burst: int
    """Most tokens held: how many requests may come at once."""


class ClassLimits(msgspec.Struct, frozen=True):
    """The limits of one class of routes. None means no limit."""

    key: Rate | None
    """For each credential."""
    namespace: Rate | None
    """For each namespace, over all its credentials."""
    address: Rate | None
    """For each client address."""


class RateLimitSettings(msgspec.Struct, frozen=True):
    """How many requests are welcome."""

    enabled: bool = True
    """Whether requests are limited at all."""
    sign_in: ClassLimits = ClassLimits(key=None, namespace=None, address=Rate(0.5, 30))
    """Challenges, signatures, token refreshes."""
    read: ClassLimits = ClassLimits(key=Rate(2_000, 4_000), namespace=Rate(10_000, 20_000), address=Rate(2_000, 4_000))
    """Requests that only read."""
    write: ClassLimits = ClassLimits(key=Rate(1_000, 2_000), namespace=Rate(5_000, 10_000), address=Rate(1_000, 2_000))
    """Requests that change something."""
    failed_credentials: Rate = Rate(1.0, 60)
    """Unknown or wrong credentials from one address."""
    max_buckets: int = 100_000
    """Most buckets kept in memory; beyond them those idle for longest are forgotten, and count as full again."""


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """The state of the tightest bucket after an admitted request."""

    limit: int
    """Most tokens it can hold."""
    remaining: int
    """Whole tokens left."""
    reset_s: float
    """Seconds until it is full again, if nothing more is taken."""


class _Buckets:
    """All buckets of one kind for one class of routes.

    `full_at` and `earlier`: by name, the monotonic moment when a bucket is full again; in two generations, so that
    the idle are forgotten without keeping an order. `window_s`: seconds that an empty bucket takes to fill.
    """

    __slots__ = ("burst", "earlier", "full_at", "generation", "kind", "rate_per_s", "window_s")

    def __init__(self, kind: str, rate: Rate, max_buckets: int) -> None:
        self.kind = kind
        self.burst = rate.burst
        self.rate_per_s = rate.rate_per_s
        self.window_s = rate.burst / rate.rate_per_s
        self.generation = max(1, max_buckets // 2)
        self.full_at: dict[str, float] = {}
        self.earlier: dict[str, float] = {}

    def take(self, name: str, now: float, cost: float) -> float:
        """Take `cost` tokens (or all it can hold) from the bucket `name`; seconds' worth of tokens left in it.

        Below zero: it had not enough, and that long was to wait. Then `give_back` must follow.
        """
        full_at = self.full_at.get(name)
        if full_at is None:
            full_at = self._remember(name, now)
        full_at = max(full_at, now)
        full_at += cost / self.rate_per_s if cost < self.burst else self.window_s
        self.full_at[name] = full_at
        return self.window_s - (full_at - now)

    def give_back(self, name: str, cost: float) -> None:
        """Undo a `take`."""
        self.full_at[name] -= cost / self.rate_per_s if cost < self.burst else self.window_s

    def _remember(self, name: str, now: float) -> float:
        """When a bucket is full again that is not in the younger generation; from now on it is."""
        full_at = self.earlier.get(name, now)
        if len(self.full_at) >= self.generation:
            self.earlier, self.full_at = self.full_at, {}
        return full_at


class RateLimiter:
    """Admits or refuses. Synchronous, without I/O, and within bounded memory."""

    def __init__(self, settings: RateLimitSettings, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        classes = {"sign_in": settings.sign_in, "read": settings.read, "write": settings.write}
        # Ten kinds of buckets share the memory evenly: three for each class, and the failed credentials.
        share = max(1, settings.max_buckets // (3 * len(classes) + 1))
        self._failed = _Buckets("failed_credentials", settings.failed_credentials, share) if settings.enabled else None
        self._classes: dict[str, tuple[_Buckets | None, _Buckets | None, _Buckets | None]] = {}
        for name, limits in classes.items() if settings.enabled else ():
            self._classes[name] = (
                None if limits.key is None else _Buckets("key", limits.key, share),
                None if limits.namespace is None else _Buckets("namespace", limits.namespace, share),
                None if limits.address is None else _Buckets("address", limits.address, share),
            )

    def check(
        self,
        route_class: str,
        *,
        address: str,
        namespace: str | None = None,
        credential: str | None = None,
        cost: float = 1.0,
    ) -> Allowance | None:
        """Take `cost` tokens from every bucket that the request falls under, or from none.

        Args:
            route_class: ``sign_in``, ``read`` or ``write``; any other is not limited.
            address: what counts as one client address (one IPv4 address, one IPv6 /64).
            namespace: the caller's namespace, if known.
            credential: the credential's public id, if known.
            cost: tokens; more than a bucket can hold counts as all of them.

        Returns:
            The state of the bucket with the fewest tokens left, or None where nothing limits the request.

        Raises:
            RateLimited: with the seconds after which the same request is admitted, if no other comes before.
        """
        kinds = self._classes.get(route_class)
        if kinds is None:
            return None
        keys, namespaces, addresses = kinds
        asked = ((keys, credential), (namespaces, namespace), (addresses, address))
        now = self._monotonic()
        refusing, least_s = None, -_TOLERANCE_S
        tightest, fewest = None, math.inf
        for buckets, name in asked:
            if buckets is None or name is None:
                continue
            spare_s = buckets.take(name, now, cost)
            if spare_s < least_s:
                refusing, least_s = buckets, spare_s
            tokens = spare_s * buckets.rate_per_s
            if tokens < fewest:
                tightest, fewest = buckets, tokens
        if refusing is not None:
            for buckets, name in asked:
                if buckets is not None and name is not None:
                    buckets.give_back(name, cost)
            raise _refusal(refusing, -least_s, cost)
        if tightest is None:
            return None
        reset_s = tightest.window_s - fewest / tightest.rate_per_s
        return Allowance(tightest.burst, max(0, int(fewest + _TOLERANCE_S)), reset_s)

    def check_credential(self, address: str) -> None:
        """Refuse to look at a credential from an address that sent too many wrong ones. Takes nothing.

        Raises:
            RateLimited: the address has to wait.
        """
        if self._failed is not None:
            spare_s = self._failed.take(address, self._monotonic(), 1.0)
            self._failed.give_back(address, 1.0)
            if spare_s < -_TOLERANCE_S:
                raise _refusal(self._failed, -spare_s, 1.0)

    def count_failed_credential(self, address: str) -> None:
        """Take a token for a wrong credential from `address`, if one is left."""
        if self._failed is not None:
            spare_s = self._failed.take(address, self._monotonic(), 1.0)
            if spare_s < -_TOLERANCE_S:
                self._failed.give_back(address, 1.0)


def _refusal(buckets: _Buckets, wait_s: float, cost: float) -> RateLimited:
    seconds = math.ceil(wait_s)
    full_in_s = wait_s + max(0.0, buckets.window_s - cost / buckets.rate_per_s)
    return RateLimited(
        f"too many requests: try again in {seconds} s",
        reason="rate_limited",
        details={
            "limited_by": buckets.kind,
            "limit": buckets.burst,
            "retry_after": seconds,
            "reset": math.ceil(full_in_s),
        },
        retry_after_s=wait_s,
    )
