"""Deadlines by the `Clock`: asyncio's own know no other clock than the event loop's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orama.contracts.clock import Clock


class Expiries:
    """Ends blocks that take longer than `seconds`. One task watches all of them: it lives while there are any."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        # All have the same time, so that they end in the order in which they began.
        self._ends: dict[asyncio.Timeout, float] = {}
        self._watcher: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def limit(self) -> AsyncGenerator[float, None]:
        """A block that is cancelled when its time is up; gives that moment, in the clock's monotonic seconds.

        Raises:
            TimeoutError: it took too long.
        """
        end = self._clock.monotonic() + self._seconds
        async with asyncio.timeout(None) as timeout:
            self._ends[timeout] = end
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch())
            try:
                yield end
            finally:
                self._ends.pop(timeout, None)

    async def close(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])

    async def _watch(self) -> None:
        while self._ends:
            timeout, end = next(iter(self._ends.items()))
            wait_s = end - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            else:
                del self._ends[timeout]
                timeout.reschedule(asyncio.get_running_loop().time())
