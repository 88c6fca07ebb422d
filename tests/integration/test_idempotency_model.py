"""However requests with keys are repeated, mixed and cut off by crashes: each key has one effect, and one reply."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.identity import Method, Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.errors import Conflict, OramaError
from orama.services.auth.keyring import Keyring
from orama.services.idempotency.attempt import carry_out, once
from orama.services.idempotency.recorder import StoredReply
from orama.services.idempotency.service import Idempotency
from orama.services.idempotency.settings import IdempotencySettings
from orama.services.migrations import migrate_platform
from orama.testing.clock import ManualClock
from support.mortal_disk import mortal_disk

SHOP = Namespace("shop")
CALLER = Principal(Method.JWT, "0x" + "1" * 40, SHOP, frozenset({"*"}))
EFFECT = "INSERT INTO effects (key, request, value) VALUES (?, ?, ?)"


class Made(msgspec.Struct, frozen=True):
    value: int


class Sent(msgspec.Struct, frozen=True):
    """A request as its caller sees it. Keys of tenants' two kinds meet in one table; those of the platform in another.

    `kind`: ``tenant`` and ``platform`` change SQL in the one or the other database, ``recorded`` a place outside.
    """

    kind: str
    key: int
    request: int


sent = st.builds(Sent, st.sampled_from(["tenant", "platform", "recorded"]), st.integers(0, 2), st.integers(0, 1))


class Node:
    """One life of a node: from opening the files until the disk dies under it."""

    def __init__(self, database, clock, outside, values):
        self.database = database
        self.outside = outside
        self.values = values
        sealer = Keyring(bytes(32)).sealer("idempotency")
        self.service = Idempotency(database, clock, sealer, IdempotencySettings(), in_use_s=30)

    async def answer(self, one: Sent) -> int | OramaError:
        """The value that the request made, or its error."""
        try:
            return await getattr(self, f"_{one.kind}")(one)
        except OramaError as error:
            return error

    def _once(self, one):
        return self.service.once(str(one.key), CALLER, one.kind.encode(), bytes([one.request]))

    async def _tenant(self, one):
        batch = [
            Statement(EFFECT, (one.key, f"tenant {one.request}", next(self.values))),
            Statement("SELECT max(value) FROM effects WHERE key = ?", (one.key,)),
        ]
        _, read = await self.service.attempt(self._once(one)).execute(SHOP, batch, keep_rows=True)
        return read.rows.rows[0][0]

    async def _platform(self, one):
        attempt = self.service.attempt(self._once(one))

        async def act():
            # Like a challenge that is used up: it looks first, and fails where it was done before.
            found = await self.database.query(PLATFORM, Statement("SELECT 1 FROM effects WHERE key = ?", (one.key,)))
            if found.rows:
                raise Conflict("used up")
            made = Made(next(self.values))
            row = (one.key, f"platform {one.request}", made.value)
            return await carry_out(self.database, [Statement(EFFECT, row)], made, attempt)

        return (await once(attempt, Made, act)).value

    async def _recorded(self, one):
        key = self._once(one)
        stored = await self.service.recorder.begin(SHOP, key)
        if stored is None:
            await asyncio.sleep(0)
            value = next(self.values)
            self.outside.append((one.key, f"recorded {one.request}", value))
            stored = StoredReply(200, "text/plain", [], str(value).encode())
            await self.service.recorder.end(SHOP, key, stored)
        return int(stored.body)


def check_model(disk):
    class Model(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            disk.revive()
            self.runner = asyncio.Runner()
            self.directory = TemporaryDirectory()
            self.clock = ManualClock()
            self.values = itertools.count(1)
            self.outside = []
            self.replies: dict[tuple[bool, int], tuple[Sent, int]] = {}
            self.asked: set[Sent] = set()
            self.node = self.runner.run(self.open())
            for namespace in (PLATFORM, SHOP):
                table = Statement("CREATE TABLE effects (key INTEGER, request TEXT, value INTEGER)")
                self.runner.run(self.node.database.execute(namespace, [table]))

        async def open(self):
            opened = SqliteSettings(data_directory=Path(self.directory.name), busy_timeout_s=0.1)
            database = await SqliteDatabase.open(opened, SystemClock())
            await migrate_platform(database, self.clock)
            return Node(database, self.clock, self.outside, self.values)

        def restart(self):
            disk.bury()
            self.runner.run(self.node.database.close())
            disk.revive()
            self.clock.advance(31)
            self.node = self.runner.run(self.open())

        def send(self, requests):
            async def all_at_once():
                return await asyncio.gather(*(self.node.answer(one) for one in requests))

            self.asked.update(requests)
            for one, outcome in zip(requests, self.runner.run(all_at_once()), strict=True):
                if isinstance(outcome, int):
                    place = (one.kind == "platform", one.key)
                    assert self.replies.setdefault(place, (one, outcome)) == (one, outcome), "two replies for one key"
                else:
                    self.check_refusal(one, outcome)

        def check_refusal(self, one, error):
            if error.reason == "idempotency_key_reused":
                known = self.replies.get((one.kind == "platform", one.key))
                assert known is None or known[0] != one
            elif not disk.dead:
                assert one.kind == "recorded", f"{error!r} to {one}"
                assert error.reason in ("idempotency_key_in_use", "outcome_unknown")

        def effects(self):
            """What took place, by key: (request, value)."""
            reading = Statement("SELECT key, request, value FROM effects")
            rows = [
                (namespace == PLATFORM, *row)
                for namespace in (PLATFORM, SHOP)
                for row in self.runner.run(self.node.database.query(namespace, reading)).rows
            ]
            rows += [(False, *row) for row in self.outside]
            return rows

        @rule(requests=st.lists(sent, min_size=1, max_size=6))
        def send_at_once(self, requests):
            self.send(requests)

        @rule(requests=st.lists(sent, min_size=1, max_size=6), after=st.integers(0, 40))
        def send_and_die(self, requests, after):
            """The process is killed somewhere in the middle, or a while after the last reply."""
            disk.die_after(after)
            self.send(requests)
            self.restart()

        @precondition(lambda self: self.asked)
        @rule(repeats=st.integers(1, 3))
        def repeat_everything(self, repeats):
            """Whatever was lost on its way is sent again; then every key in SQL has had its effect."""
            self.send([one for one in sorted(self.asked, key=repr) for _ in range(repeats)])
            done = {(platform, key) for platform, key, *_ in self.effects()}
            assert done >= {(one.kind == "platform", one.key) for one in self.asked if one.kind == "platform"}
            unknown = {one.key for one in self.asked if one.kind == "recorded"}
            assert done >= {(False, one.key) for one in self.asked if one.kind == "tenant" and one.key not in unknown}

        @invariant()
        def each_key_has_one_effect_at_most_and_its_replies_tell_of_it(self):
            effects = self.effects()
            assert max(Counter((platform, key) for platform, key, *_ in effects).values(), default=1) == 1
            found = {(platform, key): (request, value) for platform, key, request, value in effects}
            for place, (one, value) in self.replies.items():
                assert found[place] == (f"{one.kind} {one.request}", value), "what was acknowledged is there"

        def teardown(self):
            self.runner.run(self.node.database.close())
            self.runner.close()
            self.directory.cleanup()

    run_state_machine_as_test(Model, settings=settings(max_examples=60, stateful_step_count=15))


@pytest.mark.timeout(300)
def test_each_key_has_one_effect_whatever_is_repeated_and_whenever_the_process_dies():
    with mortal_disk() as disk:
        check_model(disk)
