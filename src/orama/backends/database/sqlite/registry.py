"""Which databases are open: at most so many, the one unused for longest closed first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from orama.backends.database.sqlite.open_database import OpenDatabase
from orama.backends.database.sqlite.translate import translate
from orama.domain.namespace import Namespace
from orama.errors import Unavailable

_OPENERS = 2


class _Opening:
    """A database on its way to being open, and how many wait for it; each of them is a user once it is."""

    __slots__ = ("database", "task", "waiting")

    def __init__(self, task: asyncio.Task[OpenDatabase]) -> None:
        self.task = task
        self.waiting = 0
        self.database: OpenDatabase | None = None


class Registry:
    """The open databases of a node. Opening and closing happen in threads of its own. For one event loop."""

    def __init__(self, open_one: Callable[[Namespace], OpenDatabase], *, max_open: int, timeout_s: float) -> None:
        self._open_one = open_one
        self._timeout_s = timeout_s
        self._open: OrderedDict[Namespace, OpenDatabase] = OrderedDict()
        self._opening: dict[Namespace, _Opening] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(max_open)
        self._waiting_for_slot = 0
        self._threads = ThreadPoolExecutor(_OPENERS, thread_name_prefix="orama-sqlite-opener")

    def get(self, namespace: Namespace) -> OpenDatabase | None:
        """The database if it is open, for use until the next await."""
        database = self._open.get(namespace)
        if database is not None:
            self._open.move_to_end(namespace)
        return database

    async def borrow(self, namespace: Namespace) -> OpenDatabase:
        """The database, opened if need be; it stays open until `give_back`.

        Raises:
            Unavailable: it cannot be opened, or as many as may be open are all in use.
            BadBackend: its file is damaged.
        """
        database = self.get(namespace)
        if database is not None:
            database.users += 1
            return database
        opening = self._opening.get(namespace)
        if opening is None:
            opening = _Opening(asyncio.get_running_loop().create_task(self._open_namespace(namespace)))
            opening.task.add_done_callback(_seen)
            self._opening[namespace] = opening
        opening.waiting += 1
        try:
            # Shielded: others may wait for the same file, and a half-open one must not be forgotten.
            return await asyncio.shield(opening.task)
        except asyncio.CancelledError:
            opening.waiting -= 1
            if opening.database is not None:
                self.give_back(opening.database)
            raise

    def give_back(self, database: OpenDatabase) -> None:
        """Undo one `borrow`."""
        database.users -= 1
        self._make_room_if_wanted()

    async def close(self) -> None:
        """Close all. Everything has been given back, and nobody borrows any more."""
        opening = [one.task for one in self._opening.values()]  # for callers who left
        await asyncio.gather(*opening, return_exceptions=True)
        while self._close_one_idle():
            pass
        await asyncio.gather(*self._closing)
        self._threads.shutdown()

    async def _open_namespace(self, namespace: Namespace) -> OpenDatabase:
        try:
            await self._take_slot()
            try:
                loop = asyncio.get_running_loop()
                database = await loop.run_in_executor(self._threads, self._open_one, namespace)
            except Exception as error:
                self._slots.release()
                raise translate(error) from error
            opening = self._opening[namespace]
            opening.database = database
            database.users = opening.waiting
            self._open[namespace] = database
            self._make_room_if_wanted()
            return database
        finally:
            del self._opening[namespace]

    async def _take_slot(self) -> None:
        self._waiting_for_slot += 1
        try:
            if self._slots.locked():
                self._close_one_idle()
            async with asyncio.timeout(self._timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable(
                "too many databases are in use at once", reason="too_busy", retry_after_s=self._timeout_s
            ) from None
        finally:
            self._waiting_for_slot -= 1

    def _make_room_if_wanted(self) -> None:
        if self._waiting_for_slot > len(self._closing):
            self._close_one_idle()

    def _close_one_idle(self) -> bool:
        for namespace, database in self._open.items():
            if database.users == 0:
                del self._open[namespace]
                task = asyncio.get_running_loop().create_task(self._close_database(database))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
                return True
        return False

    async def _close_database(self, database: OpenDatabase) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, database.close)
        finally:
            self._slots.release()


def _seen(task: asyncio.Task[OpenDatabase]) -> None:
    """Look at how `task` ended: if all who waited for it have left, a failure is no news."""
    if not task.cancelled():
        task.exception()
