"""What the type checker accepts, and what it then knows. No line here may be an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_type

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.sql import Result
from orama.orm import (
    Column,
    Condition,
    Expression,
    Orm,
    Pending,
    PooledDatabase,
    Query,
    Repository,
    Table,
    any_of,
    count,
    sql,
    sql_as,
)
from support.shop import (
    Colour,
    Email,
    Line,
    Order,
    User,
    active,
    age,
    boss,
    buyer,
    colour,
    email,
    lines,
    made,
    name,
    nick,
    orders,
    price,
    total,
    user_id,
    users,
)


@dataclass
class PerUser:
    name: str
    orders: int


assert_type(users, Table[User, int])
assert_type(orders, Table[Order, str])
assert_type(lines, Table[Line, tuple[str, int]])
assert_type(users.aliased("bosses"), Table[User, int])

assert_type(age, Column[int])
assert_type(nick, Column[str | None])
assert_type(made, Column[datetime])

assert_type(age > 18, Condition)
assert_type(nick == "x", Condition)
assert_type(nick == None, Condition)  # noqa: E711
assert_type(boss == user_id, Condition)
assert_type(buyer == user_id, Condition)
assert_type(user_id == buyer, Condition)
assert_type(total >= 5, Condition)
assert_type(made < datetime(2027, 1, 1), Condition)
assert_type(email == Email("a@b"), Condition)
assert_type(colour != Colour.RED, Condition)
assert_type(age.is_in([1, 2]), Condition)
assert_type(nick.like("a%"), Condition)
assert_type(active.is_true(), Condition)
assert_type((age > 18) & ~(nick == "x") | sql("age > ?", 65), Condition)
assert_type(any_of(age > 18, price.is_null()), Condition)

assert_type(age.max(), Expression[int | None])
assert_type(age.sum(), Expression[int | None])
assert_type(total.sum(), Expression[float | None])
assert_type(age.avg(), Expression[float | None])
assert_type(count(), Expression[int])
assert_type(sql_as(str, "lower(name)"), Expression[str])
assert_type(total.optional(), Expression[float | None])


def pooled(database: Database, clock: Clock) -> Database:
    return PooledDatabase(database, clock)


async def queries(orm: Orm) -> None:
    people = orm.select(users).where(age > 18, active.is_true()).or_where("age > ?", 65).order_by(age.desc(), "name")
    assert_type(people, Query[User])
    assert_type(await people.get_many(), list[User])
    assert_type(await people.get_one(), User | None)
    assert_type(await people.count(), int)
    assert_type(await people.exists(), bool)
    async for person in people.stream():
        assert_type(person, User)
    assert_type(orm.select(age), Query[int])
    assert_type(orm.select(name, nick), Query[tuple[str, str | None]])
    joined = orm.select(users, orders.optional()).left_join(orders, buyer == user_id)
    assert_type(joined, Query[tuple[User, Order | None]])
    assert_type(await joined.get_many(), list[tuple[User, Order | None]])
    wide = orm.select(name, age, email, made, active, nick)
    assert_type(wide, Query[tuple[str, int, Email, datetime, bool, str | None]])
    grouped = (
        orm.select(name, count().named("orders")).join(orders, "users.id = orders.user").group_by(name, "users.id")
    )
    assert_type(grouped.having("orders > ?", 3), Query[tuple[str, int]])
    assert_type(grouped.into(PerUser), Query[PerUser])
    assert_type(await orm.fetch(PerUser, "SELECT name, 1 AS orders FROM users WHERE age > ?", 18), list[PerUser])


async def changes(orm: Orm, person: User, order: Order) -> None:
    people = orm.repository(users)
    assert_type(people, Repository[User, int])
    assert_type(await people.save(person), User)
    assert_type(await people.save_all([person]), list[User])
    assert_type(await people.get(5), User)
    assert_type(await people.find("age > ?", 18), list[User])
    assert_type(await people.find(age > 18), list[User])
    assert_type(await people.find_one(email == Email("a@b")), User | None)
    assert_type(await people.remove(person), bool)
    assert_type(await orm.repository(lines).get(("a", 1)), Line)
    async with orm.transaction() as work:
        saved = work.save(orders, order)
        done = work.execute("UPDATE users SET age = age + ?", 1, expect_rows=3)
        work.expect(orm.select(users).where(age > 3), rows=1)
    assert_type(saved, Pending[Order])
    assert_type(saved.value, Order)
    assert_type(done.value, Result)
