"""Queries give what SQL says they are, whatever the words' order, and nothing leaves its place in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from orama.domain.sql import Consistency, Statement
from orama.errors import InvalidArgument, TooLarge, Unprocessable
from orama.orm import RowMismatch, Table, ValueMismatch, all_of, any_of, count, sql, sql_as
from support.shop import (
    ANN,
    BOB,
    CYD,
    DAN,
    ORDERS,
    Colour,
    Line,
    active,
    age,
    boss,
    buyer,
    colour,
    fill,
    lines,
    made,
    name,
    nick,
    order_id,
    orders,
    price,
    total,
    user_id,
    users,
)
from support.sqlite import SHOP, run


class Text(str):
    __slots__ = ()


@pytest.fixture(autouse=True)
async def filled(orm):
    return await fill(orm)


async def names(query):
    return [person.name for person in await query.order_by("users.id").get_many()]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (age > 20, "ann cyd dan"),
        (age >= 30, "ann cyd dan"),
        (age < 30, "bob"),
        (age <= 30, "bob cyd dan"),
        (age == 30, "cyd dan"),
        (age != 30, "ann bob"),
        (nick == "c", "cyd"),
        (nick != "c", "ann"),
        (nick == None, "bob dan"),  # noqa: E711
        (nick != None, "ann cyd"),  # noqa: E711
        (nick.is_null(), "bob dan"),
        (nick.is_not_null(), "ann cyd"),
        (active.is_true(), "ann cyd dan"),
        (active.is_false(), "bob"),
        (age.is_in([20, 40]), "ann bob"),
        (age.is_in(one for one in (20, 40)), "ann bob"),
        (age.is_in([]), ""),
        (age.not_in([20, 40]), "cyd dan"),
        (boss.not_in([1]), "dan"),
        (name.like("%N%"), "ann dan"),
        (made >= datetime(2027, 1, 3, tzinfo=UTC), "cyd dan"),
        (boss == user_id, ""),
        (boss < user_id, "bob cyd dan"),
        ((age > 20) & (age < 40), "cyd dan"),
        ((age < 30) | (age > 30), "ann bob"),
        (~(age == 30), "ann bob"),
        (~((age == 30) | (name == "ann")), "bob"),
        (~(nick == "a"), "cyd"),
        (all_of(age == 30, nick.is_null(), active.is_true()), "dan"),
        (any_of(age == 20, age == 40, name == "dan"), "ann bob dan"),
        (any_of(age == 20), "bob"),
        (sql("age BETWEEN ? AND ?", 25, 35), "cyd dan"),
        (sql("users.made_at < ?", datetime(2027, 1, 2, tzinfo=UTC)), "ann"),
        (sql("nick = ? OR nick IS NULL", "a") & (age < 40), "bob dan"),
        (sql("nick IS ?", None), "bob dan"),
        (sql("active = ?", False), "bob"),
        (sql("name = ?", Text("ann")), "ann"),
        (sql("users.id IN (SELECT user FROM orders WHERE colour = ?)", Colour.BLUE), "ann"),
        (sql_as(int, "length(name || ?)", "xx") == 5, "ann bob cyd dan"),
        (sql_as(str, "upper(name)") == "ANN", "ann"),
    ],
)
async def test_a_condition_finds_what_it_says(orm, condition, found):
    assert await names(orm.select(users).where(condition)) == found.split()


async def test_conditions_add_up(orm):
    everybody = orm.select(users)
    grown = everybody.where(age > 20)
    assert await names(grown.where("nick IS NOT NULL").where(name == "cyd")) == ["cyd"]
    assert await names(grown.where(age < 40, nick == "c")) == ["cyd"]
    assert await names(grown.where(age < 40).or_where("name = ?", "bob")) == ["bob", "cyd", "dan"]
    assert await names(everybody.or_where(age == 20)) == ["bob"]
    assert await names(everybody.where("age = ? OR age = ?", 20, 30).where("nick IS NULL")) == ["bob", "dan"]
    assert await names(grown) == ["ann", "cyd", "dan"]
    assert await names(everybody) == ["ann", "bob", "cyd", "dan"]


async def test_an_entity_a_column_and_several_of_them_are_rows(orm, filled):
    assert await orm.select(users).order_by(user_id.asc()).get_many() == [ANN, BOB, CYD, DAN]
    assert await orm.select(name).order_by(name.desc()).get_many() == ["dan", "cyd", "bob", "ann"]
    assert await orm.select(name, nick, active).where(user_id == 2).get_many() == [("bob", None, False)]
    mixed = orm.select(sql_as(int, "age * ?", 2), orders, colour).from_table(users).join(orders, buyer == user_id)
    assert await mixed.where(order_id == "o3").get_many() == [(60, filled[2], Colour.RED)]
    wide = orm.select(name, age, nick, boss, active, made, user_id, name)
    assert await wide.where(user_id == 1).get_one() == ("ann", 40, "a", None, True, ANN.made, 1, "ann")


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("join", [("ann", "o1"), ("ann", "o2"), ("cyd", "o3")]),
        ("left_join", [("ann", "o1"), ("ann", "o2"), ("bob", None), ("cyd", "o3"), ("dan", None)]),
        ("right_join", [(None, "o4"), ("ann", "o1"), ("ann", "o2"), ("cyd", "o3")]),
        ("full_join", [(None, "o4"), ("ann", "o1"), ("ann", "o2"), ("bob", None), ("cyd", "o3"), ("dan", None)]),
    ],
)
async def test_every_kind_of_join(orm, filled, kind, pairs):
    by_id = {order.id: order for order in filled}
    people = {one.name: one for one in (ANN, BOB, CYD, DAN)}
    for on in [(buyer == user_id,), ("orders.user = users.id",), ("orders.user = users.id + ?", 0)]:
        typed = getattr(orm.select(users.optional(), orders.optional()), kind)(orders, *on)
        found = await typed.order_by("users.id", "orders.id").get_many()
        assert found == [(people.get(person), by_id.get(order)) for person, order in pairs]
    columns = getattr(orm.select(name.optional(), order_id.optional()), kind)(orders, buyer == user_id)
    assert await columns.order_by("users.id", "orders.id").get_many() == pairs
    assert await columns.count() == len(pairs)


async def test_cross_join_and_a_table_joined_with_itself(orm):
    assert await orm.select(users).cross_join(orders).count() == 16
    bosses = users.aliased("the boss")
    boss_id, boss_name = bosses.column(lambda one: one.id), bosses.column(lambda one: one.name)
    query = orm.select(name, boss_name).join(bosses, boss == boss_id).order_by(user_id.asc())
    assert await query.get_many() == [("bob", "ann"), ("cyd", "ann"), ("dan", "cyd")]
    both = orm.select(users, bosses.optional()).left_join(bosses, boss == boss_id, boss_name != "ann")
    assert await both.order_by(user_id.asc()).get_many() == [(ANN, None), (BOB, None), (CYD, None), (DAN, CYD)]


async def test_a_row_with_a_part_of_its_key_is_there(orm, database):
    number = lines.column(lambda one: one.number)
    query = orm.select(name, lines.optional()).left_join(lines, 'lines."order" = users.name').order_by(user_id.asc())
    await orm.repository(lines).save(Line("bob", 1, "x"))
    assert await query.limit(2).get_many() == [("ann", None), ("bob", Line("bob", 1, "x"))]
    await run(database, "UPDATE lines SET number = NULL")
    with pytest.raises(RowMismatch, match=r"lines\.number: the row holds NULL where int is expected"):
        await query.where(number.is_null()).get_many()


async def test_groups(orm):
    of_each = orm.select(name, count(), total.sum(), total.min(), total.max(), total.avg())
    query = of_each.left_join(orders, buyer == user_id).group_by(user_id).order_by(user_id.asc())
    assert await query.get_many() == [
        ("ann", 2, 30.5, 10.5, 20.0, 15.25),
        ("bob", 1, None, None, None, None),
        ("cyd", 1, 5.0, 5.0, 5.0, 5.0),
        ("dan", 1, None, None, None, None),
    ]
    assert await query.having(count() > 1).count() == 1
    assert await query.having(total.sum() < 10, count() == 1).get_one() == ("cyd", 1, 5.0, 5.0, 5.0, 5.0)
    assert await query.having("count(*) > ?", 1).having(total.sum() > 100).get_many() == []
    named = orm.select(age, count().named("how many")).group_by("age").order_by('"how many" desc', "age")
    assert await named.get_many() == [(30, 2), (20, 1), (40, 1)]
    assert await named.having('"how many" > ?', 1).count() == 1
    assert await orm.select(count()).from_table(users).get_one() == 4
    assert await orm.select(nick.count(), age.max(), active.sum()).get_one() == (2, 40, 3)
    assert await orm.select(age.max()).where(age > 99).get_many() == [None]
    assert await orm.select(age.max()).count() == 1
    decades = sql_as(int, "age / ? * ?", 10, 10)
    assert await orm.select(decades, count()).from_table(users).group_by(decades).order_by("1").count() == 3


async def test_order_limit_offset_and_distinct(orm):
    by_age = orm.select(name).order_by(age.desc(), "name desc")
    assert await by_age.get_many() == ["ann", "dan", "cyd", "bob"]
    assert await by_age.limit(2).get_many() == ["ann", "dan"]
    assert await by_age.limit(2).offset(1).get_many() == ["dan", "cyd"]
    assert await by_age.offset(3).get_many() == ["bob"]
    assert await by_age.limit(2).limit(0).get_many() == []
    assert await by_age.limit(3).offset(3).count() == 1
    assert await orm.select(nick).order_by(nick.asc(), user_id.asc()).get_many() == [None, None, "a", "c"]
    assert await orm.select(nick).order_by("nick DESC NULLS FIRST", "id").get_many() == [None, None, "c", "a"]
    assert await orm.select(age).distinct().order_by(age.asc()).get_many() == [20, 30, 40]
    assert await orm.select(age).distinct().count() == 3
    for wrong in (lambda: by_age.limit(-1), lambda: by_age.offset(-1)):
        with pytest.raises(InvalidArgument, match="never negative"):
            wrong()


async def test_one_and_whether_there_is_one(orm):
    query = orm.select(users).order_by(user_id.asc())
    assert await query.get_one() == ANN
    assert await query.where(age > 99).get_one() is None
    assert await query.limit(0).get_one() is None
    assert await query.exists()
    assert not await query.where(age > 99).exists()
    assert not await query.limit(0).exists()
    assert await query.offset(3).exists()
    assert not await query.offset(4).exists()
    assert await query.count() == 4
    assert await orm.select(age.named("years")).where("years > ?", 20).count() == 3


class PerUser(msgspec.Struct, frozen=True):
    name: str
    spent: float | None
    latest: str | None = "none"


@dataclass
class Named:
    name: str


async def test_rows_into_a_class(orm):
    per_user = orm.select(total.sum().named("spent"), name, order_id.max().named("latest"), age)
    query = per_user.from_table(users).left_join(orders, buyer == user_id).group_by(user_id).order_by(user_id.asc())
    found = await query.into(PerUser).limit(2).get_many()
    assert found == [PerUser("ann", 30.5, "o2"), PerUser("bob", None, None)]
    assert [one async for one in query.into(Named).stream(3)] == [Named(one) for one in ("ann", "bob", "cyd", "dan")]
    with pytest.raises(RowMismatch, match=r"PerUser\.spent: the row holds no such column where float or NULL"):
        orm.select(name, order_id.named("latest")).into(PerUser)
    with pytest.raises(RowMismatch, match=r"Named\.name: the row holds 2 columns of that name"):
        orm.select(name, users.aliased("other").column(lambda one: one.name)).into(Named)
    with pytest.raises(RowMismatch, match=r"Named\.name: the row holds INTEGER where str is expected"):
        await orm.select(age.named("name")).into(Named).get_many()
    with pytest.raises(TypeError, match="neither a dataclass nor"):
        orm.select(name).into(int)


async def test_a_statement_of_ones_own_into_a_class(orm):
    text = "SELECT *, ? AS spent, 'x' AS latest FROM users WHERE age > ? ORDER BY id"
    assert await orm.fetch(PerUser, text, 1.5, 30) == [PerUser("ann", 1.5, "x")]
    with pytest.raises(RowMismatch, match=r"PerUser\.latest: the row holds no such column"):
        await orm.fetch(PerUser, "SELECT name, 1.5 AS spent FROM users")
    with pytest.raises(RowMismatch, match=r"Named\.name: the row holds NULL where str is expected"):
        await orm.fetch(Named, "SELECT nick AS name FROM users")
    with pytest.raises(ValueMismatch, match=r"arguments\.2: list was given"):
        await orm.fetch(Named, "SELECT ? AS name, ?", "x", ["y"])


async def test_a_row_that_does_not_fit_says_where_and_why(orm, database):
    await run(database, "UPDATE users SET age = 'old', nick = 'secret' WHERE id = 3")
    for query in (orm.select(users), orm.select(name, age), orm.select(age)):
        with pytest.raises(RowMismatch) as mismatch:
            await query.where(user_id == 3).get_many()
        assert mismatch.value.text == "users.age: the row holds TEXT where int is expected"
        assert mismatch.value.details == {"table": "users", "column": "age", "expected": "int", "got": "TEXT"}
    await run(database, "UPDATE users SET age = 1, made_at = 'tomorrow' WHERE id = 3")
    with pytest.raises(RowMismatch, match=r"users\.made_at: the row holds TEXT that is no moment where datetime"):
        await orm.select(users).where(user_id == 3).get_one()
    with pytest.raises(RowMismatch, match=r"users\.name: the row holds NULL where str is expected"):
        await orm.select(name).right_join(orders, buyer == user_id).get_many()


async def test_names_are_quoted_whatever_they_hold(orm, database):
    made_of = msgspec.defstruct("Odd", [("id", int), ("group", int), ("text", str | None)], frozen=True)
    columns = {"text": 'a "b"; DROP TABLE users --'}
    odd = Table(
        made_of, "order by; --", key=lambda one: one.id, columns=lambda one: [(one.text, columns["text"])]
    ).aliased("select")
    await run(
        database, 'CREATE TABLE "order by; --"(id INTEGER PRIMARY KEY, "group" INT, "a ""b""; DROP TABLE users --")'
    )
    rows = orm.repository(odd)
    assert await rows.save(made_of(1, 2, "x")) == made_of(1, 2, "x")
    assert await rows.get(1) == made_of(1, 2, "x")
    group, text = odd.column(lambda one: one.group), odd.column(lambda one: one.text)
    query = orm.select(group, text.named('an "alias" ;')).where(text == "x").group_by(group, text)
    assert await query.order_by(group.desc(), text.asc()).get_many() == [(2, "x")]
    assert [one async for one in orm.select(odd).order_by(group.desc()).stream(1)] == [made_of(1, 2, "x")]
    assert await rows.remove(made_of(1, 2, "x"))
    assert await orm.select(users).count() == 4


@pytest.mark.parametrize("text", ["1) OR (1", "1; DROP TABLE users", "age > ?1", "age -- x", "", "'x"])
async def test_a_text_that_could_leave_its_place_is_refused(orm, text):
    query = orm.select(users)
    for word in (query.where, query.or_where, query.having, query.group_by, query.order_by, sql):
        with pytest.raises(InvalidArgument) as refusal:
            word(text)
        assert refusal.value.reason == "invalid_expression"
    for join in (query.join, query.left_join, query.right_join, query.full_join):
        with pytest.raises(InvalidArgument):
            join(orders, text)
    with pytest.raises(InvalidArgument):
        sql_as(int, text)


async def test_arguments_are_counted_and_are_never_text(orm):
    query = orm.select(users)
    with pytest.raises(InvalidArgument, match="has 1 parameters and 2 arguments"):
        query.where("age > ?", 1, 2)
    with pytest.raises(InvalidArgument, match="has 2 parameters and 1 arguments"):
        query.having("age BETWEEN ? AND ?", 1)
    with pytest.raises(InvalidArgument, match="a text and conditions do not mix"):
        query.where("age > ?", age > 1)
    with pytest.raises(InvalidArgument, match="arguments belong to a text"):
        query.where(age > 1, 2)
    with pytest.raises(InvalidArgument, match="nothing to join with OR"):
        any_of()
    with pytest.raises(ValueMismatch, match=r"arguments\.1: dict was given where a value of SQL is expected"):
        query.where("age = ?", {})
    with pytest.raises(ValueMismatch, match=r"users\.age: str was given where int is expected"):
        query.where(age == "1 OR 1")
    assert await query.where("name = ?", "' OR 1 --").get_many() == []


async def test_arguments_stand_in_the_order_of_their_places(orm):
    query = (
        orm.select(name, sql_as(int, "? + orders.total", 1))
        .order_by("users.id")
        .having("count(*) > ?", 0)
        .group_by(sql_as(int, "users.id + ?", 6))
        .where("age > ?", 3)
        .join(orders, "orders.user = users.id + ?", 0)
        .limit(4)
        .offset(0)
    )
    assert query.statement().args == (1, 0, 3, 6, 0, 4)
    assert query.offset(5).statement().args == (1, 0, 3, 6, 0, 4, 5)


def test_a_condition_is_no_truth_value():
    for misuse in (
        lambda: age > 1 and age < 2,
        lambda: age > 1 or age < 2,
        lambda: not age > 1,
        lambda: 1 < age < 2,
        lambda: age in [1, age],
    ):
        with pytest.raises(TypeError, match="the database decides a condition, not Python"):
            misuse()


def test_decimals_are_not_compared_as_the_texts_they_are_kept_as():
    for misuse in (
        lambda: price > Decimal(1),
        lambda: price == Decimal(1),
        lambda: price.is_in([Decimal(1)]),
        price.asc,
        price.desc,
        price.min,
        price.sum,
        lambda: price.optional().max(),
    ):
        with pytest.raises(TypeError, match=r"orders\.price: Decimal( or NULL)? is kept as text"):
            misuse()


async def test_a_query_without_a_table_says_so(orm):
    with pytest.raises(InvalidArgument, match="no column says which table to read") as refusal:
        await orm.select(count()).get_one()
    assert refusal.value.reason == "no_table"


async def test_errors_of_the_engine_come_through(tmp_path, orm, database):
    missing = Table(type(ANN), "nowhere", key=lambda one: one.id)
    with pytest.raises(Unprocessable, match="no such table: nowhere"):
        await orm.select(missing).get_many()
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10001)"
    await run(database, f"CREATE TABLE many AS {numbers} SELECT i FROM n")
    many = msgspec.defstruct("Many", [("i", int)])
    with pytest.raises(TooLarge, match="read it in pages"):
        await orm.select(Table(many, "many", key=lambda one: one.i)).get_many()


class Levels:
    """The port, which notes how fresh reads are to be."""

    def __init__(self, database):
        self._database = database
        self.seen = []

    async def query(self, namespace, statement, *, consistency=Consistency.WEAK):
        self.seen.append(consistency)
        return await self._database.query(namespace, statement, consistency=consistency)


async def test_consistency_is_that_of_the_orm_unless_a_query_says_otherwise(database):
    from orama.orm import Orm

    levels = Levels(database)
    orm = Orm(levels, SHOP, consistency=Consistency.STRONG)
    await orm.select(users).count()
    await orm.repository(users).find()
    await orm.select(users).consistency(Consistency.NONE).get_many()
    await orm.fetch(Named, "SELECT name FROM users")
    strong = Consistency.STRONG
    assert levels.seen == [strong, strong, Consistency.NONE, strong]


def test_a_statement_can_be_looked_at(orm):
    statement = orm.select(name).where(age > 18).limit(3).statement()
    assert statement == Statement('SELECT "users"."name" FROM "users" WHERE ("users"."age" > ?) LIMIT ?', (18, 3))
    assert len(ORDERS) == 4
