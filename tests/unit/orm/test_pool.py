"""So many calls at once, so long for each, and only reads are tried again."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.once import Once
from orama.domain.sql import Statement
from orama.errors import Deadline, Unavailable, Unprocessable
from orama.orm import Orm, PooledDatabase, PoolSettings
from orama.testing.clock import ManualClock
from support.outage import Outage
from support.shop import ANN, users
from support.sqlite import SHOP, open_sqlite, read

SETTINGS = PoolSettings(max_concurrent=2, max_waiting=3, deadline_s=10, max_retries=2, backoff_s=1)
ONE = Statement("SELECT 1")
INSERT = [Statement("INSERT INTO t VALUES (1)")]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def engine(tmp_path):
    async with open_sqlite(tmp_path) as database:
        await database.execute(SHOP, [Statement("CREATE TABLE t(x)")])
        yield Outage(database)


@pytest.fixture
async def pool(engine, clock):
    pool = PooledDatabase(engine, clock, SETTINGS, chance=lambda: 0.5)
    yield pool
    engine.let_go()
    await pool.close()


async def settle():
    """Let every task go as far as it can without time passing; SQLite's threads answer in the meantime."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def rows_stored(pool):
    return len(await read(pool, "SELECT x FROM t"))


READS = {
    "query": lambda pool: pool.query(SHOP, ONE),
    "schema": lambda pool: pool.schema(SHOP),
}


@pytest.mark.parametrize("method", READS)
async def test_a_read_is_tried_again_after_pauses_that_double(pool, engine, clock, method):
    engine.failures = 2
    reading = asyncio.create_task(READS[method](pool))
    for pause, calls in ((0.9, 1), (0.2, 2), (1.7, 2), (0.3, 3)):
        await settle()
        clock.advance(pause)
        await settle()
        assert len(engine.calls) == calls
    assert await reading
    assert engine.calls == [method] * 3


async def test_a_read_is_tried_no_more_than_it_may(pool, engine, clock):
    engine.failures = 99
    reading = asyncio.create_task(pool.query(SHOP, ONE))
    for _ in range(5):
        await settle()
        clock.advance(2.1)
    with pytest.raises(Unavailable, match="the engine is away"):
        await reading
    assert len(engine.calls) == 3


@pytest.mark.parametrize(("chance", "pause_s"), [(0.0, 0.5), (0.999, 1.499)])
async def test_pauses_differ_by_chance(engine, clock, chance, pause_s):
    pool = PooledDatabase(engine, clock, SETTINGS, chance=lambda: chance)
    engine.failures = 1
    reading = asyncio.create_task(pool.query(SHOP, ONE))
    await settle()
    clock.advance(pause_s - 0.01)
    await settle()
    assert len(engine.calls) == 1
    clock.advance(0.02)
    await reading
    assert len(engine.calls) == 2


async def test_an_engine_that_says_when_to_come_back_is_left_alone_until_then(pool, engine, clock):
    engine.failures, engine.retry_after_s = 1, 5
    reading = asyncio.create_task(pool.query(SHOP, ONE))
    await settle()
    clock.advance(4.9)
    await settle()
    assert len(engine.calls) == 1
    clock.advance(0.2)
    await reading


async def test_what_would_come_too_late_is_not_waited_for(pool, engine):
    engine.failures, engine.retry_after_s = 1, 10
    with pytest.raises(Unavailable, match="the engine is away"):
        await pool.query(SHOP, ONE)


WRITES = {
    "execute": lambda pool: pool.execute(SHOP, INSERT),
    "execute_once": lambda pool: pool.execute_once(SHOP, INSERT, Once(bytes(32), bytes(32), 0, 1)),
}


@pytest.mark.parametrize("method", WRITES)
async def test_a_write_is_never_tried_again(pool, engine, method):
    engine.failures = 1
    with pytest.raises(Unavailable, match="the engine is away"):
        await WRITES[method](pool)
    assert engine.calls == [method]
    assert await rows_stored(pool) == 0


async def test_how_things_are_is_asked_once(pool, engine):
    engine.failures = 1
    with pytest.raises(Unavailable):
        await pool.ping()
    await pool.ping()
    assert engine.calls == ["ping", "ping"]


async def test_a_read_that_fails_by_its_own_doing_is_not_tried_again(pool, engine):
    with pytest.raises(Unprocessable, match="no such table"):
        await pool.query(SHOP, Statement("SELECT * FROM nowhere"))
    assert engine.calls == ["query"]


