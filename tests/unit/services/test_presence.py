"""Presence over gateways that live, die, stall and come back."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest

from orama.backends.broker.local import LocalBroker
from orama.domain.identity import Method, Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.pubsub import PresenceKind, PresenceSettings
from orama.domain.sql import Statement
from orama.domain.topic import Topic
from orama.errors import Conflict, InvalidArgument, Unavailable
from orama.services.presence.service import PresenceService
from orama.testing.clock import ManualClock
from support.identity import platform_database

SHOP = Namespace("shop")
ROOM = Topic("room")
ANN = Principal(Method.API_KEY, "ak_ann", SHOP, frozenset({"*"}))
BOB = Principal(Method.API_KEY, "ak_bob", SHOP, frozenset({"*"}))


class Busy:
    """The database behind it, which knows how many calls it is answering."""

    def __init__(self, database):
        self._database = database
        self.active = 0
        self.read = asyncio.Event()
        """Set when a query has been answered."""
        self.late = None
        """What the answers of queries wait for before their callers get them."""
        self.held = None
        """What writes wait for before they begin."""

    async def query(self, *arguments, **options):
        answer = await self._counted(self._database.query(*arguments, **options))
        self.read.set()
        if self.late is not None:
            await self.late.wait()
        return answer

    async def execute(self, *arguments):
        if self.held is not None:
            await self.held.wait()
        return await self._counted(self._database.execute(*arguments))

    async def _counted(self, call):
        self.active += 1
        try:
            return await call
        finally:
            self.active -= 1


class Gateway:
    """One gateway's presence; its background tasks run until it is stopped or killed."""

    def __init__(self, world, node_id, settings=None):
        self.world = world
        self.service = PresenceService(
            world.busy, world.broker, world.clock, settings or PresenceSettings(), node_id=node_id
        )
        self._task = None

    async def start(self):
        await self.service.open()
        self._task = asyncio.create_task(self.service.run())
        await self.world.settle()
        return self

    async def kill(self):
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def stop(self):
        await self.kill()
        await self.service.close()

    async def join(self, member_id, caller=ANN, topic=ROOM, meta=None):
        row = await self.service.join(caller, topic, member_id, meta)
        await self.service.announce(row)
        return row

    async def names(self, topic=ROOM):
        return [one.member_id for one in await self.service.members(SHOP, topic)]


class World:
    """A database and a broker that several gateways share, and what was said."""

    def __init__(self, database, clock):
        self.database = database
        self.busy = Busy(database)
        self.clock = clock
        self.broker = LocalBroker()
        self.heard = []

    def _hear(self, message):
        inside = json.loads(message.payload)
        assert (inside["type"], inside["member_id"]) == (message.presence.kind.value, message.presence.member_id)
        self.heard.append((message.presence.kind, message.presence.member_id))

    async def listen(self):
        await self.broker.subscribe(SHOP, self._hear)

    async def pass_time(self, seconds):
        """Time in small steps, in which the gateways have their beats."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            await self.settle()

    async def settle(self):
        """Let tasks and the database's threads come to rest."""
        quiet = 0
        while quiet < 10:
            await asyncio.sleep(0.0005 if self.busy.active else 0)
            quiet = 0 if self.busy.active else quiet + 1

    async def settle_removal(self):
        """Until the rows of those who left are gone."""
        assert await self.no_rows()
        await self.settle()

    async def rows(self):
        return (
            await self.database.query(PLATFORM, Statement("SELECT member_id FROM presence_members ORDER BY 1"))
        ).rows

    async def no_rows(self):
        for _ in range(100):
            if not await self.rows():
                return True
            await asyncio.sleep(0.01)
        return False


@asynccontextmanager
async def new_world(tmp_path):
    clock = ManualClock()
    async with platform_database(tmp_path, clock) as database:
        world = World(database, clock)
        await world.listen()
        yield world


@pytest.fixture
async def world(tmp_path):
    async with new_world(tmp_path) as made:
        yield made


@pytest.fixture
async def gateway(world):
    started = await Gateway(world, "node").start()
    yield started
    await started.stop()


async def test_member_is_listed_while_it_is_there_and_its_row_goes_with_it(world, gateway):
    row = await gateway.join("ann", meta=b'{"a":1}')
    (member,) = await gateway.service.members(SHOP, ROOM)
    assert (member.member_id, member.meta, member.joined_at) == ("ann", b'{"a":1}', 1_800_000_000_000)
    gateway.service.leave(row)
    gateway.service.leave(row)
    assert await gateway.names() == []
    assert await world.no_rows()
    assert world.heard == [(PresenceKind.JOIN, "ann"), (PresenceKind.LEAVE, "ann")]
    assert len(gateway.service) == 0


