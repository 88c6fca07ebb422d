"""The calls under way: how many there are, and which are overdue."""

from __future__ import annotations

from collections.abc import Callable

from orama.contracts.clock import Clock
from orama.gateway.kernel.call import Call

_SWEEP_INTERVAL_S = 0.1

Cancel = Callable[[], object]


class InFlight:
    """Knows every call under way and cancels those past their deadline.

    One sweep for all calls costs less than a timer for each: a call may end up to 0.1 s late.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[Call, Cancel] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def enter(self, call: Call, cancel: Cancel) -> None:
        """Count `call`; `cancel` raises `CancelledError` in the task that works on it."""
        self._calls[call] = cancel

    def leave(self, call: Call) -> None:
        """Forget `call`; it has ended one way or the other."""
        del self._calls[call]

    def cancel_overdue(self) -> None:
        """Cancel each call past its deadline; the pipeline answers it with 504."""
        now = self._clock.monotonic()
        for call, cancel in list(self._calls.items()):
            if call.deadline < now and not call.expired:
                call.expired = True
                cancel()

    async def sweep(self) -> None:
        """Cancel overdue calls for ever. The owner cancels this task."""
        while True:
            await self._clock.sleep(_SWEEP_INTERVAL_S)
            self.cancel_overdue()
