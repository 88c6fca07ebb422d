"""The lease under which this gateway's members live, and the end of other gateways' leases."""

from __future__ import annotations

import secrets
from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Consistency, Statement
from orama.errors import Precondition

_OPEN: Final = "INSERT INTO gateway_leases (id, node, beat) VALUES (?, ?, 0) ON CONFLICT (id) DO NOTHING"
_CLOSE: Final = "DELETE FROM gateway_leases WHERE id = ?"
_CLOSE_EARLIER: Final = "DELETE FROM gateway_leases WHERE node = ? AND id <> ?"
_BEAT: Final = "UPDATE gateway_leases SET beat = beat + 1 WHERE id = ?"
_OTHERS: Final = "SELECT id, beat FROM gateway_leases WHERE id <> ?"
_END: Final = "DELETE FROM gateway_leases WHERE id = ? AND beat = ?"


class Lease:
    """A row whose number grows while this process lives.

    Nobody compares clocks: a gateway is dead for another when its number has stood still for `lease_s` by the other's
    own monotonic clock. A node's earlier processes are dead at once: one process at a time runs on a node's data.
    """

    def __init__(self, database: Database, clock: Clock, node_id: str, *, lease_s: float) -> None:
        self.id = secrets.token_hex(8)
        """Names this process among all that ever ran."""
        self._database = database
        self._monotonic = clock.monotonic
        self._node_id = node_id
        self._lease_s = lease_s
        self._seen: dict[str, tuple[int, float]] = {}

    async def open(self) -> None:
        """Begin the lease, and end those of this node's earlier processes."""
        await self._database.execute(
            PLATFORM,
            [Statement(_CLOSE_EARLIER, (self._node_id, self.id)), Statement(_OPEN, (self.id, self._node_id))],
        )

    async def beat(self) -> bool:
        """Give a sign of life; False if others have taken this gateway for dead: the lease has begun anew."""
        (result,) = await self._database.execute(PLATFORM, [Statement(_BEAT, (self.id,))])
        if result.rows_affected:
            return True
        await self.open()
        return False

    async def end_dead(self) -> list[str]:
        """End the leases of gateways that gave no sign of life for too long; returns those that this call ended."""
        others = await self._database.query(
            PLATFORM, Statement(_OTHERS, (self.id,)), consistency=Consistency.LINEARIZABLE
        )
        now = self._monotonic()
        seen: dict[str, tuple[int, float]] = {}
        ended: list[str] = []
        for lease, beat in others.rows:
            assert isinstance(lease, str)
            assert isinstance(beat, int)
            before = self._seen.get(lease)
            if before is None or before[0] != beat:
                seen[lease] = (beat, now)
            elif now - before[1] < self._lease_s:
                seen[lease] = before
            elif await self._end(lease, beat):
                ended.append(lease)
        self._seen = seen
        return ended

    async def close(self) -> None:
        """End the own lease."""
        await self._database.execute(PLATFORM, [Statement(_CLOSE, (self.id,))])

    async def _end(self, lease: str, beat: int) -> bool:
        try:
            await self._database.execute(PLATFORM, [Statement(_END, (lease, beat), expect_rows=1)])
        except Precondition:
            return False  # it lives after all, or somebody else was faster
        return True
