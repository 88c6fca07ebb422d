"""Callers share commits, and one's failure is its own."""

from __future__ import annotations

import asyncio

import apsw
import pytest

from orama.domain.namespace import Namespace
from orama.domain.sql import SqlLimits, Statement
from orama.errors import Deadline, StorageFull, Unavailable, Unprocessable
from support.sqlite import SHOP, on_disk, open_sqlite, read, run

CALLERS = 32
ENDLESS = "INSERT INTO t(n) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=0.3)) as opened:
        await run(opened, "CREATE TABLE t(id INTEGER PRIMARY KEY, n UNIQUE)")
        await run(opened, "CREATE TABLE parent(id INTEGER PRIMARY KEY)")
        await run(opened, "CREATE TABLE child(p REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")
        await run(opened, "INSERT INTO t(n) VALUES ('taken')")
        yield opened


async def _culprit_among_writers(database, tmp_path, sql):
    """32 callers at once, one of them with `sql`; its error. The others' rows must be on the disk."""
    statements = [Statement("INSERT INTO t(n) VALUES (?)", (number,)) for number in range(CALLERS)]
    statements[CALLERS // 2] = Statement(sql)
    outcomes = await asyncio.gather(*(database.execute(SHOP, [one]) for one in statements), return_exceptions=True)
    (error,) = [one for one in outcomes if isinstance(one, BaseException)]
    assert outcomes[CALLERS // 2] is error
    assert [one[0].rows_affected for one in outcomes if not isinstance(one, BaseException)] == [1] * (CALLERS - 1)
    file = on_disk(tmp_path)
    stored = [n for (n,) in file.execute("SELECT n FROM t WHERE n <> 'taken' ORDER BY n")]
    file.close()
    assert stored == [number for number in range(CALLERS) if number != CALLERS // 2]
    return error


async def test_or_rollback_among_32_writers_fails_alone(database, tmp_path):
    error = await _culprit_among_writers(database, tmp_path, "INSERT OR ROLLBACK INTO t(n) VALUES ('taken')")
    assert isinstance(error, Unprocessable)
    assert (error.reason, error.text) == ("constraint", "UNIQUE constraint failed: t.n")


async def test_interrupted_statement_among_32_writers_fails_alone(database, tmp_path):
    error = await _culprit_among_writers(database, tmp_path, ENDLESS)
    assert isinstance(error, Unprocessable)
    assert error.reason == "statement_timeout"


async def test_deferred_foreign_key_among_32_writers_fails_alone(database, tmp_path):
    error = await _culprit_among_writers(database, tmp_path, "INSERT INTO child VALUES (99)")
    assert isinstance(error, Unprocessable)
    assert (error.reason, error.text) == ("constraint", "FOREIGN KEY constraint failed")
    assert await read(database, "SELECT count(*) FROM child") == [(0,)]


async def test_or_fail_keeps_no_part_of_its_statement(database):
    await run(database, "CREATE TABLE strict(n UNIQUE ON CONFLICT FAIL)")
    await run(database, "INSERT INTO strict VALUES (5)")
    with pytest.raises(Unprocessable):
        await run(database, "INSERT INTO strict VALUES (1), (2), (5)")
    together = await asyncio.gather(
        *(run(database, "INSERT INTO strict VALUES (?), (5)", number) for number in range(10, 20)),
        run(database, "INSERT INTO strict VALUES (6)"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Unprocessable) for one in together) == 10
    assert await read(database, "SELECT n FROM strict ORDER BY n") == [(5,), (6,)]


async def test_many_culprits_at_once_take_nobody_with_them(database):
    def one(number):
        if number % 3 == 0:
            return run(database, "INSERT OR ROLLBACK INTO t(n) VALUES ('taken')")
        if number % 3 == 1:
            return run(database, "INSERT INTO child VALUES (?)", number)
        return run(database, "INSERT INTO t(n) VALUES (?)", number)

    outcomes = await asyncio.gather(*(one(number) for number in range(60)), return_exceptions=True)
    assert [isinstance(outcome, Unprocessable) for outcome in outcomes] == [number % 3 != 2 for number in range(60)]
    assert await read(database, "SELECT count(*) FROM t") == [(21,)]


async def test_writers_share_commits(database, tmp_path):
    await asyncio.gather(*(run(database, "INSERT INTO t(n) VALUES (?)", number) for number in range(500)))
    file = on_disk(tmp_path)
    frames = file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0][1]
    file.close()
    assert 0 < frames < 500, "each commit of its own would have written two frames at least"


async def test_batches_take_effect_in_the_order_of_the_calls(database):
    results = await asyncio.gather(
        *(run(database, "INSERT INTO t(n) VALUES (?)", number) for number in range(80)),
        run(database, "INSERT OR ROLLBACK INTO t(n) VALUES ('taken')"),
        *(run(database, "INSERT INTO t(n) VALUES (?)", number) for number in range(80, 160)),
        return_exceptions=True,
    )
    ids = [one.last_insert_id for one in results if not isinstance(one, BaseException)]
    assert len(ids) == 160
    assert ids == sorted(ids)


async def test_cancelled_batch_that_has_not_begun_is_dropped(database):
    blocker = asyncio.ensure_future(run(database, ENDLESS))
    await asyncio.sleep(0.05)
    queued = [asyncio.ensure_future(run(database, "INSERT INTO t(n) VALUES (?)", number)) for number in range(10)]
    await asyncio.sleep(0)
    for task in queued[:5]:
        task.cancel()
    outcomes = await asyncio.gather(blocker, *queued, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in outcomes[1:6])
    assert await read(database, "SELECT n FROM t WHERE n <> 'taken' ORDER BY n") == [(n,) for n in range(5, 10)]


async def test_slow_writer_of_one_namespace_leaves_others_alone(database):
    slow = asyncio.ensure_future(run(database, ENDLESS))
    await asyncio.sleep(0.02)
    other = Namespace("other")
    await run(database, "CREATE TABLE t(x)", namespace=other)
    assert not slow.done()
    with pytest.raises(Unprocessable):
        await slow


async def test_readers_do_not_wait_for_the_writer(database):
    slow = asyncio.ensure_future(run(database, ENDLESS))
    await asyncio.sleep(0.02)
    assert await read(database, "SELECT n FROM t") == [("taken",)]
    assert not slow.done()
    with pytest.raises(Unprocessable):
        await slow


async def test_too_many_waiting_batches_are_told_to_come_back(tmp_path):
    limits = SqlLimits(statement_timeout_s=0.3)
    async with open_sqlite(tmp_path, limits=limits, max_waiting_per_database=8, max_waiting=12) as database:
        await run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, n)")
        outcomes = await asyncio.gather(
            *(run(database, "INSERT INTO t(n) VALUES (?)", number) for number in range(40)), return_exceptions=True
        )
        refused = [one for one in outcomes if isinstance(one, Unavailable)]
        assert len(refused) == 32
        assert {one.reason for one in refused} == {"too_busy"}
        assert await read(database, "SELECT count(*) FROM t") == [(8,)]
        await run(database, "INSERT INTO t(n) VALUES (99)")


async def test_full_disk_acknowledges_nothing_and_passes(tmp_path):
    async with open_sqlite(tmp_path, max_database_pages=20) as database:
        await run(database, "CREATE TABLE t(b)")
        await run(database, "INSERT INTO t VALUES (?)", b"small")
        big = bytes(30_000)
        outcomes = await asyncio.gather(
            *(run(database, "INSERT INTO t VALUES (?)", big) for _ in range(8)), return_exceptions=True
        )
        stored = sum(not isinstance(one, BaseException) for one in outcomes)
        assert {type(one) for one in outcomes if isinstance(one, BaseException)} == {StorageFull}
        assert 0 < stored < 8
        assert await read(database, "SELECT count(*) FROM t") == [(stored + 1,)]
        with pytest.raises(StorageFull):
            await run(database, "INSERT INTO t VALUES (?)", bytes(100_000))
        await run(database, "DELETE FROM t WHERE length(b) > 10")
        await run(database, "INSERT INTO t VALUES (?)", big)
        assert await read(database, "SELECT count(*) FROM t") == [(2,)]


async def test_rebuild_among_writers_is_whole(database):
    rebuild = [
        Statement("CREATE TABLE parent_new(id INTEGER PRIMARY KEY, name TEXT)"),
        Statement("INSERT INTO parent_new(id) SELECT id FROM parent"),
        Statement("DROP TABLE parent"),
        Statement("ALTER TABLE parent_new RENAME TO parent"),
    ]
    await asyncio.gather(
        *(run(database, "INSERT INTO parent VALUES (?)", number) for number in range(10)),
        database.execute(SHOP, rebuild),
        *(run(database, "INSERT INTO parent(id) VALUES (?)", number) for number in range(10, 20)),
    )
    assert await read(database, "SELECT count(*), count(name) FROM parent") == [(20, 0)]
    with pytest.raises(Unprocessable, match="FOREIGN KEY"):
        await run(database, "INSERT INTO child VALUES (99)")


class _FailingFile(apsw.VFSFile):
    def __init__(self, disk, name, flags):
        self._disk = disk
        super().__init__("unix", name, flags)

    def xSync(self, flags):
        if self._disk.failing:
            raise apsw.IOError
        super().xSync(flags)


class _FailingDisk(apsw.VFS):
    """The machine's files, on a disk that can be made to fail as it synchronises."""

    failing = False

    def __init__(self):
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name, flags):
        return _FailingFile(self, name, flags)


@pytest.fixture
def disk():
    made = _FailingDisk()
    yield made
    made.unregister()


async def test_outcome_is_unknown_when_the_disk_fails_at_commit(disk, tmp_path):
    async with open_sqlite(tmp_path) as database:
        await run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, n)")
        disk.failing = True
        for callers in (1, 5):
            outcomes = await asyncio.gather(
                *(run(database, "INSERT INTO t(n) VALUES (?)", number) for number in range(callers)),
                return_exceptions=True,
            )
            assert [type(one) for one in outcomes] == [Deadline] * callers
            assert {one.reason for one in outcomes} == {"outcome_unknown"}
        disk.failing = False
        await run(database, "INSERT INTO t(n) VALUES (1)")
        assert await read(database, "SELECT count(*) FROM t") == [(1,)]
