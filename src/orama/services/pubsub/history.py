"""Which topics have a history, and what it keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.journal import JournalLimits, Page, Retention, StreamState
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.pubsub import Position
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.domain.topic import Topic
from orama.services.pubsub.journal import Journal
from orama.services.sweep import Sweep

_REMEMBERED_S: Final = 5.0
_MAX_REMEMBERED: Final = 10_000
_PREFIX: Final = "topic:"

_MARK: Final = "INSERT INTO journal_namespaces (namespace, trimmed_at) VALUES (?, ?) ON CONFLICT (namespace) DO NOTHING"
_MARKED: Final = "SELECT 1 FROM journal_namespaces WHERE namespace = ?"
_CLAIM: Final = (
    "UPDATE journal_namespaces SET trimmed_at = ?1 WHERE namespace = "
    "(SELECT namespace FROM journal_namespaces WHERE trimmed_at <= ?2 ORDER BY trimmed_at LIMIT 1) RETURNING namespace"
)
_TRIM_EVERY_S: Final = 600.0


class Histories:
    """The histories of topics: streams of the journal whose names are those of topics.

    Most namespaces have none. The platform's table `journal_namespaces` lists those that ever had one, so that the
    others are never asked; what a namespace was found to have is remembered for five seconds, and changed at once by
    what is done here. A change on another node is noticed within that time.
    """

    def __init__(self, journal: Journal, database: Database, clock: Clock, limits: JournalLimits) -> None:
        self._journal = journal
        self._database = database
        self._clock = clock
        self._monotonic = clock.monotonic
        self.limits = limits
        self._known: dict[Namespace, tuple[Mapping[str, StreamState], float]] = {}
        self._asking: dict[Namespace, asyncio.Task[Mapping[str, StreamState]]] = {}
        self._changes = 0

    def recall(self, namespace: Namespace) -> Mapping[str, StreamState] | None:
        """The namespace's histories by topic, if they were looked at lately; None says nothing, then `of`."""
        known = self._known.get(namespace)
        return known[0] if known is not None and self._monotonic() < known[1] else None

    async def of(self, namespace: Namespace) -> Mapping[str, StreamState]:
        """The namespace's histories by topic, as seen at most five seconds ago.

        Raises:
            Unavailable: the database is away, and nobody knows.
        """
        known = self.recall(namespace)
        if known is not None:
            return known
        task = self._asking.get(namespace)
        if task is None:
            task = self._asking[namespace] = asyncio.ensure_future(self.look(namespace))
            task.add_done_callback(lambda done: self._answered(namespace, done))
        return await asyncio.shield(task)

    async def look(self, namespace: Namespace) -> Mapping[str, StreamState]:
        """The namespace's histories by topic, as they are now."""
        asked_at, changes = self._monotonic(), self._changes
        found: Mapping[str, StreamState] = {}
        if (await self._database.query(PLATFORM, Statement(_MARKED, (namespace,)))).rows:
            streams = await self._journal.streams(namespace)
            found = {name.removeprefix(_PREFIX): state for name, state in streams.items() if name.startswith(_PREFIX)}
        if changes == self._changes:  # else what was found may be older than a change made meanwhile
            self._known.pop(namespace, None)
            self._known[namespace] = (found, asked_at + _REMEMBERED_S)
            if len(self._known) > _MAX_REMEMBERED:
                del self._known[next(iter(self._known))]  # the oldest: a dict keeps the order of insertion
        return found

    async def put(self, namespace: Namespace, topic: Topic, retention: Retention) -> StreamState:
        """Give a topic a history, or change what it keeps.

        Raises:
            Conflict: too many topics have one (reason ``too_many_histories``).
        """
        await self._database.execute(PLATFORM, [Statement(_MARK, (namespace, to_ms(self._clock.now())))])
        try:
            return await self._journal.put_stream(
                namespace, _PREFIX + topic, retention, max_streams=self.limits.max_streams
            )
        finally:
            self.forget(namespace)

    async def drop(self, namespace: Namespace, topic: Topic) -> None:
        """Take a topic's history away, with all messages in it.

        Raises:
            NotFound: it has none (reason ``no_history``).
        """
        try:
            await self._journal.drop_stream(namespace, _PREFIX + topic)
        finally:
            self.forget(namespace)

    def forget(self, namespace: Namespace) -> None:
        """Look again before the next answer."""
        self._changes += 1
        self._known.pop(namespace, None)

    async def append(self, namespace: Namespace, topic: Topic, payload: bytes) -> tuple[Position, int]:
        """Add a message; its position and its time in unix milliseconds, once both are durable.

        Raises:
            NotFound: the topic has no history (any more; reason ``no_history``).
        """
        entry = await self._journal.append(namespace, _PREFIX + topic, payload)
        return entry.position, entry.at

    async def read(self, namespace: Namespace, topic: Topic, after: Position, limit: int | None = None) -> Page | None:
        """Messages that follow `after`, from one page of the journal; None if the topic's history knows no `after`.

        Raises:
            NotFound: the topic has no history (reason ``no_history``).
        """
        return await self._journal.read(namespace, _PREFIX + topic, after, limit=limit or self.limits.max_page)

    def sweep(self) -> Sweep:
        """The removal of what histories keep no more, also of topics that nobody publishes to."""
        return Sweep("journal_entries", self._trim)

    async def _trim(self, max_rows: int) -> int:
        """Trim namespaces that nobody has trimmed for a while, until enough is removed or all have had their turn."""
        removed = 0
        while removed < max_rows:
            now = self._clock.now()
            claim = Statement(_CLAIM, (to_ms(now), to_ms(now - _TRIM_EVERY_S)))
            (result,) = await self._database.execute(PLATFORM, [claim])
            if result.rows is None or not result.rows.rows:
                break
            removed += await self._journal.trim(Namespace(str(result.rows.rows[0][0])), max_rows)
        return removed

    def _answered(self, namespace: Namespace, task: asyncio.Task[Mapping[str, StreamState]]) -> None:
        del self._asking[namespace]
        if not task.cancelled():
            task.exception()  # seen, even if every waiter has gone away
