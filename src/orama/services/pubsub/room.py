"""The subscribers of one namespace on this node: who hears a message, each of them once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final

from orama.contracts.broker import Broker, Subscription
from orama.contracts.clock import Clock
from orama.domain.journal import Page
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message, Position
from orama.domain.topic import Pattern, Topic, words_of
from orama.errors import Unavailable
from orama.services.pubsub.delivery import Delivery, Sink
from orama.services.pubsub.history import Histories
from orama.services.pubsub.stream import Stream, StreamCounts

_MAX_REMEMBERED: Final = 1024


class RoomCounts(StreamCounts):
    """What all rooms of a node count for telemetry."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered = 0
        """Messages handed to subscribers, one for each who got it."""


class Room:
    """Subscriptions by topic and by pattern, between the broker and the sinks.

    A sink that several of its subscriptions match hears a message once. `users`: who holds the room open.
    """

    def __init__(
        self, namespace: Namespace, broker: Broker, histories: Histories, clock: Clock, counts: RoomCounts
    ) -> None:
        self.namespace = namespace
        self.users = 0
        self._broker = broker
        self._histories = histories
        self._clock = clock
        self._counts = counts
        self._by_topic: dict[str, dict[Sink, None]] = {}
        self._by_pattern: dict[str, tuple[Pattern, dict[Sink, None]]] = {}
        # Which patterns match a topic, for topics that were published to lately.
        self._matching: dict[str, tuple[dict[Sink, None], ...]] = {}
        self._streams: dict[str, Stream] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._place: Subscription | None = None

    @property
    def subscribed(self) -> Iterable[str]:
        """The topics and patterns that somebody is subscribed to."""
        return (*self._by_topic, *self._by_pattern)

    async def open(self) -> None:
        """Listen to the broker, and learn where the topics with a history stand. Waits for whoever has begun to.

        Raises:
            Unavailable: the broker or the database is away.
        """
        if self._streams is not None:
            return
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="room")
        await asyncio.shield(self._opening)

    def close(self) -> None:
        """Let go of everything."""
        if self._opening is not None:
            self._opening.cancel()
        if self._place is not None:
            self._place.end()
        for stream in (self._streams or {}).values():
            stream.close()

    def add(self, pattern: Pattern, sink: Sink) -> None:
        """Let `sink` hear what matches `pattern`, from now on."""
        if pattern.names_one:
            self._by_topic.setdefault(pattern.text, {})[sink] = None
            return
        if pattern.text not in self._by_pattern:
            self._by_pattern[pattern.text] = (pattern, {})
            self._matching.clear()
        self._by_pattern[pattern.text][1][sink] = None

    def remove(self, pattern: Pattern, sink: Sink) -> None:
        """Undo `add`."""
        if pattern.names_one:
            sinks = self._by_topic[pattern.text]
            del sinks[sink]
            if not sinks:
                del self._by_topic[pattern.text]
            return
        sinks = self._by_pattern[pattern.text][1]
        del sinks[sink]
        if not sinks:
            del self._by_pattern[pattern.text]
            self._matching.clear()

    async def position(self, topic: Topic) -> Position | None:
        """Up to where a topic with a history has been handed out here; None if it has no history."""
        stream = await self._stream(topic)
        return stream and stream.at

    async def replay(self, topic: Topic, since: Position, sink: Sink, begin: Callable[[], None]) -> bool:
        """Give `sink` what was published after `since`; False, and nothing at all, if that is not all there any more.

        `begin` is called before the first message. When this returns, `sink` is exactly where the room is: added to it
        at once, it misses nothing.

        Raises:
            Unavailable: the client read more slowly than the history forgot (reason ``history_overtaken``).
        """
        stream = await self._stream(topic)
        if stream is None or stream.at.epoch != since.epoch:
            return False
        begun = False
        # Somebody may know of more than was handed out here; then the room catches up, too.
        done = min(stream.at, since, key=lambda position: position.offset)
        while done != stream.at or done.offset < since.offset or not begun:
            page = await self._histories.read(self.namespace, topic, done)
            if page is None or page.lost or page.last < since.offset:
                if begun:
                    raise Unavailable("the history moved on while it was read", reason="history_overtaken")
                return False
            if not begun:
                begin()
                begun = True
            for entry in page.entries:
                message = Message(topic, entry.payload, entry.at, entry.position)
                stream.receive(message)
                if entry.position.offset > since.offset:
                    sink.deliver(Delivery(message))
                done = entry.position
            await sink.drain()
            if sink.closed:
                break
        return True

    async def _open(self) -> None:
        self._place = await self._broker.subscribe(self.namespace, self._receive)
        found = await self._histories.look(self.namespace)
        self._streams = {topic: self._new_stream(Topic(topic), state.last) for topic, state in found.items()}

    async def _stream(self, topic: Topic) -> Stream | None:
        """The live end of a topic's history, which may have begun after the room was opened."""
        assert self._streams is not None
        if topic not in self._streams and topic in await self._histories.of(self.namespace):
            state = (await self._histories.look(self.namespace)).get(topic)
            if state is not None and topic not in self._streams:
                stream = self._begin(topic, Position(state.last.epoch, 0))
                if self._sinks(topic):
                    stream.fill(state.last.offset)  # the others have been listening all the while
                else:
                    stream.at = state.last
        return self._streams.get(topic)

    def _begin(self, topic: Topic, at: Position) -> Stream:
        assert self._streams is not None
        if topic not in self._streams:
            self._streams[topic] = self._new_stream(topic, at)
        return self._streams[topic]

    def _new_stream(self, topic: Topic, at: Position) -> Stream:
        return Stream(topic, at, fan_out=self._fan_out, read=self._read, clock=self._clock, counts=self._counts)

    async def _read(self, topic: Topic, after: Position) -> Page | None:
        return await self._histories.read(self.namespace, topic, after)

    def _receive(self, message: Message) -> None:
        """Take a message from the broker."""
        if message.position is None:
            self._fan_out(message)
        elif self._streams is not None:  # else nobody has been added yet
            self._begin(message.topic, Position(message.position.epoch, 0)).receive(message)

    def _fan_out(self, message: Message) -> None:
        sinks = self._sinks(message.topic)
        if not sinks:
            return
        delivery = Delivery(message)
        for sink in sinks:
            sink.deliver(delivery)
        self._counts.delivered += len(sinks)

    def _sinks(self, topic: str) -> Collection[Sink]:
        """Who hears what is published to `topic`: a copy, as a sink that is cut may leave meanwhile."""
        direct = self._by_topic.get(topic)
        sinks: dict[Sink, None]
        if self._by_pattern and (matching := self._matches(topic)):
            sinks = dict(direct) if direct else {}
            for more in matching:
                sinks.update(more)
            return sinks
        return tuple(direct) if direct else ()

    def _matches(self, topic: str) -> tuple[dict[Sink, None], ...]:
        known = self._matching.get(topic)
        if known is None:
            words = words_of(topic)
            known = tuple(sinks for pattern, sinks in self._by_pattern.values() if pattern.matches(words))
            if len(self._matching) >= _MAX_REMEMBERED:
                self._matching.clear()
            self._matching[topic] = known
        return known
