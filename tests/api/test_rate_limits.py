"""Too many requests: refused in the one form, with an honest time to wait, and without touching the database."""

from __future__ import annotations

import asyncio
import math

import apsw
import pytest

from support.caller import Caller
from support.examples import fresh_wallet
from support.node import running_node

DRIVERS = pytest.mark.parametrize("driver", ["http1", "asgi"])
SLOW = 0.01
"""Tokens a second: within a test none comes back."""


def limited(name: str, *, burst: int, rate_per_s: float = SLOW) -> dict[str, object]:
    """Settings of one bucket, as ``read__key``."""
    return {f"limits__{name}__burst": burst, f"limits__{name}__rate_per_s": rate_per_s}


async def statuses(caller, path, count, body=None):
    return [(await caller.send("GET" if body is None else "POST", path, body)).status_code for _ in range(count)]


@DRIVERS
async def test_refusal_is_429_with_all_that_a_client_needs(tmp_path, driver):
    async with running_node(tmp_path, driver=driver, **limited("read__key", burst=3, rate_per_s=0.5)) as node:
        caller = Caller.with_key(node.client, await node.key())
        for left in (2, 1, 0):
            reply = await caller.get("/v1/auth/whoami")
            assert reply.status_code == 200
            assert reply.headers["x-ratelimit-limit"] == "3"
            assert reply.headers["x-ratelimit-remaining"] == str(left)
            assert 0 <= int(reply.headers["x-ratelimit-reset"]) <= 6
        refused = await caller.get("/v1/auth/whoami")
    body = refused.json()
    assert (refused.status_code, body["code"], body["reason"]) == (429, "RATE_LIMITED", "rate_limited")
    assert body["retryable"] is True
    wait_s = int(refused.headers["retry-after"])
    assert wait_s in (1, 2)
    reset_s = body["details"]["reset"]
    assert body["details"] == {"limited_by": "key", "limit": 3, "retry_after": wait_s, "reset": reset_s}
    assert 5 <= reset_s <= 6, "three tokens at one every two seconds"
    assert f"try again in {wait_s} s" in body["error"]
    assert refused.headers["x-ratelimit-limit"] == "3"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == str(reset_s)


async def test_who_waits_as_long_as_told_is_served(tmp_path):
    async with running_node(tmp_path, **limited("read__key", burst=1, rate_per_s=5)) as node:
        caller = Caller.with_key(node.client, await node.key())
        for _ in range(3):
            assert (await caller.get("/v1/auth/whoami")).status_code == 200
            refused = await caller.get("/v1/auth/whoami")
            assert refused.status_code == 429
            await asyncio.sleep(int(refused.headers["retry-after"]))


async def test_each_key_namespace_and_class_has_a_bucket_of_its_own(tmp_path):
    async with running_node(tmp_path, **limited("read__key", burst=2)) as node:
        first, second, other = [Caller.with_key(node.client, await node.key(name)) for name in ("a", "a", "b")]
        assert await statuses(first, "/v1/auth/whoami", 3) == [200, 200, 429]
        assert await statuses(second, "/v1/auth/whoami", 3) == [200, 200, 429]
        assert await statuses(other, "/v1/auth/whoami", 1) == [200]
        put = {"dmap": "m", "key": "k", "value": 1}
        assert await statuses(first, "/v1/cache/put", 5, put) == [200] * 5, "writing is another class"


async def test_keys_of_one_namespace_share_its_limit(tmp_path):
    async with running_node(tmp_path, **limited("write__namespace", burst=4)) as node:
        first, second, other = [Caller.with_key(node.client, await node.key(name)) for name in ("a", "a", "b")]
        put = {"dmap": "m", "key": "k", "value": 1}
        assert await statuses(first, "/v1/cache/put", 3, put) == [200] * 3
        assert await statuses(second, "/v1/cache/put", 2, put) == [200, 429]
        assert (await first.post("/v1/cache/put", put)).json()["details"]["limited_by"] == "namespace"
        assert await statuses(other, "/v1/cache/put", 1, put) == [200]


@DRIVERS
async def test_address_is_limited_before_anybody_is_known(tmp_path, driver):
    settings = {**limited("sign_in__address", burst=3), "server__trusted_proxies": ["127.0.0.1"]}
    async with running_node(tmp_path, driver=driver, **settings) as node:
        body = {"wallet": fresh_wallet().address}
        anonymous = Caller(node.client)
        assert await statuses(anonymous, "/v1/auth/challenge", 4, body) == [200, 200, 200, 429]
        with_key = Caller.with_key(node.client, await node.key())
        assert await statuses(with_key, "/v1/auth/challenge", 1, body) == [429], "a key buys no more sign-ins"
        elsewhere = Caller(node.client, {"X-Forwarded-For": "192.0.2.7"})
        assert await statuses(elsewhere, "/v1/auth/challenge", 4, body) == [200, 200, 200, 429]
        customer = Caller(node.client, {"X-Forwarded-For": "2001:db8::1"})
        neighbour = Caller(node.client, {"X-Forwarded-For": "2001:db8::2"})
        assert await statuses(customer, "/v1/auth/challenge", 3, body) == [200] * 3
        assert await statuses(neighbour, "/v1/auth/challenge", 1, body) == [429], "one /64 is one customer"