async def test_no_more_calls_at_once_than_the_pool_has_room_for(pool, engine):
    engine.hold()
    calls = [asyncio.create_task(pool.query(SHOP, ONE)) for _ in range(5)]
    await settle()
    assert (len(engine.calls), engine.most) == (2, 2)
    with pytest.raises(Unavailable) as refusal:
        await pool.query(SHOP, ONE)
    assert (refusal.value.reason, refusal.value.retry_after_s) == ("too_busy", 1)
    engine.let_go()
    await asyncio.gather(*calls)
    assert (len(engine.calls), engine.most) == (5, 2)


async def test_a_read_that_pauses_lets_others_go_first(pool, engine, clock):
    engine.failures = 2
    pausing = [asyncio.create_task(pool.query(SHOP, ONE)) for _ in range(2)]
    await settle()
    await asyncio.gather(*(pool.query(SHOP, ONE) for _ in range(3)))
    clock.advance(1.1)
    await asyncio.gather(*pausing)


async def test_a_call_that_gives_up_waiting_leaves_its_place(pool, engine):
    engine.hold()
    calls = [asyncio.create_task(pool.query(SHOP, ONE)) for _ in range(5)]
    await settle()
    for call in (calls[0], calls[4]):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    others = [asyncio.create_task(pool.query(SHOP, ONE)) for _ in range(2)]
    await settle()
    assert engine.most == 2
    engine.let_go()
    await asyncio.gather(*calls[1:4], *others)


async def test_a_read_that_takes_too_long_is_an_error(pool, engine, clock):
    engine.hold()
    reading = asyncio.create_task(pool.query(SHOP, ONE))
    await settle()
    clock.advance(9.9)
    await settle()
    assert not reading.done()
    clock.advance(0.2)
    with pytest.raises(Deadline, match="no answer within 10 s") as late:
        await reading
    assert late.value.reason == "request_timeout"
    engine.let_go()
    await pool.query(SHOP, ONE)


@pytest.mark.parametrize("method", WRITES)
async def test_the_outcome_of_a_write_that_takes_too_long_is_unknown(pool, engine, clock, method):
    engine.hold()
    writing = asyncio.create_task(WRITES[method](pool))
    await settle()
    clock.advance(10.1)
    with pytest.raises(Deadline, match="may or may not have happened") as late:
        await writing
    assert late.value.reason == "outcome_unknown"


@pytest.mark.parametrize("call", [READS["query"], *WRITES.values()])
async def test_a_call_that_never_got_its_turn_is_known_not_to_have_happened(pool, engine, clock, call):
    engine.hold()
    busy = [asyncio.create_task(pool.query(SHOP, ONE)) for _ in range(2)]
    await settle()
    waiting = asyncio.create_task(call(pool))
    await settle()
    clock.advance(10.1)
    with pytest.raises(Unavailable) as refusal:
        await waiting
    assert refusal.value.reason == "too_busy"
    for one in busy:
        with pytest.raises(Deadline):
            await one
    engine.let_go()
    assert await rows_stored(pool) == 0
    assert engine.calls == ["query"] * 3


async def test_closing_finishes_what_was_accepted_then_closes_the_database(engine, clock):
    pool = PooledDatabase(engine, clock, SETTINGS)
    before = asyncio.all_tasks()
    engine.hold()
    calls = [asyncio.create_task(pool.execute(SHOP, INSERT)) for _ in range(4)]
    await settle()
    closing = asyncio.create_task(pool.close())
    await settle()
    with pytest.raises(Unavailable, match="the database is closed"):
        await pool.query(SHOP, ONE)
    assert engine.calls == ["execute"] * 2
    engine.let_go()
    await asyncio.gather(*calls, closing)
    await pool.close()
    assert engine.calls == ["execute"] * 4 + ["close"] * 2
    assert asyncio.all_tasks() == before


async def test_a_pool_that_closes_tries_nothing_again(engine, clock):
    pool = PooledDatabase(engine, clock, SETTINGS)
    engine.hold()
    engine.failures = 1
    reading = asyncio.create_task(pool.query(SHOP, ONE))
    await settle()
    closing = asyncio.create_task(pool.close())
    await settle()
    engine.let_go()
    with pytest.raises(Unavailable, match="the engine is away"):
        await reading
    await closing


async def test_a_pool_that_was_never_used_closes(engine, clock):
    await PooledDatabase(engine, clock).close()
    assert engine.calls == ["close"]


async def test_the_orm_works_through_a_pool(pool, engine, clock):
    orm = Orm(pool, SHOP)
    async with orm.transaction() as work:
        work.execute(
            "CREATE TABLE users(id INTEGER PRIMARY KEY, name, age, email, made_at TEXT, active BOOLEAN, nick, boss)"
        )
        work.save(users, ANN)
    engine.failures = 1
    reading = asyncio.create_task(orm.repository(users).find())
    await settle()
    clock.advance(1.1)
    assert await reading == [ANN]
    assert pool.guarantees == engine.guarantees
