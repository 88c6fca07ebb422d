"""The client's migrations against a node."""

from __future__ import annotations

import asyncio

import pytest

from orama.client import Client
from orama.domain.migration import Migration
from orama.errors import Conflict, PermissionDenied, Unauthenticated, Unprocessable
from support.node import running_node

FILES = [
    Migration(number, f"n{number}", f"CREATE TABLE t{number} (x); INSERT INTO t{number} VALUES (1);")
    for number in (1, 2, 3)
]


@pytest.fixture
async def node(tmp_path):
    async with running_node(tmp_path, log__level="error", limits__enabled=False) as running:
        yield running


@pytest.fixture
async def client(node):
    async with Client(node.url, api_key=await node.key("shop")) as opened:
        yield opened


async def applied(client, files):
    return [one.version async for one in client.migrations.apply(files)]


async def test_plan_apply_and_history(client):
    plan = await client.migrations.plan(FILES)
    assert [one.version for one in plan.pending] == [1, 2, 3]
    assert await applied(client, FILES[:1]) == [1]
    assert await applied(client, FILES) == [2, 3]
    assert await applied(client, FILES) == []
    history = await client.migrations.history()
    assert [(one.version, one.name, one.checksum) for one in history] == [
        (one.version, one.name, one.fingerprint.checksum) for one in FILES
    ]


async def test_set_longer_than_a_request_goes_in_several(node, client, monkeypatch):
    """Four megabytes, where a gateway takes one."""
    asked = []
    node.node.http1.pipeline._observers += (Listener(asked),)
    files = [Migration(number, "n", f"SELECT 1; -- {'x' * 100_000}") for number in range(40)]
    assert await applied(client, files) == list(range(40))
    assert 15 < asked.count("/v1/db/migrations/apply") <= 21, "two files a request"
    assert await applied(client, files) == []


class Listener:
    """Hears of each finished call."""

    def __init__(self, asked):
        self.asked = asked

    def finished(self, call, reply, duration_s):
        self.asked.append(call.request.path)

    def failed(self, call, cause):
        raise AssertionError(cause)


async def test_drift_and_failures_are_the_gateways_own_errors(node, client):
    await applied(client, FILES[:2])
    changed = [Migration(1, "n1", "SELECT 1"), *FILES[1:]]
    with pytest.raises(Conflict) as refusal:
        await applied(client, changed)
    assert refusal.value.reason == "migration_drift"
    assert refusal.value.request_id
    with pytest.raises(Conflict):  # also if nothing waits
        await applied(client, changed[:2])
    broken = [*FILES, Migration(4, "broken", "SELECT 1;\nSELECT * FROM nowhere")]
    with pytest.raises(Unprocessable, match="0004_broken.sql line 2") as failure:
        await applied(client, broken)
    assert failure.value.details["applied"] == [3]
    async with Client(node.url, api_key=await node.key("shop", "db:read")) as reader:
        assert len((await reader.migrations.plan(broken)).pending) == 1
        with pytest.raises(PermissionDenied, match="db:write"):
            await applied(reader, broken)
    async with Client(node.url) as nobody:
        with pytest.raises(Unauthenticated):
            await nobody.migrations.history()


async def test_those_who_apply_at_once_share_the_work(client):
    shares = await asyncio.gather(*(applied(client, FILES) for _ in range(6)))
    assert sorted(version for share in shares for version in share) == [1, 2, 3]
