"""Bounds around a database: so many calls at once, so long for each, and reads that are tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database, DatabaseGuarantees
from orama.domain.namespace import Namespace
from orama.domain.once import Executed, Once
from orama.domain.sql import Consistency, Result, Rows, SchemaObject, Statement
from orama.errors import Deadline, Unavailable
from orama.orm.expiry import Expiries

_T = TypeVar("_T")


class PoolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of a `PooledDatabase`."""

    max_concurrent: int = 32
    """Most calls that the database is given at once."""
    max_waiting: int = 1_000
    """Most calls that wait for their turn; more are refused at once."""
    deadline_s: float = 10.0
    """How long a call may take altogether, waiting and repeating included."""
    max_retries: int = 2
    """How often a read is tried again."""
    backoff_s: float = 0.05
    """The pause before a read is first tried again; it doubles, and half of it more or less is chance."""


class PooledDatabase:
    """`contracts.Database` around another, which it owns.

    A read that meets `Unavailable` is tried again, after a pause. A write never is: whoever knows that it may happen
    twice can repeat it. What a call raises beside what the database does:

    Raises:
        Unavailable: too many calls are waiting, or this one waited too long; it was not begun (reason ``too_busy``).
        Deadline: the database did not answer in time; of a write with reason ``outcome_unknown``, of a read with
            ``request_timeout``.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: PoolSettings | None = None,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings: Final = settings or PoolSettings()
        self._chance = chance
        self._slots = asyncio.Semaphore(self._settings.max_concurrent)
        self._waiting = self._unfinished = 0
        self._finished = asyncio.Event()
        self._expiries = Expiries(clock, self._settings.deadline_s)
        self._closed = False

    @property
    def guarantees(self) -> DatabaseGuarantees:
        """Those of the database."""
        return self._database.guarantees

    async def query(
        self, namespace: Namespace, statement: Statement, *, consistency: Consistency = Consistency.WEAK
    ) -> Rows:
        """See `contracts.Database`."""
        retries = self._settings.max_retries
        return await self._read(lambda: self._database.query(namespace, statement, consistency=consistency), retries)

    async def execute(self, namespace: Namespace, batch: Sequence[Statement]) -> list[Result]:
        """See `contracts.Database`. Never repeated."""
        return await self._write(lambda: self._database.execute(namespace, batch))

    async def execute_once(self, namespace: Namespace, batch: Sequence[Statement], once: Once) -> Executed:
        """See `contracts.Database`. Not repeated either: who has the key can."""
        return await self._write(lambda: self._database.execute_once(namespace, batch, once))

    async def schema(self, namespace: Namespace) -> list[SchemaObject]:
        """See `contracts.Database`."""
        return await self._read(lambda: self._database.schema(namespace), self._settings.max_retries)

    async def ping(self) -> None:
        """See `contracts.Database`. Never repeated: it is asked how things are now."""
        await self._read(self._database.ping, 0)

    async def close(self) -> None:
        """See `contracts.Database`. Closes the database, too."""
        self._closed = True
        if self._unfinished:
            await self._finished.wait()
        await self._database.close()
        await self._expiries.close()

    async def _read(self, call: Callable[[], Awaitable[_T]], retries: int) -> _T:
        begun = False
        try:
            async with self._accepted() as end:
                while True:
                    async with self._slot():
                        begun = True
                        try:
                            return await call()
                        except Unavailable as error:
                            pause_s = self._pause_s(self._settings.max_retries - retries, error)
                            if not retries or self._closed or self._clock.monotonic() + pause_s >= end:
                                raise
                    # The slot is free meanwhile.
                    retries -= 1
                    await self._clock.sleep(pause_s)
        except TimeoutError as error:
            if not begun:
                raise self._too_busy() from error
            raise Deadline(f"no answer within {self._settings.deadline_s:g} s", reason="request_timeout") from error

    async def _write(self, call: Callable[[], Awaitable[_T]]) -> _T:
        begun = False
        try:
            async with self._accepted(), self._slot():
                begun = True
                return await call()
        except TimeoutError as error:
            if not begun:
                raise self._too_busy() from error
            raise Deadline(
                f"no answer within {self._settings.deadline_s:g} s; the write may or may not have happened",
                reason="outcome_unknown",
            ) from error

    def _pause_s(self, attempt: int, error: Unavailable) -> float:
        pause_s = self._settings.backoff_s * 2**attempt * (0.5 + self._chance())
        return max(pause_s, error.retry_after_s or 0)

    @asynccontextmanager
    async def _accepted(self) -> AsyncGenerator[float, None]:
        """A call, from its beginning to its deadline at the latest; gives that moment."""
        if self._closed:
            raise Unavailable("the database is closed", reason="db_unavailable")
        self._unfinished += 1
        try:
            async with self._expiries.limit() as end:
                yield end
        finally:
            self._unfinished -= 1
            if not self._unfinished and self._closed:
                self._finished.set()

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None, None]:
        if self._slots.locked() and self._waiting >= self._settings.max_waiting:
            raise self._too_busy()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    def _too_busy(self) -> Unavailable:
        return Unavailable("too many calls wait for the database", reason="too_busy", retry_after_s=1)
