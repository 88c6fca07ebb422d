"""The threads in which blocks are hashed, read and written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from orama.backends.blobs.local.translate import translate
from orama.errors import Unavailable

_T = TypeVar("_T")


class Workers:
    """Runs blocking calls in a few threads of its own, until it is closed."""

    def __init__(self, threads: int) -> None:
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(threads, thread_name_prefix="orama-blobs")

    def start(self, call: Callable[..., _T], *arguments: object) -> asyncio.Future[_T]:
        """Begin a call. What the operating system says against it is translated for callers.

        Raises:
            Unavailable: the workers are closed.
        """
        if self._pool is None:
            raise Unavailable("the content store is closed", reason="closed")
        return asyncio.get_running_loop().run_in_executor(self._pool, _translated, call, *arguments)

    async def close(self) -> None:
        """Wait for what was begun. A second call does nothing."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)


def _translated(call: Callable[..., _T], *arguments: object) -> _T:
    try:
        return call(*arguments)
    except OSError as error:
        raise translate(error) from error


class Ahead(Generic[_T]):
    """Calls whose results are wanted in the order in which they began, a few of them at a time."""

    def __init__(self, workers: Workers, limit: int) -> None:
        self._workers = workers
        self._limit = limit
        self._pending: deque[asyncio.Future[_T]] = deque()

    def start(self, call: Callable[..., _T], *arguments: object) -> None:
        """Begin a call; the caller has seen that there is room."""
        self._pending.append(self._workers.start(call, *arguments))

    @property
    def full(self) -> bool:
        """Whether a result has to be taken before another call begins."""
        return len(self._pending) >= self._limit

    def __len__(self) -> int:
        return len(self._pending)

    async def take(self) -> _T:
        """The result of the call that began first."""
        return await self._pending.popleft()

    async def settle(self) -> None:
        """Wait for what is pending, and forget how it ended. A thread cannot be stopped in the middle of a block."""
        if self._pending:
            ended, _ = await asyncio.wait(self._pending)
            for one in ended:
                one.exception()
            self._pending.clear()


class Admission:
    """How many callers are in at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0

    @contextmanager
    def enter(self) -> Generator[None]:
        """Be one of them.

        Raises:
            Unavailable: too many are (reason ``too_busy``).
        """
        if self._inside >= self._limit:
            raise Unavailable("too many files are being stored or read now", reason="too_busy", retry_after_s=1)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
