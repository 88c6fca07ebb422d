"""Keys that are over go, from few databases at a time and from no others than those that have some."""

from __future__ import annotations

import pytest

from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.errors import BadBackend
from support.identity import SHOP, SwitchableDatabase

HOUR_S = 3600
COUNT = Statement("SELECT count(*) FROM _orama_idempotency", privileged=True)
MAKE = Statement("CREATE TABLE IF NOT EXISTS t (x)")


class WatchedDatabase(SwitchableDatabase):
    """Notes which tenants' databases were used, and fails where it is told to."""

    def __init__(self, database):
        super().__init__(database)
        self.used = []
        self.damaged = set()

    async def execute(self, namespace, batch):
        if namespace != PLATFORM:
            self.used.append(namespace)
        if namespace in self.damaged:
            raise BadBackend("the file is damaged")
        return await super().execute(namespace, batch)


@pytest.fixture
async def database(database):
    return WatchedDatabase(database)


async def use(service, caller, namespace=SHOP, keys=1, prefix="k"):
    for number in range(keys):
        await service.attempt(service.once(f"{prefix}{number}", caller)).execute(namespace, [MAKE], keep_rows=False)


async def count(database, namespace=SHOP):
    ((number,),) = (await database.query(namespace, COUNT)).rows
    return number


async def sweep(service, max_rows=100):
    """One turn of both sweeps: rows of the platform, rows of tenants."""
    platforms, tenants = service.sweeps()
    return await platforms.remove(max_rows), await tenants.remove(max_rows)


async def test_platforms_keys_go_when_they_are_over(database, idempotency, caller, clock):
    for key in ("a", "b", "c"):
        await idempotency.attempt(idempotency.once(key, caller)).carry_out([], 1)
        clock.advance(HOUR_S)
    clock.advance(21 * HOUR_S - 0.1)
    assert await sweep(idempotency) == (0, 0)
    clock.advance(0.1)
    assert await sweep(idempotency) == (1, 0)
    clock.advance(2 * HOUR_S)
    assert [(await sweep(idempotency, 1))[0] for _ in range(3)] == [1, 1, 0]
    assert await count(database, PLATFORM) == 0


async def test_tenants_keys_go_when_they_are_over_also_those_of_an_earlier_life(database, gateway_of, caller, clock):
    await use(gateway_of(), caller, keys=5)
    await gateway_of().recorder.begin(SHOP, gateway_of().once("recorded", caller))
    clock.advance(HOUR_S)
    await use(gateway_of(), caller, keys=1, prefix="later")
    clock.advance(23 * HOUR_S - 0.1)
    database.used.clear()
    assert await sweep(gateway_of()) == (0, 0)
    assert database.used == []
    clock.advance(0.1)
    service = gateway_of()
    assert [(await sweep(service, 4))[1] for _ in range(3)] == [4, 2, 0]
    assert await count(database) == 1
    clock.advance(HOUR_S)
    assert await sweep(service) == (0, 1)


async def test_database_without_keys_is_never_opened_and_one_that_had_some_once_in_a_while(
    database, idempotency, caller, clock
):
    await database.execute(Namespace("quiet"), [MAKE])
    await use(idempotency, caller)
    database.used.clear()
    for _ in range(10 * 24):
        clock.advance(HOUR_S)
        await sweep(idempotency)
    assert set(database.used) == {SHOP}
    assert len(database.used) <= 11


async def test_busy_database_is_left_in_peace_between_two_looks(database, idempotency, caller, clock):
    await use(idempotency, caller)
    clock.advance(24 * HOUR_S)
    for number in range(60):
        await use(idempotency, caller, prefix=f"{number}-")
        clock.advance(1)
    database.used.clear()
    for _ in range(60):
        clock.advance(60)
        await sweep(idempotency)
    assert len(database.used) <= 6


async def test_a_round_opens_a_few_databases_only(database, idempotency, caller, clock):
    spaces = [Namespace(f"space{number}") for number in range(40)]
    for namespace in spaces:
        await use(idempotency, caller, namespace)
    clock.advance(24 * HOUR_S)
    database.used.clear()
    for size in (16, 16, 8, 0):
        assert await sweep(idempotency, 1000) == (0, size)
        assert len(database.used) == size
        database.used.clear()


async def test_gateways_do_not_look_into_one_database_at_once(database, gateway_of, caller, clock):
    await use(gateway_of(), caller, keys=3)
    clock.advance(24 * HOUR_S)
    database.used.clear()
    first, second = gateway_of(), gateway_of()
    before = database.after_query

    async def overtake():
        database.after_query = before
        assert await sweep(second) == (0, 3)

    database.after_query = overtake
    assert await sweep(first) == (0, 0)
    assert database.used == [SHOP]


async def test_damaged_database_does_not_stand_in_the_way_of_others(database, idempotency, caller, clock):
    broken = Namespace("broken")
    await use(idempotency, caller, broken)
    clock.advance(1)
    await use(idempotency, caller)
    clock.advance(24 * HOUR_S)
    database.damaged.add(broken)
    with pytest.raises(BadBackend):
        await sweep(idempotency)
    assert await sweep(idempotency) == (0, 1)
    clock.advance(600)
    database.damaged.clear()
    assert await sweep(idempotency) == (0, 1)
    assert await count(database, broken) == 0


async def test_namespace_is_noted_once_in_a_life(database, idempotency, caller):
    await use(idempotency, caller)
    calls = database.calls
    await use(idempotency, caller, keys=5, prefix="more")
    assert database.calls - calls == 5
