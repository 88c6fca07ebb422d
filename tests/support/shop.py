"""A shop for the tests of the ORM: its classes, how they are tables, and the SQL that makes these."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import NewType

import msgspec
import uvloop

from orama.domain.sql import Statement
from orama.orm import Orm, Table
from orama.orm.script import split_statements
from support.sqlite import SHOP, open_sqlite

Email = NewType("Email", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class User:
    name: str
    age: int
    email: Email
    made: datetime
    active: bool = True
    nick: str | None = None
    boss: int | None = None
    id: int | None = None


class Order(msgspec.Struct, frozen=True):
    id: str
    user: int
    total: float
    price: Decimal
    colour: Colour
    version: int = 0


class Line(msgspec.Struct, frozen=True):
    order: str
    number: int
    text: str


users = Table(User, "users", key=lambda user: user.id, columns=lambda user: [(user.made, "made_at")])
orders = Table(Order, "orders", key=lambda order: order.id, version=lambda order: order.version)
lines = Table(Line, "lines", key=lambda line: (line.order, line.number))

user_id = users.column(lambda user: user.id)
name = users.column(lambda user: user.name)
age = users.column(lambda user: user.age)
email = users.column(lambda user: user.email)
made = users.column(lambda user: user.made)
active = users.column(lambda user: user.active)
nick = users.column(lambda user: user.nick)
boss = users.column(lambda user: user.boss)
order_id = orders.column(lambda order: order.id)
buyer = orders.column(lambda order: order.user)
total = orders.column(lambda order: order.total)
price = orders.column(lambda order: order.price)
colour = orders.column(lambda order: order.colour)

SCHEMA = """
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL, email TEXT NOT NULL UNIQUE,
    made_at TEXT NOT NULL, active BOOLEAN NOT NULL, nick TEXT, boss INTEGER);
CREATE TABLE orders(id TEXT PRIMARY KEY, user INTEGER NOT NULL, total REAL NOT NULL, price TEXT NOT NULL,
    colour TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE lines("order" TEXT, number INTEGER, text TEXT NOT NULL, PRIMARY KEY ("order", number));
"""


@asynccontextmanager
async def open_shop(directory, **options):
    """An `Orm` over an SQLite file with the shop's tables, all empty, and its database."""
    async with open_sqlite(directory, **options) as database:
        await database.execute(SHOP, [Statement(one.sql) for one in split_statements(SCHEMA)])
        yield Orm(database, SHOP), database


@contextmanager
def shop_in_loop(directory, **options):
    """The same for tests that hypothesis runs many times: what runs a coroutine, the `Orm`, its database."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        opening = open_shop(directory, **options)
        orm, database = runner.run(opening.__aenter__())
        try:
            yield runner.run, orm, database
        finally:
            runner.run(opening.__aexit__(None, None, None))


ANN = User("ann", 40, Email("ann@x"), datetime(2027, 1, 1, tzinfo=UTC), nick="a", id=1)
BOB = User("bob", 20, Email("bob@x"), datetime(2027, 1, 2, tzinfo=UTC), active=False, boss=1, id=2)
CYD = User("cyd", 30, Email("cyd@x"), datetime(2027, 1, 3, tzinfo=UTC), nick="c", boss=1, id=3)
DAN = User("dan", 30, Email("dan@x"), datetime(2027, 1, 4, tzinfo=UTC), boss=3, id=4)
ORDERS = [
    Order("o1", 1, 10.5, Decimal("10.50"), Colour.RED),
    Order("o2", 1, 20.0, Decimal("20.00"), Colour.BLUE),
    Order("o3", 3, 5.0, Decimal(5), Colour.RED),
    Order("o4", 99, 1.0, Decimal(1), Colour.BLUE),
]


async def fill(orm):
    """Four people, of whom two have ordered, and an order of nobody's."""
    await orm.repository(users).save_all([ANN, BOB, CYD, DAN])
    return await orm.repository(orders).save_all(ORDERS)
