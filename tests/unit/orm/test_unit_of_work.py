"""A unit of work takes effect whole, at its end, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from orama.domain.sql import SqlLimits
from orama.errors import InvalidArgument, Precondition, TooLarge, Unprocessable
from orama.orm import Orm, ValueMismatch
from support.shop import ANN, BOB, CYD, DAN, ORDERS, age, fill, orders, total, users
from support.sqlite import SHOP


async def unit(orm, *steps):
    """A unit of work of these steps."""
    async with orm.transaction() as work:
        for step in steps:
            step(work)


async def test_statements_take_effect_together_at_the_end(orm):
    people = orm.repository(users)
    async with orm.transaction() as work:
        ann = work.save(users, replace(ANN, id=None))
        first = work.save(orders, ORDERS[0])
        gone = work.remove(users, BOB)
        older = work.execute("UPDATE users SET age = age + ? WHERE name = ?", 1, "ann", expect_rows=1)
        listed = work.execute("SELECT name, age FROM users")
        assert await people.count() == 0
        for pending in (ann, first, gone, older):
            with pytest.raises(RuntimeError, match="once the unit of work has taken effect"):
                _ = pending.value
    assert ann.value == replace(ANN, id=1)
    assert first.value.version == 1
    assert gone.value is False
    assert older.value.rows_affected == 1
    assert listed.value.rows.rows == [("ann", 41)]
    assert await people.find() == [replace(ANN, age=41)]
    assert await orm.repository(orders).find() == [first.value]


async def test_nothing_is_sent_when_the_block_fails(orm):
    saved = []
    with pytest.raises(ZeroDivisionError):
        await unit(orm, lambda work: saved.append(work.save(users, ANN)), lambda _: 1 / 0)
    with pytest.raises(RuntimeError):
        _ = saved[0].value
    assert await orm.repository(users).count() == 0


async def test_nothing_is_sent_when_the_block_is_cancelled(orm):
    entered = asyncio.Event()

    async def change():
        async with orm.transaction() as work:
            work.save(users, ANN)
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(change())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await orm.repository(users).count() == 0


async def test_a_statement_that_fails_undoes_the_others(orm):
    saved = []
    with pytest.raises(Unprocessable, match=r"UNIQUE constraint failed: users\.email"):
        await unit(
            orm,
            lambda work: saved.append(work.save(users, ANN)),
            lambda work: work.save(users, replace(ANN, id=2)),
        )
    with pytest.raises(RuntimeError):
        _ = saved[0].value
    assert await orm.repository(users).count() == 0


async def test_reads_inside_see_the_state_before_and_expectations_the_state_then(orm):
    await fill(orm)
    grown = orm.select(users).where(age > 20)
    async with orm.transaction() as work:
        work.remove(users, ANN)
        assert await grown.count() == 3
        work.expect(grown, rows=2)
        work.expect(orm.select(orders).where(total > 100), rows=0)
    with pytest.raises(Precondition) as refusal:
        await unit(orm, lambda work: work.remove(users, CYD), lambda work: work.expect(grown, rows=2))
    assert refusal.value.reason == "expect_rows"
    assert await grown.count() == 2


@pytest.mark.parametrize("expected", [0, 2])
async def test_rows_that_are_not_as_expected_undo_all(orm, expected):
    await fill(orm)
    with pytest.raises(Precondition):
        await unit(
            orm,
            lambda work: work.save(users, replace(BOB, age=99)),
            lambda work: work.execute("DELETE FROM users WHERE name = ?", "ann", expect_rows=expected),
        )
    assert await orm.repository(users).find("age = 99 OR name = 'ann'") == [ANN]


async def test_a_version_that_another_has_changed_undoes_all(orm):
    stored = await fill(orm)
    rows = orm.repository(orders)
    async with orm.transaction() as work:
        order = await rows.get("o1")
        work.save(orders, msgspec.structs.replace(order, total=1.0))
    with pytest.raises(Precondition, match="the row of orders was changed or removed since it was read"):
        await unit(
            orm,
            lambda work: work.save(users, replace(DAN, age=99)),
            lambda work: work.save(orders, msgspec.structs.replace(stored[0], total=2.0)),
        )
    assert (await rows.get("o1")).total == 1.0
    assert not await orm.repository(users).exists(age == 99)


async def test_of_transfers_at_once_no_unit_is_made_or_lost(orm):
    """The classic: read, decide, write. Those who lose begin again."""
    await fill(orm)

    async def move(source, target):
        while True:
            try:
                async with orm.transaction() as work:
                    giver, taker = [await orm.repository(orders).get(one) for one in (source, target)]
                    if giver.total < 1:
                        return
                    work.save(orders, msgspec.structs.replace(giver, total=giver.total - 1))
                    work.save(orders, msgspec.structs.replace(taker, total=taker.total + 1))
            except Precondition:
                continue
            return

    await asyncio.gather(*(move(*pair) for pair in [("o1", "o2"), ("o2", "o3"), ("o3", "o1"), ("o2", "o1")] * 5))
    assert await orm.select(total.sum()).get_one() == 36.5
    assert await orm.select(total.min()).get_one() >= 0


async def test_an_empty_unit_does_nothing(orm):
    async with orm.transaction():
        pass


async def test_a_unit_is_good_once_and_inside_its_block_only(orm):
    work = orm.transaction()
    with pytest.raises(RuntimeError, match="inside its `async with` block only"):
        work.save(users, ANN)
    async with work:
        work.save(users, ANN)
    with pytest.raises(RuntimeError, match="inside its `async with` block only"):
        work.execute("DELETE FROM users")
    with pytest.raises(RuntimeError, match="good once"):
        async with work:
            pass
    assert await orm.repository(users).count() == 1


async def test_a_unit_has_a_bound(database):
    few = Orm(database, SHOP, limits=SqlLimits(max_statements=2))
    with pytest.raises(TooLarge, match="3 statements in one batch: the limit is 2"):
        await unit(few, *(lambda work, one=one: work.save(users, one) for one in (ANN, BOB, CYD)))
    assert await few.repository(users).count() == 0


async def test_arguments_that_do_not_fit_are_refused_at_once(orm):
    with pytest.raises(ValueMismatch, match=r"arguments\.1: object was given"):
        await unit(orm, lambda work: work.execute("DELETE FROM users WHERE id = ?", object()))
    with pytest.raises(InvalidArgument):
        await unit(orm, lambda work: work.execute("DELETE FROM users WHERE id = ?"))
