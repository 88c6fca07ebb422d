"""Keyed requests: what identifies them, and who carries them out."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM
from orama.domain.once import Once, remove_expired
from orama.domain.timestamp import to_ms
from orama.errors import InvalidArgument
from orama.services.auth.keyring import Sealer
from orama.services.idempotency.attempt import Attempt
from orama.services.idempotency.recorder import Recorder
from orama.services.idempotency.settings import IdempotencySettings
from orama.services.idempotency.space import Spaces
from orama.services.sweep import Sweep

_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)


class Idempotency:
    """Keys of requests.

    A key is its caller's own: another caller of the same namespace may use the same text for something else, and learns
    nothing of this one. Who calls without a credential has no name; there a key counts together with its request.

    Args:
        database: where keys are remembered, each in the database that its request changes.
        clock: tells the time.
        sealer: seals what is remembered of outcomes that hold secrets.
        settings: for how long and how much.
        in_use_s: for so long a request may be under way.
    """

    def __init__(
        self, database: Database, clock: Clock, sealer: Sealer, settings: IdempotencySettings, *, in_use_s: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._settings = settings
        self._spaces = Spaces(database, clock, settings)
        self.recorder = Recorder(database, self._spaces, clock, in_use_s=in_use_s)
        """For requests whose effect is not in SQL."""

    def once(self, key: str, caller: Principal | None, *request: bytes) -> Once:
        """The identity of a request.

        Args:
            key: as the caller chose it.
            caller: who calls, if that is known.
            request: all that says what is asked.

        Raises:
            InvalidArgument: the key is not 1 to 255 visible ASCII characters.
        """
        if _KEY.fullmatch(key) is None:
            raise InvalidArgument(
                "an Idempotency-Key is 1 to 255 visible ASCII characters without spaces, such as a UUID",
                reason="invalid_idempotency_key",
            )
        now = to_ms(self._clock.now())
        asked = _digest(*request)
        if caller is None:
            owner, retention_s = (b"", asked), self._settings.anonymous_retention_s
        else:
            owner = (caller.namespace.encode(), caller.subject.encode())
            retention_s = self._settings.retention_s
        return Once(
            key=_digest(*owner, key.encode()),
            request=asked,
            now=now,
            expires_at=now + retention_s * 1000,
            max_kept_bytes=self._settings.max_kept_bytes,
        )

    def attempt(self, once: Once) -> Attempt:
        """A request whose effect is in SQL, on its way there."""
        return Attempt(once, self._database, self._spaces, self._sealer)

    def sweeps(self) -> tuple[Sweep, Sweep]:
        """The removal of keys that are over, from the platform's database and from those of tenants."""

        async def remove(max_rows: int) -> int:
            statement = remove_expired(to_ms(self._clock.now()), max_rows)
            (result,) = await self._database.execute(PLATFORM, [statement])
            return result.rows_affected

        return Sweep("platform_idempotency", remove), self._spaces.sweep()


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of all parts; their lengths belong to it, so that no two lists of parts have the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
