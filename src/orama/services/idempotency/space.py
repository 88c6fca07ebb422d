"""Where keys are remembered, so that they can be removed there when they are over."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.once import CREATE, NEXT_EXPIRY, remove_expired
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Precondition
from orama.services.idempotency.settings import IdempotencySettings
from orama.services.sweep import Sweep

_MAX_NOTED: Final = 10_000
"""Namespaces of which this process knows that they are on the list."""
_MAX_SPACES: Final = 16
"""Databases of tenants that one removal may open, one after the other."""
_REST_MS: Final = 10 * 60 * 1000
"""A database that was looked at is left in peace for so long."""


class Spaces:
    """The list of namespaces in whose databases keys are remembered.

    It is in the platform's database and written before a namespace's first key, so that none is forgotten in a crash.
    A namespace stays on it, and is looked at once in the time that keys are kept, or when its oldest key is over.
    """

    def __init__(self, database: Database, clock: Clock, settings: IdempotencySettings) -> None:
        self._database = database
        self._clock = clock
        self._retention_ms = settings.retention_s * 1000
        self._noted: dict[Namespace, None] = {}

    async def note(self, namespace: Namespace) -> None:
        """Make sure that `namespace` is on the list."""
        if namespace in self._noted:
            return
        sql = "INSERT INTO idempotency_spaces (namespace, due_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
        await self._database.execute(PLATFORM, [Statement(sql, (namespace, self._now() + self._retention_ms))])
        self._noted[namespace] = None
        if len(self._noted) > _MAX_NOTED:
            del self._noted[next(iter(self._noted))]

    def sweep(self) -> Sweep:
        """The removal of keys that are over from the databases of tenants, in a few of these at a time."""
        return Sweep("idempotency", self._remove)

    async def _remove(self, max_rows: int) -> int:
        due = Statement(
            "SELECT namespace, due_at FROM idempotency_spaces WHERE due_at <= ? ORDER BY due_at LIMIT ?",
            (self._now(), _MAX_SPACES),
        )
        removed = 0
        rows = (await self._database.query(PLATFORM, due)).rows
        for namespace, due_at in msgspec.convert(rows, list[tuple[Namespace, int]]):
            # Another node may be about to look, too; and a database that cannot be opened must not stand in the way.
            if not await self._move(namespace, due_at, self._now() + _REST_MS):
                continue
            removed += await self._remove_from(namespace, max_rows - removed)
            if removed >= max_rows:
                break
        return removed

    async def _remove_from(self, namespace: Namespace, max_rows: int) -> int:
        now = self._now()
        batch = [*CREATE, remove_expired(now, max_rows), NEXT_EXPIRY]
        *_, removal, oldest = await self._database.execute(namespace, batch)
        next_expiry = msgspec.convert(oldest.rows and oldest.rows.rows[0][0], int | None)
        if removal.rows_affected >= max_rows:
            due_at = now
        elif next_expiry is None:
            due_at = now + self._retention_ms
        else:
            due_at = max(next_expiry, now + _REST_MS)
        sql = "UPDATE idempotency_spaces SET due_at = ? WHERE namespace = ?"
        await self._database.execute(PLATFORM, [Statement(sql, (due_at, namespace))])
        return removal.rows_affected

    async def _move(self, namespace: Namespace, due_at: int, later: int) -> bool:
        sql = "UPDATE idempotency_spaces SET due_at = ? WHERE namespace = ? AND due_at = ?"
        try:
            await self._database.execute(PLATFORM, [Statement(sql, (later, namespace, due_at), expect_rows=1)])
        except Precondition:
            return False
        return True

    def _now(self) -> int:
        return to_ms(self._clock.now())
