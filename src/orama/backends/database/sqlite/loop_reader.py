"""Reads on the event loop itself, for statements that have proven to be fast.

Handing a read of 10 µs to a thread costs more than the read, and under a busy event loop it waits milliseconds for the
interpreter's lock (docs/adr/0002-reads-on-the-loop.md). So a text runs here once a thread has shown it to be cheap,
under a budget of virtual-machine steps; when that is spent it is stopped, run in a thread, and stays there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from orama.backends.database.sqlite.session import Misplaced, Session
from orama.contracts.clock import Clock
from orama.domain.sql import Result, Statement, Value
from orama.errors import TooLarge, Unavailable

STEP_BUDGET: Final = 2_000
"""Steps of SQLite's virtual machine between two looks at the budget: some 100 rows, well under 0.1 ms of work."""

MAX_ROW_BYTES: Final = 16 * 1024
"""The longest value or row on the loop."""

_CHEAP_S: Final = 0.000_5
_MAX_CPU_S: Final = 0.005
_MAX_STALL_S: Final = 0.1
_SUSPENSION_S: Final = 10.0
_MAX_FAST_TEXTS: Final = 256
_MAX_SLOW_TEXTS: Final = 1_024
_MAX_TEXT_LENGTH: Final = 2_048
_MAX_ARGUMENT_LENGTH: Final = 4_096
"""Characters and bytes of a statement's arguments, all together."""


class LoopReader:
    """The event loop's own connection to one database, with what is known of the texts that were read.

    Its session calls only functions of constant cost, and its connection reads and makes only short values: what a
    text costs depends on the arguments and on the rows, so having been cheap once proves nothing.

    The reads of one turn of the loop share one snapshot, and so the file's lock, which costs as much as a read. Each
    still sees every write acknowledged before it was called: a caller hears of a write, or sends a request, in an
    earlier turn than the one in which the snapshot is taken.
    """

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._fast: dict[str, None] = {}
        self._slow: dict[str, None] = {}
        self._suspended_until = 0.0
        self._looks = 0
        self._in_turn = False
        self._turn_began_cpu = 0.0

    def read(self, statement: Statement) -> Result | None:
        """The answer, or None if a thread must give it.

        Raises:
            OramaError: as `Session.run`.
        """
        if statement.sql not in self._fast or not _are_short(statement.args):
            return None
        began = self._clock.monotonic()
        if began < self._suspended_until:
            return None
        if not self._in_turn:
            self._begin_turn()
        self._looks = 0
        try:
            return self._session.run(statement, self._look)
        except Misplaced:
            self._note_slow(statement.sql)
            return None
        except TooLarge as error:
            if error.reason != "too_large":
                raise
            self._note_slow(statement.sql)  # longer than this connection takes: a thread's may
            return None
        except Unavailable:
            return None  # the file is locked for a moment: a thread may wait, the loop may not
        finally:
            # Steps bound the work, but a single step may wait for the disk. Whoever stalls the loop so reads in
            # threads for a while, whatever the text, and that text for ever. Processor time is judged more strictly
            # than the clock's, which on a busy machine counts what other processes do; it takes long to ask for, so
            # that is done only when the clock gives cause, and for the whole turn.
            now = self._clock.monotonic()
            if now - began > _MAX_CPU_S and (
                now - began > _MAX_STALL_S or time.thread_time() - self._turn_began_cpu > _MAX_CPU_S
            ):
                self._suspended_until = now + _SUSPENSION_S
                self._note_slow(statement.sql)

    def learn(self, sql: str, cpu_s: float) -> None:
        """Note what a thread needed for `sql`, compiling included.

        Only cheapness is noted: a text that was dear once, on a cold cache perhaps, gets another chance next time.
        """
        if cpu_s <= _CHEAP_S and len(sql) <= _MAX_TEXT_LENGTH and sql not in self._slow:
            _note(sql, self._fast, _MAX_FAST_TEXTS)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _begin_turn(self) -> None:
        self._session.control("BEGIN")
        self._in_turn = True
        self._turn_began_cpu = time.thread_time()
        # Runs before any task that this turn wakes or starts, the one that closes this database among them.
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._in_turn = False
        self._session.control("COMMIT")

    def _look(self) -> Misplaced | None:
        # SQLite counts a cached statement's steps from run to run, so the first look may come after any number of them.
        self._looks += 1
        return Misplaced() if self._looks > 1 else None

    def _note_slow(self, sql: str) -> None:
        self._fast.pop(sql, None)
        _note(sql, self._slow, _MAX_SLOW_TEXTS)


def _note(sql: str, texts: dict[str, None], at_most: int) -> None:
    if sql not in texts and len(texts) >= at_most:
        del texts[next(iter(texts))]
    texts[sql] = None


def _are_short(arguments: tuple[Value, ...]) -> bool:
    size = 0
    for value in arguments:
        if isinstance(value, (str, bytes)):
            size += len(value)
    return size <= _MAX_ARGUMENT_LENGTH
