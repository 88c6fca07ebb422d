# ruff: noqa: D103 (a test's name says what it checks)
"""What every `contracts.Database` must do.

Bind it in a test module that defines a fixture ``harness``::

    from orama.testing.conformance.database import *

    @pytest.fixture
    def harness(tmp_path):
        return MyHarness(tmp_path)

Tests skip on guarantees only, never on a class.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import pytest

from orama.contracts.database import Database, DatabaseGuarantees
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.once import Executed, Once, annotate, forget, remove_expired
from orama.domain.sql import MAX_INTEGER, MIN_INTEGER, Consistency, Result, SqlLimits, Statement, Value
from orama.errors import (
    Conflict,
    InvalidArgument,
    OramaError,
    PermissionDenied,
    Precondition,
    TooLarge,
    Unavailable,
    Unprocessable,
)
from orama.testing.conformance.database_machine import check_against_model

SHOP: Final = Namespace("shop")
BANK: Final = Namespace("bank")
ENDLESS: Final = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

Method = Callable[[Database], Awaitable[object]]
METHODS: Final[dict[str, Method]] = {
    "query": lambda database: database.query(SHOP, Statement("SELECT 1")),
    "execute": lambda database: database.execute(SHOP, [Statement("CREATE TABLE late(x)")]),
    "execute_once": lambda database: database.execute_once(SHOP, [Statement("SELECT 1")], once("late")),
    "schema": lambda database: database.schema(SHOP),
    "ping": lambda database: database.ping(),
}


class DatabaseHarness(Protocol):
    """What the suite needs to know about, and do to, the engine under test."""

    guarantees: DatabaseGuarantees
    limits: SqlLimits
    """The limits of the opened database; a `statement_timeout_s` of well under a second keeps the suite short."""

    async def open(self) -> Database:
        """The database as it was left, empty at first, in the running event loop. The suite closes it."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None] | None:
        """A time during which the engine is away; None if it cannot be, for want of anything between."""
        ...

    def fresh(self) -> DatabaseHarness:
        """A harness like this one over an empty engine."""
        ...


@pytest.fixture
async def database(harness: DatabaseHarness) -> AsyncIterator[Database]:
    opened = await harness.open()
    yield opened
    await opened.close()


@pytest.fixture
async def stock(database: Database) -> Database:
    """The database with a table ``stock``."""
    await run(database, "CREATE TABLE stock(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER DEFAULT 0)")
    return database


async def run(database: Database, sql: str, *args: Value, namespace: Namespace = SHOP) -> Result:
    """One statement as a batch of its own."""
    (result,) = await database.execute(namespace, [Statement(sql, args)])
    return result


async def read(database: Database, sql: str, *args: Value, namespace: Namespace = SHOP) -> list[tuple[Value, ...]]:
    """The rows of one query."""
    return (await database.query(namespace, Statement(sql, args))).rows


def once(key: str, request: str = "", *, now: int = 1_000, **fields: Any) -> Once:
    """A key, good for 1 second from `now`."""
    digests = [hashlib.sha256(text.encode()).digest() for text in (key, request)]
    return Once(*digests, now=now, expires_at=now + 1_000, **fields)


async def insert_once(database: Database, key: Once, name: str = "a", namespace: Namespace = SHOP) -> Executed:
    """A row that has a place for one only, and the numbers of rows before and after."""
    counting = Statement("SELECT count(*) AS rows FROM stock")
    insertion = Statement("INSERT INTO stock(name) VALUES (?)", (name,))
    return await database.execute_once(namespace, [counting, insertion, counting], key)


def _wants(condition: bool, guarantee: str) -> None:
    if not condition:
        pytest.skip(f"the engine does not promise {guarantee}")


async def test_states_the_guarantees_of_its_harness(database: Database, harness: DatabaseHarness) -> None:
    assert database.guarantees == harness.guarantees
    await database.ping()


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        -1,
        MIN_INTEGER,
        MAX_INTEGER,
        2**53 + 1,
        0.1,
        -1e300,
        "",
        "größe 🛒",
        "a\0b",
        "'; --",
        b"",
        bytes(range(256)),
    ],
)
async def test_value_comes_back_exactly(database: Database, value: Value) -> None:
    await run(database, "CREATE TABLE t(v)")
    await run(database, "INSERT INTO t VALUES (?)", value)
    ((found,),) = await read(database, "SELECT v FROM t")
    assert found == value
    assert type(found) is type(value)


