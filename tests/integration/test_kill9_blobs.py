"""A node killed at any moment has no half block, and no row about content that is not there."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time

import pytest

from orama.domain.content.cid import parse_cid
from orama.domain.content.multibase import decode_multibase
from orama.domain.namespace import PLATFORM
from orama.testing.conformance.blobs import roots, whole
from support.blobs import block_files, open_blobs
from support.sqlite import on_disk

KILLS = 50

# Uploads that share chunks with each other and with what the collector removes meanwhile.
WRITER = """
import asyncio, random, sys
from pathlib import Path
from orama.backends.blobs.local.blobs import LocalBlobs
from orama.backends.blobs.local.settings import LocalBlobsSettings
from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.pins.local import LocalPins
from orama.domain.content.cid import parse_cid
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.services.migrations import migrate_platform

async def main():
    place, seed = Path(sys.argv[1]), int(sys.argv[2])
    database = await SqliteDatabase.open(SqliteSettings(data_directory=place), SystemClock())
    await migrate_platform(database, SystemClock())
    pins = LocalPins(database, SystemClock(), peer="test")
    blobs = await LocalBlobs.open(LocalBlobsSettings(data_directory=place / "blobs"))
    dice = random.Random(seed)

    async def content(number):
        yield bytes([number % 3]) * 2_000_000
        yield f"{seed} {number}".encode()

    async def upload(caller):
        for number in range(caller, 10**9, 4):
            async with blobs.hold() as hold:
                stored = await blobs.add(hold, content(number), max_bytes=10**9)
                await pins.pin(stored.cid, name=str(number))
            if dice.random() < 0.5:
                await pins.unpin(stored.cid)
            else:
                print(stored.cid.text, flush=True)

    async def pinned():
        rows = (await database.query(PLATFORM, Statement("SELECT cid FROM pins"))).rows
        for (cid,) in rows:
            yield parse_cid(cid)

    async def collect():
        while True:
            await blobs.collect(pinned())
            await asyncio.sleep(0.01)

    print("ready", flush=True)
    await asyncio.gather(collect(), *map(upload, range(4)))

asyncio.run(main())
"""


@pytest.mark.timeout(300)
async def test_no_acknowledged_content_is_lost_when_the_process_is_killed(tmp_path):
    random_moments = random.Random(20261125)
    acknowledged = set()
    for kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(kill)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(random_moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL, "it failed by itself"
        process.stdout.close()
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        for file in block_files(tmp_path / "blobs"):
            digest = hashlib.sha256(file.read_bytes()).digest()
            assert decode_multibase(f"b{file.name}") == b"\x12\x20" + digest, "half a block"
    database = on_disk(tmp_path, PLATFORM)
    rows = {cid for (cid,) in database.execute("SELECT cid FROM pins")}
    database.close()
    assert acknowledged <= rows
    assert len(acknowledged) > KILLS
    async with open_blobs(tmp_path / "blobs") as blobs:
        assert not list((tmp_path / "blobs" / "staging").iterdir())
        wanted = [parse_cid(cid) for cid in rows]
        await blobs.collect(roots(*wanted))
        for cid in wanted:
            assert len(await whole(blobs.read(cid))) > 2_000_000
        await blobs.collect(roots())
        assert not block_files(tmp_path / "blobs")
