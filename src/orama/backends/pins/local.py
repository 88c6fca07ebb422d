"""The pin port on the platform's database: one node, which has whatever is pinned."""

from __future__ import annotations

from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.contracts.pins import PinsGuarantees
from orama.domain.content.cid import Cid
from orama.domain.content.pin import Pin, PinState
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import InvalidArgument, Unavailable

MAX_NAME_BYTES: Final = 255

_GUARANTEES: Final = PinsGuarantees(immediate=True, survives_restart=True, max_name_bytes=MAX_NAME_BYTES)
_PIN: Final = (
    "INSERT INTO pins (cid, name, created_at) VALUES (?, ?, ?) ON CONFLICT (cid) DO UPDATE SET name = excluded.name"
)


class LocalPins:
    """`contracts.Pins` as rows of ``pins``, a table of the platform's schema.

    Args:
        database: with that schema; stays its owner's.
        clock: for when a pin was made.
        peer: what this node is called among the peers that have the content.
    """

    def __init__(self, database: Database, clock: Clock, *, peer: str) -> None:
        self._database = database
        self._clock = clock
        self._peers = (peer,)
        self._closed = False

    @property
    def guarantees(self) -> PinsGuarantees:
        """See `Pins.guarantees`."""
        return _GUARANTEES

    async def pin(self, cid: Cid, *, name: str) -> None:
        """See `Pins.pin`."""
        self._check_open()
        if len(name.encode()) > MAX_NAME_BYTES:
            raise InvalidArgument(f"a pin's name is longer than {MAX_NAME_BYTES} bytes", reason="name_too_long")
        row = (cid.as_v1().text, name, to_ms(self._clock.now()))
        await self._database.execute(PLATFORM, [Statement(_PIN, row)])

    async def unpin(self, cid: Cid) -> None:
        """See `Pins.unpin`."""
        self._check_open()
        await self._database.execute(PLATFORM, [Statement("DELETE FROM pins WHERE cid = ?", (cid.as_v1().text,))])

    async def status(self, cid: Cid) -> Pin | None:
        """See `Pins.status`."""
        self._check_open()
        found = await self._database.query(
            PLATFORM, Statement("SELECT name FROM pins WHERE cid = ?", (cid.as_v1().text,))
        )
        return Pin(cid, str(found.rows[0][0]), PinState.PINNED, 1, 1, self._peers) if found.rows else None

    async def ping(self) -> None:
        """See `Pins.ping`."""
        self._check_open()
        await self._database.query(PLATFORM, Statement("SELECT count(*) FROM pins WHERE cid = ''"))

    async def close(self) -> None:
        """See `Pins.close`."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the pins are closed", reason="closed")
