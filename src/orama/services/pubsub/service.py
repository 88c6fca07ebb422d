"""Pub/sub for tenants: who may say and hear what, and what happens to a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from orama.contracts.broker import Broker, Reach
from orama.contracts.clock import Clock
from orama.domain.identity import Principal
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message, Position, PubSubLimits
from orama.domain.timestamp import to_ms
from orama.domain.topic import Pattern, Topic, parse_pattern, parse_topic
from orama.errors import Conflict, InvalidArgument, NotFound, OramaError, PermissionDenied, TooLarge, Unavailable
from orama.services.pubsub.delivery import Sink
from orama.services.pubsub.history import Histories
from orama.services.pubsub.room import Room
from orama.services.pubsub.rooms import Rooms

PUBLISH: Final = "pubsub:publish"
SUBSCRIBE: Final = "pubsub:subscribe"


class Published(msgspec.Struct, frozen=True, gc=False):
    """A message is out. `position`: its place in the topic's history, if there is one; it is then durable.

    `local_only`: other nodes are out of reach now, and their subscribers may never have it.
    """

    local_only: bool
    position: Position | None


class Subscribed(msgspec.Struct, frozen=True, gc=False):
    """A subscription holds. `position`: up to where the topic's history is known to the subscriber, if it has one.

    `recovered`: whether everything since the position that was asked for has come or will; None if none was asked for.
    """

    pattern: str
    position: Position | None
    recovered: bool | None


Confirm = Callable[[Subscribed], None]
"""Told of a subscription before its first message is delivered."""


class PubSubService:
    """Topics of the caller's own namespace.

    Common to all methods:

    Raises:
        InvalidArgument: a topic's name is none.
        PermissionDenied: the caller's scopes do not reach the topic (reason ``scope_missing``).
        Unavailable: the broker, or for topics with a history the database, is away.

    `published`: messages taken since the start, for telemetry.
    """

    def __init__(self, broker: Broker, histories: Histories, rooms: Rooms, limits: PubSubLimits, clock: Clock) -> None:
        self._broker = broker
        self._histories = histories
        self._rooms = rooms
        self._clock = clock
        self.limits = limits
        self._max_bytes = min(limits.max_message_bytes, broker.guarantees.max_payload_bytes)
        self.published = 0

    async def publish(self, caller: Principal, topic: str, payload: bytes) -> Published:
        """Send `payload` to everybody who is subscribed to `topic`.

        If the topic has a history, the message is durable and has its place there before anybody gets it.

        Raises:
            TooLarge: it is longer than the limit (reason ``message_too_large``).
        """
        namespace = caller.namespace
        name = self.topic(caller, topic, PUBLISH)
        if len(payload) > self._max_bytes:
            raise TooLarge(f"the message is longer than {self._max_bytes} bytes", reason="message_too_large")
        histories = self._histories.recall(namespace)
        if histories is None:
            histories = await self._histories.of(namespace)
        message = await self._journaled(namespace, name, payload) if name in histories else None
        if message is None:
            message = Message(name, payload, to_ms(self._clock.now()))
        reach = await self._announce(namespace, message)
        self.published += 1
        return Published(reach is Reach.LOCAL_ONLY, message.position)

    def topics(self, caller: Principal) -> list[str]:
        """What somebody in the caller's namespace is subscribed to on this node, if the caller may be, too; by name."""
        subscribed = sorted(self._rooms.subscribed(caller.namespace))
        return [text for text in subscribed if caller.allows_resource(SUBSCRIBE, text)]

    def topic(self, caller: Principal, text: str, scope: str) -> Topic:
        """The topic called `text`, for which the caller has `scope`."""
        topic = parse_topic(text, self.limits.max_topic_bytes)
        check_scope(caller, scope, topic)
        return topic

    def pattern(self, caller: Principal, text: str) -> Pattern:
        """The topics that `text` stands for, to which the caller may subscribe."""
        pattern = parse_pattern(text, self.limits.max_topic_bytes)
        check_scope(caller, SUBSCRIBE, pattern.text if pattern.names_one else None)
        return pattern

    async def connect(self, caller: Principal, sink: Sink) -> Subscriber:
        """A subscriber whose messages go to `sink`; who gets it closes it.

        Nothing is checked yet: each subscription is.

        Raises:
            RateLimited: the namespace has too many (reason ``too_many_subscribers``).
        """
        return Subscriber(self, self._rooms, await self._rooms.enter(caller.namespace), caller, sink)

    async def _journaled(self, namespace: Namespace, topic: Topic, payload: bytes) -> Message | None:
        """The message with its place in the history; None if the topic has none any more."""
        try:
            position, at = await self._histories.append(namespace, topic, payload)
        except NotFound:
            self._histories.forget(namespace)
            return None
        return Message(topic, payload, at, position)

    async def _announce(self, namespace: Namespace, message: Message) -> Reach:
        """Tell the broker. What is in the journal is published, whatever the broker says: nobody must send it again."""
        try:
            return await self._broker.publish(namespace, message)
        except OramaError:
            if message.position is None:
                raise
            return Reach.LOCAL_ONLY