async def test_update_is_stored_and_told(world, gateway):
    row = await gateway.join("ann", meta=b'{"a":1}')
    await gateway.service.update(row, b'{"a":2}')
    assert (await gateway.service.members(SHOP, ROOM))[0].meta == b'{"a":2}'
    await gateway.service.update(row, None)
    assert (await gateway.service.members(SHOP, ROOM))[0].meta is None
    with pytest.raises(InvalidArgument):
        await gateway.service.update(row, b"x" * 1025)
    assert [kind for kind, _ in world.heard] == [PresenceKind.JOIN, PresenceKind.UPDATE, PresenceKind.UPDATE]


async def test_member_that_nobody_was_told_of_goes_silently(world, gateway):
    row = await gateway.service.join(ANN, ROOM, "ann", None)
    gateway.service.withdraw(row)
    assert await world.no_rows()
    assert world.heard == []


async def test_members_come_in_the_order_in_which_they_joined_and_by_topic(world, gateway):
    for name in ("c", "a", "b"):
        await gateway.join(name)
        world.clock.advance(0.001)
    await gateway.join("elsewhere", topic=Topic("room2"))
    assert await gateway.names() == ["c", "a", "b"]
    assert await gateway.names(Topic("roo")) == []


async def test_member_id_is_one_owners_on_one_topic(world, gateway):
    row = await gateway.join("ann")
    await gateway.join("ann")
    with pytest.raises(Conflict) as refusal:
        await gateway.join("ann", BOB)
    assert refusal.value.reason == "member_id_taken"
    await gateway.join("ann", BOB, topic=Topic("other"))
    await gateway.join("anna", BOB)
    assert await gateway.names() == ["ann", "ann", "anna"]
    gateway.service.leave(row)


async def test_member_id_is_free_the_moment_its_last_holder_has_left(world, gateway):
    for _ in range(20):
        gateway.service.leave(await gateway.join("ann"))
        gateway.service.leave(await gateway.join("ann", BOB))
    assert await gateway.names() == []


async def test_member_that_left_is_not_listed_when_its_row_goes_while_it_is_read(world, gateway):
    row = await gateway.join("ann")
    world.busy.late, world.busy.held = asyncio.Event(), asyncio.Event()
    world.busy.read.clear()
    gateway.service.leave(row)
    listing = asyncio.create_task(gateway.names())  # reads the row before it is removed, and hears of it after
    await world.busy.read.wait()
    world.busy.held.set()
    await world.settle_removal()
    world.busy.late.set()
    assert await listing == []


async def test_of_two_owners_that_race_for_a_name_one_gets_it(world):
    one, two = await Gateway(world, "one").start(), await Gateway(world, "two").start()
    for number in range(20):
        joins = (one.join(f"m{number}", ANN), two.join(f"m{number}", BOB))
        outcomes = await asyncio.gather(*joins, return_exceptions=True)
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    await one.stop()
    await two.stop()


async def test_full_topic_takes_no_more_and_others_do(world):
    gateway = await Gateway(world, "node", PresenceSettings(max_members=3)).start()
    rows = [await gateway.join(f"m{number}") for number in range(3)]
    with pytest.raises(Conflict) as refusal:
        await gateway.join("m4")
    assert refusal.value.reason == "too_many_members"
    await gateway.join("m4", topic=Topic("other"))
    gateway.service.leave(rows[0])
    assert await world.no_rows() is False
    await gateway.join("m4")
    await gateway.stop()


async def test_gateways_see_each_others_members(world):
    one, two = await Gateway(world, "one").start(), await Gateway(world, "two").start()
    row = await one.join("ann")
    world.clock.advance(0.001)
    await two.join("bob", BOB)
    assert await one.names() == await two.names() == ["ann", "bob"]
    one.service.leave(row)
    await world.settle()
    assert await two.names() == ["bob"]
    await one.stop()
    assert await two.names() == ["bob"]
    await two.stop()
    assert await world.no_rows()