async def test_forwarded_address_of_a_stranger_buys_nothing(tmp_path):
    async with running_node(tmp_path, **limited("sign_in__address", burst=2)) as node:
        body = {"wallet": fresh_wallet().address}
        answers = []
        for number in range(4):
            caller = Caller(node.client, {"X-Forwarded-For": f"192.0.2.{number}"})
            answers += await statuses(caller, "/v1/auth/challenge", 1, body)
    assert answers == [200, 200, 429, 429]


async def test_guessing_keys_is_limited_and_does_not_lock_out_who_is_known(tmp_path):
    async with running_node(tmp_path, **limited("failed_credentials", burst=5)) as node:
        good = Caller.with_key(node.client, await node.key())
        assert await statuses(good, "/v1/auth/whoami", 1) == [200]
        guesses = [Caller.with_key(node.client, f"ak_{number:017}_{'A' * 43}:demo") for number in range(8)]
        answers = [(await guess.get("/v1/auth/whoami")).status_code for guess in guesses]
        assert answers == [401] * 5 + [429] * 3
        refused = await guesses[0].get("/v1/auth/whoami")
        assert int(refused.headers["retry-after"]) == math.ceil(1 / SLOW)
        assert await statuses(good, "/v1/auth/whoami", 3) == [200] * 3
        fresh = Caller.with_key(node.client, await node.key())
        assert await statuses(fresh, "/v1/auth/whoami", 1) == [200], "a right key is no guess"


@DRIVERS
async def test_health_is_never_limited(tmp_path, driver):
    everything = {}
    for name in ("read", "write", "sign_in"):
        everything |= limited(f"{name}__address", burst=1)
    async with running_node(tmp_path, driver=driver, **everything) as node:
        anonymous = Caller(node.client)
        for path in ("/health", "/v1/health", "/ready", "/v1/status", "/v1/version", "/metrics", "/v1/auth/jwks"):
            assert await statuses(anonymous, path, 10) == [200] * 10
            assert "x-ratelimit-limit" not in (await anonymous.get(path)).headers
        assert await statuses(anonymous, "/nowhere", 3) == [404, 429, 429], "an unknown path is limited like a read"


async def test_limits_can_be_switched_off(tmp_path):
    async with running_node(tmp_path, limits__enabled=False, **limited("read__key", burst=1)) as node:
        caller = Caller.with_key(node.client, await node.key())
        assert await statuses(caller, "/v1/auth/whoami", 5) == [200] * 5
        assert "x-ratelimit-limit" not in (await caller.get("/v1/auth/whoami")).headers


def platform_files(directory):
    """The platform's database to the byte; not its index in shared memory, where readers leave their marks."""
    return {file.name: file.read_bytes() for file in directory.glob("system.db*") if not file.name.endswith("-shm")}


@DRIVERS
async def test_no_request_writes_to_the_platform_just_because_it_happened(tmp_path, driver):
    """Decisions on credentials, limits, logs and last-use notes cost no write: 100 requests leave every byte as it was."""
    async with running_node(tmp_path, driver=driver, **limited("read__key", burst=60)) as node:
        caller = Caller.with_key(node.client, await node.key())
        wrong = Caller.with_key(node.client, "ak_wrong:demo")
        assert await statuses(caller, "/v1/auth/whoami", 1) == [200]
        watcher = apsw.Connection(str(node.data_dir / "system.db"), flags=apsw.SQLITE_OPEN_READONLY)
        version = watcher.execute("PRAGMA data_version").get
        before = platform_files(node.data_dir)
        assert before
        answers = await statuses(caller, "/v1/auth/whoami", 80)
        assert (answers.count(200), answers.count(429)) == (59, 21)
        assert await statuses(wrong, "/v1/auth/whoami", 20) == [401] * 20
        for _ in range(10):
            await caller.post("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1})
            await caller.post("/v1/rqlite/exec", {"sql": "SELECT 1"})
            await node.client.get("/v1/status")
        after = platform_files(node.data_dir)
        assert watcher.execute("PRAGMA data_version").get == version
        watcher.close()
    assert after == before
