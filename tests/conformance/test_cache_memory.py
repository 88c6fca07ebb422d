"""The embedded cache keeps the cache's contract."""

from __future__ import annotations

import pytest

from orama.backends.cache.memory import MemoryCache, MemoryCacheSettings
from orama.contracts.cache import CacheGuarantees
from orama.testing.clock import ManualClock
from orama.testing.conformance.cache import *  # noqa: F403  the suite is a module of tests


class MemoryCacheHarness:
    guarantees = CacheGuarantees(
        ttl_resolution_s=0.0,
        exact_expiry=True,
        retains_until_ttl=True,
        evicts_least_recently_used=True,
        atomic_updates=True,
        conditional_ttl=True,
        changes_ttl=True,
        max_key_bytes=1024,
        max_value_bytes=1024 * 1024,
    )
    manual_time = True

    def __init__(self):
        self._clock = ManualClock()

    async def open(self):
        return MemoryCache(MemoryCacheSettings(), self._clock)

    async def advance(self, seconds):
        self._clock.advance(seconds)

    def outage(self):
        return None


@pytest.fixture
def harness():
    return MemoryCacheHarness()
