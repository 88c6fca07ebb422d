"""The journal: streams of entries in a namespace's own database, which assigns their offsets as it commits them.

Statements here are the platform's own and name tables that tenants neither see nor reach. All conditions on what is
kept grow along a stream (offsets, times, bytes so far), so what has to go is always its oldest part.
"""

from __future__ import annotations

import secrets
from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.journal import Entry, Page, Retention, StreamState
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Position
from orama.domain.sql import Statement, Value
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, NotFound, Precondition, Unprocessable

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS _orama_journal_streams (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL,
        max_count INTEGER NOT NULL, max_age_ms INTEGER NOT NULL, max_bytes INTEGER NOT NULL,
        last_offset INTEGER NOT NULL DEFAULT 0, last_at INTEGER NOT NULL DEFAULT 0,
        bytes_so_far INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS _orama_journal_entries (
        stream INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, bytes_before INTEGER NOT NULL,
        payload BLOB NOT NULL, PRIMARY KEY (stream, position))""",
)
_PUT_STREAM: Final = """INSERT INTO _orama_journal_streams (name, epoch, max_count, max_age_ms, max_bytes)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM _orama_journal_streams WHERE name <> ?1) < ?6
    ON CONFLICT (name) DO UPDATE SET
        max_count = excluded.max_count, max_age_ms = excluded.max_age_ms, max_bytes = excluded.max_bytes
    RETURNING epoch, last_offset"""
_STREAMS: Final = "SELECT name, epoch, last_offset, max_count, max_age_ms, max_bytes FROM _orama_journal_streams"
_DROP_ENTRIES: Final = (
    "DELETE FROM _orama_journal_entries WHERE stream IN (SELECT id FROM _orama_journal_streams WHERE name = ?)"
)
_DROP_STREAM: Final = "DELETE FROM _orama_journal_streams WHERE name = ?"
_ADVANCE: Final = """UPDATE _orama_journal_streams
    SET last_offset = last_offset + 1, last_at = max(last_at, ?2), bytes_so_far = bytes_so_far + ?3
    WHERE name = ?1 RETURNING epoch, last_offset, last_at"""
_APPEND: Final = """INSERT INTO _orama_journal_entries (stream, position, at, bytes_before, payload)
    SELECT id, last_offset, last_at, bytes_so_far - ?3, ?2 FROM _orama_journal_streams WHERE name = ?1"""
_KEPT: Final = (
    "e.position > s.last_offset - s.max_count AND e.at >= {now} - s.max_age_ms "
    "AND e.bytes_before >= s.bytes_so_far - s.max_bytes"
)
# Each append looks at a few of the oldest, so that no single one pays for many.
_TRIM_SOME: Final = f"""DELETE FROM _orama_journal_entries WHERE rowid IN (
    SELECT e.id FROM (
        SELECT rowid AS id, position, at, bytes_before, stream FROM _orama_journal_entries
        WHERE stream = (SELECT id FROM _orama_journal_streams WHERE name = ?1) ORDER BY position LIMIT 8) e
    JOIN _orama_journal_streams s ON s.id = e.stream WHERE NOT ({_KEPT.format(now="?2")}))"""  # noqa: S608  constants
_TRIM_ALL: Final = f"""DELETE FROM _orama_journal_entries WHERE rowid IN (
    SELECT e.rowid FROM _orama_journal_entries e JOIN _orama_journal_streams s ON s.id = e.stream
    WHERE NOT ({_KEPT.format(now="?1")}) LIMIT ?2)"""  # noqa: S608  constants
_PAGE: Final = f"""SELECT s.epoch, s.last_offset, e.position, e.bytes_before + length(e.payload), e.bytes_before
    FROM _orama_journal_streams s LEFT JOIN _orama_journal_entries e
    ON e.stream = s.id AND e.position > ?2 AND {_KEPT.format(now="?3")}
    WHERE s.name = ?1 ORDER BY e.position LIMIT ?4"""  # noqa: S608  constants
_ENTRIES: Final = """SELECT s.epoch, e.position, e.at, e.payload
    FROM _orama_journal_streams s JOIN _orama_journal_entries e ON e.stream = s.id
    WHERE s.name = ?1 AND e.position BETWEEN ?2 AND ?3 ORDER BY e.position"""
_ATTEMPTS: Final = 5


class Journal:
    """Streams by name, per namespace.

    Common to all methods:

    Raises:
        NotFound: there is no such stream (reason ``no_history``).
        Unavailable, StorageFull, Deadline: the database says so.

    Args:
        database: holds the streams.
        clock: for the times of entries.
        max_page_bytes: most bytes of payloads in one page, unless a single entry has more.
    """

    def __init__(self, database: Database, clock: Clock, *, max_page_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._max_page_bytes = max_page_bytes

    async def streams(self, namespace: Namespace) -> dict[str, StreamState]:
        """All streams of a namespace by name."""
        try:
            found = await self._database.query(namespace, _own(_STREAMS))
        except Unprocessable as error:
            if _is_missing(error):
                return {}
            raise
        return {
            str(name): StreamState(Position(str(epoch), _integer(last)), Retention(*map(_integer, retention)))
            for name, epoch, last, *retention in found.rows
        }

    async def put_stream(
        self, namespace: Namespace, name: str, retention: Retention, *, max_streams: int
    ) -> StreamState:
        """Begin a stream, or change what an existing one keeps.

        Raises:
            Conflict: the namespace has `max_streams` others (reason ``too_many_histories``).
        """
        # Epochs compare by the time of their beginning.
        epoch = f"{to_ms(self._clock.now()):011x}{secrets.token_hex(4)}"
        arguments = (name, epoch, retention.max_count, retention.max_age_ms, retention.max_bytes, max_streams)
        put = _own(_PUT_STREAM, *arguments, expect_rows=1)
        try:
            *_, result = await self._database.execute(namespace, [*map(_own, _TABLES), put])
        except Precondition as error:
            raise Conflict(
                f"{max_streams} topics of this namespace have a history: drop one first", reason="too_many_histories"
            ) from error
        assert result.rows is not None
        ((epoch, last),) = result.rows.rows
        return StreamState(Position(str(epoch), _integer(last)), retention)

    async def drop_stream(self, namespace: Namespace, name: str) -> None:
        """Forget a stream and all its entries."""
        drop = _own(_DROP_STREAM, name, expect_rows=1)
        await self._execute(namespace, [_own(_DROP_ENTRIES, name), drop])

    async def append(self, namespace: Namespace, name: str, payload: bytes) -> Entry:
        """Add an entry; it is durable when this returns."""
        now = to_ms(self._clock.now())
        advanced, *_ = await self._execute(
            namespace,
            [
                _own(_ADVANCE, name, now, len(payload), expect_rows=1),
                _own(_APPEND, name, payload, len(payload), expect_rows=1),
                _own(_TRIM_SOME, name, now),
            ],
        )
        ((epoch, offset, at),) = advanced
        return Entry(Position(str(epoch), _integer(offset)), _integer(at), payload)

    async def read(self, namespace: Namespace, name: str, after: Position, *, limit: int) -> Page | None:
        """Up to `limit` entries that follow `after`; None if that is no position of the stream as it is now."""
        for _ in range(_ATTEMPTS):
            page = await self._read(namespace, name, after, limit)
            if page is not _OVERTAKEN:
                return page
        raise Conflict("the history changes faster than it can be read: try again", reason="history_overtaken")

    async def trim(self, namespace: Namespace, batch_rows: int) -> int:
        """Remove what no stream keeps any more, some rows at a time; returns how many there were."""
        removed = 0
        while True:
            gone = _own(_TRIM_ALL, to_ms(self._clock.now()), batch_rows)
            try:
                (result,) = await self._database.execute(namespace, [gone])
            except Unprocessable as error:
                if _is_missing(error):
                    return removed
                raise
            removed += result.rows_affected
            if result.rows_affected < batch_rows:
                return removed

    async def _read(self, namespace: Namespace, name: str, after: Position, limit: int) -> Page | None:
        now = to_ms(self._clock.now())
        rows = await self._query(namespace, _own(_PAGE, name, after.offset, now, limit))
        if not rows:
            raise _no_stream()
        epoch, last = str(rows[0][0]), _integer(rows[0][1])
        if epoch != after.epoch or after.offset > last:
            return None
        kept = [(_integer(row[2]), _integer(row[3])) for row in rows if row[2] is not None]
        if not kept:
            return Page([], last - after.offset, last)
        first, room = kept[0][0], _integer(rows[0][4]) + self._max_page_bytes
        until = max(first, *(position for position, bytes_until in kept if bytes_until <= room), first)
        found = await self._query(namespace, _own(_ENTRIES, name, first, until))
        if len(found) != until - first + 1 or found[0][0] != epoch:
            return _OVERTAKEN  # trimmed or begun anew between the two questions
        entries = [
            Entry(Position(epoch, _integer(position)), _integer(at), payload)
            for _, position, at, payload in found
            if isinstance(payload, bytes)
        ]
        return Page(entries, first - after.offset - 1, last)

    async def _query(self, namespace: Namespace, statement: Statement) -> list[tuple[Value, ...]]:
        try:
            return (await self._database.query(namespace, statement)).rows
        except Unprocessable as error:
            if _is_missing(error):
                raise _no_stream() from error
            raise

    async def _execute(self, namespace: Namespace, batch: list[Statement]) -> list[list[tuple[Value, ...]]]:
        try:
            results = await self._database.execute(namespace, batch)
        except Precondition as error:
            raise _no_stream() from error
        except Unprocessable as error:
            if _is_missing(error):
                raise _no_stream() from error
            raise
        return [[] if one.rows is None else one.rows.rows for one in results]


_OVERTAKEN: Final = Page([], 0, 0)


def _own(sql: str, *args: Value, expect_rows: int | None = None) -> Statement:
    return Statement(sql, args, expect_rows, privileged=True)


def _integer(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _is_missing(error: Unprocessable) -> bool:
    """Whether the namespace never had a journal, or lost it with its database."""
    return "no such table" in error.text


def _no_stream() -> NotFound:
    return NotFound("this topic has no history", reason="no_history")
