"""A writer killed at any moment loses nothing that it acknowledged, and the next start needs no repair."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from support.sqlite import on_disk, open_sqlite, read, run

KILLS = 50

WRITER = """
import asyncio, sys
from pathlib import Path
from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.namespace import Namespace
from orama.domain.sql import Statement

async def main():
    database = await SqliteDatabase.open(SqliteSettings(data_directory=Path(sys.argv[1])), SystemClock())
    shop, first = Namespace("shop"), int(sys.argv[2])
    await database.execute(shop, [Statement("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, half INT, pad TEXT)")])

    async def write(caller):
        for number in range(first + caller, first + 10**9, 16):
            pair = [Statement("INSERT INTO t VALUES (?, ?, ?)", (2 * number + half, half, "x" * 200)) for half in (0, 1)]
            await database.execute(shop, pair)
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()

    await asyncio.gather(*map(write, range(16)))

asyncio.run(main())
"""


@pytest.mark.timeout(120)
async def test_no_acknowledged_row_is_lost_when_the_process_is_killed(tmp_path):
    random_moments = random.Random(20261123)
    acknowledged = set()
    for kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(kill * 10**9)], stdout=subprocess.PIPE, text=True
        )
        first = process.stdout.readline()
        time.sleep(random_moments.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        lines = [first, *process.stdout.readlines()]
        assert process.wait() == -signal.SIGKILL, "it failed by itself"
        acknowledged |= {int(line) for line in lines if line.endswith("\n")}
        process.stdout.close()
        file = on_disk(tmp_path)
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = {row for (row,) in file.execute("SELECT id FROM t")}
        file.close()
        assert all(2 * number in stored for number in acknowledged)
        assert all(row ^ 1 in stored for row in stored), "half a batch"
    assert len(acknowledged) > KILLS * 10
    async with open_sqlite(tmp_path) as database:
        assert await read(database, "SELECT count(*) > 0 FROM t") == [(1,)]
        await run(database, "INSERT INTO t VALUES (-1, 0, '')")
