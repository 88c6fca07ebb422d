"""Reads: on the loop when they are cheap, in threads when they are not, stopped when nobody waits."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from orama.backends.database.sqlite import loop_reader
from orama.backends.database.sqlite.session import Session
from orama.domain.sql import SqlLimits, Statement
from orama.errors import TooLarge, Unprocessable
from orama.testing.clock import ManualClock
from support.sqlite import SHOP, open_sqlite, read, run

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
RANGE = "SELECT count(*) FROM t WHERE id BETWEEN ? AND ?"


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=2.0)) as opened:
        await run(opened, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)")
        await run(
            opened,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
            " INSERT INTO t SELECT i, 'name ' || i FROM n",
        )
        yield opened


@pytest.fixture
def ran_in(monkeypatch):
    """The names of the threads in which statements ran, in order."""
    names = []
    real = Session.run

    def noting(*args):
        names.append(threading.current_thread().name)
        return real(*args)

    monkeypatch.setattr(Session, "run", noting)
    return names


async def test_cheap_read_moves_to_the_loop_after_its_first_run(database, ran_in):
    # A thread may need more than once to find it cheap on a busy machine; from then on it stays on the loop.
    for _ in range(50):
        assert await read(database, "SELECT name FROM t WHERE id = ?", 1) == [("name 1",)]
        if ran_in[-1] == "MainThread":
            break
    assert await read(database, "SELECT name FROM t WHERE id = ?", 2) == [("name 2",)]
    assert ran_in[0] == "orama-sqlite-reader"
    assert ran_in[-2:] == ["MainThread", "MainThread"]


async def test_read_that_becomes_expensive_goes_back_to_threads_and_stays(database, ran_in):
    assert await read(database, RANGE, 1, 2) == [(2,)]
    assert await read(database, RANGE, 1, 3) == [(3,)]
    assert await read(database, RANGE, 1, 50_000) == [(50_000,)]
    assert await read(database, RANGE, 1, 2) == [(2,)]
    reader, loop = "orama-sqlite-reader", "MainThread"
    assert ran_in == [reader, loop, loop, reader, reader]


async def test_expensive_read_never_runs_on_the_loop(database, ran_in):
    for _ in range(3):
        assert await read(database, "SELECT count(*) FROM t WHERE name LIKE '%9%9%'") != [(0,)]
    assert set(ran_in) == {"orama-sqlite-reader"}


async def test_loop_stays_free_while_a_read_is_slow(database):
    slow = asyncio.ensure_future(read(database, ENDLESS))
    longest, began = 0.0, time.monotonic()
    while time.monotonic() - began < 0.3:
        turn = time.monotonic()
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - turn)
    assert not slow.done()
    assert longest < 0.15
    slow.cancel()


async def test_slow_read_does_not_delay_another(database):
    slow = asyncio.ensure_future(read(database, ENDLESS))
    await asyncio.sleep(0.02)
    for number in range(20):  # each of another text: none is known to be cheap
        assert await read(database, f"SELECT id + {number} FROM t WHERE id = 1") == [(1 + number,)]
    assert not slow.done()
    slow.cancel()


async def test_cancelled_reads_give_their_readers_back_soon(database):
    slow = [asyncio.ensure_future(read(database, ENDLESS)) for _ in range(6)]
    await asyncio.sleep(0.05)
    for task in slow:
        task.cancel()
    began = time.monotonic()
    assert await read(database, "SELECT count(*) FROM t") == [(50_000,)]
    assert time.monotonic() - began < 1.0, "they would have run for 2 s each"


async def test_read_past_its_time_is_stopped_and_says_so(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=0.2)) as database:
        began = time.monotonic()
        with pytest.raises(Unprocessable, match=r"ran longer than 0\.2 s") as refusal:
            await read(database, ENDLESS)
        assert 0.2 <= time.monotonic() - began < 1.0
        assert refusal.value.reason == "statement_timeout"
        assert await read(database, "SELECT 1") == [(1,)]


async def _settle(database, ran_in, sql, *args):
    """Read `sql` until it runs on the loop; more than twice only while a busy machine makes it look dear."""
    for _ in range(50):
        await read(database, sql, *args)
        if ran_in[-1] == "MainThread":
            return
    raise AssertionError(f"never ran on the loop: {sql}")


async def test_whoever_stalls_the_loop_reads_in_threads_for_a_while(tmp_path, ran_in, monkeypatch):
    clock = ManualClock()
    heavy, light = "SELECT name FROM t WHERE id = ?", "SELECT id FROM t WHERE id = ?"
    async with open_sqlite(tmp_path, clock=clock) as database:
        await run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)")
        await _settle(database, ran_in, light, 1)
        await _settle(database, ran_in, heavy, 1)
        with monkeypatch.context() as patch:
            patch.setattr(loop_reader, "_MAX_CPU_S", -1.0)
            await read(database, heavy, 1)
        ran_in.clear()
        await read(database, heavy, 1)
        await read(database, light, 1)
        assert set(ran_in) == {"orama-sqlite-reader"}
        clock.advance(10.1)
        ran_in.clear()
        await read(database, light, 1)
        assert ran_in == ["MainThread"]
        for _ in range(3):
            await read(database, heavy, 1)
        assert ran_in == ["MainThread", *["orama-sqlite-reader"] * 3], "who stalled once stays in threads"


@pytest.mark.parametrize(
    "expression",
    [
        "instr(?1, ?2)",
        "replace(?1, ?2, '')",
        "trim(?1, ?2)",
        "?1 LIKE ?2",
        "?1 GLOB ?2",
        "hex(?1 || ?2)",
        "unhex(?1, ?2)",
        "json_extract('[]', '$[0]'), ?1, ?2",
        "json_array(?1, ?2)",
        "group_concat(?1, ?2)",
        "(SELECT s FROM superlinear), ?1, ?2",
    ],
)
async def test_superlinear_functions_never_run_on_the_loop(database, ran_in, monkeypatch, expression):
    await run(database, "CREATE VIEW superlinear AS SELECT instr('abc', 'b') AS s")
    monkeypatch.setattr(loop_reader, "_CHEAP_S", 10.0)
    stepped = []
    real = Session._fetch
    monkeypatch.setattr(
        Session,
        "_fetch",
        lambda *args: stepped.append(threading.current_thread().name) or real(*args),
    )
    for _ in range(4):
        await read(database, f"SELECT {expression}", "abc", "b")
    assert stepped == ["orama-sqlite-reader"] * 4
    assert ran_in.count("MainThread") == 1, "it was tried once, and refused before its first step"


async def test_long_arguments_never_reach_the_loop(database, ran_in):
    sql = "SELECT length(?1), length(?2)"
    await _settle(database, ran_in, sql, "a", "b")
    ran_in.clear()
    assert await read(database, sql, "a" * 3_000, b"b" * 1_500) == [(3_000, 1_500)]
    assert await read(database, sql, "a" * 3_000, b"b" * 500) == [(3_000, 500)]
    assert ran_in == ["orama-sqlite-reader", "MainThread"]


async def test_long_rows_are_read_in_threads(database, ran_in):
    await run(database, "INSERT INTO t VALUES (70000, ?)", "x" * 20_000)
    sql = "SELECT name FROM t WHERE id = ?"
    await _settle(database, ran_in, sql, 1)
    ran_in.clear()
    for _ in range(2):
        assert await read(database, sql, 70_000) == [("x" * 20_000,)]
    assert await read(database, sql, 1) == [("name 1",)]
    assert ran_in == ["MainThread", *["orama-sqlite-reader"] * 3]


async def test_database_with_a_long_definition_is_read(database, ran_in):
    await run(database, "CREATE TABLE wide(id INTEGER PRIMARY KEY /* " + "x" * 20_000 + " */)")
    for _ in range(3):
        assert await read(database, "SELECT name FROM t WHERE id = 2") == [("name 2",)]
        assert await read(database, "SELECT count(*) FROM wide") == [(0,)]


async def test_text_that_is_not_utf_8_says_how_to_read_it(database):
    await run(database, "INSERT INTO t VALUES (60000, CAST(x'ff' AS TEXT))")
    for _ in range(3):
        with pytest.raises(Unprocessable, match="CAST"):
            await read(database, "SELECT name FROM t WHERE id = 60000")
    assert await read(database, "SELECT CAST(name AS BLOB) FROM t WHERE id = 60000") == [(b"\xff",)]


async def test_reads_run_while_an_answer_waits(database):
    rows = await asyncio.gather(*(read(database, "SELECT name FROM t WHERE id = ?", n) for n in range(1, 200)))
    assert rows == [[(f"name {n}",)] for n in range(1, 200)]


async def test_connections_keep_their_defences(database, tmp_path):
    for sql, found in (
        ("SELECT foreign_keys FROM pragma_foreign_keys", 1),
        ("SELECT trusted_schema FROM pragma_trusted_schema", 0),
        ("SELECT synchronous FROM pragma_synchronous", 2),
        ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
    ):
        (result,) = await database.execute(SHOP, [Statement(sql, privileged=True)])
        assert result.rows.rows == [(found,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "- " * 200 + "1",
        " UNION ALL ".join(["SELECT 1"] * 60),
        "SELECT " + "+".join(["1"] * 200),
        "SELECT 'a' LIKE '" + "%" * 300 + "'",
        "SELECT " + ",".join(["1"] * 600),
        "SELECT max(" + ",".join(["1"] * 150) + ")",
    ],
    ids=["nesting", "compound", "depth", "pattern", "columns", "arguments"],
)
async def test_statement_past_the_lowered_limits_of_sqlite_is_refused(database, sql):
    with pytest.raises(Unprocessable):
        await read(database, sql)


async def test_statement_that_compiles_to_too_much_is_the_callers_fault(database):
    for number in range(15):
        below = f"v{number - 1}" if number else "t"
        await run(database, f"CREATE VIEW v{number} AS SELECT x.id FROM {below} x, {below} y LIMIT 9")
    for ask in (read, run):
        with pytest.raises(Unprocessable, match="views") as refusal:
            await ask(database, "SELECT * FROM v14")
        assert refusal.value.reason == "sql_error"
    assert await read(database, "SELECT id FROM t WHERE id = 1") == [(1,)]


async def test_value_grown_past_the_limit_is_refused(database):
    doubling = "WITH RECURSIVE n(s) AS (SELECT 'xxxxxxxx' UNION ALL SELECT s || s FROM n) SELECT max(length(s)) FROM n"
    with pytest.raises(TooLarge):
        await read(database, doubling)


async def test_reads_of_one_turn_share_a_snapshot_that_ends_with_the_turn(database):
    name = "SELECT name FROM t WHERE id = ?"
    while await read(database, name, 1) and name not in _fast_texts(database):
        pass  # a thread may need more than once to find it cheap on a busy machine
    begun = []
    session = database._registry.get(SHOP).loop_reader._session
    real = session.control
    session.control = lambda sql: (begun.append(sql), real(sql))[1]
    for _ in range(3):
        assert await read(database, name, 1) == [("name 1",)]
    assert begun == ["BEGIN"]
    await asyncio.sleep(0)
    assert begun == ["BEGIN", "COMMIT"]
    assert not session.in_transaction


async def test_write_is_seen_once_acknowledged_whatever_else_is_read_in_the_same_turns(database):
    name = "SELECT name FROM t WHERE id = ?"
    stop = False

    async def read_on():
        while not stop:
            await read(database, name, 1)
            await asyncio.sleep(0)

    async def write_and_read(number):
        for value in range(20):
            await run(database, "UPDATE t SET name = ? WHERE id = ?", str(value), number)
            assert await read(database, name, number) == [(str(value),)]

    readers = [asyncio.ensure_future(read_on()) for _ in range(4)]
    await asyncio.gather(*(write_and_read(number) for number in range(2, 18)))
    stop = True
    await asyncio.gather(*readers)


def _fast_texts(database):
    return database._registry.get(SHOP).loop_reader._fast
