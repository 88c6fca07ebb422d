"""Everything that is open for one namespace."""

from __future__ import annotations

from pathlib import Path

from orama.backends.database.sqlite.connection import Access, open_connection
from orama.backends.database.sqlite.files import create_file
from orama.backends.database.sqlite.loop_reader import MAX_ROW_BYTES, STEP_BUDGET, LoopReader
from orama.backends.database.sqlite.reader import Readers
from orama.backends.database.sqlite.rules import CHEAP_FUNCTIONS
from orama.backends.database.sqlite.session import Session
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.database.sqlite.watched import ReportSlow, WatchedSession
from orama.backends.database.sqlite.work import Mailbox
from orama.backends.database.sqlite.writer import WriteQueue
from orama.contracts.clock import Clock
from orama.domain.namespace import PLATFORM, Namespace

_STEPS_BETWEEN_LOOKS = 20_000
"""About 1 ms of work between two looks at the clock, in threads."""


class OpenDatabase:
    """One file's write queue, readers and loop reader.

    `users`: calls in flight; while there are any, it stays open. Constructor and `close` block: never for the event
    loop.

    Raises:
        apsw.Error: the file cannot be opened, or is no database.
        OSError: the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        settings: SqliteSettings,
        *,
        namespace: Namespace,
        mailbox: Mailbox,
        clock: Clock,
        report_slow: ReportSlow,
    ) -> None:
        self._path = path
        self._settings = settings
        self._namespace = namespace
        self._judges = namespace != PLATFORM
        self._clock = clock
        self._report_slow = report_slow
        self.users = 0
        create_file(path)
        # The writer first: it makes the log of a file that nobody has open, which readers could not.
        self.writes = WriteQueue(lambda: self._open_session(Access.WRITE), is_platforms=not self._judges)
        try:
            self.loop_reader = LoopReader(self._open_loop_session(), clock)
        except BaseException:
            self.writes.close()
            raise
        self.readers = Readers(
            lambda: self._open_session(Access.READ),
            threads=settings.readers_per_database,
            timeout_s=settings.limits.statement_timeout_s,
            mailbox=mailbox,
            clock=clock,
        )

    def close(self) -> None:
        """Let go of all connections and threads. The last connection to go copies the log into the file."""
        self.readers.close()
        self.loop_reader.close()
        self.writes.close()

    def _open_session(self, access: Access) -> Session:
        settings = self._settings
        return WatchedSession(
            open_connection(self._path, access, settings, busy_timeout_s=settings.busy_timeout_s),
            namespace=self._namespace,
            limits=settings.limits,
            judges=self._judges,
            read_only=access is Access.READ,
            steps=_STEPS_BETWEEN_LOOKS,
            clock=self._clock,
            report_slow=self._report_slow,
        )

    def _open_loop_session(self) -> Session:
        settings = self._settings
        return Session(
            open_connection(self._path, Access.READ, settings, busy_timeout_s=0, max_row_bytes=MAX_ROW_BYTES),
            limits=settings.limits,
            judges=self._judges,
            read_only=True,
            steps=STEP_BUDGET,
            functions=CHEAP_FUNCTIONS,
        )
