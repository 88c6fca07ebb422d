"""Slow statements are told of with their own time, whatever became of them; others are not."""

from __future__ import annotations

import asyncio

import pytest

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.sql import SqlLimits, Statement
from orama.errors import InvalidArgument, PermissionDenied, Unprocessable
from support.sqlite import SHOP, read, run

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i FROM n WHERE i <= 2"
SLOW = 300_000
"""Rows to count that take some 0.05 s."""
LIMITS = SqlLimits(slow_statement_s=0.01, statement_timeout_s=2)


@pytest.fixture
async def database(tmp_path):
    heard = []
    opened = await SqliteDatabase.open(
        SqliteSettings(data_directory=tmp_path, limits=LIMITS), SystemClock(), heard.append
    )
    opened.heard = heard
    await run(opened, "CREATE TABLE t(n)")
    heard.clear()  # the first statement of a file may be slow
    yield opened
    await opened.close()


async def test_slow_read_is_told_of_with_its_rows_and_origin(database):
    statement = Statement(COUNT, (SLOW,), origin="request-1")
    await database.query(SHOP, statement)
    (slow,) = database.heard
    assert (slow.namespace, slow.statement, slow.rows, slow.failed) == (SHOP, statement, 2, False)
    assert 0.01 < slow.duration_s < 2


async def test_slow_statement_of_a_batch_is_told_of_alone(database):
    slow_one = Statement(f"INSERT INTO t {COUNT}", (SLOW,))
    await database.execute(SHOP, [Statement("INSERT INTO t VALUES (0)"), slow_one, Statement("DELETE FROM t")])
    assert [(slow.statement, slow.rows) for slow in database.heard] == [(slow_one, 2)]


async def test_slow_statement_that_fails_is_told_of(database):
    for statement, reason in (
        (Statement(COUNT, (10**9,)), "statement_timeout"),
        (Statement(f"INSERT INTO t {COUNT} UNION ALL SELECT abs(-9223372036854775808)", (SLOW,)), "sql_error"),
    ):
        database.heard.clear()
        with pytest.raises(Unprocessable) as refusal:
            await database.execute(SHOP, [statement])
        assert refusal.value.reason == reason
        assert [(slow.statement, slow.rows, slow.failed) for slow in database.heard] == [(statement, None, True)]


async def test_waiting_is_not_slowness(database):
    slow = [run(database, f"INSERT INTO t {COUNT}", SLOW) for _ in range(4)]
    quick = [run(database, "INSERT INTO t VALUES (0)") for _ in range(20)]
    await asyncio.gather(*slow, *quick)
    assert {one.statement.sql for one in database.heard} == {f"INSERT INTO t {COUNT}"}


@pytest.mark.parametrize("limits", [SqlLimits(slow_statement_s=0.0)])
async def test_statement_that_never_compiled_is_not_told_of(tmp_path, limits):
    """Whatever stands in quotes in what did compile is a name; in what did not it may be anything."""
    heard = []
    database = await SqliteDatabase.open(
        SqliteSettings(data_directory=tmp_path, limits=limits), SystemClock(), heard.append
    )
    await run(database, "CREATE TABLE t(n)")
    assert [one.statement.sql for one in heard] == ["CREATE TABLE t(n)"], "a limit of nothing tells of everything"
    heard.clear()
    for sql, error in (
        ('UPDATE t SET n = "a text in the wrong quotes"', Unprocessable),
        ("UPDATE t SET n = 'not closed", Unprocessable),
        ("PRAGMA user_version", PermissionDenied),
        ("SELECT 'one'; SELECT 'two'", InvalidArgument),
    ):
        with pytest.raises(error):
            await run(database, sql)
        with pytest.raises(error):
            await read(database, sql)
    assert heard == []
    await database.close()
