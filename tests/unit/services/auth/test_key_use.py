"""The last use of a key: to the hour, written in batches, and by no request."""

from __future__ import annotations

import asyncio

import pytest

from orama.errors import Unavailable
from orama.services.auth.key_use import RESOLUTION_MS
from support.identity import SHOP
from support.wallet import Wallet

OWNER = Wallet(1)
HOUR_S = 3600


async def last_uses(gateway):
    return {record.id: record.last_used_at for record in await gateway.auth.api_keys.list(SHOP)}


def hour(clock):
    return round(clock.now() * 1000) // RESOLUTION_MS * RESOLUTION_MS


@pytest.fixture
async def key(gateway):
    return await gateway.lasting_key(OWNER)


async def test_use_is_known_to_the_hour_once_it_is_written(gateway, key, clock):
    clock.advance(1000)
    assert await last_uses(gateway) == {key.id: None}
    await gateway.by_key(key.text)
    assert await last_uses(gateway) == {key.id: None}
    assert await gateway.auth.key_uses.write() == 1
    assert await last_uses(gateway) == {key.id: hour(clock)}


async def test_token_of_a_key_is_a_use_of_the_key(gateway, key):
    token, _ = await gateway.auth.sessions.exchange(key.text)
    await gateway.by_token(token.text)
    assert await gateway.auth.key_uses.write() == 1


async def test_refused_key_is_not_used(gateway, key):
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    with pytest.raises(Exception, match="invalid API key"):
        await gateway.by_key(key.text)
    with pytest.raises(Exception, match="invalid API key"):
        await gateway.by_key(key.text.replace(key.secret, key.secret[::-1]))
    assert await gateway.auth.key_uses.write() == 0


async def test_busy_key_is_written_once_an_hour_over_all_gateways(gateway, another_gateway, key, clock):
    other = await another_gateway()
    written = 0
    for _ in range(2 * 60):
        clock.advance(60)
        for one in (gateway, other):
            await one.by_key(key.text)
            written += await one.auth.key_uses.write()
    assert written == 3, "at the start, and at the turn of two hours"


async def test_later_use_is_never_overwritten_by_an_earlier_one(gateway, another_gateway, key, clock):
    other = await another_gateway()
    await gateway.by_key(key.text)
    clock.advance(HOUR_S)
    await other.by_key(key.text)
    await other.auth.key_uses.write()
    await gateway.auth.key_uses.write()
    assert await last_uses(gateway) == {key.id: hour(clock)}


async def test_requests_do_not_write_and_outages_lose_nothing(gateway, key, clock):
    before = gateway.database.calls
    await gateway.by_key(key.text)
    assert gateway.database.calls - before == 1, "the question who calls"
    gateway.database.away = True
    with pytest.raises(Unavailable):
        await gateway.auth.key_uses.write()
    await gateway.auth.key_uses.write_if_possible()
    gateway.database.away = False
    assert await gateway.auth.key_uses.write() == 1


async def test_what_waits_is_bounded_and_a_key_left_out_is_noted_later(another_gateway, clock):
    gateway = await another_gateway(max_key_uses=3)
    keys = [await gateway.lasting_key(OWNER) for _ in range(5)]
    for one in keys:
        await gateway.by_key(one.text)
    assert await gateway.auth.key_uses.write() == 3
    clock.advance(5)
    for one in keys:
        await gateway.by_key(one.text)
    assert await gateway.auth.key_uses.write() == 2


async def test_many_uses_are_written_in_batches_of_a_bounded_size(gateway, database, clock):
    await gateway.auth.namespaces.create(SHOP)
    keys = [await gateway.auth.api_keys.create(SHOP) for _ in range(450)]
    for one in keys:
        await gateway.by_key(one.text)
    sizes = []
    execute = database.execute

    async def watched(namespace, batch):
        sizes.append(len(batch))
        return await execute(namespace, batch)

    database.execute = watched
    assert await gateway.auth.key_uses.write() == 450
    assert sizes == [200, 200, 50]


async def test_background_task_writes_every_minute_and_survives_an_outage(gateway, key, clock):
    task = asyncio.create_task(gateway.auth.key_uses.run())
    await asyncio.sleep(0)
    await gateway.by_key(key.text)
    gateway.database.away = True
    clock.advance(60)
    await asyncio.sleep(0.01)
    gateway.database.away = False
    assert await last_uses(gateway) == {key.id: None}
    clock.advance(59)
    await asyncio.sleep(0.01)
    assert await last_uses(gateway) == {key.id: None}
    clock.advance(1)
    async with asyncio.timeout(10):
        while await last_uses(gateway) == {key.id: None}:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
