"""The machine's own clocks."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """`contracts.Clock` on the operating system and the running event loop."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
