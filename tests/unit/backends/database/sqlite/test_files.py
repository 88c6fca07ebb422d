"""Files: one per namespace, private, few open at a time; damage is told, not spread."""

from __future__ import annotations

import asyncio
import itertools
import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.backends.database.sqlite.connection import Access, open_connection
from orama.backends.database.sqlite.files import create_file, database_path
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.namespace import PLATFORM, Namespace, parse_namespace
from orama.domain.sql import SqlLimits
from orama.errors import BadBackend, StorageFull, Unavailable, Unprocessable
from support.sqlite import SHOP, open_sqlite, read, run

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@given(_names, _names)
def test_names_never_share_a_file_even_if_case_is_ignored(one, other):
    paths = [str(database_path(Path("/data"), parse_namespace(name))) for name in (one, other)]
    assert (paths[0].lower() == paths[1].lower()) == (one == other)
    assert str(database_path(Path("/data"), PLATFORM)).lower() not in (path.lower() for path in paths)


async def test_files_are_private(tmp_path):
    async with open_sqlite(tmp_path / "data") as database:
        await run(database, "CREATE TABLE t(x)")
        await database.ping()
        await read(database, "SELECT * FROM t")
        found = [one for one in (tmp_path / "data").rglob("*") if one.is_file()]
        assert {one.name for one in found} >= {"shop.db", "shop.db-wal", "shop.db-shm", "system.db"}
        assert {stat.S_IMODE(one.stat().st_mode) for one in found} == {0o600}


def test_processes_that_open_a_new_file_at_once_do_not_find_it_half_made(tmp_path):
    """SQLite does not wait for another that switches a file to WAL mode: it says "database is locked" at once."""
    settings, failures = SqliteSettings(data_directory=tmp_path), []

    def open_new(path, barrier) -> None:
        barrier.wait()
        try:
            create_file(path)
            open_connection(path, Access.WRITE, settings, busy_timeout_s=5).close()
        except Exception as error:
            failures.append(error)

    for number in range(100):
        barrier = threading.Barrier(6)
        threads = [
            threading.Thread(target=open_new, args=(tmp_path / f"{number}.db", barrier)) for _ in range(barrier.parties)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert {file.suffix for file in tmp_path.iterdir()} == {".db"}, "nothing else is left"


async def test_1000_namespaces_keep_descriptors_threads_and_memory_flat(tmp_path):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    def memory_kib():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    async with open_sqlite(tmp_path, max_open_databases=16) as database:

        async def use(number):
            namespace = Namespace(f"tenant-{number}")
            await run(database, "CREATE TABLE IF NOT EXISTS t(x)", namespace=namespace)
            assert await read(database, "SELECT count(*) FROM t", namespace=namespace) == [(0,)]

        async def use_all(numbers):
            for some in _batched(numbers, 8):
                await asyncio.gather(*map(use, some))

        await use_all(range(200))
        before = descriptors(), threading.active_count(), memory_kib()
        await use_all(range(200, 1000))
        await use_all(range(50))
        assert descriptors() <= before[0] + 8
        assert threading.active_count() <= before[1] + 2
        assert memory_kib() < before[2] + 20 * 1024
        assert descriptors() < 16 * 10 + 60
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("orama-sqlite")]


def _batched(numbers, size):
    iterator = iter(numbers)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


async def test_database_in_use_is_not_closed_and_others_wait_for_room(tmp_path):
    limits = SqlLimits(statement_timeout_s=0.4)
    async with open_sqlite(tmp_path, max_open_databases=1, limits=limits, open_timeout_s=5.0) as database:
        busy = asyncio.ensure_future(read(database, ENDLESS))
        await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(read(database, "SELECT 1", namespace=Namespace("other")))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        with pytest.raises(Unprocessable):
            await busy
        assert await waiting == [(1,)]


async def test_no_room_within_the_time_is_unavailable(tmp_path):
    limits = SqlLimits(statement_timeout_s=0.5)
    async with open_sqlite(tmp_path, max_open_databases=1, limits=limits, open_timeout_s=0.05) as database:
        busy = asyncio.ensure_future(read(database, ENDLESS))
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable) as refusal:
            await read(database, "SELECT 1", namespace=Namespace("other"))
        assert refusal.value.reason == "too_busy"
        with pytest.raises(Unprocessable):
            await busy
        assert await read(database, "SELECT 1", namespace=Namespace("other")) == [(1,)]


