"""The calls under way: how many there are, which are overdue, and when the last one has ended."""

from __future__ import annotations

import asyncio

from orama.contracts.clock import Clock
from orama.gateway.kernel.call import Call

_SWEEP_INTERVAL_S = 0.1


class InFlight:
    """Knows every call under way and cancels those past their deadline.

    One sweep for all calls costs less than a timer for each: a call may end up to 0.1 s late.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[Call, asyncio.Task[object] | None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    def enter(self, call: Call) -> None:
        """Count `call`, which the running task is working on."""
        if not self._calls:
            self._empty.clear()
        self._calls[call] = asyncio.current_task()

    def leave(self, call: Call) -> None:
        """Forget `call`; it has ended one way or the other."""
        del self._calls[call]
        if not self._calls:
            self._empty.set()

    async def drained(self) -> None:
        """Wait until no call is under way."""
        await self._empty.wait()

    def cancel_overdue(self) -> None:
        """Cancel each call past its deadline; the pipeline answers it with 504."""
        now = self._clock.monotonic()
        for call, task in list(self._calls.items()):
            if call.deadline < now and task is not None and not call.expired:
                call.expired = True
                task.cancel()

    async def sweep(self) -> None:
        """Cancel overdue calls for ever. The owner cancels this task."""
        while True:
            await self._clock.sleep(_SWEEP_INTERVAL_S)
            self.cancel_overdue()
