"""What one call may take of memory and time, whatever it is made of."""

from __future__ import annotations

import time

import pytest

from orama.domain.sql import SqlLimits, Statement
from orama.errors import InvalidArgument, TooLarge, Unprocessable
from support.sqlite import SHOP, open_sqlite, read, run

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count}) SELECT {columns} FROM n"


async def test_statements_of_a_batch_share_their_room(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(max_rows=100)) as database:
        forty = Statement(NUMBERS.format(count=40, columns="i"))
        results = await database.execute(SHOP, [forty] * 2)
        assert [len(one.rows.rows) for one in results] == [40, 40]
        with pytest.raises(TooLarge) as refusal:
            await database.execute(SHOP, [forty] * 3)
        assert refusal.value.reason == "result_too_large"
        assert len(await read(database, forty.sql)) == 40


async def test_names_count_for_each_row(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(max_result_bytes=100_000)) as database:
        for count, fits in ((90, True), (110, False)):
            sql = NUMBERS.format(count=count, columns=f'i AS "{"n" * 1_000}"')
            if fits:
                assert len(await read(database, sql)) == count
            else:
                with pytest.raises(TooLarge):
                    await read(database, sql)


@pytest.mark.parametrize(
    ("limits", "name", "passes", "page"),
    [
        (SqlLimits(max_rows=5_000), "max_rows", 5_001, 1_000),
        (SqlLimits(max_rows=100), "max_rows", 101, 100),
        (SqlLimits(max_result_bytes=1_000_000), "max_result_bytes", 1_000, 494),
        (SqlLimits(max_result_bytes=3_000), "max_result_bytes", 3, 1),
        (SqlLimits(max_result_bytes=100_000_000, max_rows=4_000), "max_rows", 4_001, 1_000),
    ],
)
async def test_refusal_names_the_limit_and_a_page_that_fits(tmp_path, limits, name, passes, page):
    """The page that the text proposes is read as it says, from the first row to the last."""
    async with open_sqlite(tmp_path, limits=limits) as database:
        await run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)")
        fill = NUMBERS.format(count=passes, columns=f"i, printf('%0{990}d', i)")
        await database.execute(SHOP, [Statement(f"INSERT INTO t {fill}", privileged=True)])
        with pytest.raises(TooLarge, match=rf"\({name}\): .* LIMIT {page}, .* OFFSET {page}, {2 * page}, …") as refusal:
            await read(database, "SELECT * FROM t")
        assert refusal.value.details == {"name": name, "limit": getattr(limits, name), "page_rows": page}
        found, last = [], 0
        while rows := await read(database, f"SELECT * FROM t WHERE id > ? ORDER BY id LIMIT {page}", last):
            found += [row for row, _ in rows]
            last = found[-1]
        assert found == list(range(1, passes + 1))
        second = await read(database, f"SELECT id FROM t ORDER BY id LIMIT {page} OFFSET {page}")
        assert [row for (row,) in second] == list(range(page + 1, min(2 * page, passes) + 1))


async def test_row_that_fits_no_page_is_told_apart(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(max_result_bytes=1_000)) as database:
        with pytest.raises(TooLarge, match="one row alone passes it: select fewer columns") as refusal:
            await read(database, "SELECT hex(?)", "x" * 1_000)
        assert refusal.value.details["page_rows"] == 0


async def test_long_name_is_refused(tmp_path):
    async with open_sqlite(tmp_path) as database:
        await run(database, "CREATE TABLE t(a)")
        name = "n" * 1_025
        for _ in range(3):
            with pytest.raises(InvalidArgument, match="AS"):
                await read(database, f"SELECT 1 AS {name}")
            with pytest.raises(InvalidArgument, match="AS"):
                await run(database, f"INSERT INTO t VALUES (1) RETURNING a AS {name}")
        assert await read(database, "SELECT count(*) FROM t") == [(0,)]
        assert await read(database, f"SELECT 1 AS {name[1:]}") == [(1,)]


KEYS = ", ".join(["FOREIGN KEY (a) REFERENCES p(k)"] * 200)
REBUILD = [Statement("DROP TABLE old"), Statement("ALTER TABLE new RENAME TO old")]


async def _rebuild_with(database, rows, value):
    for sql in ("p(k INTEGER PRIMARY KEY)", f"c(a, {KEYS})", "old(a)", "new(a)"):
        await run(database, f"CREATE TABLE {sql}")
    await run(database, "INSERT INTO p VALUES (1)")
    fill = Statement("INSERT INTO c " + NUMBERS.format(count=rows, columns=value))
    await database.execute(SHOP, [fill, *REBUILD])


async def test_check_of_a_rebuild_stops_in_time(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=0.3)) as database:
        began = time.monotonic()
        with pytest.raises(Unprocessable) as refusal:
            await _rebuild_with(database, 1_000_000, "1")
        assert refusal.value.reason == "statement_timeout"
        assert time.monotonic() - began < 1.2


async def test_check_of_a_rebuild_reads_the_first_broken_key_only(tmp_path):
    async with open_sqlite(tmp_path) as database:
        began = time.monotonic()
        with pytest.raises(Unprocessable, match="FOREIGN KEY"):
            await _rebuild_with(database, 50_000, "i")
        assert time.monotonic() - began < 2.0, "there are ten million"
        await database.execute(SHOP, REBUILD)
