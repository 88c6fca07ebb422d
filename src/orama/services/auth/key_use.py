"""When keys were last used: to the hour, kept in memory and written now and then, never by a request."""

from __future__ import annotations

from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import OramaError
from orama.services.auth.key_record import KeyRecord
from orama.services.auth.settings import AuthSettings

RESOLUTION_MS: Final = 3_600_000

_BATCH: Final = 200
"""Keys that are written in one batch, so that no sign-in waits long behind it."""


class KeyUses:
    """Notes uses and writes them. At most one write an hour for each key, over all gateways.

    Up to `AuthSettings.max_key_uses` keys wait to be written; a key beyond them is noted when it is next looked up,
    which a busy one is every few seconds. A node that is killed forgets those since the last write.
    """

    def __init__(self, database: Database, clock: Clock, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._waiting: dict[str, int] = {}

    def note(self, record: KeyRecord) -> None:
        """`record`, just read from the database, is being used. No I/O."""
        hour = to_ms(self._clock.now()) // RESOLUTION_MS * RESOLUTION_MS
        known = record.last_used_at is not None and record.last_used_at >= hour
        if not known and (record.id in self._waiting or len(self._waiting) < self._settings.max_key_uses):
            self._waiting[record.id] = hour

    async def write(self) -> int:
        """Write what was noted; returns how many keys that were. What fails is tried again next time.

        Raises:
            OramaError: the database did not take it.
        """
        written = 0
        while self._waiting:
            some = dict(list(self._waiting.items())[:_BATCH])
            sql = "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?"
            await self._database.execute(PLATFORM, [Statement(sql, (hour, key, hour)) for key, hour in some.items()])
            written += len(some)
            for key, hour in some.items():
                if self._waiting.get(key) == hour:  # Else it was used again meanwhile, in another hour.
                    del self._waiting[key]
        return written

    async def run(self) -> None:
        """Write every `AuthSettings.key_use_write_s`, for ever. The owner cancels this task."""
        while True:
            await self._clock.sleep(self._settings.key_use_write_s)
            await self.write_if_possible()

    async def write_if_possible(self) -> None:
        """Write what was noted; if the database does not take it, it waits, and the port's metrics tell."""
        try:
            await self.write()
        except OramaError:
            return
