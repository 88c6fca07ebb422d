"""Reads on the event loop itself, for statements that have proven to be fast.

Handing a read of 10 µs to a thread costs more than the read, and under a busy event loop it waits milliseconds for the
interpreter's lock (docs/adr/0002-reads-on-the-loop.md). So a text runs here once a thread has shown it to be cheap,
under a budget of virtual-machine steps; when that is spent it is stopped, run in a thread, and stays there.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Final

from orama.backends.database.sqlite.session import Session
from orama.contracts.clock import Clock
from orama.domain.sql import Result, Statement
from orama.errors import Unavailable

STEP_BUDGET: Final = 2_000
"""Steps of SQLite's virtual machine between two looks at the budget: some 100 rows, well under 0.1 ms of work."""

_CHEAP_S: Final = 0.000_5
_MAX_CPU_S: Final = 0.005
_MAX_STALL_S: Final = 0.1
_SUSPENSION_S: Final = 10.0
_MAX_TEXTS: Final = 256
_MAX_TEXT_LENGTH: Final = 2_048


class _Speed(Enum):
    FAST = "fast"
    SLOW = "slow"


class _OverBudget(Exception):
    """The statement was stopped; a thread must run it."""


class LoopReader:
    """The event loop's own connection to one database, with what is known of the texts that were read."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._speeds: dict[str, _Speed] = {}
        self._suspended_until = 0.0
        self._looks = 0

    def read(self, statement: Statement) -> Result | None:
        """The answer, or None if a thread must give it.

        Raises:
            OramaError: as `Session.run`.
        """
        if self._speeds.get(statement.sql) is not _Speed.FAST:
            return None
        began = self._clock.monotonic()
        if began < self._suspended_until:
            return None
        began_cpu = time.thread_time()
        self._looks = 0
        try:
            return self._session.run(statement, self._look)
        except _OverBudget:
            self._speeds[statement.sql] = _Speed.SLOW
            return None
        except Unavailable:
            return None  # the file is locked for a moment: a thread may wait, the loop may not
        finally:
            # Steps bound the work, but a single step may compare megabytes or wait for the disk. Whoever stalls the
            # loop so reads in threads for a while, whatever the text. Processor time is judged more strictly than the
            # clock's, which on a busy machine counts what other processes do.
            now = self._clock.monotonic()
            if time.thread_time() - began_cpu > _MAX_CPU_S or now - began > _MAX_STALL_S:
                self._suspended_until = now + _SUSPENSION_S

    def learn(self, sql: str, cpu_s: float) -> None:
        """Note what a thread needed for `sql`, compiling included.

        Only cheapness is noted: a text that was dear once, on a cold cache perhaps, gets another chance next time.
        """
        if cpu_s > _CHEAP_S or sql in self._speeds or len(sql) > _MAX_TEXT_LENGTH:
            return
        if len(self._speeds) >= _MAX_TEXTS:
            del self._speeds[next(iter(self._speeds))]
        self._speeds[sql] = _Speed.FAST

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _look(self) -> _OverBudget | None:
        # SQLite counts a cached statement's steps from run to run, so the first look may come after any number of them.
        self._looks += 1
        return _OverBudget() if self._looks > 1 else None