async def test_members_of_a_gateway_that_died_are_gone_and_told_of_once(world):
    dead, one, two = [await Gateway(world, name).start() for name in ("dead", "one", "two")]
    for number in range(3):
        await dead.join(f"m{number}")
    await one.join("stays")
    await dead.kill()
    await world.pass_time(9)
    assert len(await one.names()) == 4
    world.heard.clear()
    await world.pass_time(16)
    assert await one.names() == await two.names() == ["stays"]
    assert [kind for kind, _ in world.heard] == [PresenceKind.LEAVE] * 3
    assert sorted(name for _, name in world.heard) == ["m0", "m1", "m2"]
    await one.stop()
    await two.stop()


async def test_living_gateways_keep_their_members_for_ever(world):
    one, two = await Gateway(world, "one").start(), await Gateway(world, "two").start()
    await one.join("ann")
    await world.pass_time(200)
    assert await two.names() == ["ann"]
    assert world.heard == [(PresenceKind.JOIN, "ann")]
    await one.stop()
    await two.stop()


async def test_clocks_that_differ_or_jump_kill_nobody(world):
    one, two = await Gateway(world, "one").start(), await Gateway(world, "two").start()
    await one.join("ann")
    for jump in (1e6, -1e6, 0):
        world.clock.set_wall(1_800_000_000 + jump)
        await world.pass_time(20)
        assert await two.names() == ["ann"]
    await one.stop()
    await two.stop()


async def test_gateway_that_stalled_puts_its_members_back(world):
    stalled, other = await Gateway(world, "stalled").start(), await Gateway(world, "other").start()
    for number in range(3):
        await stalled.join(f"m{number}")
    await stalled.kill()  # its tasks do not run, but the process has its members
    await world.pass_time(25)
    assert await other.names() == []
    await stalled.service.beat(1)
    assert sorted(await other.names()) == ["m0", "m1", "m2"]
    await stalled.service.close()
    await other.stop()


async def test_node_that_starts_again_has_no_members_of_before(world):
    before = await Gateway(world, "node").start()
    await before.join("ghost")
    await before.kill()
    world.heard.clear()
    after = await Gateway(world, "node").start()
    assert await after.names() == []
    assert world.heard == [(PresenceKind.LEAVE, "ghost")]
    await after.stop()


async def test_node_that_stops_takes_its_members_along(world):
    gateway = await Gateway(world, "node").start()
    await gateway.join("ann")
    await gateway.stop()
    assert await world.rows() == []


async def test_leave_during_an_outage_is_told_at_once_and_its_row_goes_later(world, gateway):
    row = await gateway.join("ann")
    world.database.away = True
    gateway.service.leave(row)
    await world.settle()
    assert world.heard[-1] == (PresenceKind.LEAVE, "ann")
    world.database.away = False
    assert await gateway.names() == []
    assert len(await world.rows()) == 1
    await world.pass_time(6)
    assert await world.no_rows()


async def test_join_during_an_outage_fails_and_leaves_nothing(world, gateway):
    world.database.away = True
    with pytest.raises(Unavailable):
        await gateway.join("ann")
    world.database.away = False
    assert await gateway.names() == []
    assert len(gateway.service) == 0
    assert world.heard == []


async def test_cancelled_join_leaves_nothing(world, gateway):
    for _ in range(20):
        joining = asyncio.create_task(gateway.join("ann"))
        await asyncio.sleep(0)
        joining.cancel()
        await asyncio.wait([joining])
    await world.settle()
    assert await gateway.names() == []
    await world.pass_time(6)
    assert await world.no_rows()


async def test_thousand_members_leave_in_batches(world, gateway):
    rows = []
    for start in range(0, 1_000, 100):
        rows += await asyncio.gather(*(gateway.join(f"m{start + number}") for number in range(100)))
    for row in rows:
        gateway.service.leave(row)
    assert await world.no_rows()
    assert len(world.heard) == 2_000


@pytest.mark.parametrize(
    ("member_id", "meta", "reason"),
    [
        ("", None, "missing_field"),
        ("x" * 129, None, "invalid_member_id"),
        ("é" * 65, None, "invalid_member_id"),
        ("\ud800", None, "invalid_member_id"),
        ("a", b"x" * 1025, "meta_too_large"),
    ],
)
async def test_member_that_cannot_be_is_refused(gateway, member_id, meta, reason):
    with pytest.raises(InvalidArgument) as refusal:
        await gateway.join(member_id, meta=meta)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("member_id", ["x" * 128, "é" * 64, "\0", "a.b", "🛒"])
async def test_longest_and_oddest_member_is_there(gateway, member_id):
    await gateway.join(member_id, meta=b"{" + b" " * 1022 + b"}")
    assert await gateway.names() == [member_id]
