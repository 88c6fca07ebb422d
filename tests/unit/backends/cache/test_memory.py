"""Budgets, eviction, expiry and fairness of the embedded cache."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.backends.cache.memory import MemoryCache, MemoryCacheSettings
from orama.backends.clock import SystemClock
from orama.domain.namespace import Namespace
from orama.errors import TooLarge
from orama.testing.clock import ManualClock

SHOP = Namespace("shop")
BANK = Namespace("bank")


def small(clock, *, namespace_bytes=20_000, total_bytes=50_000):
    return MemoryCache(MemoryCacheSettings(namespace_bytes=namespace_bytes, total_bytes=total_bytes), clock)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def present(cache, namespace, names):
    found = await cache.get_many(namespace, "d", names)
    return [name for name, value in zip(names, found, strict=True) if value is not None]


async def test_least_recently_used_values_go_when_the_namespace_is_full():
    cache = small(ManualClock())
    names = [f"k{number}" for number in range(10)]
    for name in names:
        await cache.put(SHOP, "d", name, b"v" * 1000)
    assert await present(cache, SHOP, ["k0"]) == ["k0"], "reading makes it the most recent"
    for number in range(10, 14):
        await cache.put(SHOP, "d", f"k{number}", b"v" * 1000)
    kept = await present(cache, SHOP, [*names, *(f"k{number}" for number in range(10, 14))])
    assert "k0" in kept
    assert "k13" in kept
    assert "k1" not in kept
    assert cache.used_bytes <= 20_000


async def test_full_namespace_leaves_others_alone():
    cache = small(ManualClock())
    await cache.put(BANK, "d", "k", b"1")
    for number in range(100):
        await cache.put(SHOP, "d", f"k{number}", b"v" * 1000)
    assert await cache.get(BANK, "d", "k") == b"1"


async def test_largest_namespace_gives_way_when_memory_is_short_in_all():
    cache = small(ManualClock(), namespace_bytes=20_000, total_bytes=30_000)
    for number in range(11):
        await cache.put(SHOP, "d", f"k{number}", b"v" * 1000)
    names = [f"k{number}" for number in range(7)]
    for name in names:
        await cache.put(BANK, "d", name, b"v" * 1000)
    assert cache.used_bytes <= 30_000
    assert await present(cache, BANK, names) == names
    assert await cache.get(SHOP, "d", "k0") is None
    assert await cache.get(SHOP, "d", "k10") is not None


async def test_value_that_no_budget_holds_is_refused_and_changes_nothing():
    cache = MemoryCache(MemoryCacheSettings(namespace_bytes=2000, total_bytes=4000), ManualClock())
    await cache.put(SHOP, "d", "k", b"1")
    with pytest.raises(TooLarge):
        await cache.put(SHOP, "d", "k", b"v" * 2000)
    assert await cache.get(SHOP, "d", "k") == b"1"


async def test_expired_values_leave_memory_though_nobody_asks():
    clock = ManualClock()
    cache = small(clock, namespace_bytes=10_000_000, total_bytes=10_000_000)
    for number in range(2000):
        await cache.put(SHOP, "d", f"k{number}", b"1", ttl_s=10.0 + number % 5)
    await cache.put(SHOP, "d", "stays", b"1")
    await settle()
    full = cache.used_bytes
    for _ in range(13):
        clock.advance(1.0)
        await settle()
    assert 0 < cache.used_bytes < full
    for _ in range(5):
        clock.advance(1.0)
        await settle()
    assert cache.used_bytes < 1000
    assert await cache.get(SHOP, "d", "stays") == b"1"


async def test_sweeper_lives_only_while_something_can_expire():
    clock = ManualClock()
    cache = small(clock)
    await cache.put(SHOP, "d", "k", b"1")
    before = asyncio.all_tasks()
    await cache.put(SHOP, "d", "l", b"1", ttl_s=1.0)
    assert len(asyncio.all_tasks()) == len(before) + 1
    for _ in range(4):
        await settle()
        clock.advance(1.0)
    await settle()
    assert asyncio.all_tasks() == before
    await cache.put(SHOP, "d", "l", b"1", ttl_s=1.0)
    await cache.close()
    assert asyncio.all_tasks() == before


async def test_overwriting_with_ever_new_ttls_takes_no_more_memory():
    cache = small(ManualClock())
    for number in range(1000):
        await cache.put(SHOP, "d", "k", b"1", ttl_s=1.0 + number)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        await cache.put(SHOP, "d", "k", b"1", ttl_s=1.0 + number)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    await cache.close()
    assert grown < 20_000


@pytest.mark.parametrize("ttl", ["none", "same", "different"])
async def test_accounting_covers_what_values_really_take(ttl):
    cache = MemoryCache(MemoryCacheSettings(), ManualClock())
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        ttl_s = {"none": None, "same": 5000.0, "different": 1000.0 + number}[ttl]
        await cache.put(SHOP, "map-" + str(number % 7), f"key-{number}", b"%d" % number * 10, ttl_s=ttl_s)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    counted = cache.used_bytes
    await cache.close()
    assert taken <= counted < 3 * taken


async def test_scan_of_a_large_map_gives_way_to_others():
    cache = MemoryCache(MemoryCacheSettings(), SystemClock())
    for number in range(50_000):
        await cache.put(SHOP, "d", f"key-{number}", b"1")
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    found = await cache.scan(SHOP, "d", pattern="99$", limit=100_000)
    task.cancel()
    assert len(found) == 500
    assert turns > 50


async def test_scan_bears_values_that_come_and_go_meanwhile():
    cache = MemoryCache(MemoryCacheSettings(), ManualClock())
    for number in range(5000):
        await cache.put(SHOP, "d", f"k{number}", b"1")

    async def disturb():
        for number in range(0, 5000, 2):
            await cache.delete(SHOP, "d", f"k{number}")
            await cache.put(SHOP, "d", f"new{number}", b"1")
            if number % 100 == 0:
                await asyncio.sleep(0)

    _, found = await asyncio.gather(disturb(), cache.scan(SHOP, "d", pattern="^k", limit=10_000))
    assert {f"k{number}" for number in range(1, 5000, 2)} <= set(found)
    assert len(found) == len(set(found))


async def test_hostile_expression_costs_linear_time():
    cache = MemoryCache(MemoryCacheSettings(), ManualClock())
    await cache.put(SHOP, "d", "a" * 1000, b"1")
    started = time.perf_counter()
    assert await cache.scan(SHOP, "d", pattern="^(a+)+(a|aa)+(.*)*b$", limit=1) == []
    assert time.perf_counter() - started < 1.0, "a backtracking matcher would not end in this life"


sizes = st.integers(0, 900)
puts = st.lists(st.tuples(st.sampled_from([SHOP, BANK, Namespace("third")]), st.integers(0, 30), sizes), max_size=120)


@given(puts=puts)
def test_budgets_hold_whatever_is_put(puts):
    async def run():
        cache = small(ManualClock(), namespace_bytes=5_000, total_bytes=9_000)
        for namespace, key, size in puts:
            await cache.put(namespace, "d", str(key), b"v" * size, ttl_s=None if size % 2 else 60.0)
            assert await cache.get(namespace, "d", str(key)) == b"v" * size, "what was just put is there"
            assert cache.used_bytes <= 9_000
        for namespace in (SHOP, BANK, Namespace("third")):
            for key in await cache.scan(namespace, "d", pattern=None, limit=100):
                await cache.delete(namespace, "d", key)
        assert cache.used_bytes == 0
        await cache.close()

    asyncio.run(run())
