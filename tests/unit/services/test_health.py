from __future__ import annotations

import asyncio

import pytest

from orama.errors import Unavailable
from orama.services.health import HealthService
from orama.testing.clock import ManualClock


class Backend:
    def __init__(self) -> None:
        self.probes = 0
        self.away = False

    async def ping(self) -> None:
        self.probes += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("it went out")


async def _bytes() -> int:
    return 42


def service(database: Backend, cache: Backend, clock: ManualClock) -> HealthService:
    return HealthService({"database": database.ping, "cache": cache.ping}, frozenset({"database"}), _bytes, clock)


async def test_backends_are_probed_once_a_second_however_often_asked():
    database, cache, clock = Backend(), Backend(), ManualClock()
    health = service(database, cache, clock)
    for _ in range(3):
        await asyncio.gather(*(health.probe() for _ in range(20)))
    assert database.probes == 1
    clock.advance(1.0)
    assert (await health.probe()).database_bytes == 42
    assert database.probes == 2


async def test_what_is_down_is_told_with_its_reason_and_comes_back():
    database, cache, clock = Backend(), Backend(), ManualClock()
    health = service(database, cache, clock)
    cache.away = True
    assert (await health.probe()).services["cache"].error == "it went out"
    await health.check_ready()
    cache.away, database.away = False, True
    clock.advance(1.0)
    with pytest.raises(Unavailable, match="database down"):
        await health.check_ready()
    database.away = False
    clock.advance(1.0)
    await health.check_ready()


async def test_probe_that_is_given_up_by_one_caller_goes_on_for_the_others():
    database, cache, clock = Backend(), Backend(), ManualClock()
    health = service(database, cache, clock)
    impatient = asyncio.create_task(health.probe())
    patient = asyncio.create_task(health.probe())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).services["database"].error is None


async def test_draining_node_is_not_ready():
    health = service(Backend(), Backend(), ManualClock())
    health.drain()
    with pytest.raises(Unavailable) as refusal:
        await health.check_ready()
    assert refusal.value.reason == "draining"