async def test_answer_names_its_columns_and_their_declared_types(stock: Database) -> None:
    for _ in range(2):
        rows = await stock.query(SHOP, Statement("SELECT id AS number, Name, n + 1 FROM stock"))
        assert rows.columns == ("number", "name", "n + 1")
        assert rows.declared == ("INTEGER", "TEXT", None)
        assert rows.rows == []


async def test_answer_follows_a_changed_table(stock: Database) -> None:
    everything = Statement("SELECT * FROM stock")
    for _ in range(3):
        assert (await stock.query(SHOP, everything)).columns == ("id", "name", "n")
    await run(stock, "ALTER TABLE stock ADD COLUMN colour TEXT")
    assert (await stock.query(SHOP, everything)).columns == ("id", "name", "n", "colour")
    await run(stock, "ALTER TABLE stock RENAME COLUMN n TO amount")
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    rows = await stock.query(SHOP, everything)
    assert (rows.columns, rows.rows) == (("id", "name", "amount", "colour"), [(1, "a", 0, None)])


async def test_result_tells_of_its_own_statement_only(stock: Database) -> None:
    statements = [
        ("INSERT INTO stock(name) VALUES ('a'), ('b'), ('c')", 3, 3),
        ("UPDATE stock SET n = 1 WHERE id > 1", 2, 0),
        ("UPDATE stock SET n = 1 WHERE id > 9", 0, 0),
        ("INSERT OR IGNORE INTO stock(name) VALUES ('a')", 0, 0),
        ("INSERT INTO stock(name) VALUES ('a') ON CONFLICT DO UPDATE SET n = 7", 1, 0),
        ("DELETE FROM stock WHERE id = 1", 1, 0),
        ("SELECT * FROM stock", 0, 0),
        ("CREATE TABLE copied AS SELECT * FROM stock", 0, 0),
        ("INSERT INTO stock(id, name) VALUES (41, 'd')", 1, 41),
        ("WITH q AS (SELECT 'e' AS name) INSERT INTO stock(name) SELECT name FROM q", 1, 42),
        ("DROP TABLE copied", 0, 0),
    ]
    results = await stock.execute(SHOP, [Statement(sql) for sql, _, _ in statements])
    assert [(one.rows_affected, one.last_insert_id) for one in results] == [
        (rows, last) for _, rows, last in statements
    ]
    again = await run(stock, "UPDATE stock SET n = 2 WHERE id = 99")
    assert (again.rows_affected, again.last_insert_id, again.rows) == (0, 0, None)


async def test_batch_sees_what_it_did_before(stock: Database) -> None:
    inserted, read_back, returned = await stock.execute(
        SHOP,
        [
            Statement("INSERT INTO stock(name) VALUES (?)", ("a",)),
            Statement("SELECT name FROM stock"),
            Statement("UPDATE stock SET n = 5 RETURNING id, n"),
        ],
    )
    assert inserted.rows is None
    assert read_back.rows is not None
    assert read_back.rows.rows == [("a",)]
    assert returned.rows is not None
    assert (returned.rows.columns, returned.rows.rows) == (("id", "n"), [(1, 5)])


async def test_empty_batch_does_nothing(database: Database) -> None:
    assert await database.execute(SHOP, []) == []


