"""What every `contracts.Broker` must do.

A test module binds it to an engine by importing everything and defining a fixture ``harness``, a `BrokerHarness`.
Tests skip on guarantees only, never on a class.
"""

# ruff: noqa: D103  the name of a test says what it is for

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import pytest

from orama.contracts.broker import Broker, BrokerGuarantees, Reach, Subscription
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message, Position, PresenceEvent, PresenceKind
from orama.domain.topic import Topic
from orama.errors import TooLarge, Unavailable
from orama.testing.conformance.broker_machine import check_against_model

SHOP: Final = Namespace("shop")
BANK: Final = Namespace("bank")
NEWS: Final = Topic("news")
AWKWARD_NAMES: Final = ("a b", "ключ", "🔑", "a:b", "shop.news", "..", "*x", "%2e", "__proto__", "t" * 200)
_ARRIVAL_STEPS: Final = 500

Method = Callable[[Broker], Awaitable[object]]
METHODS: Final[dict[str, Method]] = {
    "publish": lambda broker: broker.publish(SHOP, message(b"1")),
    "subscribe": lambda broker: broker.subscribe(SHOP, lambda _: None),
    "ping": lambda broker: broker.ping(),
}


class BrokerHarness(Protocol):
    """What the suite needs to know about, and do to, the engine under test."""

    guarantees: BrokerGuarantees

    async def open(self) -> Broker:
        """A broker in the running event loop; each call gives one more that works with those before it.

        The suite closes them.
        """
        ...

    def outage(self) -> AbstractAsyncContextManager[None] | None:
        """A time during which the engine is away; None if it cannot be, for want of anything between."""
        ...


@pytest.fixture
async def broker(harness: BrokerHarness) -> AsyncIterator[Broker]:
    opened = await harness.open()
    yield opened
    await opened.close()


def message(payload: bytes, topic: str = NEWS) -> Message:
    """A message as simple as can be."""
    return Message(Topic(topic), payload, 1_800_000_000_000)


def _wants(condition: bool, guarantee: str) -> None:
    if not condition:
        pytest.skip(f"the engine does not promise {guarantee}")


async def _arrived(heard: list[Message], count: int) -> list[bytes]:
    """The payloads heard, once there are `count` or the time is up."""
    for _ in range(_ARRIVAL_STEPS):
        if len(heard) >= count:
            break
        await asyncio.sleep(0.01)
    return [one.payload for one in heard]


async def test_states_the_guarantees_of_its_harness(broker: Broker, harness: BrokerHarness) -> None:
    assert broker.guarantees == harness.guarantees
    assert broker.gaps == 0
    await broker.ping()


async def test_every_receiver_of_the_namespace_hears_a_message_once(broker: Broker) -> None:
    heard: list[list[Message]] = [[], []]
    for one in heard:
        await broker.subscribe(SHOP, one.append)
    assert await broker.publish(SHOP, message(b"hello")) in Reach
    assert heard == [[message(b"hello")], [message(b"hello")]]


async def test_own_receivers_are_called_before_publish_waits_for_anything(broker: Broker) -> None:
    heard: list[Message] = []
    other = asyncio.ensure_future(broker.publish(SHOP, message(b"other's")))
    await broker.subscribe(SHOP, heard.append)
    waiting = broker.publish(SHOP, message(b"own")).__await__()
    try:
        next(waiting)
    except StopIteration:
        pass
    else:
        waiting.close()
    assert heard[-1].payload == b"own"
    await other


@pytest.mark.parametrize(
    "sent",
    [
        message(b""),
        message(bytes(range(256))),
        Message(NEWS, b"1", 0),
        Message(NEWS, b"1", 2**53, Position("0001-x", 1)),
        Message(NEWS, b"1", 1, Position("", 2**62)),
        Message(NEWS, b"{}", 1, None, PresenceEvent(PresenceKind.JOIN, "é", b'{"a": 1}')),
        Message(NEWS, b"{}", 1, None, PresenceEvent(PresenceKind.UPDATE, "m", b"{}")),
        Message(NEWS, b"{}", 1, None, PresenceEvent(PresenceKind.LEAVE, "m")),
        *(message(b"1", topic) for topic in AWKWARD_NAMES),
    ],
    ids=repr,
)
async def test_message_comes_back_as_it_went_in(broker: Broker, harness: BrokerHarness, sent: Message) -> None:
    heard: list[Message] = []
    await broker.subscribe(SHOP, heard.append)
    await broker.publish(SHOP, sent)
    assert heard == [sent]
    if harness.guarantees.reaches_other_nodes:
        distant: list[Message] = []
        other = await harness.open()
        await other.subscribe(SHOP, distant.append)
        await broker.publish(SHOP, sent)
        await _arrived(distant, 1)
        await other.close()
        assert distant == [sent]


async def test_namespaces_never_meet(broker: Broker) -> None:
    heard: list[Message] = []
    for namespace in (BANK, Namespace("shopa"), Namespace("sho"), Namespace("SHOP")):
        await broker.subscribe(namespace, heard.append)
    await broker.publish(SHOP, message(b"shop's"))
    await broker.publish(SHOP, message(b"shop's", "bank.news"))
    await asyncio.sleep(0.05)
    assert heard == []


async def test_receiver_hears_nothing_from_before_it_came_and_after_it_went(broker: Broker) -> None:
    heard: list[Message] = []
    await broker.publish(SHOP, message(b"before"))
    place = await broker.subscribe(SHOP, heard.append)
    await broker.publish(SHOP, message(b"during"))
    place.end()
    place.end()
    await broker.publish(SHOP, message(b"after"))
    await asyncio.sleep(0.05)
    assert [one.payload for one in heard] == [b"during"]


