# ruff: noqa: D103 (a test's name says what it checks)
"""What every `contracts.Pins` must do.

A test module binds it to an engine by importing everything and defining a fixture ``harness``, a `PinsHarness`.
Tests skip on guarantees only, never on a class.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from orama.contracts.pins import Pins, PinsGuarantees
from orama.domain.content.cid import DAG_PB, RAW, Cid
from orama.domain.content.pin import Pin, PinState
from orama.errors import InvalidArgument, Unavailable
from orama.testing.content import cid_of

NAMES: Final = ("", "photo.jpeg", "größe 🔑", "a/b", "..", "a\nb", "%2e?x=1&y", "'; DROP TABLE pins; --", "n" * 255)

Method = Callable[[Pins], Awaitable[object]]
METHODS: Final[dict[str, Method]] = {
    "pin": lambda pins: pins.pin(cid_of(b"late"), name=""),
    "unpin": lambda pins: pins.unpin(cid_of(b"late")),
    "status": lambda pins: pins.status(cid_of(b"late")),
    "ping": lambda pins: pins.ping(),
}


class PinsHarness(Protocol):
    """What the suite needs to know about, and do to, the engine under test."""

    guarantees: PinsGuarantees

    async def open(self) -> Pins:
        """The pins as they were left, none at first, in the running event loop. The suite closes them."""
        ...

    async def content(self, data: bytes) -> Cid:
        """A file that the engine can have."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None] | None:
        """A time during which the engine is away; None if it cannot be, for want of anything between."""
        ...

    def fresh(self) -> PinsHarness:
        """A harness like this one over an empty engine."""
        ...


@pytest.fixture
async def pins(harness: PinsHarness) -> AsyncIterator[Pins]:
    opened = await harness.open()
    yield opened
    await opened.close()


async def settled(pins: Pins, cid: Cid, *, timeout_s: float = 20) -> Pin:
    """The pin once it is fulfilled; at once, if the engine promises so."""
    async with asyncio.timeout(timeout_s):
        while True:
            pin = await pins.status(cid)
            assert pin is not None
            if pin.state is PinState.PINNED or pins.guarantees.immediate:
                return pin
            await asyncio.sleep(0.1)


async def test_states_the_guarantees_of_its_harness(pins: Pins, harness: PinsHarness) -> None:
    assert pins.guarantees == harness.guarantees
    await pins.ping()


async def test_pin_is_fulfilled_and_taken_back(pins: Pins, harness: PinsHarness) -> None:
    cid = await harness.content(b"one")
    assert await pins.status(cid) is None
    await pins.pin(cid, name="one.txt")
    pin = await settled(pins, cid)
    assert (pin.cid, pin.name, pin.state, pin.error) == (cid, "one.txt", PinState.PINNED, None)
    assert len(pin.peers) >= pin.replication_min >= 1
    assert pin.replication_max >= pin.replication_min
    await pins.unpin(cid)
    assert await pins.status(cid) is None


async def test_unpin_without_a_pin_does_nothing(pins: Pins, harness: PinsHarness) -> None:
    cid = await harness.content(b"one")
    await pins.unpin(cid)
    await pins.pin(cid, name="")
    await pins.unpin(cid)
    await pins.unpin(cid)
    assert await pins.status(cid) is None


@pytest.mark.parametrize("name", NAMES)
async def test_name_comes_back_as_it_was_and_the_latest_wins(pins: Pins, harness: PinsHarness, name: str) -> None:
    cid = await harness.content(b"one")
    await pins.pin(cid, name="first")
    await pins.pin(cid, name=name)
    assert (await settled(pins, cid)).name == name
    await pins.unpin(cid)
    assert await pins.status(cid) is None, "pinned twice, unpinned once"


async def test_name_of_the_greatest_length_fits_and_no_longer_one(pins: Pins, harness: PinsHarness) -> None:
    cid, longest = await harness.content(b"one"), "n" * harness.guarantees.max_name_bytes
    await pins.pin(cid, name=longest)
    assert (await settled(pins, cid)).name == longest
    with pytest.raises(InvalidArgument):
        await pins.pin(cid, name=longest[:-1] + "é")