@pytest.mark.parametrize(
    ("culprit", "error"),
    [
        (Statement("INSERT INTO stock(name) VALUES ('a')"), Unprocessable),
        (Statement("INSERT OR ROLLBACK INTO stock(name) VALUES ('a')"), Unprocessable),
        (Statement("INSERT OR FAIL INTO stock(name) VALUES ('x'), ('a')"), Unprocessable),
        (Statement("INSERT INTO nowhere VALUES (1)"), Unprocessable),
        (Statement("INSERT INTO stock(name) VALUES (?)"), InvalidArgument),
        (Statement("COMMIT"), PermissionDenied),
        (Statement("SELECT 1; SELECT 2"), InvalidArgument),
        (Statement("UPDATE stock SET n = 1 WHERE name = 'z'", expect_rows=1), Precondition),
        (Statement("SELECT * FROM stock", expect_rows=0), Precondition),
        (Statement("DELETE FROM stock RETURNING id", expect_rows=9), Precondition),
    ],
)
async def test_batch_takes_effect_whole_or_not_at_all(
    stock: Database, culprit: Statement, error: type[Exception]
) -> None:
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    with pytest.raises(error) as refusal:
        await stock.execute(
            SHOP,
            [
                Statement("INSERT INTO stock(name) VALUES ('b')"),
                Statement("CREATE TABLE half(x)"),
                culprit,
                Statement("INSERT INTO stock(name) VALUES ('c')"),
            ],
        )
    assert isinstance(refusal.value, OramaError)
    assert (refusal.value.details or {}).get("statement") == 2
    assert await read(stock, "SELECT name FROM stock") == [("a",)]
    assert [one.name for one in await stock.schema(SHOP)] == ["stock"]


async def test_expected_rows_let_the_batch_pass(stock: Database) -> None:
    await stock.execute(
        SHOP,
        [
            Statement("INSERT INTO stock(name) VALUES ('a'), ('b')", expect_rows=2),
            Statement("SELECT * FROM stock WHERE n > 0", expect_rows=0),
            Statement("UPDATE stock SET n = 1 WHERE name = 'a' RETURNING id", expect_rows=1),
        ],
    )
    assert await read(stock, "SELECT name, n FROM stock ORDER BY id") == [("a", 1), ("b", 0)]


async def test_constraint_and_error_keep_the_text_of_sqlite(stock: Database) -> None:
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    with pytest.raises(Unprocessable, match=r"UNIQUE constraint failed: stock\.name") as refusal:
        await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    assert refusal.value.reason == "constraint"
    with pytest.raises(Unprocessable, match="no such table: nowhere") as refusal:
        await read(stock, "SELECT * FROM nowhere")
    assert refusal.value.reason == "sql_error"
    with pytest.raises(Unprocessable, match="no such column"):
        await read(stock, 'SELECT "nothing" FROM stock')


async def test_query_refuses_to_write(stock: Database) -> None:
    for sql in ("INSERT INTO stock(name) VALUES ('a')", "DELETE FROM stock", "DROP TABLE stock", "CREATE TABLE t(x)"):
        for _ in range(2):
            with pytest.raises(InvalidArgument) as refusal:
                await read(stock, sql)
            assert refusal.value.reason == "read_only"
    assert await read(stock, "SELECT count(*) FROM stock") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "args"),
    [
        ("SELECT ?", ()),
        ("SELECT ?", (1, 2)),
        ("SELECT 1", (1,)),
        ("SELECT ?", (2**63,)),
        ("SELECT 1; SELECT 2", ()),
        ("", ()),
        ("-- nothing", ()),
        ("SELECT 1\0", ()),
    ],
)
async def test_malformed_call_is_an_invalid_argument(database: Database, sql: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument):
        await database.query(SHOP, Statement(sql, args))
    with pytest.raises(InvalidArgument):
        await database.execute(SHOP, [Statement(sql, args)])


async def test_every_consistency_is_accepted(stock: Database) -> None:
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    for level in Consistency:
        if level in (Consistency.LINEARIZABLE, Consistency.STRONG):
            rows = await stock.query(SHOP, Statement("SELECT name FROM stock"), consistency=level)
            assert rows.rows == [("a",)]
        else:
            await stock.query(SHOP, Statement("SELECT name FROM stock"), consistency=level)


async def test_namespaces_never_meet(database: Database) -> None:
    spaces = [Namespace(name) for name in ("shop", "Shop", "SHOP", "shop-", "shop_1", "9")]
    for number, namespace in enumerate(spaces):
        await run(database, "CREATE TABLE t(x)", namespace=namespace)
        await run(database, "INSERT INTO t VALUES (?)", number, namespace=namespace)
    for number, namespace in enumerate(spaces):
        assert await read(database, "SELECT x FROM t", namespace=namespace) == [(number,)]
    assert await database.schema(BANK) == []


