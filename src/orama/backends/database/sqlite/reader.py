"""Reads in threads: each reader has a connection of its own and takes the next read when it is idle."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from orama.backends.database.sqlite.session import Session
from orama.backends.database.sqlite.translate import chained
from orama.backends.database.sqlite.work import Mailbox, ReadJob, start_timer
from orama.contracts.clock import Clock
from orama.domain.sql import Result
from orama.errors import Cancelled, OramaError


class Readers:
    """The reader threads of one database, started when first needed, sharing one queue.

    A slow read holds one of them; the others go on. All methods but the threads' own are for the event loop.
    """

    def __init__(
        self, open_session: Callable[[], Session], *, threads: int, timeout_s: float, mailbox: Mailbox, clock: Clock
    ) -> None:
        self._open_session = open_session
        self._max_threads = threads
        self._timeout_s = timeout_s
        self._mailbox = mailbox
        self._clock = clock
        self._jobs: queue.SimpleQueue[ReadJob | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: ReadJob, *, unfinished: int) -> None:
        """Let some thread run `job`, one of `unfinished` that this database has."""
        if len(self._threads) < min(unfinished, self._max_threads):
            thread = threading.Thread(target=self._work, name="orama-sqlite-reader", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """End the threads after what was submitted. Blocks: never for the event loop."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        session: Session | None = None
        try:
            while (job := self._jobs.get()) is not None:
                outcome: Result | OramaError
                try:
                    session = session or self._open_session()
                    began = time.thread_time()
                    outcome = self._read(session, job)
                    job.cpu_s = time.thread_time() - began
                except Exception as error:  # noqa: BLE001 (whatever it is, the caller must hear of it)
                    outcome = chained(error)
                self._mailbox.post([(job, outcome)])
        finally:
            if session is not None:
                session.close()

    def _read(self, session: Session, job: ReadJob) -> Result:
        if job.abandoned:
            raise Cancelled("the caller left")
        timed_out = start_timer(self._clock, self._timeout_s)
        return session.run(job.statements[0], lambda: Cancelled("the caller left") if job.abandoned else timed_out())
