"""A repository keeps what it is given, and changes nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from orama.domain.sql import MAX_INTEGER, SqlLimits
from orama.errors import NotFound, Precondition, TooLarge, Unprocessable
from orama.orm import Orm, RowMismatch, Table, ValueMismatch
from support.shop import (
    ANN,
    BOB,
    CYD,
    DAN,
    ORDERS,
    Colour,
    Email,
    Line,
    age,
    email,
    fill,
    lines,
    orders,
    shop_in_loop,
    users,
)
from support.sqlite import SHOP, read, run


@pytest.fixture
def people(orm):
    return orm.repository(users)


async def test_the_database_gives_the_key_and_the_entity_stays_as_it_was(people):
    new = replace(ANN, id=None)
    saved = await people.save(new)
    assert (new.id, saved) == (None, replace(new, id=1))
    assert await people.get(1) == saved
    assert await people.save(replace(BOB, id=MAX_INTEGER)) == replace(BOB, id=MAX_INTEGER)
    assert (await people.get(MAX_INTEGER)).name == "bob"


async def test_what_is_saved_again_takes_the_place_of_the_row(people):
    saved = await people.save(replace(ANN, id=None))
    older = await people.save(replace(saved, age=41, nick=None))
    assert await people.find() == [older]
    assert older.age == 41


async def test_rows_are_found_by_conditions_and_texts(orm, people):
    await fill(orm)
    assert await people.find(age == 30) == [CYD, DAN]
    assert await people.find(age == 30, email == Email("cyd@x")) == [CYD]
    assert await people.find("age > ? AND nick IS NOT NULL", 20) == [ANN, CYD]
    assert await people.find_one(email == Email("bob@x")) == BOB
    assert await people.find_one("age > ?", 99) is None
    assert await people.count() == 4
    assert await people.count(age == 30) == 2
    assert await people.count("age = ?", 99) == 0
    assert await people.exists()
    assert await people.exists("name = ?", "ann")
    assert not await people.exists(age > 99)
    assert await people.query().where(age < 30).get_one() == BOB
    with pytest.raises(NotFound, match="there is no row in users with that key") as missing:
        await people.get(99)
    assert missing.value.reason == "row_not_found"


async def test_rows_are_removed_by_entity_and_by_key(orm, people):
    await fill(orm)
    assert await people.remove(ANN)
    assert not await people.remove(ANN)
    assert await people.remove_key(2)
    assert not await people.remove_key(2)
    assert await people.remove_all([ANN, CYD, DAN]) == 2
    assert await people.find() == []
    with pytest.raises(ValueMismatch, match=r"users\.id: None was given where int is expected"):
        await people.remove(replace(ANN, id=None))


async def test_many_are_saved_together_or_not_at_all(people):
    saved = await people.save_all(replace(one, id=None) for one in (ANN, BOB, CYD))
    assert [one.id for one in saved] == [1, 2, 3]
    assert await people.find() == saved
    with pytest.raises(Unprocessable, match=r"UNIQUE constraint failed: users\.email") as refusal:
        await people.save_all([replace(ANN, age=99), replace(DAN, id=None), replace(DAN, id=None)])
    assert refusal.value.reason == "constraint"
    assert await people.find() == saved
    with pytest.raises(ValueMismatch, match=r"users\.age: an int beyond 64 bits"):
        await people.save_all([DAN, replace(DAN, age=2**63)])
    assert await people.find() == saved
    assert await people.save_all([]) == []
    assert await people.remove_all([]) == 0


async def test_a_batch_has_a_bound(database):
    few = Orm(database, SHOP, limits=SqlLimits(max_statements=2)).repository(users)
    await few.save_all([ANN, BOB])
    with pytest.raises(TooLarge, match="3 statements in one batch: the limit is 2") as refusal:
        await few.save_all([ANN, BOB, CYD])
    assert refusal.value.details == {"limit": 2, "value": 3}
    with pytest.raises(TooLarge):
        await few.remove_all([ANN, BOB, CYD])
    assert await few.count() == 2


async def test_a_key_of_several_fields(orm):
    rows = orm.repository(lines)
    await rows.save_all([Line("o1", 1, "a"), Line("o1", 2, "b"), Line("o2", 1, "c")])
    await rows.save(Line("o1", 2, "bb"))
    assert await rows.get(("o1", 2)) == Line("o1", 2, "bb")
    assert await rows.remove_key(("o1", 1))
    assert await rows.remove(Line("o2", 1, "whatever"))
    assert await rows.find() == [Line("o1", 2, "bb")]


async def test_a_version_lets_only_one_of_two_changes_pass(orm):
    rows = orm.repository(orders)
    first = await rows.save(ORDERS[0])
    assert (ORDERS[0].version, first.version) == (0, 1)
    changed = await rows.save(msgspec.structs.replace(first, colour=Colour.BLUE))
    assert (changed.version, changed.colour) == (2, Colour.BLUE)
    for late in (rows.save(msgspec.structs.replace(first, total=0.0)), rows.remove(first)):
        with pytest.raises(Precondition, match="the row of orders was changed or removed since it was read") as stale:
            await late
        assert stale.value.reason == "stale"
    assert await rows.get(first.id) == changed
    with pytest.raises(Unprocessable, match=r"UNIQUE constraint failed: orders\.id"):
        await rows.save(ORDERS[0])
    with pytest.raises(Precondition, match="the row of orders was changed or removed") as stale:
        await rows.save_all([ORDERS[1], first])
    assert (stale.value.reason, stale.value.details) == ("stale", {"statement": 1})
    assert await rows.find() == [changed]
    assert await rows.remove(changed)
    with pytest.raises(Precondition):
        await rows.save(changed)
    assert await rows.find() == []


async def test_of_changes_at_once_to_one_version_one_passes(orm):
    rows = orm.repository(orders)
    first = await rows.save(ORDERS[0])
    attempts = [rows.save(msgspec.structs.replace(first, total=float(number))) for number in range(20)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    won = [one for one in outcomes if not isinstance(one, Precondition)]
    assert won == await rows.find()


@dataclass
class Tick:
    id: int | None = None


@dataclass
class Label:
    id: str


async def test_a_table_of_nothing_but_its_key(orm, database):
    await run(database, "CREATE TABLE ticks(id INTEGER PRIMARY KEY)")
    await run(database, "CREATE TABLE labels(id TEXT PRIMARY KEY)")
    ticks = orm.repository(Table(Tick, "ticks", key=lambda one: one.id))
    assert await ticks.save_all([Tick(), Tick(7), Tick(7), Tick()]) == [Tick(1), Tick(7), Tick(7), Tick(8)]
    labels = orm.repository(Table(Label, "labels", key=lambda one: one.id))
    await labels.save_all([Label("x"), Label("x")])
    assert await labels.find() == [Label("x")]


async def test_a_key_that_the_database_does_not_give_is_an_error(orm, database):
    await run(database, "CREATE TABLE ticks(id INT PRIMARY KEY)")  # INT: SQLite gives nothing
    ticks = orm.repository(Table(Tick, "ticks", key=lambda one: one.id))
    with pytest.raises(RowMismatch, match=r"ticks\.id: the row holds NULL where an INTEGER PRIMARY KEY is expected"):
        await ticks.save(Tick())


async def test_a_row_that_the_database_does_not_take_is_an_error(people, database):
    trigger = "CREATE TRIGGER picky BEFORE INSERT ON users WHEN new.age > 60 BEGIN SELECT RAISE(IGNORE); END"
    await run(database, trigger, privileged=True)
    with pytest.raises(Precondition, match="met 0 rows where 1 were expected"):
        await people.save_all([replace(BOB, id=None), replace(ANN, id=None, age=61)])
    with pytest.raises(Precondition, match="met 0 rows where 1 were expected"):
        await people.save(replace(ANN, id=None, age=61))
    assert await people.count() == 0


_people = st.builds(
    lambda number, years, mail, nickname: replace(ANN, id=number, age=years, email=Email(mail), nick=nickname),
    st.none() | st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["a", "b", "c", "d"]),
    st.none() | st.text(max_size=3),
)


class Beside(RuleBasedStateMachine):
    """A repository beside a dict. E-mail addresses are unique, so that some saves must fail."""

    run_in_loop = orm = database = None

    def __init__(self):
        super().__init__()
        self.people = self.orm.repository(users)
        self.model = {}
        self.run_in_loop(run(self.database, "DELETE FROM users"))

    def put(self, model, person):
        """The model with `person`, and the person as it is stored; None if that must fail."""
        key = person.id if person.id is not None else max(model, default=0) + 1
        if any(other.email == person.email for number, other in model.items() if number != key):
            return None
        stored = replace(person, id=key)
        return {**model, key: stored}, stored

    def check(self, people, action):
        """`action` saves `people` together, or none of them."""
        model, expected = self.model, []
        for person in people:
            put = self.put(model, person)
            if put is None:
                with pytest.raises(Unprocessable, match="UNIQUE constraint failed"):
                    self.run_in_loop(action)
                return
            model, stored = put
            expected.append(stored)
        saved = self.run_in_loop(action)
        assert saved == (expected if isinstance(saved, list) else expected[0])
        self.model = model

    @rule(person=_people)
    def save(self, person):
        self.check([person], self.people.save(person))

    @rule(people=st.lists(_people, max_size=4))
    def save_all(self, people):
        self.check(people, self.people.save_all(people))

    @rule(people=st.lists(_people.filter(lambda one: one.id is not None), max_size=3))
    def remove(self, people):
        keys = {one.id for one in people} & self.model.keys()
        assert self.run_in_loop(self.people.remove_all(people)) == len(keys)
        self.model = {key: one for key, one in self.model.items() if key not in keys}

    @rule(key=st.integers(1, 5))
    def remove_key(self, key):
        assert self.run_in_loop(self.people.remove_key(key)) == (self.model.pop(key, None) is not None)

    @rule(key=st.integers(1, 5), years=st.integers(0, 3))
    def look(self, key, years):
        grown = [one for one in self.model.values() if one.age > years]
        assert self.run_in_loop(self.people.count(age > years)) == len(grown)
        assert self.run_in_loop(self.people.exists("age > ?", years)) == bool(grown)
        assert sorted(self.run_in_loop(self.people.find(age > years)), key=lambda one: one.id) == sorted(
            grown, key=lambda one: one.id
        )
        if key in self.model:
            assert self.run_in_loop(self.people.get(key)) == self.model[key]
        else:
            with pytest.raises(NotFound):
                self.run_in_loop(self.people.get(key))

    @invariant()
    def holds_what_the_model_holds(self):
        stored = self.run_in_loop(self.people.query().order_by("id").get_many())
        assert stored == [self.model[key] for key in sorted(self.model)]


def test_a_repository_is_a_dict_of_its_keys(tmp_path):
    with shop_in_loop(tmp_path) as (Beside.run_in_loop, Beside.orm, Beside.database):
        run_state_machine_as_test(Beside, settings=settings(max_examples=40, stateful_step_count=20))


async def test_a_failed_save_leaves_nothing_in_the_file(people, database):
    await people.save(ANN)
    with pytest.raises(Unprocessable):
        await people.save(replace(ANN, id=2))
    assert await read(database, "SELECT count(*) FROM users") == [(1,)]