async def test_schema_lists_tables_and_views_by_name(stock: Database) -> None:
    await run(stock, "CREATE VIEW few AS SELECT * FROM stock WHERE n < 3")
    await run(stock, "CREATE INDEX by_n ON stock(n)")
    await run(stock, "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT)")
    found = await stock.schema(SHOP)
    assert [(one.name, one.type) for one in found] == [("counted", "table"), ("few", "view"), ("stock", "table")]
    assert found[1].sql == "CREATE VIEW few AS SELECT * FROM stock WHERE n < 3"


async def test_tenants_neither_see_nor_reach_reserved_tables(stock: Database) -> None:
    await stock.execute(
        SHOP,
        [
            Statement("CREATE TABLE _orama_notes(x)", privileged=True),
            Statement("INSERT INTO stock(name) VALUES ('a')"),
            Statement("INSERT INTO _orama_notes VALUES (1)", privileged=True),
        ],
    )
    for sql in (
        "SELECT * FROM _orama_notes",
        "SELECT * FROM _ORAMA_Notes",
        "INSERT INTO _orama_notes VALUES (2)",
        "DROP TABLE _orama_notes",
        "CREATE TABLE _orama_mine(x)",
        "ALTER TABLE stock RENAME TO _orama_mine",
        "CREATE VIEW peek AS SELECT * FROM _orama_notes",
    ):
        with pytest.raises(PermissionDenied) as refusal:
            await run(stock, sql)
        assert refusal.value.reason == "statement_not_allowed"
    assert [one.name for one in await stock.schema(SHOP)] == ["stock"]
    notes = await stock.query(SHOP, Statement("SELECT x FROM _orama_notes", privileged=True))
    assert notes.rows == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA journal_mode = DELETE",
        "ATTACH 'x' AS y",
        "VACUUM INTO 'x'",
        "BEGIN",
        "COMMIT",
        "SELECT * FROM sqlite_schema",
        "SELECT load_extension('x')",
        "CREATE TEMP TABLE t(x)",
        "CREATE TRIGGER t AFTER INSERT ON stock BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE f USING fts5(x)",
        "SELECT * FROM pragma_table_info('stock')",
    ],
)
async def test_forbidden_statement_is_refused_each_time(stock: Database, sql: str) -> None:
    for _ in range(3):
        with pytest.raises(PermissionDenied) as refusal:
            await run(stock, sql)
        assert refusal.value.reason == "statement_not_allowed"
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")


async def test_platform_may_use_what_tenants_may_not(database: Database) -> None:
    await run(database, "CREATE TABLE _orama_journal(id INTEGER PRIMARY KEY, entry TEXT)", namespace=PLATFORM)
    await run(database, "INSERT INTO _orama_journal(entry) VALUES ('x')", namespace=PLATFORM)
    found = await read(database, "SELECT count(*) FROM sqlite_schema WHERE name = '_orama_journal'", namespace=PLATFORM)
    assert found == [(1,)]


async def test_broken_foreign_key_fails_the_batch(stock: Database, harness: DatabaseHarness) -> None:
    _wants(harness.guarantees.enforces_foreign_keys, "enforces_foreign_keys")
    await run(stock, "CREATE TABLE sale(id INTEGER PRIMARY KEY, item REFERENCES stock(id) ON DELETE CASCADE)")
    with pytest.raises(Unprocessable, match="FOREIGN KEY constraint failed"):
        await run(stock, "INSERT INTO sale(item) VALUES (1)")
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    await run(stock, "INSERT INTO sale(item) VALUES (1)")
    await run(stock, "DELETE FROM stock")
    assert await read(stock, "SELECT count(*) FROM sale") == [(0,)]


