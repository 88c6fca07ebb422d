"""A history only grows, and only as whoever adds to it has seen it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from orama.domain.migration import Applied, Fingerprint
from orama.domain.sql import Statement
from orama.errors import StorageFull, Unprocessable
from orama.orm.migration_history import History
from orama.testing.clock import ManualClock
from support.sqlite import SHOP, open_sqlite, read, run

FIRST, SECOND = (Fingerprint(number, f"n{number}", f"sum{number}") for number in (1, 2))
NOW = 1_800_000_000_000


def applied(*files):
    return [Applied(one.version, one.name, one.checksum, NOW) for one in files]


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path, max_database_pages=64) as opened:
        yield opened


def history_of(database, namespace=SHOP):
    return History(database, namespace, ManualClock(), table="_orama_history", privileged=True)


async def test_reading_makes_no_table(database):
    history = history_of(database)
    assert await history.read() == []
    with pytest.raises(Unprocessable, match="no such table"):
        await database.query(SHOP, Statement("SELECT * FROM _orama_history", privileged=True))


async def test_what_is_applied_is_recorded_with_its_effect(database):
    history = history_of(database)
    made = await history.apply(FIRST, [Statement("CREATE TABLE a (x)")], history_length=0)
    assert await history.read() == [made] == applied(FIRST)
    assert await read(database, "SELECT count(*) FROM a") == [(0,)]


async def test_failing_statement_leaves_neither_row_nor_effect_nor_table(database):
    history = history_of(database)
    statements = [Statement("CREATE TABLE a (x)"), Statement("INSERT INTO nowhere VALUES (1)")]
    with pytest.raises(Unprocessable, match="no such table: nowhere") as failure:
        await history.apply(FIRST, statements, history_length=0)
    assert failure.value.details == {"statement": 1}, "counted among those of the migration"
    assert await history.read() == []
    assert await database.schema(SHOP) == []
    with pytest.raises(Unprocessable, match="no such table"):
        await database.query(SHOP, Statement("SELECT * FROM _orama_history", privileged=True))


async def test_failure_of_the_record_is_not_that_of_a_statement(database):
    await run(database, "CREATE TABLE pad (x)")
    for size in (4_000, 100, 1):  # until not even the smallest row finds room
        with suppress(StorageFull):
            for _ in range(10_000):
                await run(database, f"INSERT INTO pad VALUES (zeroblob({size}))", privileged=True)
    with pytest.raises(StorageFull) as failure:
        await history_of(database).apply(FIRST, [Statement("SELECT 1")], history_length=0)
    assert "statement" not in (failure.value.details or {})


async def test_history_that_grew_meanwhile_refuses(database):
    history = history_of(database)
    await history.apply(FIRST, [], history_length=0)
    for length in (0, 2):
        assert await history.apply(SECOND, [Statement("CREATE TABLE b (x)")], history_length=length) is None
    assert await history.read() == applied(FIRST)
    assert await database.schema(SHOP) == []


async def test_of_many_that_apply_at_once_one_does(database):
    history = history_of(database)
    await run(database, "CREATE TABLE a (x)")
    insert = [Statement("INSERT INTO a VALUES (1)")]
    made = await asyncio.gather(*(history.apply(FIRST, insert, history_length=0) for _ in range(30)))
    assert len([one for one in made if one is not None]) == 1
    assert await read(database, "SELECT count(*) FROM a") == [(1,)]