class Subscriber:
    """One connection's subscriptions, all of them to one sink."""

    def __init__(self, service: PubSubService, rooms: Rooms, room: Room, caller: Principal, sink: Sink) -> None:
        self._service = service
        self._rooms = rooms
        self._room: Room | None = room
        self.caller = caller
        """Whose it is; a change of rights changes this."""
        self._sink = sink
        self._patterns: dict[str, Pattern] = {}
        self._pending: set[str] = set()

    @property
    def patterns(self) -> Iterable[str]:
        """What it is subscribed to."""
        return tuple(self._patterns)

    async def subscribe(self, text: str, since: Position | None, confirm: Confirm) -> None:
        """Let the sink hear what is published to `text`, a topic or a pattern.

        With `since`, what was published after that position of the topic's history is delivered first.

        Raises:
            InvalidArgument: too many subscriptions (reason ``too_many_subscriptions``); `since` with a pattern.
            Conflict: it is subscribed to it already (reason ``subscribed``).
        """
        pattern = self._service.pattern(self.caller, text)
        if since is not None and not pattern.names_one:
            raise InvalidArgument("only a topic can be recovered, not a pattern", reason="invalid_topic")
        if text in self._patterns or text in self._pending:
            raise Conflict("this connection is subscribed to that already", reason="subscribed")
        limit = self._service.limits.max_subscriptions
        if len(self._patterns) + len(self._pending) >= limit:
            raise InvalidArgument(f"a connection has at most {limit} subscriptions", reason="too_many_subscriptions")
        self._pending.add(text)
        try:
            await self._begin(pattern, since, confirm)
        finally:
            self._pending.discard(text)

    async def _begin(self, pattern: Pattern, since: Position | None, confirm: Confirm) -> None:
        room = self._open_room()
        topic = Topic(pattern.text)
        recovered: bool | None = None
        if since is not None:
            whole = Subscribed(pattern.text, since, recovered=True)
            recovered = await room.replay(topic, since, self._sink, lambda: confirm(whole))
        if recovered is not True:
            position = await room.position(topic) if pattern.names_one else None
            confirm(Subscribed(pattern.text, position, recovered))
        # From here to `add` nothing waits: what is published next is the first that is heard.
        self._open_room().add(pattern, self._sink)
        self._patterns[pattern.text] = pattern

    def unsubscribe(self, text: str) -> None:
        """Hear no more of `text`.

        Raises:
            NotFound: it was not subscribed to it (reason ``not_subscribed``).
        """
        pattern = self._patterns.pop(text, None)
        if pattern is None:
            raise NotFound("this connection is not subscribed to that", reason="not_subscribed")
        self._open_room().remove(pattern, self._sink)

    def close(self) -> None:
        """End all subscriptions. A second call does nothing."""
        room, self._room = self._room, None
        if room is None:
            return
        for pattern in self._patterns.values():
            room.remove(pattern, self._sink)
        self._patterns.clear()
        self._rooms.leave(room)

    def _open_room(self) -> Room:
        if self._room is None:
            raise Unavailable("the connection is closed", reason="closed")
        return self._room


def check_scope(caller: Principal, scope: str, topic: str | None) -> None:
    """Return if the caller has `scope` for `topic`, or for all topics if that is None.

    Raises:
        PermissionDenied: it does not (reason ``scope_missing``).
    """
    if caller.allows_resource(scope, topic):
        return
    wanted = scope if topic is None else f"{scope}:{topic}"
    raise PermissionDenied(f"this credential does not have the scope {wanted!r}", reason="scope_missing")