async def test_caller_that_leaves_while_a_file_opens_leaves_it_usable(tmp_path):
    async with open_sqlite(tmp_path, max_open_databases=2) as database:
        for number in range(20):
            task = asyncio.ensure_future(read(database, "SELECT 1", namespace=Namespace(f"n{number % 5}")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        for number in range(5):
            assert await read(database, "SELECT 2", namespace=Namespace(f"n{number}")) == [(2,)]


@pytest.mark.parametrize("content", [b"this is no database file at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_damaged_file_is_told_and_others_go_on(tmp_path, content):
    (tmp_path / "namespaces").mkdir()
    database_path(tmp_path, SHOP).write_bytes(content)
    async with open_sqlite(tmp_path) as database:
        for _ in range(2):
            with pytest.raises(BadBackend) as refusal:
                await run(database, "CREATE TABLE t(x)")
            assert refusal.value.reason == "database_damaged"
            with pytest.raises(BadBackend):
                await read(database, "SELECT 1")
        await run(database, "CREATE TABLE t(x)", namespace=Namespace("other"))
    assert database_path(tmp_path, SHOP).read_bytes() == content


async def test_damaged_page_fails_what_reads_it(tmp_path):
    async with open_sqlite(tmp_path) as database:
        await run(database, "CREATE TABLE t(x)")
        for _ in range(20):
            await run(database, "INSERT INTO t VALUES (?)", "x" * 3000)
    path = database_path(tmp_path, SHOP)
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 12 * 4096] = b"\xff" * (9 * 4096)
    path.write_bytes(content)
    async with open_sqlite(tmp_path) as database:
        with pytest.raises(BadBackend):
            await read(database, "SELECT x FROM t")
        assert await read(database, "SELECT 1") == [(1,)]


async def test_caller_that_leaves_makes_room_for_those_who_wait(tmp_path):
    async with open_sqlite(tmp_path, max_open_databases=1, open_timeout_s=5.0) as database:
        for number in range(10):
            leaving = asyncio.ensure_future(read(database, "SELECT 1", namespace=Namespace(f"left-{number}")))
            waiting = asyncio.ensure_future(read(database, "SELECT 2", namespace=Namespace(f"waits-{number}")))
            for _ in range(number):
                await asyncio.sleep(0)
            leaving.cancel()
            assert await waiting == [(2,)]
            await asyncio.gather(leaving, return_exceptions=True)


async def test_close_lets_callers_finish_who_still_wait_for_room(tmp_path):
    async with open_sqlite(tmp_path, max_open_databases=1, open_timeout_s=5.0) as database:
        reads = [
            asyncio.ensure_future(read(database, "SELECT ?", number, namespace=Namespace(f"n{number}")))
            for number in range(6)
        ]
        await asyncio.sleep(0)
        await database.close()
        assert await asyncio.gather(*reads) == [[(number,)] for number in range(6)]


async def test_full_disk_stops_writes_only_and_passes(tmp_path):
    """On a real filesystem of 2 MiB, where the tests may mount one."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        async with open_sqlite(tmp_path) as database:
            await run(database, "CREATE TABLE t(b)")
            outcomes = [
                (
                    await asyncio.gather(
                        run(database, "INSERT INTO t VALUES (?)", bytes(50_000)), return_exceptions=True
                    )
                )[0]
                for _ in range(60)
            ]
            refused = [one for one in outcomes if isinstance(one, BaseException)]
            acknowledged = len(outcomes) - len(refused)
            assert {type(one) for one in refused} == {StorageFull}
            assert acknowledged > 5
            assert await read(database, "SELECT count(*) FROM t") == [(acknowledged,)]
            (tmp_path / "filler").write_bytes(bytes(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_bsize))
            with pytest.raises(StorageFull):
                await run(database, "CREATE TABLE t(x)", namespace=Namespace("other"))
            (tmp_path / "filler").unlink()
            subprocess.run(["mount", "-o", "remount,size=16m", tmp_path], check=True)
            await run(database, "INSERT INTO t VALUES (?)", bytes(50_000))
            await run(database, "CREATE TABLE t(x)", namespace=Namespace("other"))
            assert await read(database, "SELECT count(*) FROM t") == [(acknowledged + 1,)]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


async def test_directory_that_cannot_be_made_stops_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        async with open_sqlite(tmp_path / "file" / "data"):
            pass


async def test_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "namespaces").mkdir()
    (tmp_path / "elsewhere.db").write_bytes(b"")
    database_path(tmp_path, SHOP).symlink_to(tmp_path / "elsewhere.db")
    async with open_sqlite(tmp_path) as database:
        with pytest.raises(Unavailable):
            await run(database, "CREATE TABLE t(x)")
    assert (tmp_path / "elsewhere.db").read_bytes() == b""