async def test_table_is_rebuilt_in_one_batch(stock: Database) -> None:
    await run(stock, "INSERT INTO stock(name, n) VALUES ('a', 1), ('b', 2)")
    await run(stock, "CREATE TABLE sale(item REFERENCES stock(id) ON DELETE CASCADE)")
    await run(stock, "INSERT INTO sale VALUES (1), (2)")
    rebuild = [
        Statement("CREATE TABLE new_stock(id INTEGER PRIMARY KEY, name TEXT, n REAL)"),
        Statement("INSERT INTO new_stock SELECT id, name, n FROM stock"),
        Statement("DROP TABLE stock"),
        Statement("ALTER TABLE new_stock RENAME TO stock"),
    ]
    await stock.execute(SHOP, rebuild)
    assert await read(stock, "SELECT * FROM stock ORDER BY id") == [(1, "a", 1.0), (2, "b", 2.0)]
    assert await read(stock, "SELECT count(*) FROM sale") == [(2,)]


async def test_rebuild_that_breaks_a_foreign_key_changes_nothing(stock: Database, harness: DatabaseHarness) -> None:
    _wants(harness.guarantees.enforces_foreign_keys, "enforces_foreign_keys")
    await run(stock, "INSERT INTO stock(name) VALUES ('a'), ('b')")
    await run(stock, "CREATE TABLE sale(item REFERENCES stock(id))")
    await run(stock, "INSERT INTO sale VALUES (1), (2)")
    with pytest.raises(Unprocessable, match="FOREIGN KEY constraint failed") as refusal:
        await stock.execute(
            SHOP,
            [
                Statement("CREATE TABLE new_stock(id INTEGER PRIMARY KEY, name TEXT)"),
                Statement("INSERT INTO new_stock SELECT id, name FROM stock WHERE id = 1"),
                Statement("DROP TABLE stock"),
                Statement("ALTER TABLE new_stock RENAME TO stock"),
            ],
        )
    assert refusal.value.reason == "constraint"
    assert await read(stock, "SELECT name FROM stock ORDER BY id") == [("a",), ("b",)]
    with pytest.raises(Unprocessable, match="FOREIGN KEY constraint failed"):
        await run(stock, "DELETE FROM stock")


async def test_batch_with_a_key_takes_effect_once_and_repeats_get_its_results(
    stock: Database, harness: DatabaseHarness
) -> None:
    first = await insert_once(stock, once("k"))
    assert not first.replayed
    assert first.results is not None
    assert [one.rows.rows if one.rows else one.last_insert_id for one in first.results] == [[(0,)], 1, [(1,)]]
    for _ in range(3):
        again = await insert_once(stock, once("k"))
        assert again.replayed
        if harness.guarantees.keeps_results:
            assert again.results == first.results
    assert await read(stock, "SELECT name FROM stock") == [("a",)]


async def test_kept_results_are_exactly_the_first_ones(database: Database, harness: DatabaseHarness) -> None:
    _wants(harness.guarantees.keeps_results, "keeps_results")
    values = (None, 0, MIN_INTEGER, MAX_INTEGER, 1.0, -1e300, "größe 🛒", "a\0b", b"", bytes(range(256)))
    batch = [
        Statement("CREATE TABLE t(a INTEGER, b TEXT)"),
        Statement("INSERT INTO t VALUES (1, 'x') RETURNING b, a, a + 1"),
        Statement(f"SELECT {', '.join('?' * len(values))}", values),
        Statement("SELECT * FROM t WHERE 0"),
    ]
    first = await database.execute_once(SHOP, batch, once("k"))
    again = await database.execute_once(SHOP, batch, once("k"))
    assert (again.results, again.replayed) == (first.results, True)
    assert again.results is not None
    assert again.results[2].rows is not None
    ((*found,),) = again.results[2].rows.rows
    assert [type(value) for value in found] == [type(value) for value in values]


async def test_key_of_another_request_is_refused_and_changes_nothing(stock: Database) -> None:
    await insert_once(stock, once("k", "buy"))
    with pytest.raises(Conflict) as refusal:
        await insert_once(stock, once("k", "sell"), "b")
    assert refusal.value.reason == "idempotency_key_reused"
    assert not (await insert_once(stock, once("other", "sell"), "b")).replayed
    assert await read(stock, "SELECT name FROM stock ORDER BY id") == [("a",), ("b",)]


