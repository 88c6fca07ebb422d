"""Migrations: applied once, whole, in order, and never quietly changed."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.migration import Migration
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.errors import Conflict, Unprocessable
from orama.orm.migration import load_migrations
from orama.services.migrations import migrate_platform, platform_migrations
from orama.testing.clock import ManualClock

FIRST = Migration(1, "first", "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n")
SECOND = Migration(2, "second", "-- more\nINSERT INTO a VALUES (2);")


@pytest.fixture
async def database(tmp_path):
    opened = await SqliteDatabase.open(SqliteSettings(data_directory=tmp_path / "data"), SystemClock())
    yield opened
    await opened.close()


async def rows(database, sql):
    return (await database.query(PLATFORM, Statement(sql))).rows


async def migrate(database, *migrations):
    return await migrate_platform(database, ManualClock(), migrations)


async def test_applies_what_is_new_and_only_that(database):
    assert await migrate(database, FIRST) == [FIRST]
    assert await migrate(database, FIRST) == []
    assert await migrate(database, FIRST, SECOND) == [SECOND]
    assert await rows(database, "SELECT x FROM a") == [(1,), (2,)]
    assert await rows(database, "SELECT version, name, applied_at FROM schema_migrations ORDER BY version") == [
        (1, "first", 1_800_000_000_000),
        (2, "second", 1_800_000_000_000),
    ]


async def test_processes_that_start_at_once_apply_each_migration_once(database):
    applied = await asyncio.gather(*(migrate(database, FIRST, SECOND) for _ in range(20)))
    assert sorted(one.version for process in applied for one in process) == [1, 2]
    assert await rows(database, "SELECT x FROM a") == [(1,), (2,)]


async def test_a_migration_that_fails_leaves_nothing_behind(database):
    broken = Migration(2, "broken", "INSERT INTO a VALUES (9); CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Unprocessable):
        await migrate(database, FIRST, broken)
    assert await rows(database, "SELECT x FROM a") == [(1,)]
    assert await rows(database, "SELECT version FROM schema_migrations") == [(1,)]
    assert await migrate(database, FIRST, SECOND) == [SECOND]


async def test_a_migration_changed_after_the_fact_is_an_error_that_says_so(database):
    await migrate(database, FIRST)
    changed = Migration(1, "first", FIRST.sql + "-- harmless?")
    with pytest.raises(Conflict, match=r"0001_first\.sql was changed after it was applied") as failure:
        await migrate(database, changed, SECOND)
    assert failure.value.reason == "migration_changed"
    assert await rows(database, "SELECT x FROM a") == [(1,)]


async def test_a_database_of_a_newer_program_is_left_alone(database):
    await migrate(database, FIRST, SECOND)
    with pytest.raises(Conflict, match="migration 2") as failure:
        await migrate(database, FIRST)
    assert failure.value.reason == "schema_too_new"


async def test_the_platforms_schema_is_what_its_files_say(database):
    applied = await migrate_platform(database, ManualClock())
    assert applied == platform_migrations() != []
    assert await migrate_platform(database, ManualClock()) == []
    plain = sqlite3.connect(":memory:")
    for migration in platform_migrations():
        plain.executescript(migration.sql)
    expected = plain.execute("SELECT name FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").fetchall()
    plain.close()
    actual = await rows(
        database,
        "SELECT name FROM sqlite_schema WHERE sql NOT NULL AND tbl_name <> 'schema_migrations' ORDER BY name",
    )
    assert actual == expected


async def test_platform_of_before_roles_keeps_its_members_and_keys(database):
    first, *others = platform_migrations()
    await migrate(database, first)
    before = [
        "INSERT INTO namespaces VALUES ('shop', 'claimed', '0x1', 1), ('made', 'operator', NULL, 2)",
        "INSERT INTO members VALUES ('shop', '0x1', 'owner', 3), ('shop', '0x2', 'member', 4), ('made', '0x2', 'owner', 5)",
        "INSERT INTO families VALUES ('f', '0x1', 'shop', 6, 7, NULL)",
        "INSERT INTO api_keys VALUES ('k', x'00', 'shop', '0x1', 'f', 'sign-in', '*', 8, NULL, NULL)",
        "INSERT INTO apps VALUES ('a', 'shop', 'app', '0x1', 9)",
    ]
    await database.execute(PLATFORM, [Statement(sql) for sql in before])
    applied = await migrate_platform(database, ManualClock())
    assert [one.version for one in applied] == [one.version for one in others]
    assert await rows(database, "SELECT * FROM members ORDER BY created_at") == [
        ("shop", "0x1", "owner", 3),
        ("shop", "0x2", "member", 4),
        ("made", "0x2", "owner", 5),
    ]
    assert await rows(database, "SELECT id, scopes, created_by, replaced_by, last_used_at FROM api_keys") == [
        ("k", "*", None, None, None)
    ]
    assert await rows(database, "SELECT count(*) FROM apps") == [(1,)]
    await database.execute(PLATFORM, [Statement("INSERT INTO members VALUES ('shop', '0x3', 'reader', 10)")])
    for refused in ("('shop', '0x4', 'king', 11)", "('nowhere', '0x4', 'reader', 11)"):
        with pytest.raises(Unprocessable) as failure:
            await database.execute(PLATFORM, [Statement(f"INSERT INTO members VALUES {refused}")])
        assert failure.value.reason == "constraint"


def test_files_are_told_by_their_names(tmp_path):
    (tmp_path / "0002_b.sql").write_text("SELECT 2")
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "__init__.py").write_text("")
    assert load_migrations(tmp_path) == [Migration(1, "a", "SELECT 1"), Migration(2, "b", "SELECT 2")]


@pytest.mark.parametrize("name", ["1_a.sql", "0003-a.sql", "0003_A.sql", "a.sql", "0001_other.sql"])
def test_a_file_of_another_name_is_an_error(tmp_path, name):
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(ValueError, match=name):
        load_migrations(tmp_path)
