"""What threads do for the event loop, and how the answers come back."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from orama.backends.database.sqlite.session import Interrupt
from orama.contracts.clock import Clock
from orama.domain.once import Executed, Once
from orama.domain.sql import Result, Statement
from orama.errors import OramaError, Unprocessable

T = TypeVar("T")


class Job(Generic[T]):
    """One call that a thread answers.

    `future` belongs to the event loop, except that threads may ask it whether the caller still waits. `release` runs
    on the loop when the job is over, also when the caller left earlier. `cpu_s`: what it cost its thread, in seconds
    of processor time; infinite until it succeeded. `once`: the key of a batch that has one.
    """

    __slots__ = ("cpu_s", "future", "once", "release", "statements")

    def __init__(
        self,
        statements: tuple[Statement, ...],
        future: asyncio.Future[T],
        release: Callable[[], None],
        once: Once | None = None,
    ) -> None:
        self.statements = statements
        self.once = once
        self.future = future
        self.release = release
        self.cpu_s = math.inf

    @property
    def abandoned(self) -> bool:
        """Whether the caller waits no more. May be asked from any thread."""
        return self.future.cancelled()


def start_timer(clock: Clock, timeout_s: float) -> Interrupt:
    """An interrupt that stops what runs `timeout_s` seconds from now."""
    deadline = clock.monotonic() + timeout_s

    def timed_out() -> OramaError | None:
        if clock.monotonic() <= deadline:
            return None
        return Unprocessable(
            f"the statement ran longer than {timeout_s:g} s and was stopped", reason="statement_timeout"
        )

    return timed_out


ReadJob = Job[Result]
WriteJob = Job[list[Result] | Executed]


class Mailbox:
    """Brings outcomes from threads to the event loop: one wake-up of the loop for all that gathered until it came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outcomes: deque[tuple[Job[Any], object]] = deque()
        self._awaited = False

    def post(self, outcomes: Iterable[tuple[Job[T], T | OramaError]]) -> None:
        """Hand over what jobs came to. Safe from any thread."""
        self._outcomes.extend(outcomes)
        # Two threads may both find it False: then the second wake-up finds the box empty, which is harmless. The loop
        # clears the flag before it looks into the box, so nothing is left behind.
        if not self._awaited:
            self._awaited = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._awaited = False
        while self._outcomes:
            job, outcome = self._outcomes.popleft()
            job.release()
            if job.future.done():
                continue
            if isinstance(outcome, OramaError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)