@pytest.mark.parametrize(
    "culprit",
    [
        Statement("INSERT INTO stock(name) VALUES ('taken')"),
        Statement("INSERT OR ROLLBACK INTO stock(name) VALUES ('taken')"),
        Statement("UPDATE stock SET n = 1 WHERE name = 'nobody'", expect_rows=1),
        Statement("INSERT INTO nowhere VALUES (1)"),
        Statement("COMMIT"),
        Statement(f"INSERT INTO stock(name) {ENDLESS}"),
    ],
)
async def test_batch_that_fails_is_not_remembered(stock: Database, culprit: Statement) -> None:
    await run(stock, "INSERT INTO stock(name) VALUES ('taken')")
    for _ in range(2):
        with pytest.raises(OramaError):
            await stock.execute_once(SHOP, [Statement("INSERT INTO stock(name) VALUES ('b')"), culprit], once("k"))
    assert not (await insert_once(stock, once("k", "something else"), "b")).replayed
    assert await read(stock, "SELECT name FROM stock ORDER BY id") == [("taken",), ("b",)]


async def test_50_repeats_at_once_take_effect_once(stock: Database, harness: DatabaseHarness) -> None:
    culprits = [run(stock, "INSERT OR ROLLBACK INTO stock(id, name) VALUES (1, NULL)") for _ in range(5)]
    *outcomes, _ = await asyncio.gather(
        *(insert_once(stock, once("k"), "a") for _ in range(25)),
        *culprits,
        *(insert_once(stock, once("k"), "a") for _ in range(25)),
        run(stock, "INSERT INTO stock(name) VALUES ('b')"),
        return_exceptions=True,
    )
    executed = [one for one in outcomes if isinstance(one, Executed)]
    assert len(executed) == 50
    assert sum(not one.replayed for one in executed) == 1
    (first,) = [one for one in executed if not one.replayed]
    if harness.guarantees.keeps_results:
        assert all(one.results == first.results for one in executed)
    assert await read(stock, "SELECT name FROM stock ORDER BY id") == [("a",), ("b",)]


async def test_namespaces_do_not_share_keys(database: Database) -> None:
    for namespace in (SHOP, BANK, PLATFORM):
        await run(database, "CREATE TABLE stock(id INTEGER PRIMARY KEY, name TEXT)", namespace=namespace)
        assert not (await insert_once(database, once("k", str(namespace)), namespace=namespace)).replayed
    assert (await insert_once(database, once("k", "bank"), namespace=BANK)).replayed
    assert await read(database, "SELECT count(*) FROM stock", namespace=PLATFORM) == [(1,)]


async def test_key_is_good_until_it_expires(stock: Database) -> None:
    assert not (await insert_once(stock, once("k"))).replayed
    assert (await insert_once(stock, once("k", now=1_999))).replayed
    assert not (await insert_once(stock, once("k", "another", now=2_000), "b")).replayed
    assert (await insert_once(stock, once("k", "another", now=2_001))).replayed
    assert await read(stock, "SELECT count(*) FROM stock") == [(2,)]


async def test_results_too_long_to_be_kept_are_none_and_the_effect_stays_one(stock: Database) -> None:
    key = once("k", max_kept_bytes=100)
    first = await stock.execute_once(
        SHOP, [Statement("INSERT INTO stock(name) VALUES (?) RETURNING name", ("x" * 100,))], key
    )
    assert first.results is not None
    again = await stock.execute_once(SHOP, [Statement("DELETE FROM stock")], key)
    assert (again.results, again.replayed) == (None, True)
    assert await read(stock, "SELECT count(*) FROM stock") == [(1,)]


async def test_results_are_kept_without_rows_that_nobody_wants_again(stock: Database) -> None:
    key = once("k", keep_rows=False, max_kept_bytes=100)
    batch = [Statement("INSERT INTO stock(name) VALUES (?) RETURNING name", ("x" * 100,)), Statement("SELECT 1")]
    first = await stock.execute_once(SHOP, batch, key)
    assert first.results is not None
    assert [one.rows.rows for one in first.results if one.rows] == [[("x" * 100,)], [(1,)]]
    again = await stock.execute_once(SHOP, batch, key)
    assert again.results == [Result(1, 1), Result(0, 0)]


