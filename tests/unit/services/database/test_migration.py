"""Migrations of a tenant: whole or not at all, once, in order, judged like everything a tenant says."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orama.backends.clock import SystemClock
from orama.domain.migration import DriftKind, checksum_of
from orama.domain.namespace import Namespace
from orama.domain.sql import SqlLimits, Statement
from orama.errors import Conflict, InvalidArgument, OramaError, PermissionDenied, TooLarge, Unprocessable
from orama.services.database import migration
from orama.services.database.migration import MigrationService
from orama.services.database.migration_file import MigrationFile
from orama.testing.clock import ManualClock
from support.sqlite import SHOP, open_sqlite, read, run

LIMITS = SqlLimits(max_migrations=5, max_migration_bytes=2_000, max_statements=10, max_sql_bytes=1_000)
FIRST = MigrationFile(
    1, "users", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO users VALUES (1, 'ann');"
)
SECOND = MigrationFile(
    2, "age", "-- how old they are\nALTER TABLE users ADD COLUMN age INTEGER;\nUPDATE users SET age = 30;"
)


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path, limits=LIMITS) as opened:
        yield opened


@pytest.fixture
def service(database):
    return MigrationService(database, LIMITS, ManualClock())


def known(file):
    """The file as one sends it whose text is not wanted any more."""
    return MigrationFile(file.version, file.name, checksum=checksum_of(file.sql))


def versions(found):
    return [one.version for one in found]


async def test_plan_changes_nothing_and_apply_does_what_it_said(service, database):
    plan = await service.plan(SHOP, [SECOND, FIRST])
    assert (plan.applied, versions(plan.pending), plan.drift) == ([], [1, 2], ())
    assert await database.schema(SHOP) == []
    progress = await service.apply(SHOP, [SECOND, FIRST])
    assert (versions(progress.applied), progress.pending) == ([1, 2], ())
    assert await read(database, "SELECT * FROM users") == [(1, "ann", 30)]
    plan = await service.plan(SHOP, [FIRST, SECOND])
    assert (plan.applied, plan.pending, plan.drift) == (progress.applied, (), ())
    assert await service.history(SHOP) == progress.applied
    assert [(one.file, one.checksum, one.applied_at) for one in progress.applied] == [
        (f"{file.version:04}_{file.name}.sql", checksum_of(file.sql), 1_800_000_000_000) for file in (FIRST, SECOND)
    ]
    again = await service.apply(SHOP, [FIRST, SECOND])
    assert (again.applied, again.pending) == ([], ())


async def test_text_is_wanted_of_what_waits_only(service):
    await service.apply(SHOP, [FIRST])
    assert versions((await service.plan(SHOP, [known(FIRST), known(SECOND)])).pending) == [2]
    progress = await service.apply(SHOP, [known(FIRST), known(SECOND)])
    assert (progress.applied, versions(progress.pending)) == ([], [2]), "it cannot be applied without its text"
    third = MigrationFile(3, "more", "INSERT INTO users VALUES (2, 'bob', 1)")
    progress = await service.apply(SHOP, [known(FIRST), known(SECOND), third])
    assert (progress.applied, versions(progress.pending)) == ([], [2, 3]), "nor what comes after it"
    progress = await service.apply(SHOP, [known(FIRST), SECOND, known(third)])
    assert (versions(progress.applied), versions(progress.pending)) == ([2], [3])


async def test_failing_file_leaves_nothing_of_itself_and_says_where(service, database):
    broken = MigrationFile(
        3, "broken", "UPDATE users SET name = 'x';\nCREATE TABLE b (x);\n\nINSERT INTO nowhere\nVALUES (1);"
    )
    later = MigrationFile(4, "later", "CREATE TABLE later (x)")
    with pytest.raises(
        Unprocessable, match=r"^0003_broken\.sql line 4: .*no such table: nowhere; nothing of this file was applied$"
    ) as failure:
        await service.apply(SHOP, [FIRST, SECOND, broken, later])
    assert failure.value.reason == "sql_error"
    assert failure.value.details == {"file": "0003_broken.sql", "line": 4, "statement": 3, "applied": [1, 2]}
    assert await read(database, "SELECT name FROM users") == [("ann",)]
    assert [one.name for one in await database.schema(SHOP)] == ["users"]
    assert versions(await service.history(SHOP)) == [1, 2]
    repaired = MigrationFile(3, "broken", "CREATE TABLE b (x)")
    assert versions((await service.apply(SHOP, [FIRST, SECOND, repaired, later])).applied) == [3, 4]


async def test_deferred_key_that_is_broken_fails_the_file_as_a_whole(service):
    file = MigrationFile(
        1,
        "keys",
        "CREATE TABLE p (k INTEGER PRIMARY KEY);"
        "CREATE TABLE c (k REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (7);",
    )
    with pytest.raises(Unprocessable, match=r"^0001_keys\.sql: FOREIGN KEY") as failure:
        await service.apply(SHOP, [file])
    assert failure.value.details == {"file": "0001_keys.sql", "applied": []}
    assert await service.history(SHOP) == []


async def test_table_is_rebuilt_in_one_file_with_rows_that_point_to_it(service, database):
    made = MigrationFile(
        1,
        "made",
        "CREATE TABLE p (k INTEGER PRIMARY KEY, n TEXT); INSERT INTO p VALUES (1, '5'), (2, '6');"
        "CREATE TABLE c (k INTEGER REFERENCES p ON DELETE CASCADE); INSERT INTO c VALUES (1), (2);",
    )
    rebuilt = MigrationFile(
        2,
        "rebuilt",
        "-- n becomes a number\nCREATE TABLE new_p (k INTEGER PRIMARY KEY, n INTEGER NOT NULL);\n"
        "INSERT INTO new_p SELECT k, n FROM p;\n/* now */ DROP TABLE p;\nALTER TABLE new_p RENAME TO p;",
    )
    assert versions((await service.apply(SHOP, [made, rebuilt])).applied) == [1, 2]
    assert await read(database, "SELECT n, typeof(n) FROM p") == [(5, "integer"), (6, "integer")]
    assert await read(database, "SELECT k FROM c") == [(1,), (2,)], "no row that points to it is deleted on the way"
    with pytest.raises(Unprocessable, match="FOREIGN KEY"):
        await run(database, "INSERT INTO c VALUES (9)")
    breaking = MigrationFile(3, "breaking", rebuilt.sql.replace("FROM p", "FROM p WHERE k = 1"))
    with pytest.raises(Unprocessable, match=r"^0003_breaking\.sql: FOREIGN KEY"):
        await service.apply(SHOP, [made, rebuilt, breaking])
    assert await read(database, "SELECT k FROM p") == [(1,), (2,)]
    assert versions(await service.history(SHOP)) == [1, 2]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE _orama_migrations",
        "DELETE FROM _orama_migrations",
        "INSERT INTO _orama_migrations VALUES (9, 'forged', '', 0)",
        "CREATE TABLE copied AS SELECT * FROM _orama_migrations",
        "ALTER TABLE _ORAMA_migrations RENAME TO mine",
        "PRAGMA foreign_keys = OFF",
        "ATTACH 'other.db' AS other",
        "COMMIT",
        "BEGIN",
        "VACUUM",
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET name = 'x'; END",
        "SELECT load_extension('x')",
    ],
)
async def test_statement_that_tenants_may_not_use_is_refused_here_too(service, database, sql):
    forbidden = MigrationFile(2, "forbidden", f"INSERT INTO users VALUES (2, 'bob');\n{sql};\nSELECT 1;")
    with pytest.raises(PermissionDenied, match=r"^0002_forbidden\.sql line 2: statement not allowed") as failure:
        await service.apply(SHOP, [FIRST, forbidden])
    assert failure.value.reason == "statement_not_allowed"
    assert await read(database, "SELECT name FROM users") == [("ann",)]
    assert versions(await service.history(SHOP)) == [1]


async def test_history_is_hidden_from_the_tenant(service, database):
    await service.apply(SHOP, [FIRST])
    assert [one.name for one in await database.schema(SHOP)] == ["users"]
    for sql in ("SELECT * FROM _orama_migrations", "DELETE FROM _orama_migrations", "DROP TABLE _orama_migrations"):
        with pytest.raises(PermissionDenied):
            await run(database, sql)


async def test_each_namespace_has_a_history_of_its_own(service):
    other = Namespace("other")
    await service.apply(SHOP, [FIRST])
    assert await service.history(other) == []
    assert versions((await service.apply(other, [FIRST, SECOND])).applied) == [1, 2]
    assert versions(await service.history(SHOP)) == [1]


@pytest.mark.parametrize(
    ("files", "kind", "file", "text"),
    [
        (
            [MigrationFile(1, "users", f"{FIRST.sql} "), SECOND],
            DriftKind.CHANGED,
            "0001_users.sql",
            "was changed after",
        ),
        ([SECOND], DriftKind.MISSING, "0001_users.sql", "there is no such file"),
        ([MigrationFile(0, "before", "SELECT 1"), FIRST, SECOND], DriftKind.OUT_OF_ORDER, "0000_before.sql", "number"),
    ],
)
async def test_drift_is_planned_and_refused(service, database, files, kind, file, text):
    await service.apply(SHOP, [FIRST, SECOND])
    later = MigrationFile(3, "later", "CREATE TABLE later (x)")
    plan = await service.plan(SHOP, [*files, later])
    assert [(one.kind, one.migration.file) for one in plan.drift] == [(kind, file)]
    with pytest.raises(Conflict, match=text) as refusal:
        await service.apply(SHOP, [*files, later])
    assert refusal.value.reason == "migration_drift"
    assert refusal.value.details == {
        "drift": [{"kind": kind.value, "version": plan.drift[0].migration.version, "file": file}],
        "applied": [],
    }
    assert [one.name for one in await database.schema(SHOP)] == ["users"], "what waits is not applied either"


async def test_much_drift_is_told_shortly(tmp_path):
    async with open_sqlite(tmp_path) as database:
        service = MigrationService(database, SqlLimits(), SystemClock())
        await service.apply(SHOP, [MigrationFile(number, "n", "SELECT 1") for number in range(10)])
        with pytest.raises(Conflict, match=r"0000_n.sql .*0001_n.sql .*0002_n.sql .*; and 7 more$") as refusal:
            await service.apply(SHOP, [])
        assert len(refusal.value.details["drift"]) == 10


@pytest.mark.parametrize(
    ("files", "error", "reason", "text"),
    [
        ([MigrationFile(n, "n", "SELECT 1") for n in range(1, 6)], TooLarge, "sql_limit", "6 files: the limit is 5"),
        (
            [MigrationFile(1, "n", "SELECT 1 -- " + "é" * 1_000)],
            TooLarge,
            "sql_limit",
            "2012 bytes of 0001_n.sql: the limit is 2000",
        ),
        (
            [MigrationFile(1, "n", "SELECT 1;" * 11)],
            TooLarge,
            "sql_limit",
            "11 statements of 0001_n.sql: the limit is 10",
        ),
        (
            [MigrationFile(1, "n", f"SELECT 1;\nSELECT '{'é' * 500}'")],
            TooLarge,
            "sql_limit",
            "1009 bytes of SQL in 0001_n.sql line 2: the limit is 1000",
        ),
        (
            [FIRST, MigrationFile(1, "twice", "SELECT 1")],
            InvalidArgument,
            "migration_version",
            "0001_twice.sql and 0001_users",
        ),
        ([MigrationFile(-1, "n", "SELECT 1")], InvalidArgument, "migration_version", "from 0 to 9999"),
        ([MigrationFile(10_000, "n", "SELECT 1")], InvalidArgument, "migration_version", "from 0 to 9999"),
        ([MigrationFile(1, "N", "SELECT 1")], InvalidArgument, "migration_name", "version 1: a name is"),
        ([MigrationFile(1, "", "SELECT 1")], InvalidArgument, "migration_name", "version 1: a name is"),
        ([MigrationFile(1, "../../etc", "SELECT 1")], InvalidArgument, "migration_name", "version 1: a name is"),
        ([MigrationFile(1, "n" * 101, "SELECT 1")], InvalidArgument, "migration_name", "version 1: a name is"),
        ([MigrationFile(1, "n")], InvalidArgument, "missing_field", "send its 'sql', or its 'checksum'"),
        ([MigrationFile(1, "n", checksum="A" * 64)], InvalidArgument, "migration_checksum", "64 small hex digits"),
        ([MigrationFile(1, "n", "SELECT 1", "0" * 64)], InvalidArgument, "migration_checksum", "is not that of 'sql'"),
        ([MigrationFile(1, "n", "SELECT '\ud800'")], InvalidArgument, "migration_syntax", "lone surrogates"),
        (
            [MigrationFile(1, "n", "SELECT 1;\n'a")],
            InvalidArgument,
            "migration_syntax",
            "0001_n.sql line 2: ' does not",
        ),
        ([MigrationFile(1, "n", " -- nothing\n;")], InvalidArgument, "migration_empty", "holds no statement"),
    ],
)
async def test_set_that_does_not_hold_together_is_refused_before_anything_is_applied(
    service, database, files, error, reason, text
):
    good = MigrationFile(0, "good", "CREATE TABLE good (x)")
    for method in (service.plan, service.apply):
        with pytest.raises(error, match=text) as refusal:
            await method(SHOP, [good, *files])
        assert refusal.value.reason == reason
    assert await database.schema(SHOP) == []


async def test_what_was_applied_is_not_checked_again(service, database):
    """Limits may be lowered; what was applied under higher ones stays known by its checksum."""
    await service.apply(SHOP, [FIRST])
    lower = MigrationService(database, SqlLimits(max_statements=1), ManualClock())
    assert versions((await lower.apply(SHOP, [FIRST, MigrationFile(2, "n", "SELECT 1")])).applied) == [2]


async def test_call_ends_in_time_and_the_next_goes_on(database, monkeypatch):
    clock = ManualClock()
    service = MigrationService(database, LIMITS, clock)
    files = [MigrationFile(number, "n", f"CREATE TABLE t{number} (x)") for number in range(4)]
    execute = database.execute

    async def slowly(namespace, batch):
        clock.advance(6)
        return await execute(namespace, batch)

    monkeypatch.setattr(database, "execute", slowly)
    progress = await service.apply(SHOP, files)
    assert (versions(progress.applied), versions(progress.pending)) == ([0, 1], [2, 3])
    clock.advance(100)
    progress = await service.apply(SHOP, files)
    assert (versions(progress.applied), progress.pending) == ([2, 3], ())


async def test_statement_that_runs_too_long_ends_its_file_alone(tmp_path):
    limits = SqlLimits(statement_timeout_s=0.3)
    async with open_sqlite(tmp_path, limits=limits) as database:
        service = MigrationService(database, limits, SystemClock())
        endless = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        with pytest.raises(Unprocessable, match=r"^0002_endless.sql line 1: .* longer than 0.3 s") as failure:
            await service.apply(SHOP, [FIRST, MigrationFile(2, "endless", endless)])
        assert failure.value.reason == "statement_timeout"
        assert versions(await service.history(SHOP)) == [1]


async def test_long_files_leave_the_event_loop_alone(tmp_path):
    limits = SqlLimits(max_migration_bytes=2 * 1024 * 1024, max_statements=100)
    async with open_sqlite(tmp_path, limits=limits) as database:
        service = MigrationService(database, limits, SystemClock())
        file = MigrationFile(1, "long", "SELECT 1;\n" + "-- a line that is no statement\n" * 50_000)
        gaps, stop = [], asyncio.Event()

        async def tick():
            while not stop.is_set():
                began = time.monotonic()
                await asyncio.sleep(0)
                gaps.append(time.monotonic() - began)

        ticking = asyncio.create_task(tick())
        began = time.monotonic()
        await service.plan(SHOP, [file])
        took = time.monotonic() - began
        stop.set()
        await ticking
        assert max(gaps) < max(0.05, took / 2), "some of it ran on the loop"


def numbered(number):
    return MigrationFile(number, f"n{number}", f"CREATE TABLE t{number} (x); INSERT INTO effects VALUES ({number});")


@settings(max_examples=25)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=5))
def test_each_file_takes_effect_once_however_many_apply_it(tmp_path_factory, lengths):
    """Checkouts of one project, of different age. Two adapters on one directory stand for two nodes."""
    directory = tmp_path_factory.mktemp("team")

    async def apply_all():
        async with AsyncExitStack() as stack:
            nodes = [await stack.enter_async_context(open_sqlite(directory)) for _ in range(2)]
            await run(nodes[0], "CREATE TABLE effects (n)")
            services = [MigrationService(node, SqlLimits(), SystemClock()) for node in nodes]

            async def one(number, length):
                files = [numbered(version) for version in range(length)]
                try:
                    return versions((await services[number % 2].apply(SHOP, files)).applied)
                except Conflict as refusal:  # whoever has fewer files than others have applied meanwhile is told so
                    return refusal.details["applied"]

            done = await asyncio.gather(*(one(*call) for call in enumerate(lengths)))
            expected = list(range(max(lengths)))
            assert sorted(version for applied in done for version in applied) == expected
            assert [n for (n,) in await read(nodes[0], "SELECT n FROM effects ORDER BY rowid")] == expected
            assert versions(await services[1].history(SHOP)) == expected

    asyncio.run(apply_all())


@settings(max_examples=25)
@given(st.lists(st.sets(st.integers(0, 4), max_size=4), min_size=2, max_size=4))
def test_history_is_always_what_somebody_had_wanted_whole(tmp_path_factory, sets):
    """Checkouts that contradict each other: one wins, file by file, and the others are told; never a mixture."""
    directory = tmp_path_factory.mktemp("rivals")

    async def apply_all():
        async with open_sqlite(directory) as database:
            await run(database, "CREATE TABLE effects (n)")
            service = MigrationService(database, SqlLimits(), SystemClock())
            wanted = [[numbered(version) for version in sorted(one)] for one in sets]
            outcomes = await asyncio.gather(*(service.apply(SHOP, files) for files in wanted), return_exceptions=True)
            history = versions(await service.history(SHOP))
            assert [n for (n,) in await read(database, "SELECT n FROM effects ORDER BY rowid")] == history
            for files, outcome in zip(wanted, outcomes, strict=True):
                if isinstance(outcome, OramaError):
                    assert isinstance(outcome, Conflict)
                else:
                    assert versions(files) == history[: len(files)], "it succeeded on a history that was not its own"
            assert any(versions(files)[: len(history)] == history for files in wanted)

    asyncio.run(apply_all())


async def test_origin_goes_with_each_statement(database, monkeypatch):
    heard = []
    execute = database.execute

    async def listening(namespace, batch):
        heard.extend(batch)
        return await execute(namespace, batch)

    monkeypatch.setattr(database, "execute", listening)
    await MigrationService(database, LIMITS, ManualClock()).apply(SHOP, [FIRST], origin="request-1")
    assert [one.origin for one in heard if not one.privileged] == ["request-1"] * 2
    assert all(isinstance(one, Statement) for one in heard)


def test_turn_leaves_room_before_the_deadline_of_a_request():
    from orama.config.model import ServerConfig

    assert migration._TURN_S + 2 * SqlLimits().statement_timeout_s < ServerConfig().request_timeout_s
