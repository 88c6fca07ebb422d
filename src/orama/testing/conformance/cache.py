"""What every `contracts.Cache` must do.

A test module binds it to an engine by importing everything and defining a fixture ``harness``, a `CacheHarness`.
Tests skip on guarantees only, never on a class.
"""

# ruff: noqa: D103  the name of a test says what it is for

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import pytest

from orama.contracts.cache import Cache, CacheGuarantees
from orama.domain.cache import PutCondition
from orama.domain.namespace import Namespace
from orama.errors import InvalidArgument, TooLarge, Unavailable, Unimplemented, Unprocessable
from orama.testing.conformance.cache_machine import check_against_model

SHOP: Final = Namespace("shop")
BANK: Final = Namespace("bank")
AWKWARD_NAMES: Final = ("a b", "ключ", "🔑", "a:b", "a\0b", "a\nb", "*", "..", "%2e", "__proto__", "k" * 200)

Method = Callable[[Cache], Awaitable[object]]
METHODS: Final[dict[str, Method]] = {
    "get": lambda cache: cache.get(SHOP, "carts", "k"),
    "get_many": lambda cache: cache.get_many(SHOP, "carts", ["k"]),
    "put": lambda cache: cache.put(SHOP, "carts", "k", b"1"),
    "get_put": lambda cache: cache.get_put(SHOP, "carts", "k", b"1"),
    "increment": lambda cache: cache.increment(SHOP, "carts", "k", 1),
    "expire": lambda cache: cache.expire(SHOP, "carts", "k", 1.0),
    "delete": lambda cache: cache.delete(SHOP, "carts", "k"),
    "scan": lambda cache: cache.scan(SHOP, "carts", pattern=None, limit=1),
    "ping": lambda cache: cache.ping(),
}


