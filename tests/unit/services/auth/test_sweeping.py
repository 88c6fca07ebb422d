"""What is over goes from the tables of identity, and nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from orama.domain.namespace import PLATFORM
from orama.errors import Unauthenticated
from support.identity import SHOP
from support.sqlite import on_disk
from support.wallet import Wallet

OWNER, GUEST = Wallet(1), Wallet(2)
DAY_S = 24 * 3600


async def sweep(gateway, max_rows=1_000):
    """One turn of each sweep, in an order in which nothing has to wait; what was removed, by place."""
    return {one.name: await one.remove(max_rows) for one in gateway.auth.sweeps}


async def count(gateway, table):
    ((number,),) = await gateway.rows(f"SELECT count(*) FROM {table}")
    return number


async def test_challenges_go_once_no_clock_lets_them_be_signed(gateway, clock):
    await gateway.sign_in(OWNER)
    waiting = await gateway.signed(OWNER)
    clock.advance(359)
    assert (await sweep(gateway))["challenges"] == 0, "another gateway's clock may be a minute behind"
    clock.advance(1)
    last = await gateway.signed(OWNER)
    assert (await sweep(gateway))["challenges"] == 2
    assert await count(gateway, "challenges") == 1
    assert await gateway.auth.sign_in.verify(last)
    with pytest.raises(Unauthenticated):
        await gateway.auth.sign_in.verify(waiting)


async def test_living_sign_in_loses_nothing(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    token = signed_in.refresh_token
    for _ in range(5):
        clock.advance(DAY_S)
        token = (await gateway.auth.sessions.refresh(token, None)).refresh_token
    removed = await sweep(gateway)
    assert (removed.pop("challenges"), set(removed.values())) == (1, {0})
    with pytest.raises(Unauthenticated) as refusal:
        await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    assert refusal.value.reason == "refresh_token_reused", "what shows that a token was stolen must stay"


@pytest.mark.parametrize("way", ["expired", "revoked"])
async def test_sign_in_that_ended_goes_with_its_tokens_and_its_key_after_the_retention(gateway, clock, way):
    signed_in = await gateway.sign_in(OWNER)
    lasting = await gateway.lasting_key(OWNER)
    token = (await gateway.auth.sessions.refresh(signed_in.refresh_token, None)).refresh_token
    if way == "revoked":
        await gateway.auth.sessions.logout(None, refresh_token=token, namespace=None, everywhere=False)
    else:
        clock.advance(30 * DAY_S)
    clock.advance(30 * DAY_S - 1)
    removed = await sweep(gateway)
    assert (removed["refresh_tokens"], removed["families"], removed["api_keys"]) == (0, 0, 0)
    assert len(await gateway.auth.api_keys.list(SHOP)) == 2
    clock.advance(1)
    for _ in range(2):
        await sweep(gateway)
    assert [key.id for key in await gateway.auth.api_keys.list(SHOP)] == [lasting.id]
    for table, left in (("refresh_tokens", 0), ("families", 0), ("api_keys", 1)):
        assert await count(gateway, table) == left
    assert await gateway.by_key(lasting.text)


async def test_key_that_ended_goes_after_the_retention(gateway, clock):
    await gateway.auth.namespaces.create(SHOP)
    now_ms = int(clock.now() * 1000)
    expiring = await gateway.auth.api_keys.create(SHOP, expires_at=now_ms + 1000)
    revoked = await gateway.auth.api_keys.create(SHOP)
    lasting = await gateway.auth.api_keys.create(SHOP)
    await gateway.auth.api_keys.revoke(SHOP, revoked.id)
    clock.advance(30 * DAY_S - 1)
    assert (await sweep(gateway))["api_keys"] == 0
    clock.advance(1)
    assert (await sweep(gateway))["api_keys"] == 1
    clock.advance(1)
    assert (await sweep(gateway))["api_keys"] == 1
    assert [key.id for key in await gateway.auth.api_keys.list(SHOP)] == [lasting.id]
    assert expiring.id != revoked.id


async def test_no_batch_is_larger_than_it_may_be(gateway, clock):
    for _ in range(7):
        await gateway.sign_in(OWNER)
    await gateway.sign_in(GUEST, "bank")
    for _ in range(8):
        await gateway.auth.signing_keys.rotate()
    clock.advance(61 * DAY_S)
    total = Counter()
    for _ in range(20):
        removed = await sweep(gateway, max_rows=3)
        assert max(removed.values()) <= 3
        total.update(removed)
    assert +total == dict.fromkeys(("challenges", "refresh_tokens", "families", "api_keys", "signing_keys"), 8)
    assert await count(gateway, "members") == 2


async def test_sweeps_of_several_gateways_at_once_remove_each_row_once(gateway, another_gateway, clock):
    for _ in range(10):
        await gateway.sign_in(OWNER)
    clock.advance(61 * DAY_S)
    others = [await another_gateway() for _ in range(3)]
    rounds = [await asyncio.gather(*(sweep(one) for one in (gateway, *others))) for _ in range(2)]
    removed = [sum(one[table] for turn in rounds for one in turn) for table in ("challenges", "families", "api_keys")]
    assert removed == [10, 10, 10]


PLACES = [
    *("challenges", "login_codes", "refresh_tokens", "families", "api_keys", "invitations", "audit", "signing_keys"),
]


async def test_these_are_all_places(gateway):
    assert [one.name for one in gateway.auth.sweeps] == PLACES


@pytest.mark.parametrize("name", PLACES)
async def test_what_is_over_is_found_by_an_index(gateway, database, tmp_path, name):
    """A sweep that looked at every row would hold the platform's writer for as long as the table is."""
    (one,) = [one for one in gateway.auth.sweeps if one.name == name]
    seen = []
    execute = database.execute

    async def watched(namespace, batch):
        seen.extend(batch)
        return await execute(namespace, batch)

    database.execute = watched
    await one.remove(10)
    (statement,) = seen
    file = on_disk(tmp_path, PLATFORM)
    steps = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.args)]
    file.close()
    assert any("USING" in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN")] == []