async def test_ending_one_subscription_leaves_the_others(broker: Broker) -> None:
    left: list[Message] = []
    stayed: list[Message] = []
    first = await broker.subscribe(SHOP, left.append)
    await broker.subscribe(SHOP, stayed.append)
    first.end()
    await broker.publish(SHOP, message(b"1"))
    assert (left, [one.payload for one in stayed]) == ([], [b"1"])


async def test_receiver_may_end_any_subscription_while_it_hears(broker: Broker) -> None:
    heard: list[str] = []
    places: list[Subscription] = []

    def end_all(_: Message) -> None:
        heard.append("first")
        for place in places:
            place.end()

    places.append(await broker.subscribe(SHOP, end_all))
    places.append(await broker.subscribe(SHOP, lambda _: heard.append("second")))
    await broker.publish(SHOP, message(b"1"))
    await broker.publish(SHOP, message(b"2"))
    assert heard == ["first"]


async def test_messages_of_one_publisher_come_in_its_order(broker: Broker, harness: BrokerHarness) -> None:
    heard: list[Message] = []
    await broker.subscribe(SHOP, heard.append)
    for number in range(1_000):
        await broker.publish(SHOP, message(b"%d" % number, f"topic{number % 7}"))
    assert [int(one.payload) for one in heard] == list(range(1_000))
    if harness.guarantees.reaches_other_nodes:
        other = await harness.open()
        distant: list[Message] = []
        await other.subscribe(SHOP, distant.append)
        for number in range(1_000):
            await broker.publish(SHOP, message(b"%d" % number, f"topic{number % 7}"))
        numbers = [int(payload) for payload in await _arrived(distant, 1_000)]
        await other.close()
        assert numbers == sorted(set(numbers))
        assert len(numbers) + other.gaps == 1_000 if harness.guarantees.lossless else numbers


async def test_100_tasks_are_each_heard_once_and_in_order(broker: Broker) -> None:
    heard: list[Message] = []
    await broker.subscribe(SHOP, heard.append)

    async def publisher(number: int) -> None:
        for count in range(10):
            await broker.publish(SHOP, message(b"%d:%d" % (number, count)))
            await asyncio.sleep(0)

    await asyncio.gather(*(publisher(number) for number in range(100)))
    said: dict[bytes, list[int]] = {}
    for one in heard:
        number, _, count = one.payload.partition(b":")
        said.setdefault(number, []).append(int(count))
    assert len(said) == 100
    assert all(counts == list(range(10)) for counts in said.values())


async def test_limit_is_where_the_guarantees_say(broker: Broker, harness: BrokerHarness) -> None:
    heard: list[Message] = []
    await broker.subscribe(SHOP, heard.append)
    largest = b"x" * harness.guarantees.max_payload_bytes
    await broker.publish(SHOP, message(largest))
    with pytest.raises(TooLarge) as refusal:
        await broker.publish(SHOP, message(largest + b"x"))
    assert refusal.value.reason == "message_too_large"
    assert [len(one.payload) for one in heard] == [len(largest)]


async def test_cancelled_calls_leave_the_broker_in_order(broker: Broker) -> None:
    heard: list[Message] = []
    subscribing = [asyncio.ensure_future(broker.subscribe(BANK, heard.append)) for _ in range(20)]
    publishing = [asyncio.ensure_future(broker.publish(BANK, message(b"%d" % number))) for number in range(20)]
    await asyncio.sleep(0)
    for task in (*subscribing[::2], *publishing[::2]):
        task.cancel()
    await asyncio.wait([*subscribing, *publishing])
    assert all(task.cancelled() or task.exception() is None for task in (*subscribing, *publishing))
    last: list[Message] = []
    await broker.subscribe(SHOP, last.append)
    await broker.publish(SHOP, message(b"still here"))
    assert [one.payload for one in last] == [b"still here"]


async def test_other_nodes_hear_what_is_published(broker: Broker, harness: BrokerHarness) -> None:
    _wants(harness.guarantees.reaches_other_nodes, "reaches_other_nodes")
    other = await harness.open()
    heard: list[Message] = []
    await other.subscribe(SHOP, heard.append)
    await broker.publish(SHOP, message(b"far"))
    await broker.publish(BANK, message(b"not for you"))
    assert await _arrived(heard, 1) == [b"far"]
    await other.close()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_during_an_outage(
    broker: Broker, harness: BrokerHarness, method: str
) -> None:
    outage = harness.outage()
    if outage is None:
        pytest.skip("the engine lives in this process and cannot be away")
    heard: list[Message] = []
    await broker.subscribe(SHOP, heard.append)
    async with outage:
        if method == "publish":  # whoever is near is served all the same
            assert await broker.publish(SHOP, message(b"near")) is Reach.LOCAL_ONLY
            assert [one.payload for one in heard] == [b"near"]
        else:
            with pytest.raises(Unavailable):
                await METHODS[method](broker)
    await broker.ping()


async def test_close_ends_all_and_twice_does_nothing_more(harness: BrokerHarness) -> None:
    broker = await harness.open()
    heard: list[Message] = []
    place = await broker.subscribe(SHOP, heard.append)
    await broker.close()
    await broker.close()
    place.end()
    assert heard == []


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_after_close(harness: BrokerHarness, method: str) -> None:
    broker = await harness.open()
    await broker.close()
    with pytest.raises(Unavailable):
        await METHODS[method](broker)


def test_behaves_like_a_plain_model(harness: BrokerHarness) -> None:
    check_against_model(harness.open)
