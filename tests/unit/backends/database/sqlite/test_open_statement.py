"""A statement that fails half-way leaves nothing open behind it."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.sql import Statement
from orama.errors import Unprocessable
from support.sqlite import SHOP, open_sqlite, read, run

NOT_UTF_8 = "INSERT INTO t VALUES ('bad') RETURNING CAST(x'ff' AS TEXT)"


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path, readers_per_database=1) as opened:
        await run(opened, "CREATE TABLE t(a)")
        yield opened


async def test_neighbours_commit_when_an_answer_is_not_utf_8(database):
    outcomes = await asyncio.gather(
        *(run(database, "INSERT INTO t VALUES (?)", number) for number in range(5)),
        database.execute(SHOP, [Statement(NOT_UTF_8)]),
        *(run(database, "INSERT INTO t VALUES (?)", number) for number in range(5, 10)),
        return_exceptions=True,
    )
    assert [one for one in outcomes if isinstance(one, BaseException)] == [outcomes[5]]
    assert isinstance(outcomes[5], Unprocessable)
    assert await read(database, "SELECT count(*), total(a = 'bad') FROM t") == [(10, 0.0)]


async def test_writes_go_on_while_the_error_is_kept(database):
    kept = []
    for number in range(3):
        with pytest.raises(Unprocessable) as refusal:
            await run(database, NOT_UTF_8)
        kept.append(refusal.value)
        assert (await run(database, "INSERT INTO t VALUES (?)", number)).rows_affected == 1


async def test_reader_sees_what_is_new_while_the_error_is_kept(database):
    await run(database, "INSERT INTO t VALUES (0)")
    kept = []
    for number in range(1, 4):
        with pytest.raises(Unprocessable) as refusal:
            await read(database, "SELECT CAST(x'ff' AS TEXT) UNION ALL SELECT a FROM t")
        kept.append(refusal.value)
        await run(database, "INSERT INTO t VALUES (?)", number)
        # A new text each time, for the reader's thread.
        assert await read(database, f"SELECT count(*), {number} FROM t") == [(number + 1, number)]
