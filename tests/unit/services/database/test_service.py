from __future__ import annotations

import pytest

from orama.domain.sql import SqlLimits
from orama.errors import InvalidArgument, NotFound, PermissionDenied, TooLarge, Unprocessable
from orama.services.database.selection import Condition, Join, Selection
from orama.services.database.service import DatabaseService
from support.sqlite import SHOP, open_sqlite

LIMITS = SqlLimits(max_sql_bytes=2_000, max_parameters=5, max_statements=3, max_value_bytes=100)


@pytest.fixture
async def service(tmp_path):
    async with open_sqlite(tmp_path, limits=LIMITS) as database:
        service = DatabaseService(database, LIMITS)
        for sql in (
            "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, age INT, ok BOOLEAN)",
            "CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INT, title TEXT)",
        ):
            await service.define(SHOP, sql)
        await service.execute(
            SHOP,
            [
                service.statement(
                    "INSERT INTO users VALUES (1, 'ann', 30, 1), (2, 'bob', 20, 0), (3, 'cyd', NULL, NULL)"
                ),
                service.statement("INSERT INTO posts VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 9, 'orphan')"),
            ],
        )
        yield service


async def _rows(service, **parts):
    return (await service.select(SHOP, Selection(**parts))).rows


async def test_selection_by_criteria(service):
    assert await _rows(service, table="users", columns=("name",), criteria={"age": 30, "name": "ann"}) == [("ann",)]
    assert await _rows(service, table="users", columns=("name",), criteria={"age": None}) == [("cyd",)]
    assert await _rows(service, table="users", columns=("name",), criteria={"age": 20.0}) == [("bob",)]
    assert await _rows(service, table="users", columns=("ok",), criteria={"id": 1}) == [(True,)]


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("", ["a", "b"]),
        ("INNER", ["a", "b"]),
        ("join", ["a", "b"]),
        ("LEFT", ["a", "b", None, None]),
        ("left  outer", ["a", "b", None, None]),
        ("RIGHT", ["a", "b", "orphan"]),
        ("FULL", ["a", "b", None, None, "orphan"]),
        ("full outer", ["a", "b", None, None, "orphan"]),
    ],
)
async def test_every_kind_of_join(service, kind, titles):
    rows = await _rows(
        service,
        table="users",
        alias="u",
        columns=("p.title",),
        joins=(Join("posts p", kind, "p.user_id = u.id"),),
        order_by=("u.id IS NULL", "u.id", "p.id"),
    )
    assert [title for (title,) in rows] == titles


async def test_cross_join_needs_no_condition(service):
    assert len(await _rows(service, table="users", joins=(Join("posts", "CROSS"),))) == 9


@pytest.mark.parametrize("join", [Join("posts", "NATURAL", "1"), Join("posts", "LEFT"), Join("posts", "LEFT", "1; x")])
async def test_join_that_does_not_hold_together_is_refused(service, join):
    with pytest.raises(InvalidArgument):
        await service.select(SHOP, Selection("users", joins=(join,)))


async def test_conditions_join_by_their_own_word(service):
    rows = await _rows(
        service,
        table="users",
        columns=("name",),
        where=(Condition("age > ?", (25,), "or"), Condition("name = ? OR name = ?", ("bob", "x"), "OR")),
        order_by=("name desc",),
    )
    assert rows == [("bob",), ("ann",)]
    with pytest.raises(InvalidArgument, match="AND or OR"):
        await service.select(SHOP, Selection("users", where=(Condition("1", (), "; DROP"),)))


async def test_groups_order_and_pages(service):
    rows = await _rows(
        service,
        table="posts",
        columns=("user_id", "COUNT(*) AS n"),
        group_by=("user_id",),
        order_by=("n DESC",),
        limit=1,
    )
    assert rows == [(1, 2)]
    assert await _rows(service, table="posts", columns=("id",), order_by=("id",), offset=2) == [(3,)]
    assert await _rows(service, table="posts", columns=("id",), order_by=("id",), limit=1, offset=1) == [(2,)]
    assert await _rows(service, table="posts", limit=0) == []
    with pytest.raises(InvalidArgument):
        await service.select(SHOP, Selection("posts", limit=-1))


