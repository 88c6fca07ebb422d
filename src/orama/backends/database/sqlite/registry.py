"""Which databases are open: at most so many, the one unused for longest closed first."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from orama.backends.database.sqlite.open_database import OpenDatabase
from orama.backends.database.sqlite.translate import translate
from orama.domain.namespace import Namespace
from orama.errors import Unavailable

_OPENERS = 2


class Registry:
    """The open databases of a node. Opening and closing happen in threads of its own. For one event loop."""

    def __init__(self, open_one: Callable[[Namespace], OpenDatabase], *, max_open: int, timeout_s: float) -> None:
        self._open_one = open_one
        self._timeout_s = timeout_s
        self._open: OrderedDict[Namespace, OpenDatabase] = OrderedDict()
        self._opening: dict[Namespace, asyncio.Task[None]] = {}
        self._wanting: Counter[Namespace] = Counter()
        self._closing: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(max_open)
        self._waiting_for_slot = 0
        self._threads = ThreadPoolExecutor(_OPENERS, thread_name_prefix="orama-sqlite-opener")
        self._idle = asyncio.Event()

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
        while (database := self.get(namespace)) is None:
            task = self._opening.get(namespace)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._open_namespace(namespace))
                self._opening[namespace] = task
            self._wanting[namespace] += 1
            try:
                # Shielded: others may wait for the same file, and a half-open one must not be forgotten.
                await asyncio.shield(task)
            except BaseException:
                self._wanting[namespace] -= 1
                self._make_room_if_unwanted(namespace)
                raise
            self._wanting[namespace] -= 1
        database.users += 1
        return database

    def give_back(self, database: OpenDatabase) -> None:
        """Undo one `borrow`."""
        database.users -= 1
        if database.users == 0:
            self._idle.set()
            if self._waiting_for_slot:
                self._close_one_idle()

    async def close(self) -> None:
        """Wait until nothing is in use, then close all. Nobody may borrow any more."""
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        while any(database.users for database in self._open.values()):
            self._idle.clear()
            await self._idle.wait()
        while self._close_one_idle():
            pass
        await asyncio.gather(*self._closing)
        self._threads.shutdown()

    async def _open_namespace(self, namespace: Namespace) -> None:
        try:
            await self._take_slot()
            try:
                loop = asyncio.get_running_loop()
                self._open[namespace] = await loop.run_in_executor(self._threads, self._open_one, namespace)
            except Exception as error:
                self._slots.release()
                raise translate(error) from error
            # Whoever asked for it may have left meanwhile; then nobody gives it back either.
            self._make_room_if_unwanted(namespace)
        finally:
            del self._opening[namespace]

    def _make_room_if_unwanted(self, namespace: Namespace) -> None:
        if not self._wanting[namespace]:
            del self._wanting[namespace]
            if self._waiting_for_slot:
                self._close_one_idle()

    async def _take_slot(self) -> None:
        if self._slots.locked():
            self._close_one_idle()
        self._waiting_for_slot += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable(
                "too many databases are in use at once", reason="too_busy", retry_after_s=self._timeout_s
            ) from None
        finally:
            self._waiting_for_slot -= 1

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
        await asyncio.get_running_loop().run_in_executor(self._threads, database.close)
        self._slots.release()
