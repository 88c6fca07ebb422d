"""Mapping many rows does not keep the event loop from others."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import pytest

from orama.domain.sql import Result
from orama.orm import Orm
from orama.orm.turn import ROWS_PER_TURN
from support.shop import ANN, users
from support.sqlite import SHOP, run

COUNT = 1_000


class Named(msgspec.Struct):
    name: str


class Ready:
    """A port that has its answers at hand, so that whatever takes turns is the ORM."""

    def __init__(self, rows):
        self._rows = rows

    async def query(self, *_args, **_options):
        return self._rows

    async def execute(self, _namespace, batch):
        return [Result(1, 0) for _ in batch]


@contextmanager
def turns_of_another_task():
    turns = []

    async def take():
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    task = asyncio.create_task(take())
    yield turns
    task.cancel()


@pytest.fixture
async def ready(orm, database):
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {COUNT})"
    columns = "id, name, age, email, made_at, active"
    await run(database, f"INSERT INTO users({columns}) {numbers} SELECT i, 'x', 1, i, '2027-01-01', 1 FROM n")
    return Orm(Ready(await database.query(SHOP, orm.select(users).statement())), SHOP)


async def all_of_a_stream(query):
    return [row async for row in query.stream(COUNT + 1)]


@pytest.mark.parametrize(
    "work",
    [
        lambda orm: orm.select(users).get_many(),
        lambda orm: all_of_a_stream(orm.select(users)),
        lambda orm: orm.fetch(Named, "SELECT * FROM users"),
        lambda orm: orm.repository(users).save_all(replace(ANN, id=number) for number in range(COUNT)),
        lambda orm: orm.repository(users).remove_all(replace(ANN, id=number) for number in range(COUNT)),
    ],
    ids=["get_many", "stream", "fetch", "save_all", "remove_all"],
)
async def test_others_have_a_turn_after_every_so_many_rows(ready, work):
    with turns_of_another_task() as turns:
        await work(ready)
    assert len(turns) >= COUNT // ROWS_PER_TURN - 1