async def test_names_cannot_carry_sql(service):
    for parts in (
        {"table": "users; DROP TABLE posts"},
        {"table": "users", "columns": ("nope",)},
        {"table": "users", "criteria": {"1=1 OR name": "x"}},
        {"table": "users", "criteria": {'name" OR "1': "x"}},
    ):
        with pytest.raises(Unprocessable):
            await service.select(SHOP, Selection(**parts))
    assert len(await service.schema(SHOP)) == 2


async def test_expressions_reach_no_further_than_statements(service):
    for expr in ("(SELECT count(*) FROM sqlite_master) > 0", "load_extension('x')", "EXISTS (SELECT 1 FROM _orama_x)"):
        with pytest.raises((PermissionDenied, Unprocessable)):
            await service.select(SHOP, Selection("users", where=(Condition(expr),)))


async def test_select_one(service):
    row = await service.select_one(SHOP, Selection("users", order_by=("id",), limit=5))
    assert row == {"id": 1, "name": "ann", "age": 30, "ok": True}
    for selection in (Selection("users", criteria={"id": 9}), Selection("users", limit=0)):
        with pytest.raises(NotFound, match="not found"):
            await service.select_one(SHOP, selection)


async def test_each_limit_is_named_with_its_value(service):
    for call, text in (
        (lambda: service.statement("SELECT ?", [1] * 6), "6 arguments: the limit is 5"),
        (lambda: service.statement("SELECT '" + "é" * 1000 + "'"), "2009 bytes of SQL: the limit is 2000"),
        (lambda: service.statement("SELECT ?", ["x" * 101]), "101 bytes of one value: the limit is 100"),
        (lambda: service.statement("SELECT ?", ["é" * 51]), "102 bytes of one value: the limit is 100"),
    ):
        with pytest.raises(TooLarge, match=text) as refusal:
            call()
        assert refusal.value.details["limit"] < refusal.value.details["value"]
    with pytest.raises(TooLarge, match="4 statements: the limit is 3"):
        await service.execute(SHOP, [service.statement("SELECT 1")] * 4)
    with pytest.raises(TooLarge, match="6 arguments"):
        await service.select(SHOP, Selection("users", criteria={f"c{n}": 1 for n in range(6)}))
    with pytest.raises(InvalidArgument, match="'sql' is required"):
        await service.query(SHOP, " ")


async def test_define_takes_definitions_only(service):
    await service.define(SHOP, "/* x */ CREATE INDEX by_age ON users(age)")
    for sql in ("INSERT INTO users VALUES (9, 'x', 1, 1)", "SELECT 1", "DROP TABLE posts; DROP TABLE users"):
        with pytest.raises(InvalidArgument):
            await service.define(SHOP, sql)
    with pytest.raises(PermissionDenied):
        await service.define(SHOP, "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END")


async def test_drop_table(service):
    await service.drop_table(SHOP, "posts")
    with pytest.raises(NotFound, match="no such table: posts"):
        await service.drop_table(SHOP, "posts")
    for bad in ("", "a b", 'x"', "main.users", "1a", "users;"):
        with pytest.raises(InvalidArgument, match="invalid table identifier"):
            await service.drop_table(SHOP, bad)
    with pytest.raises(PermissionDenied):
        await service.drop_table(SHOP, "_orama_idempotency")


@pytest.mark.parametrize(
    "parts",
    [
        {"columns": ("a" * 20_000,)},
        {"columns": ("",) * 20_000},
        {"order_by": ("(" * 20_000,)},
        {"group_by": ("a" * 20_000,)},
        {"criteria": {"a" * 20_000: 1}},
        {"where": (Condition("a" * 20_000),)},
        {"joins": (Join("t", "LEFT", "a" * 20_000),)},
        {"alias": "a" * 20_000},
    ],
    ids=lambda parts: next(iter(parts)),
)
async def test_selection_is_measured_before_it_is_built(service, parts):
    with pytest.raises(TooLarge, match="bytes of names and expressions: the limit is 16384"):
        await service.select(SHOP, Selection(table="users", **parts))
