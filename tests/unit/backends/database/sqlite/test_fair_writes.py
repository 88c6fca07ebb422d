"""Slow writers hold up neither those who come after them for long, nor other databases, nor the platform."""

from __future__ import annotations

import asyncio
import time

import pytest

from orama.backends.database.sqlite import writer
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import SqlLimits
from orama.errors import Unprocessable
from support.sqlite import open_sqlite, read, run

ENDLESS = "INSERT INTO t(n) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
async def database(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_TURN_S", 0.2)
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=0.3), writer_threads=1) as opened:
        await run(opened, "CREATE TABLE t(id INTEGER PRIMARY KEY, n)")
        yield opened


async def test_group_ends_after_its_time_and_the_rest_follows_in_order(database):
    begun = time.monotonic()
    answered = {}

    async def one(name, sql, *args):
        try:
            await run(database, sql, *args)
        finally:
            answered[name] = time.monotonic() - begun

    outcomes = await asyncio.gather(
        *(one(f"before {number}", "INSERT INTO t(n) VALUES (?)", number) for number in range(3)),
        *(one(f"slow {number}", ENDLESS) for number in range(4)),
        *(one(f"after {number}", "INSERT INTO t(n) VALUES (?)", 10 + number) for number in range(3)),
        return_exceptions=True,
    )
    assert [type(one) for one in outcomes] == [type(None)] * 3 + [Unprocessable] * 4 + [type(None)] * 3
    assert answered["before 2"] < answered["after 0"] - 0.4, "it did not wait for all that is slow"
    assert await read(database, "SELECT n FROM t ORDER BY id") == [(0,), (1,), (2,), (10,), (11,), (12,)]


async def test_other_database_waits_for_one_turn_only(database):
    slow = [asyncio.ensure_future(run(database, ENDLESS)) for _ in range(10)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await run(database, "CREATE TABLE u(a)", namespace=Namespace("other"))
    assert time.monotonic() - began < 1.5, "all of them take 3 s"
    await asyncio.gather(*slow, return_exceptions=True)


async def test_batch_whose_caller_left_in_the_middle_of_the_group_does_not_run(database, monkeypatch):
    monkeypatch.setattr(writer, "_TURN_S", 60.0)
    slow = [asyncio.ensure_future(run(database, ENDLESS)) for _ in range(10)]
    last = asyncio.ensure_future(run(database, "INSERT INTO t(n) VALUES (1)"))
    began = time.monotonic()
    await asyncio.sleep(0.4)
    for task in slow:
        task.cancel()
    await last
    assert time.monotonic() - began < 1.5, "all of them take 3 s"
    assert await read(database, "SELECT n FROM t") == [(1,)]


async def test_platform_writes_while_tenants_hold_all_threads(database):
    await run(database, "CREATE TABLE p(a)", namespace=PLATFORM)
    slow = [asyncio.ensure_future(run(database, ENDLESS)) for _ in range(5)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    for number in range(3):
        await run(database, "INSERT INTO p VALUES (?)", number, namespace=PLATFORM)
    assert time.monotonic() - began < 0.2
    assert not any(task.done() for task in slow)
    await asyncio.gather(*slow, return_exceptions=True)
