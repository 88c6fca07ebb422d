"""Two real processes that start at once on one empty data directory make one whole platform between them."""

from __future__ import annotations

import json
import subprocess
import sys

from orama.domain.namespace import PLATFORM
from orama.services.migrations import platform_migrations
from support.node import ORAMA
from support.sqlite import on_disk

ROUNDS = 25

# One line on standard input starts a round; its outcome is one line on standard output.
STARTER = """
import asyncio, json, sys, traceback
from pathlib import Path
from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.services.migrations import migrate_platform

async def start(directory):
    database = await SqliteDatabase.open(SqliteSettings(data_directory=Path(directory)), SystemClock())
    try:
        return [one.version for one in await migrate_platform(database, SystemClock())]
    finally:
        await database.close()

print("ready", flush=True)
for line in sys.stdin:
    try:
        outcome = asyncio.run(start(line.strip()))
    except BaseException:
        outcome = traceback.format_exc()
    print(json.dumps(outcome), flush=True)
"""


def test_each_migration_is_applied_by_one_of_them(tmp_path):
    starters = [
        subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    versions = [one.version for one in platform_migrations()]
    winners: set[int] = set()
    try:
        assert [one.stdout.readline() for one in starters] == ["ready\n", "ready\n"]
        for number in range(ROUNDS):
            for starter in starters:
                starter.stdin.write(f"{tmp_path / str(number)}\n")
                starter.stdin.flush()
            applied = [json.loads(one.stdout.readline()) for one in starters]
            assert all(isinstance(one, list) for one in applied), applied
            assert sorted(applied[0] + applied[1]) == versions
            winners |= {winner for winner, versions_of_it in enumerate(applied) if versions_of_it}
            file = on_disk(tmp_path / str(number), PLATFORM)
            assert file.execute("SELECT version FROM schema_migrations ORDER BY version").fetchall() == [
                (version,) for version in versions
            ]
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            file.close()
    finally:
        for starter in starters:
            starter.stdin.close()
            starter.wait(timeout=30)
            starter.stdout.close()
    assert winners == {0, 1}, "each was the first now and then"


def test_commands_that_meet_on_a_new_data_directory_all_succeed(tmp_path):
    """The operator's command needs no lock, so it may run beside another, and beside the first start of the node."""
    commands = [
        subprocess.Popen(
            [
                ORAMA,
                "admin",
                "keys",
                "create",
                "--namespace",
                "shop",
                "--name",
                f"till{number}",
                "--data-dir",
                tmp_path,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    outcomes = [(*command.communicate(timeout=60), command.returncode) for command in commands]
    assert [(error, code) for _, error, code in outcomes] == [("", 0)] * 4
    assert len({key for key, _, _ in outcomes}) == 4
    listed = subprocess.run(
        [ORAMA, "admin", "keys", "list", "--namespace", "shop", "--json", "--data-dir", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert {one["name"] for one in json.loads(listed.stdout)} == {f"till{number}" for number in range(4)}