class CacheHarness(Protocol):
    """What the suite needs to know about, and do to, the engine under test."""

    guarantees: CacheGuarantees
    manual_time: bool
    """`advance` costs no time, and no time passes otherwise."""

    async def open(self) -> Cache:
        """A cache without values, in the running event loop. The suite closes it."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass for the engine."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None] | None:
        """A time during which the engine is away; None if it cannot be, for want of anything between."""
        ...


@pytest.fixture
async def cache(harness: CacheHarness) -> AsyncIterator[Cache]:
    opened = await harness.open()
    yield opened
    await opened.close()


def _wants(condition: bool, guarantee: str) -> None:
    if not condition:
        pytest.skip(f"the engine does not promise {guarantee}")


async def test_states_the_guarantees_of_its_harness(cache: Cache, harness: CacheHarness) -> None:
    assert cache.guarantees == harness.guarantees
    await cache.ping()


async def test_value_comes_back_byte_for_byte(cache: Cache) -> None:
    for value in (b"", b"null", b'{"a" : 1}', bytes(range(256)), "größe 🛒".encode()):
        assert await cache.put(SHOP, "carts", "k", value)
        assert await cache.get(SHOP, "carts", "k") == value


async def test_absence_is_an_answer(cache: Cache) -> None:
    assert await cache.get(SHOP, "carts", "k") is None
    assert await cache.get_many(SHOP, "carts", ["k", "l"]) == [None, None]
    assert await cache.get_many(SHOP, "carts", []) == []
    assert await cache.scan(SHOP, "carts", pattern=None, limit=10) == []
    await cache.delete(SHOP, "carts", "k")


@pytest.mark.parametrize("name", AWKWARD_NAMES)
async def test_names_may_hold_any_text(cache: Cache, name: str) -> None:
    await cache.put(SHOP, name, name, b"1")
    assert await cache.get(SHOP, name, name) == b"1"
    assert await cache.get(SHOP, name, name + "x") is None
    assert await cache.scan(SHOP, name, pattern=None, limit=10) == [name]


async def test_names_that_run_together_are_different_places(cache: Cache) -> None:
    places = [
        (SHOP, "ab", "c"),
        (SHOP, "a", "bc"),
        (SHOP, "abc", "c"),
        (Namespace("shopa"), "b", "c"),
        (BANK, "ab", "c"),
    ]
    for number, (namespace, dmap, key) in enumerate(places):
        await cache.put(namespace, dmap, key, b"%d" % number)
    assert [await cache.get(*place) for place in places] == [b"0", b"1", b"2", b"3", b"4"]


async def test_namespaces_never_meet(cache: Cache, harness: CacheHarness) -> None:
    await cache.put(SHOP, "carts", "k", b"shop's")
    assert await cache.get(BANK, "carts", "k") is None
    assert await cache.get_many(BANK, "carts", ["k"]) == [None]
    assert await cache.scan(BANK, "carts", pattern=None, limit=10) == []
    assert not await cache.put(BANK, "carts", "k", b"2", condition=PutCondition.IF_PRESENT)
    if harness.guarantees.changes_ttl:
        assert not await cache.expire(BANK, "carts", "k", 1.0)
    await cache.delete(BANK, "carts", "k")
    assert await cache.get(SHOP, "carts", "k") == b"shop's"


async def test_many_values_come_in_the_order_of_the_keys(cache: Cache) -> None:
    for key in "abc":
        await cache.put(SHOP, "carts", key, key.encode())
    assert await cache.get_many(SHOP, "carts", ["c", "x", "a", "c"]) == [b"c", None, b"a", b"c"]


async def test_delete_removes_one_value(cache: Cache) -> None:
    await cache.put(SHOP, "carts", "k", b"1")
    await cache.put(SHOP, "carts", "l", b"2")
    await cache.delete(SHOP, "carts", "k")
    assert await cache.get_many(SHOP, "carts", ["k", "l"]) == [None, b"2"]


async def test_put_if_absent_takes_effect_once(cache: Cache) -> None:
    assert await cache.put(SHOP, "carts", "k", b"1", condition=PutCondition.IF_ABSENT)
    assert not await cache.put(SHOP, "carts", "k", b"2", condition=PutCondition.IF_ABSENT)
    assert await cache.get(SHOP, "carts", "k") == b"1"


async def test_put_if_present_needs_a_value(cache: Cache) -> None:
    assert not await cache.put(SHOP, "carts", "k", b"1", condition=PutCondition.IF_PRESENT)
    assert await cache.get(SHOP, "carts", "k") is None
    await cache.put(SHOP, "carts", "k", b"2")
    assert await cache.put(SHOP, "carts", "k", b"3", condition=PutCondition.IF_PRESENT)
    assert await cache.get(SHOP, "carts", "k") == b"3"


async def test_value_is_gone_after_its_ttl_and_not_before(cache: Cache, harness: CacheHarness) -> None:
    await cache.put(SHOP, "carts", "k", b"1", ttl_s=2.0)
    await harness.advance(1.0)
    assert await cache.get(SHOP, "carts", "k") == b"1"
    await harness.advance(1.0 + harness.guarantees.ttl_resolution_s)
    assert await cache.get(SHOP, "carts", "k") is None
    assert await cache.get_many(SHOP, "carts", ["k"]) == [None]
    assert await cache.put(SHOP, "carts", "k", b"2", condition=PutCondition.IF_ABSENT)


async def test_ttl_does_not_outlive_its_value(cache: Cache, harness: CacheHarness) -> None:
    await cache.put(SHOP, "carts", "put", b"1", ttl_s=1.0)
    await cache.put(SHOP, "carts", "put", b"2")
    await cache.put(SHOP, "carts", "deleted", b"1", ttl_s=1.0)
    await cache.delete(SHOP, "carts", "deleted")
    await cache.put(SHOP, "carts", "deleted", b"2")
    await harness.advance(2.0)
    assert await cache.get_many(SHOP, "carts", ["put", "deleted"]) == [b"2", b"2"]


async def test_expired_value_counts_as_absent(cache: Cache, harness: CacheHarness) -> None:
    _wants(harness.guarantees.exact_expiry, "exact_expiry")
    for key in ("k", "l"):
        await cache.put(SHOP, "carts", key, b"1", ttl_s=1.0)
    await harness.advance(2.0)
    assert await cache.scan(SHOP, "carts", pattern=None, limit=10) == []
    assert not await cache.put(SHOP, "carts", "k", b"2", condition=PutCondition.IF_PRESENT)
    assert not await cache.expire(SHOP, "carts", "l", 10.0)


async def test_condition_and_ttl_hold_together(cache: Cache, harness: CacheHarness) -> None:
    if not harness.guarantees.conditional_ttl:
        with pytest.raises(Unimplemented):
            await cache.put(SHOP, "locks", "k", b"1", ttl_s=1.0, condition=PutCondition.IF_ABSENT)
        return
    assert await cache.put(SHOP, "locks", "k", b"1", ttl_s=1.0, condition=PutCondition.IF_ABSENT)
    assert not await cache.put(SHOP, "locks", "k", b"2", ttl_s=1.0, condition=PutCondition.IF_ABSENT)
    await harness.advance(1.0 + harness.guarantees.ttl_resolution_s)
    assert await cache.put(SHOP, "locks", "k", b"3", ttl_s=1.0, condition=PutCondition.IF_ABSENT)


async def test_get_put_returns_what_stood_before(cache: Cache, harness: CacheHarness) -> None:
    if not harness.guarantees.atomic_updates:
        with pytest.raises(Unimplemented):
            await cache.get_put(SHOP, "carts", "k", b"1")
        return
    assert await cache.get_put(SHOP, "carts", "k", b"1") is None
    await cache.put(SHOP, "carts", "k", b"", ttl_s=1.0)
    assert await cache.get_put(SHOP, "carts", "k", b"3") == b""
    await harness.advance(2.0)
    assert await cache.get(SHOP, "carts", "k") == b"3"


async def test_increment_adds_and_keeps_the_ttl(cache: Cache, harness: CacheHarness) -> None:
    if not harness.guarantees.atomic_updates:
        with pytest.raises(Unimplemented):
            await cache.increment(SHOP, "carts", "k", 1)
        return
    assert await cache.increment(SHOP, "carts", "n", 5) == 5
    assert await cache.increment(SHOP, "carts", "n", -7) == -2
    assert await cache.increment(SHOP, "carts", "n", 0) == -2
    assert await cache.get(SHOP, "carts", "n") == b"-2"
    await cache.put(SHOP, "carts", "t", b"41", ttl_s=2.0)
    assert await cache.increment(SHOP, "carts", "t", 1) == 42
    await harness.advance(2.0 + harness.guarantees.ttl_resolution_s)
    assert await cache.increment(SHOP, "carts", "t", 1) == 1


@pytest.mark.parametrize(
    "value", [b"abc", b"", b"1.5", b'"7"', b"1e3", b"07", b"+7", b" 7", b"1_0", b"9223372036854775808"]
)
async def test_increment_refuses_what_is_no_integer(cache: Cache, harness: CacheHarness, value: bytes) -> None:
    _wants(harness.guarantees.atomic_updates, "atomic_updates")
    await cache.put(SHOP, "carts", "n", value)
    with pytest.raises(Unprocessable) as refusal:
        await cache.increment(SHOP, "carts", "n", 1)
    assert refusal.value.reason == "not_an_integer"
    assert await cache.get(SHOP, "carts", "n") == value


async def test_increment_refuses_to_pass_64_bits(cache: Cache, harness: CacheHarness) -> None:
    _wants(harness.guarantees.atomic_updates, "atomic_updates")
    assert await cache.increment(SHOP, "carts", "n", 2**63 - 1) == 2**63 - 1
    with pytest.raises(Unprocessable):
        await cache.increment(SHOP, "carts", "n", 1)
    assert await cache.increment(SHOP, "carts", "n", -(2**63)) == -1
    assert await cache.get(SHOP, "carts", "n") == b"-1"


async def test_expire_sets_the_ttl_anew(cache: Cache, harness: CacheHarness) -> None:
    if not harness.guarantees.changes_ttl:
        with pytest.raises(Unimplemented):
            await cache.expire(SHOP, "carts", "k", 1.0)
        return
    assert not await cache.expire(SHOP, "carts", "k", 1.0)
    assert await cache.get(SHOP, "carts", "k") is None
    await cache.put(SHOP, "carts", "k", b"1", ttl_s=1.0)
    assert await cache.expire(SHOP, "carts", "k", 3.0)
    await harness.advance(2.0)
    assert await cache.get(SHOP, "carts", "k") == b"1"
    await harness.advance(1.0 + harness.guarantees.ttl_resolution_s)
    assert await cache.get(SHOP, "carts", "k") is None


async def test_scan_finds_the_expression_anywhere_in_the_key(cache: Cache) -> None:
    for key in ("user-1", "user-2", "super-user-1", "größe"):
        await cache.put(SHOP, "carts", key, b"1")
    await cache.put(SHOP, "other", "user-9", b"1")

    async def found(pattern: str | None) -> list[str]:
        return sorted(await cache.scan(SHOP, "carts", pattern=pattern, limit=10))

    assert await found("^user-") == ["user-1", "user-2"]
    assert await found("user-1") == ["super-user-1", "user-1"]
    assert await found("(?i)GR.SSE|ö") == ["größe"]
    assert await found("^$") == []
    assert await found(None) == sorted(["user-1", "user-2", "super-user-1", "größe"])


async def test_scan_stops_one_key_past_the_limit(cache: Cache) -> None:
    for number in range(10):
        await cache.put(SHOP, "carts", f"k{number}", b"1")
    assert len(await cache.scan(SHOP, "carts", pattern=None, limit=10)) == 10
    assert len(await cache.scan(SHOP, "carts", pattern=None, limit=5)) == 6


@pytest.mark.parametrize("pattern", ["(", "*7", "(?=a)", "[z-a]", "a{1001}", "\\"])
async def test_scan_refuses_what_is_no_expression(cache: Cache, pattern: str) -> None:
    await cache.put(SHOP, "carts", "k", b"1")
    with pytest.raises(InvalidArgument) as refusal:
        await cache.scan(SHOP, "carts", pattern=pattern, limit=10)
    assert refusal.value.reason == "invalid_pattern"


async def test_limits_are_where_the_guarantees_say(cache: Cache, harness: CacheHarness) -> None:
    largest = b"v" * harness.guarantees.max_value_bytes
    longest = "k" * harness.guarantees.max_key_bytes
    await cache.put(SHOP, "carts", "k", largest)
    assert await cache.get(SHOP, "carts", "k") == largest
    with pytest.raises(TooLarge) as refusal:
        await cache.put(SHOP, "carts", "k", largest + b"v")
    assert refusal.value.reason == "value_too_large"
    assert await cache.get(SHOP, "carts", "k") == largest
    await cache.put(SHOP, "carts", longest, b"1")
    assert await cache.get(SHOP, "carts", longest) == b"1"
    with pytest.raises(TooLarge) as refusal:
        await cache.put(SHOP, "carts", longest + "k", b"1")
    assert refusal.value.reason == "key_too_large"


async def test_100_tasks_get_their_own_answers(cache: Cache) -> None:
    async def one(number: int) -> bool:
        key, value = f"k{number}", b"%d" % number
        await cache.put(SHOP, "carts", key, value)
        await asyncio.sleep(0)
        return await cache.get(SHOP, "carts", key) == value

    assert all(await asyncio.gather(*(one(number) for number in range(100))))


async def test_one_of_100_tasks_wins_the_absent_key(cache: Cache) -> None:
    puts = (cache.put(SHOP, "locks", "k", b"%d" % one, condition=PutCondition.IF_ABSENT) for one in range(100))
    assert (await asyncio.gather(*puts)).count(True) == 1


async def test_100_tasks_count_each_increment_once(cache: Cache, harness: CacheHarness) -> None:
    _wants(harness.guarantees.atomic_updates, "atomic_updates")
    sums = await asyncio.gather(*(cache.increment(SHOP, "carts", "n", 1) for _ in range(100)))
    assert sorted(sums) == list(range(1, 101))


async def test_cancelled_calls_leave_the_cache_in_order(cache: Cache) -> None:
    await cache.put(SHOP, "carts", "before", b"0")
    tasks = [asyncio.ensure_future(cache.put(SHOP, "carts", f"k{number}", b"1")) for number in range(50)]
    scan = asyncio.ensure_future(cache.scan(SHOP, "carts", pattern="k", limit=100))
    await asyncio.sleep(0)
    for task in (*tasks[::2], scan):
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait([scan])
    assert all(result is True for result in results[1::2])
    kept = await cache.get_many(SHOP, "carts", ["before", *(f"k{number}" for number in range(1, 50, 2))])
    assert kept == [b"0"] + [b"1"] * 25


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_during_an_outage(cache: Cache, harness: CacheHarness, method: str) -> None:
    outage = harness.outage()
    if outage is None:
        pytest.skip("the engine lives in this process and cannot be away")
    async with outage:
        with pytest.raises((Unavailable, Unimplemented)):
            await METHODS[method](cache)
    await cache.ping()


async def test_close_twice_does_nothing_more(harness: CacheHarness) -> None:
    cache = await harness.open()
    await cache.put(SHOP, "carts", "k", b"1", ttl_s=100.0)
    await cache.close()
    await cache.close()
    with pytest.raises(Unavailable):
        await cache.ping()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_after_close(harness: CacheHarness, method: str) -> None:
    cache = await harness.open()
    await cache.close()
    with pytest.raises((Unavailable, Unimplemented)):
        await METHODS[method](cache)


def test_behaves_like_a_plain_model(harness: CacheHarness) -> None:
    check_against_model(harness.open, harness.advance, harness.guarantees, manual_time=harness.manual_time)
