"""A stream is the whole answer, in its order, whatever the size of its pages."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orama.domain.sql import SqlLimits, Statement
from orama.errors import InvalidArgument, TooLarge
from orama.orm import Orm, Table, count, sql_as
from support.shop import shop_in_loop
from support.sqlite import SHOP, on_disk, open_sqlite, run


class Item(msgspec.Struct, frozen=True):
    id: int
    a: int | None
    b: float | None
    c: str | None


items = Table(Item, "items", key=lambda one: one.id)
others = items.aliased("others")
item_id = items.column(lambda one: one.id)
a = items.column(lambda one: one.a)
b = items.column(lambda one: one.b)
c = items.column(lambda one: one.c)
other_id = others.column(lambda one: one.id)
other_a = others.column(lambda one: one.a)

CREATE = "CREATE TABLE items(id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT COLLATE NOCASE)"

_rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from([0.0, -0.5, 1e300]),
        st.none() | st.sampled_from(["", "x", "X", "y"]),
    ),
    max_size=12,
).map(lambda rows: [Item(number, *row) for number, row in enumerate(rows, 1)])
_orders = st.lists(
    st.sampled_from([item_id, a, b, c]).flatmap(lambda one: st.sampled_from([one.asc(), one.desc()])), max_size=3
)


@pytest.fixture
async def stored(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(max_result_bytes=4_000)) as database:
        await run(database, CREATE)
        yield Orm(database, SHOP), database


async def collected(query, page_rows):
    return [row async for row in query.stream(page_rows)]


async def fill(database, rows):
    insert = "INSERT INTO items VALUES (?, ?, ?, ?)"
    await database.execute(
        SHOP, [Statement("DELETE FROM items"), *(Statement(insert, msgspec.structs.astuple(row)) for row in rows)]
    )


def test_a_stream_is_the_whole_answer_in_its_order(tmp_path):
    with shop_in_loop(tmp_path) as (run_in_loop, orm, database):
        run_in_loop(run(database, CREATE))

        @settings(max_examples=300)
        @given(
            rows=_rows,
            order=_orders,
            page_rows=st.integers(1, 5),
            limit=st.none() | st.integers(0, 9),
            offset=st.integers(0, 3),
            shape=st.sampled_from(["entity", "columns", "joined", "outer", "grouped", "distinct", "computed", "text"]),
        )
        def check(rows, order, page_rows, limit, offset, shape):
            run_in_loop(fill(database, rows))
            total = [item_id.asc()]
            match shape:
                case "entity":
                    query = orm.select(items).where("a IS NULL OR a < 3")
                case "columns":
                    query = orm.select(c, a)
                case "joined":
                    query, total = orm.select(items, other_id).join(others, other_a == a), [*total, other_id.asc()]
                case "outer":
                    both = orm.select(items.optional(), others.optional())
                    query, total = both.full_join(others, other_a == item_id), [*total, other_id.asc()]
                case "grouped":
                    order, query, total = [], orm.select(a, count()).group_by(a), [a.asc()]
                case "distinct":
                    order, query, total = [], orm.select(b, a).distinct(), [b.asc(), a.asc()]
                case "computed":
                    query = orm.select(sql_as(int, "items.id * ?", 2)).from_table(items)
                case _:
                    query, order = orm.select(items).order_by("a desc", "b"), []
            query = query.order_by(*order).offset(offset)
            query = query if limit is None else query.limit(limit)
            expected = run_in_loop(query.order_by(*total).get_many())
            assert run_in_loop(collected(query, page_rows)) == expected

        check()


async def test_an_aggregate_is_one_row_whatever_the_page(stored):
    orm, database = stored
    await fill(database, [Item(number, number, None, None) for number in range(5)])
    assert await collected(orm.select(a.max(), count()), 1) == [(4, 5)]
    assert await collected(orm.select(count()).from_table(items).having("count(*) > 9"), 1) == []


async def test_a_key_that_is_null_after_all_ends_the_stream(stored):
    """SQLite lets a primary key that is no integer be NULL."""
    orm, database = stored
    await run(database, "CREATE TABLE labels(id TEXT PRIMARY KEY, n INTEGER)")
    await run(database, "INSERT INTO labels VALUES (NULL, 1), ('a', 2)")
    labels = Table(msgspec.defstruct("Label", [("id", str), ("n", int)]), "labels", key=lambda one: one.id)
    by_id = labels.column(lambda one: one.id).desc()
    assert await collected(orm.select(labels.column(lambda one: one.n)).order_by(by_id), 1) == [2, 1]


async def test_rows_written_meanwhile_move_no_others(stored):
    orm, database = stored
    await fill(database, [Item(number, number // 3, None, None) for number in range(0, 40, 2)])
    seen = []
    async for item in orm.select(items).order_by(a.asc()).stream(3):
        seen.append(item.id)
        await run(database, "DELETE FROM items WHERE id = ?", item.id)
        await run(database, "INSERT INTO items(a) VALUES (-1)")
    assert seen == list(range(0, 40, 2))


async def test_pages_that_would_be_too_large_are_made_smaller(stored):
    orm, database = stored
    rows = [Item(number, None, None, "x" * 500) for number in range(30)]
    await fill(database, rows)
    with pytest.raises(TooLarge):
        await orm.select(items).get_many()
    assert await collected(orm.select(items), 500) == rows
    assert await collected(orm.select(items).limit(29).offset(1), 500) == rows[1:]
    await run(database, "UPDATE items SET c = ? WHERE id = 20", "x" * 5_000)
    with pytest.raises(TooLarge):
        await collected(orm.select(items), 500)


async def test_a_page_has_a_row(stored):
    orm, _ = stored
    with pytest.raises(InvalidArgument, match="at least one row"):
        await collected(orm.select(items), 0)


class Texts:
    """The port, which notes what is read."""

    def __init__(self, database):
        self._database = database
        self.read = []

    async def query(self, namespace, statement, **options):
        self.read.append(statement)
        return await self._database.query(namespace, statement, **options)


@pytest.mark.parametrize(
    ("order", "index"),
    [
        ([], "USING INTEGER PRIMARY KEY (rowid>?)"),
        ([a.asc()], "USING INDEX by_a (a>?)"),
        ([a.asc(), b.desc()], "USING INDEX by_a (a>?)"),
    ],
)
async def test_a_page_begins_where_an_index_says(stored, tmp_path, order, index):
    _, database = stored
    await fill(database, [Item(number, number, 1.0, None) for number in range(10)])
    await run(database, "CREATE INDEX by_a ON items(a)")
    texts = Texts(database)
    assert len(await collected(Orm(texts, SHOP).select(items).order_by(*order), 4)) == 10
    assert len(texts.read) == 3
    assert not any("OFFSET" in statement.sql for statement in texts.read)
    connection = on_disk(tmp_path)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {texts.read[1].sql}", texts.read[1].args).fetchall()
    connection.close()
    assert any(index in row[3] for row in plan), plan