async def test_note_is_kept_with_the_key_and_can_be_changed(stock: Database) -> None:
    assert (await insert_once(stock, once("k", note=b"\0first"))).note == b"\0first"
    assert (await insert_once(stock, once("k", note=b"second"))).note == b"\0first"
    await stock.execute(SHOP, [annotate(once("k").key, b"third")])
    assert (await insert_once(stock, once("k"))).note == b"third"
    assert (await insert_once(stock, once("other"), "b")).note is None


async def test_empty_batch_with_a_key_remembers_the_key_until_it_is_forgotten(database: Database) -> None:
    assert await database.execute_once(SHOP, [], once("k")) == Executed([], None, replayed=False)
    assert (await database.execute_once(SHOP, [], once("k"))).replayed
    await database.execute(SHOP, [forget(once("k").key)])
    assert not (await database.execute_once(SHOP, [], once("k", "another"))).replayed


async def test_expired_keys_are_removed_a_few_at_a_time(database: Database) -> None:
    for number in range(5):
        await database.execute_once(SHOP, [], once(str(number)))
    await database.execute_once(SHOP, [], once("later", now=1_500))
    removed = [(await database.execute(SHOP, [remove_expired(2_000, 3)]))[0].rows_affected for _ in range(3)]
    assert removed == [3, 2, 0]
    assert (await database.execute_once(SHOP, [], once("later", now=2_000))).replayed


async def test_table_rebuilt_under_a_key_is_rebuilt_once(stock: Database) -> None:
    await run(stock, "INSERT INTO stock(name, n) VALUES ('a', 1)")
    batch = [
        Statement("CREATE TABLE again(id INTEGER PRIMARY KEY, name TEXT, n INTEGER)"),
        Statement("INSERT INTO again SELECT id, name, n + 1 FROM stock"),
        Statement("DROP TABLE stock"),
        Statement("ALTER TABLE again RENAME TO stock"),
    ]
    outcomes = await asyncio.gather(*(stock.execute_once(SHOP, batch, once("k")) for _ in range(5)))
    assert sorted(one.replayed for one in outcomes) == [False, True, True, True, True]
    assert await read(stock, "SELECT n FROM stock") == [(2,)]


async def test_keys_survive_a_restart(harness: DatabaseHarness) -> None:
    _wants(harness.guarantees.survives_restart, "survives_restart")
    first = await harness.open()
    await run(first, "CREATE TABLE stock(id INTEGER PRIMARY KEY, name TEXT)")
    await insert_once(first, once("k"))
    await first.close()
    second = await harness.open()
    assert (await insert_once(second, once("k"))).replayed
    assert await read(second, "SELECT count(*) FROM stock") == [(1,)]
    await second.close()


async def test_tenants_see_nothing_of_keys(stock: Database) -> None:
    await insert_once(stock, once("k"))
    assert [one.name for one in await stock.schema(SHOP)] == ["stock"]
    for sql in ("SELECT * FROM _orama_idempotency", "DELETE FROM _orama_idempotency"):
        with pytest.raises(PermissionDenied):
            await run(stock, sql)
        with pytest.raises(PermissionDenied):
            await stock.execute_once(SHOP, [Statement(sql)], once("other"))


async def test_answer_past_a_limit_is_refused(stock: Database, harness: DatabaseHarness) -> None:
    limits = harness.limits
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"
    assert len(await read(stock, counting, limits.max_rows)) == limits.max_rows
    page = min(1_000, limits.max_rows)
    with pytest.raises(TooLarge, match=rf"{limits.max_rows} rows \(max_rows\): .* LIMIT {page}, .* OFFSET {page}"):
        await read(stock, counting, limits.max_rows + 1)
    await run(stock, "CREATE TABLE big(b)")
    count = limits.max_result_bytes // limits.max_value_bytes + 1
    for _ in range(count):
        await run(stock, "INSERT INTO big VALUES (?)", b"b" * limits.max_value_bytes)
    with pytest.raises(TooLarge, match=str(limits.max_result_bytes)):
        await read(stock, "SELECT b FROM big")
    with pytest.raises(TooLarge):
        await run(stock, "DELETE FROM big RETURNING b")
    assert await read(stock, "SELECT count(*) FROM big") == [(count,)]