async def test_pins_do_not_touch_each_other(pins: Pins, harness: PinsHarness) -> None:
    one, two = await harness.content(b"one"), await harness.content(b"two")
    await pins.pin(one, name="1")
    await pins.pin(two, name="2")
    await pins.unpin(one)
    assert await pins.status(one) is None
    assert (await settled(pins, two)).name == "2"


async def test_versions_of_an_identifier_have_one_pin(pins: Pins, harness: PinsHarness) -> None:
    file = await harness.content(b"x" * (1024 * 1024 + 1))
    assert file.codec == DAG_PB
    old = Cid(0, DAG_PB, file.multihash)
    await pins.pin(old, name="old")
    assert (await settled(pins, file)).name == "old"
    assert (await settled(pins, old)).cid == old
    await pins.unpin(file)
    assert await pins.status(old) is None
    assert await pins.status(Cid(1, RAW, file.multihash)) is None


async def test_100_tasks_pin_what_they_want(pins: Pins, harness: PinsHarness) -> None:
    cids = [await harness.content(b"%d" % number) for number in range(100)]
    await asyncio.gather(*(pins.pin(cid, name=cid.text) for cid in cids))
    await asyncio.gather(*(pins.unpin(cid) for cid in cids[::2]))
    assert [await pins.status(cid) for cid in cids[::2]] == [None] * 50
    assert [(await settled(pins, cid)).name for cid in cids[1::2]] == [cid.text for cid in cids[1::2]]


async def test_cancelled_calls_leave_the_pins_in_order(pins: Pins, harness: PinsHarness) -> None:
    cids = [await harness.content(b"%d" % number) for number in range(20)]
    tasks = [asyncio.ensure_future(pins.pin(cid, name="n")) for cid in cids]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all([(await settled(pins, cid)).name == "n" for cid in cids[1::2]])
    for cid in cids:
        await pins.unpin(cid)
        assert await pins.status(cid) is None


async def test_pin_is_there_after_a_restart(harness: PinsHarness) -> None:
    if not harness.guarantees.survives_restart:
        pytest.skip("the engine does not promise survives_restart")
    cid = await harness.content(b"one")
    first = await harness.open()
    await first.pin(cid, name="one")
    await first.close()
    second = await harness.open()
    assert (await settled(second, cid)).name == "one"
    await second.close()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_during_an_outage(pins: Pins, harness: PinsHarness, method: str) -> None:
    outage = harness.outage()
    if outage is None:
        pytest.skip("the engine cannot be away")
    async with outage:
        with pytest.raises(Unavailable):
            await METHODS[method](pins)
    await pins.ping()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_after_close(harness: PinsHarness, method: str) -> None:
    pins = await harness.open()
    await pins.close()
    await pins.close()
    with pytest.raises(Unavailable):
        await METHODS[method](pins)


def test_behaves_like_a_plain_model(harness: PinsHarness) -> None:
    _check_against_model(harness.fresh)


def _check_against_model(fresh: Callable[[], PinsHarness]) -> None:
    numbers = st.integers(0, 2)

    class PinsMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            harness = fresh()
            self.pins = self._run(harness.open())
            self.cids = [self._run(harness.content(b"%d" % number)) for number in range(3)]
            self.names: dict[int, str] = {}

        def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
            return self.runner.run(work)

        def teardown(self) -> None:
            self._run(self.pins.close())
            self.runner.close()

        @rule(number=numbers, name=st.sampled_from(NAMES))
        def pin(self, number: int, name: str) -> None:
            self._run(self.pins.pin(self.cids[number], name=name))
            self.names[number] = name

        @rule(number=numbers)
        def unpin(self, number: int) -> None:
            self._run(self.pins.unpin(self.cids[number]))
            self.names.pop(number, None)

        @rule(number=numbers)
        def status(self, number: int) -> None:
            pin = self._run(self.pins.status(self.cids[number]))
            assert (None if pin is None else pin.name) == self.names.get(number)

    run_state_machine_as_test(PinsMachine, settings=settings(max_examples=20, stateful_step_count=15, deadline=None))
