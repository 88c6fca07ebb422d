"""Writes in threads: a queue per database, a few threads for all of them."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable

from orama.backends.database.sqlite.commit import Outcome, commit_rebuild, commit_together, rebuilds_table
from orama.backends.database.sqlite.session import Interrupt, Session
from orama.backends.database.sqlite.translate import chained
from orama.backends.database.sqlite.work import Mailbox, WriteJob, start_timer
from orama.contracts.clock import Clock
from orama.errors import Cancelled


class WriteQueue:
    """The batches that wait for one database, and its only connection that writes.

    At any moment at most one thread works on it, so batches take effect in the order of `append`.
    """

    def __init__(self, open_session: Callable[[], Session]) -> None:
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


class Writers:
    """The threads that write, for all databases of a node."""

    def __init__(self, *, threads: int, max_group: int, timeout_s: float, mailbox: Mailbox, clock: Clock) -> None:
        self._max_group = max_group
        self._timeout_s = timeout_s
        self._mailbox = mailbox
        self._clock = clock
        self._ready: queue.SimpleQueue[WriteQueue | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"orama-sqlite-writer-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, waiting: WriteQueue, job: WriteJob) -> None:
        """Let some thread run `job` with the others that wait for the same database."""
        if waiting.append(job):
            self._ready.put(waiting)

    def close(self) -> None:
        """End the threads after what was submitted. Blocks: never for the event loop."""
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (waiting := self._ready.get()) is not None:
            jobs = waiting.take(self._max_group)
            self._mailbox.post(zip(jobs, self._commit(waiting, jobs), strict=True))
            if waiting.more():
                self._ready.put(waiting)

    def _commit(self, waiting: WriteQueue, jobs: list[WriteJob]) -> list[Outcome]:
        begun = [job for job in jobs if not job.abandoned]
        outcomes: list[Outcome]
        try:
            session = waiting.session
            if len(begun) == 1 and _stands_alone(begun[0]):
                outcomes = [commit_rebuild(session, begun[0].statements, self._start_timer)]
            else:
                outcomes = commit_together(session, [job.statements for job in begun], self._start_timer)
        except Exception as error:  # noqa: BLE001 (whatever it is, the callers must hear of it, and the thread lives on)
            waiting.discard_session()
            outcomes = [chained(error) for _ in begun]
        answers = dict(zip(begun, outcomes, strict=True))
        return [answers[job] if job in answers else Cancelled("the caller left") for job in jobs]

    def _start_timer(self) -> Interrupt:
        return start_timer(self._clock, self._timeout_s)


def _stands_alone(job: WriteJob) -> bool:
    return len(job.statements) > 1 and rebuilds_table(job.statements)
