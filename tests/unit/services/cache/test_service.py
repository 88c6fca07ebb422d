"""What the cache takes from callers, and what it says when it does not."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from orama.backends.cache.memory import MemoryCache, MemoryCacheSettings
from orama.domain.cache import CacheLimits
from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, TooLarge, Unavailable
from orama.services.cache.service import CacheService
from orama.testing.clock import ManualClock

SHOP = Namespace("shop")


@contextlib.contextmanager
def refuses(kind, text, reason=None):
    with pytest.raises(kind, match=text) as refusal:
        yield
    assert refusal.value.reason == reason


class Setup:
    def __init__(self, limits=None, settings=None):
        self.clock = ManualClock()
        self.cache = MemoryCache(settings or MemoryCacheSettings(), self.clock)
        self.service = CacheService(self.cache, limits or CacheLimits())


@pytest.fixture
def setup():
    return Setup()


@pytest.fixture
def service(setup):
    return setup.service


@pytest.mark.parametrize(
    "value",
    [
        b'"123"',
        b"123",
        b"true",
        b'"true"',
        b"[1, 2]",
        b"1e400",
        b"123456789012345678901234567890",
        b'{"a":1,"a":2}',
        '"größe"'.encode(),
    ],
)
async def test_value_stays_exactly_as_sent(service, value):
    await service.put(SHOP, "d", "k", value)
    assert await service.get(SHOP, "d", "k") == value


@pytest.mark.parametrize("value", [b"", b"null"])
async def test_value_is_required(service, value):
    for call in (service.put, service.get_put):
        with refuses(InvalidArgument, "^value is required$"):
            await call(SHOP, "d", "k", value)


async def test_value_must_be_utf8_although_nobody_reads_it(service):
    raw = msgspec.json.decode(b'"\xff\xfe"', type=msgspec.Raw)
    with refuses(InvalidArgument, "not UTF-8"):
        await service.put(SHOP, "d", "k", bytes(raw))


@pytest.mark.parametrize(("dmap", "key"), [("", "k"), ("d", ""), ("  ", "k"), ("d", "\t\n"), ("", "")])
async def test_dmap_and_key_are_required(service, dmap, key):
    for call in (
        service.get(SHOP, dmap, key),
        service.put(SHOP, dmap, key, b"1"),
        service.get_put(SHOP, dmap, key, b"1"),
        service.increment(SHOP, dmap, key, 1),
        service.expire(SHOP, dmap, key, "1s"),
        service.delete(SHOP, dmap, key),
    ):
        with refuses(InvalidArgument, "^dmap and key are required$"):
            await call


async def test_names_are_kept_as_sent_not_trimmed(service):
    await service.put(SHOP, " d ", " k ", b"1")
    with refuses(NotFound, "^key not found$", "key_not_found"):
        await service.get(SHOP, "d", "k")
    assert await service.get(SHOP, " d ", " k ") == b"1"


@pytest.mark.parametrize("letter", ["k", "ö", "🔑"])
async def test_names_have_a_limit_in_bytes(service, letter):
    longest = letter * (1024 // len(letter.encode()))
    await service.put(SHOP, longest, longest, b"1")
    with refuses(InvalidArgument, "key is longer than 1024 bytes", "key_too_long"):
        await service.get(SHOP, "d", longest + "x")
    with refuses(InvalidArgument, "dmap is longer than 1024 bytes", "key_too_long"):
        await service.scan(SHOP, longest + "x", "")


async def test_engine_with_shorter_keys_lowers_the_limit():
    service = Setup(settings=MemoryCacheSettings(max_key_bytes=255)).service
    with refuses(InvalidArgument, "key is longer than 255 bytes", "key_too_long"):
        await service.put(SHOP, "d", "k" * 256, b"1")


@pytest.mark.parametrize(
    ("ttl", "seconds"), [("300ms", 0.3), ("1h30m", 5400), ("1.5h", 5400), (5, 5), ("", None), (None, None)]
)
async def test_ttl_is_a_go_duration_or_seconds(setup, ttl, seconds):
    await setup.service.put(SHOP, "d", "k", b"1", ttl=ttl)
    setup.clock.advance((seconds or 1e9) - 0.1)
    assert await setup.service.get(SHOP, "d", "k") == b"1"
    setup.clock.advance(0.2)
    if seconds is None:
        assert await setup.service.get(SHOP, "d", "k") == b"1"
    else:
        with refuses(NotFound, "key not found", "key_not_found"):
            await setup.service.get(SHOP, "d", "k")
    await setup.cache.close()


@pytest.mark.parametrize(
    ("ttl", "text"),
    [
        ("5", "^invalid ttl format: missing unit"),
        ("soon", "^invalid ttl format: "),
        ("1d", "unknown unit"),
        ("0s", "greater than zero"),
        ("-5s", "greater than zero"),
        (0, "greater than zero"),
        (-1, "greater than zero"),
        (10**30, "at most"),
        ("100000h", "at most"),
    ],
)
async def test_wrong_ttl_is_refused(service, ttl, text):
    for call in (service.put(SHOP, "d", "k", b"1", ttl=ttl), service.expire(SHOP, "d", "k", ttl)):
        with refuses(InvalidArgument, text, "invalid_ttl"):
            await call
    with refuses(NotFound, "key not found", "key_not_found"):
        await service.get(SHOP, "d", "k")


async def test_conditions_tell_by_status_why_nothing_was_stored(service):
    with refuses(NotFound, "^key not found$", "key_not_found"):
        await service.put(SHOP, "d", "k", b"1", only_if_present=True)
    await service.put(SHOP, "d", "k", b"2", only_if_absent=True)
    with refuses(Conflict, "already exists", "key_exists"):
        await service.put(SHOP, "d", "k", b"3", only_if_absent=True)
    await service.put(SHOP, "d", "k", b"4", only_if_present=True)
    with refuses(InvalidArgument, "nx and xx"):
        await service.put(SHOP, "d", "k", b"5", only_if_absent=True, only_if_present=True)
    assert await service.get(SHOP, "d", "k") == b"4"


async def test_hits_and_misses_are_counted(service):
    await service.put(SHOP, "d", "k", b"1")
    await service.get(SHOP, "d", "k")
    with pytest.raises(NotFound):
        await service.get(SHOP, "d", "x")
    assert await service.get_many(SHOP, "d", ["x", "k", "y", "k"]) == [("k", b"1"), ("k", b"1")]
    assert (service.hits, service.misses) == (3, 3)


async def test_many_keys_have_limits():
    service = Setup(CacheLimits(max_keys=3, max_result_bytes=10)).service
    with refuses(InvalidArgument, "^dmap is required$"):
        await service.get_many(SHOP, " ", ["k"])
    with refuses(InvalidArgument, "^keys array is required and cannot be empty$"):
        await service.get_many(SHOP, "d", [])
    with refuses(InvalidArgument, "at most 3", "too_many_keys"):
        await service.get_many(SHOP, "d", ["a", "b", "c", "d"])
    with refuses(InvalidArgument, "^dmap and key are required$"):
        await service.get_many(SHOP, "d", ["a", " "])
    await service.put(SHOP, "d", "a", b"123456")
    with refuses(TooLarge, "ask for fewer keys", "result_too_large"):
        await service.get_many(SHOP, "d", ["a", "a"])


async def test_scan_has_limits():
    service = Setup(CacheLimits(max_scan_keys=3, max_pattern_bytes=10)).service
    for key in ("a1", "a2", "a3", "b1"):
        await service.put(SHOP, "d", key, b"1")
    with refuses(InvalidArgument, "^dmap is required$"):
        await service.scan(SHOP, "", "")
    with refuses(InvalidArgument, "longer than 10", "invalid_pattern"):
        await service.scan(SHOP, "d", "a" * 11)
    with refuses(InvalidArgument, "not an RE2 expression: missing", "invalid_pattern"):
        await service.scan(SHOP, "d", "(a")
    with refuses(TooLarge, "narrow 'match'", "too_many_keys"):
        await service.scan(SHOP, "d", "")
    assert sorted(await service.scan(SHOP, "d", "^a")) == ["a1", "a2", "a3"]


async def test_expire_needs_a_ttl_and_a_value(service):
    for ttl in (None, ""):
        with refuses(InvalidArgument, "^ttl is required$"):
            await service.expire(SHOP, "d", "k", ttl)
    with refuses(NotFound, "key not found", "key_not_found"):
        await service.expire(SHOP, "d", "k", "1s")


async def test_deleting_what_is_not_there_is_no_error(service):
    await service.put(SHOP, "d", "other", b"1")
    await service.delete(SHOP, "d", "k")
    assert await service.scan(SHOP, "d", "") == ["other"]


async def test_health_says_what_is_wrong(setup):
    await setup.service.health()
    await setup.cache.close()
    with refuses(Unavailable, "^cache health check failed: the cache is closed$"):
        await setup.service.health()