async def test_endless_statement_is_stopped(stock: Database) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await read(stock, ENDLESS)
    assert refusal.value.reason == "statement_timeout"
    with pytest.raises(Unprocessable) as refusal:
        await run(stock, f"INSERT INTO stock(name) {ENDLESS}")
    assert refusal.value.reason == "statement_timeout"
    assert await read(stock, "SELECT count(*) FROM stock") == [(0,)]
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")


async def test_100_tasks_get_their_own_answers(stock: Database, harness: DatabaseHarness) -> None:
    async def one(number: int) -> bool:
        result = await run(stock, "INSERT INTO stock(name, n) VALUES (?, ?)", f"item {number}", number)
        found = await read(stock, "SELECT name, n FROM stock WHERE id = ?", result.last_insert_id)
        return found == [(f"item {number}", number)] or not harness.guarantees.linearizable_reads

    assert all(await asyncio.gather(*(one(number) for number in range(100))))
    assert (await run(stock, "UPDATE stock SET n = n")).rows_affected == 100


async def test_one_of_100_tasks_wins_the_unique_name(stock: Database) -> None:
    inserts = (run(stock, "INSERT INTO stock(name, n) VALUES ('only', ?)", number) for number in range(100))
    results = await asyncio.gather(*inserts, return_exceptions=True)
    assert sum(isinstance(one, Result) for one in results) == 1
    assert sum(isinstance(one, Unprocessable) for one in results) == 99


async def test_100_tasks_count_each_increment_once(stock: Database) -> None:
    await run(stock, "INSERT INTO stock(name) VALUES ('a')")
    await asyncio.gather(*(run(stock, "UPDATE stock SET n = n + 1") for _ in range(100)))
    assert await read(stock, "SELECT n FROM stock") == [(100,)]


async def test_cancelled_calls_leave_the_database_in_order(stock: Database) -> None:
    tasks = [
        asyncio.ensure_future(run(stock, "INSERT INTO stock(name) VALUES (?)", f"item {number}"))
        for number in range(50)
    ]
    slow = asyncio.ensure_future(read(stock, ENDLESS))
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, Result) for one in results[1::2])
    names = {name for (name,) in await read(stock, "SELECT name FROM stock")}
    assert {f"item {number}" for number in range(1, 50, 2)} <= names
    await run(stock, "INSERT INTO stock(name) VALUES ('after')")


async def test_acknowledged_rows_survive_a_restart(harness: DatabaseHarness) -> None:
    _wants(harness.guarantees.survives_restart, "survives_restart")
    first = await harness.open()
    await run(first, "CREATE TABLE t(x)")
    await asyncio.gather(*(run(first, "INSERT INTO t VALUES (?)", number) for number in range(20)))
    await first.close()
    second = await harness.open()
    assert await read(second, "SELECT count(*), sum(x) FROM t") == [(20, 190)]
    await second.close()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_during_an_outage(
    database: Database, harness: DatabaseHarness, method: str
) -> None:
    outage = harness.outage()
    if outage is None:
        pytest.skip("the engine lives in this process and cannot be away")
    async with outage:
        with pytest.raises(Unavailable):
            await METHODS[method](database)
    await METHODS[method](database)


async def test_close_waits_for_what_was_accepted(harness: DatabaseHarness) -> None:
    database = await harness.open()
    await run(database, "CREATE TABLE t(x)")
    writes = [asyncio.ensure_future(run(database, "INSERT INTO t VALUES (?)", number)) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert all(one.rows_affected == 1 for one in await asyncio.gather(*writes))
    await database.close()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_after_close(harness: DatabaseHarness, method: str) -> None:
    database = await harness.open()
    await run(database, "CREATE TABLE t(x)")
    await database.close()
    with pytest.raises(Unavailable):
        await METHODS[method](database)


def test_behaves_like_a_plain_model(harness: DatabaseHarness) -> None:
    check_against_model(lambda: harness.fresh().open())
