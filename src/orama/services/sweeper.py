"""The one task of a node that removes what is over, in small batches, never on a request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import msgspec

from orama.contracts.clock import Clock
from orama.services.sweep import Sweep


class SweeperSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How rows whose time is over are removed: sign-ins, keys, challenges and the like."""

    interval_s: float = 60.0
    """How long a node rests between two rounds, give or take half: the nodes of a cluster share the work."""
    batch_rows: int = 200
    """Most rows removed by one write: other writes wait no longer than that takes."""
    pause_s: float = 0.1
    """How long the sweeper stands back after each write, so that it takes a small part of the writer's time only."""
    timeout_s: float = 30.0
    """How long one removal may take; then its place is left for the next round."""


class Sweeper:
    """Runs sweeps in rounds; in a round each place has its turn, batch by batch, until nothing is left.

    A place whose removal fails is left for the next round and the others go on.

    Args:
        sweeps: what to remove.
        settings: how much, how often.
        clock: for the rests.
        failed: told of each failure, with the name of the place.
    """

    def __init__(
        self, sweeps: Sequence[Sweep], settings: SweeperSettings, clock: Clock, failed: Callable[[str, Exception], None]
    ) -> None:
        self._sweeps = tuple(sweeps)
        self._settings = settings
        self._clock = clock
        self._failed = failed
        self.removed = {(sweep.name,): 0 for sweep in self._sweeps}
        """Rows removed since the start, by place, for telemetry."""
        self.failures = {(sweep.name,): 0 for sweep in self._sweeps}
        """Failed removals since the start, by place."""

    async def run(self) -> None:
        """Sweep for ever. The owner cancels this task."""
        while True:
            await self._clock.sleep(self._settings.interval_s * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
            await self.round()

    async def round(self) -> None:
        """Remove all that is over now."""
        waiting = self._sweeps
        while waiting:
            unfinished: list[Sweep] = []
            for sweep in waiting:
                if await self._remove_batch(sweep):
                    unfinished.append(sweep)
                await self._clock.sleep(self._settings.pause_s)
            waiting = tuple(unfinished)

    async def _remove_batch(self, sweep: Sweep) -> bool:
        """Whether there may be more."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                removed = await sweep.remove(self._settings.batch_rows)
        except Exception as error:  # noqa: BLE001 (whatever it is, the owner hears of it, and the others have their turn)
            self.failures[sweep.name,] += 1
            self._failed(sweep.name, error)
            return False
        self.removed[sweep.name,] += removed
        return removed >= self._settings.batch_rows
