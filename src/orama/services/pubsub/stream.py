"""The live end of one topic's history: messages in the order of their offsets, none left out, none twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from orama.contracts.clock import Clock
from orama.domain.journal import Page
from orama.domain.pubsub import Message, Position
from orama.domain.topic import Topic
from orama.errors import NotFound, OramaError

_MAX_EARLY: Final = 256
_GRACE_S: Final = 0.02
_RETRY_S: Final = 1.0

Read: TypeAlias = Callable[[Topic, Position], Awaitable[Page | None]]
"""Reads the journal after a position."""
FanOut: TypeAlias = Callable[[Message], None]


class StreamCounts:
    """What all streams of a node count for telemetry."""

    def __init__(self) -> None:
        self.filled = 0
        """Messages that were not heard of and were read from the journal instead."""
        self.lost = 0
        """Messages that were not heard of and were in the journal no more."""


class Stream:
    """Puts announced messages into order.

    Announcements may overtake one another, and on other nodes some may never come. One that leaves a gap waits a
    moment; if the gap is still there, the journal fills it.
    """

    def __init__(
        self, topic: Topic, at: Position, *, fan_out: FanOut, read: Read, clock: Clock, counts: StreamCounts
    ) -> None:
        self._topic = topic
        self.at = at
        """Everything up to here has been handed out."""
        self._fan_out = fan_out
        self._read = read
        self._clock = clock
        self._counts = counts
        self._early: dict[int, Message] = {}
        self._known_until = at.offset
        self._filling: asyncio.Task[None] | None = None

    def receive(self, message: Message) -> None:
        """Hand out `message` in its turn."""
        position = message.position
        assert position is not None
        if position.epoch != self.at.epoch:
            if position.epoch < self.at.epoch:
                return  # of a history that has been dropped
            self._begin(position.epoch)
        if position.offset <= self.at.offset:
            return
        if position.offset == self.at.offset + 1:
            self._hand_out(message)
            self._hand_out_early()
            return
        if len(self._early) < _MAX_EARLY:
            self._early[position.offset] = message
        self.fill(position.offset)

    def fill(self, until: int) -> None:
        """Hand out everything up to the offset `until`, from the journal if it does not come by itself."""
        self._known_until = max(self._known_until, until)
        if self._filling is None:
            self._filling = asyncio.create_task(self._fill(), name="history-gap")

    def close(self) -> None:
        """Stop filling."""
        if self._filling is not None:
            self._filling.cancel()

    def _begin(self, epoch: str) -> None:
        """A new history of the topic: all of it is new to those who listen."""
        self.at = Position(epoch, 0)
        self._known_until = 0
        self._early.clear()

    def _hand_out(self, message: Message) -> None:
        assert message.position is not None
        self.at = message.position
        self._fan_out(message)

    def _hand_out_early(self) -> None:
        while self._early:
            message = self._early.pop(self.at.offset + 1, None)
            if message is None:
                return
            self._hand_out(message)

    async def _fill(self) -> None:
        """Close the gap. A database that is away is waited for: order comes before haste."""
        try:
            await self._clock.sleep(_GRACE_S)
            while self.at.offset < self._known_until:
                asked = self.at
                try:
                    page = await self._read(self._topic, asked)
                except NotFound:
                    page = None
                except OramaError:
                    await self._clock.sleep(_RETRY_S)
                    continue
                if self.at.epoch == asked.epoch:  # else the topic began anew meanwhile
                    self._take(page)
        finally:
            self._filling = None

    def _take(self, page: Page | None) -> None:
        if page is None or not page.entries:
            self._skip_to(min(self._early, default=self._known_until + 1))
            return
        self._skip_to(page.entries[0].position.offset)
        for entry in page.entries:
            if entry.position.offset == self.at.offset + 1:
                self._counts.filled += entry.position.offset not in self._early
                self._early.pop(entry.position.offset, None)
                self._hand_out(Message(self._topic, entry.payload, entry.at, entry.position))
        self._hand_out_early()

    def _skip_to(self, offset: int) -> None:
        """What comes before `offset` is nowhere any more."""
        missing = offset - self.at.offset - 1
        if missing > 0:
            self._counts.lost += missing
            self.at = Position(self.at.epoch, offset - 1)
        self._hand_out_early()
