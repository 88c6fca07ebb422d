"""Writes in threads: a queue per database, a few threads for all of them."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from orama.backends.database.sqlite.commit import Batch, Outcome, Turn, commit_rebuild, commit_together, rebuilds_table
from orama.backends.database.sqlite.session import Interrupt, Session
from orama.backends.database.sqlite.translate import chained
from orama.backends.database.sqlite.work import Mailbox, WriteJob, start_timer
from orama.contracts.clock import Clock
from orama.errors import Cancelled

_TURN_S: Final = 1.0
"""How long the batches of one group may begin; those that did not wait for the next."""


class WriteQueue:
    """The batches that wait for one database, and its only connection that writes.

    At any moment at most one thread works on it, so batches take effect in the order of `append`. `is_platforms`:
    a thread of its own runs it, so that no tenant's slow writes delay a sign-in.
    """

    def __init__(self, open_session: Callable[[], Session], *, is_platforms: bool) -> None:
        self.is_platforms = is_platforms
        self._open_session = open_session
        self._session: Session | None = open_session()
        self._jobs: deque[WriteJob] = deque()
        self._lock = threading.Lock()
        self._scheduled = False

    def append(self, job: WriteJob) -> bool:
        """Let `job` wait. True if the caller must now hand the queue to a thread."""
        with self._lock:
            self._jobs.append(job)
            first, self._scheduled = not self._scheduled, True
        return first

    def take(self, max_jobs: int) -> list[WriteJob]:
        """The next jobs that may share a commit; at least one."""
        group = [self._jobs.popleft()]
        while self._jobs and len(group) < max_jobs and not _stands_alone(group[0]) and not _stands_alone(self._jobs[0]):
            group.append(self._jobs.popleft())
        return group

    def put_back(self, jobs: list[WriteJob]) -> None:
        """Let `jobs`, the last that were taken, be the next again."""
        self._jobs.extendleft(reversed(jobs))

    def more(self) -> bool:
        """Whether the thread must come again; if not, the next `append` asks for one."""
        with self._lock:
            self._scheduled = bool(self._jobs)
            return self._scheduled

    @property
    def session(self) -> Session:
        """The connection, opened again if it was discarded. For the thread that works on this queue."""
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def discard_session(self) -> None:
        """Give up a connection whose state is in doubt."""
        if self._session is not None:
            self._session.close()
            self._session = None

    close = discard_session


_Ready: TypeAlias = "queue.SimpleQueue[WriteQueue | None]"


class Writers:
    """The threads that write, for all databases of a node."""

    def __init__(self, *, threads: int, max_group: int, timeout_s: float, mailbox: Mailbox, clock: Clock) -> None:
        self._max_group = max_group
        self._timeout_s = timeout_s
        self._mailbox = mailbox
        self._clock = clock
        self._ready: _Ready = queue.SimpleQueue()
        self._platforms_ready: _Ready = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(ready,), name=f"orama-sqlite-writer-{name}", daemon=True)
            for name, ready in [
                *((str(number), self._ready) for number in range(threads)),
                ("platform", self._platforms_ready),
            ]
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, waiting: WriteQueue, job: WriteJob) -> None:
        """Let some thread run `job` with the others that wait for the same database. For the event loop.

        The thread is woken at the end of the loop's turn: what comes in one turn shares a commit, and the thread does
        not fight the loop for the interpreter's lock while more is coming.
        """
        if waiting.append(job):
            asyncio.get_running_loop().call_soon(self._ready_for(waiting).put, waiting)

    def close(self) -> None:
        """End the threads after what was submitted. Blocks: never for the event loop."""
        for _ in self._threads[:-1]:
            self._ready.put(None)
        self._platforms_ready.put(None)
        for thread in self._threads:
            thread.join()

    def _ready_for(self, waiting: WriteQueue) -> _Ready:
        return self._platforms_ready if waiting.is_platforms else self._ready

    def _work(self, ready: _Ready) -> None:
        while (waiting := ready.get()) is not None:
            jobs = waiting.take(self._max_group)
            outcomes = self._commit(waiting, jobs)
            waiting.put_back([job for job, outcome in zip(jobs, outcomes, strict=True) if outcome is None])
            self._mailbox.post(
                (job, outcome) for job, outcome in zip(jobs, outcomes, strict=True) if outcome is not None
            )
            if waiting.more():
                ready.put(waiting)

    def _commit(self, waiting: WriteQueue, jobs: list[WriteJob]) -> list[Outcome | None]:
        begun = [job for job in jobs if not job.abandoned]
        outcomes: list[Outcome | None] = []
        try:
            session = waiting.session
            if len(begun) == 1 and _stands_alone(begun[0]):
                outcomes = [commit_rebuild(session, _batch(begun[0]), self._start_timer)]
            elif begun:
                outcomes = commit_together(session, [_batch(job) for job in begun], self._start_turn(begun))
        except Exception as error:  # noqa: BLE001 (whatever it is, the callers must hear of it, and the thread lives on)
            waiting.discard_session()
            outcomes = [chained(error) for _ in begun]
        answers = dict(zip(begun, outcomes, strict=True))
        return [answers[job] if job in answers else Cancelled("the caller left") for job in jobs]

    def _start_turn(self, jobs: list[WriteJob]) -> Turn:
        return Turn(self._clock, _TURN_S, self._start_timer, [partial(_is_abandoned, job) for job in jobs])

    def _start_timer(self) -> Interrupt:
        return start_timer(self._clock, self._timeout_s)


def _batch(job: WriteJob) -> Batch:
    return Batch(job.statements, job.once)


def _is_abandoned(job: WriteJob) -> bool:
    return job.abandoned


def _stands_alone(job: WriteJob) -> bool:
    return len(job.statements) > 1 and rebuilds_table(job.statements)
