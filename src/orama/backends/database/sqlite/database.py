"""The SQL port on embedded SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar

from orama.backends.database.sqlite.files import database_path, prepare_directory
from orama.backends.database.sqlite.open_database import OpenDatabase
from orama.backends.database.sqlite.registry import Registry
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.database.sqlite.translate import translate
from orama.backends.database.sqlite.watched import ReportSlow
from orama.backends.database.sqlite.work import Job, Mailbox, WriteJob
from orama.backends.database.sqlite.writer import Writers
from orama.contracts.clock import Clock
from orama.contracts.database import DatabaseGuarantees
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.once import Executed, Once
from orama.domain.sql import RESERVED_PREFIX, Consistency, Result, Rows, SchemaObject, SlowStatement, Statement
from orama.errors import InvalidArgument, Unavailable

_T = TypeVar("_T")

_SCHEMA: Final = Statement(
    "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name", privileged=True
)
_GUARANTEES: Final = DatabaseGuarantees(
    linearizable_reads=True, enforces_foreign_keys=True, survives_restart=True, keeps_results=True
)


def _unreported(_slow: SlowStatement) -> None:
    """For databases whose slow statements nobody wants to hear of."""


class SqliteDatabase:
    """`contracts.Database`: a file per namespace, WAL, every commit on the disk before it is acknowledged.

    Reads never wait for writers: cheap ones run on the event loop, others in the database's reader threads. Writes of
    one database share commits (`commit.py`). A batch has `SqlLimits.statement_timeout_s` altogether, so that nobody
    holds a writer thread for long. A read whose caller is cancelled is stopped; a batch is dropped if it has not begun,
    and otherwise runs to its end.
    """

    def __init__(
        self, settings: SqliteSettings, clock: Clock, mailbox: Mailbox, report_slow: ReportSlow = _unreported
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._mailbox = mailbox
        self._report_slow = report_slow
        self._unfinished = 0
        self._closed = False
        self._finished = asyncio.Event()
        self._writers = Writers(
            threads=settings.writer_threads,
            max_group=settings.max_group_batches,
            timeout_s=settings.limits.statement_timeout_s,
            mailbox=mailbox,
            clock=clock,
        )
        self._registry = Registry(
            self._open_namespace, max_open=settings.max_open_databases, timeout_s=settings.open_timeout_s
        )

    @classmethod
    async def open(
        cls, settings: SqliteSettings, clock: Clock, report_slow: ReportSlow = _unreported
    ) -> SqliteDatabase:
        """The adapter, bound to the running event loop. `report_slow` hears of slow statements, from any thread.

        Raises:
            Unavailable: the data directory cannot be made.
        """
        try:
            await asyncio.to_thread(prepare_directory, settings.data_directory)
        except OSError as error:
            raise translate(error) from error
        return cls(settings, clock, Mailbox(asyncio.get_running_loop()), report_slow)

    @property
    def guarantees(self) -> DatabaseGuarantees:
        """See `contracts.Database`."""
        return _GUARANTEES

    async def query(
        self,
        namespace: Namespace,
        statement: Statement,
        *,
        consistency: Consistency = Consistency.WEAK,  # noqa: ARG002 (one file has one answer for all)
    ) -> Rows:
        """See `contracts.Database`."""
        database = None if self._closed else self._registry.get(namespace)
        result = None if database is None else database.loop_reader.read(statement)
        if result is None:
            result = await self._read_in_thread(namespace, statement)
        if result.rows is None:
            raise InvalidArgument("the statement has no rows to read", reason="read_only")
        return result.rows

    async def execute(self, namespace: Namespace, batch: Sequence[Statement]) -> list[Result]:
        """See `contracts.Database`."""
        if not batch:
            return []
        database = await self._admit(namespace)
        job: WriteJob = self._job(tuple(batch), database)
        self._writers.submit(database.writes, job)
        results = await job.future
        assert isinstance(results, list)
        return results

    async def execute_once(self, namespace: Namespace, batch: Sequence[Statement], once: Once) -> Executed:
        """See `contracts.Database`."""
        database = await self._admit(namespace)
        job: WriteJob = self._job(tuple(batch), database, once)
        self._writers.submit(database.writes, job)
        executed = await job.future
        assert isinstance(executed, Executed)
        return executed

    async def schema(self, namespace: Namespace) -> list[SchemaObject]:
        """See `contracts.Database`."""
        rows = (await self.query(namespace, _SCHEMA)).rows
        return [
            SchemaObject(str(name), str(kind), str(sql))
            for name, kind, sql in rows
            if not str(name).lower().startswith(("sqlite_", RESERVED_PREFIX))
        ]

    async def ping(self) -> None:
        """See `contracts.Database`."""
        await self.query(PLATFORM, Statement("SELECT count(*) FROM sqlite_schema"))

    async def close(self) -> None:
        """See `contracts.Database`."""
        if self._closed:
            return
        self._closed = True
        if self._unfinished:
            await self._finished.wait()
        await self._registry.close()
        await asyncio.to_thread(self._writers.close)

    async def _read_in_thread(self, namespace: Namespace, statement: Statement) -> Result:
        database = await self._admit(namespace)
        job: Job[Result] = self._job((statement,), database)
        database.readers.submit(job, unfinished=database.users)
        result = await job.future
        database.loop_reader.learn(statement.sql, job.cpu_s)
        return result

    async def _admit(self, namespace: Namespace) -> OpenDatabase:
        if self._closed:
            raise Unavailable("the database is closed", reason="db_unavailable")
        settings = self._settings
        if self._unfinished >= settings.max_waiting:
            raise _too_busy()
        self._unfinished += 1
        try:
            database = await self._registry.borrow(namespace)
        except BaseException:
            self._finish()
            raise
        if database.users > settings.max_waiting_per_database:
            self._release(database)
            raise _too_busy()
        return database

    def _release(self, database: OpenDatabase) -> None:
        self._registry.give_back(database)
        self._finish()

    def _finish(self) -> None:
        self._unfinished -= 1
        if self._closed and not self._unfinished:
            self._finished.set()

    def _job(self, statements: tuple[Statement, ...], database: OpenDatabase, once: Once | None = None) -> Job[_T]:
        return Job(statements, asyncio.get_running_loop().create_future(), lambda: self._release(database), once)

    def _open_namespace(self, namespace: Namespace) -> OpenDatabase:
        return OpenDatabase(
            database_path(self._settings.data_directory, namespace),
            self._settings,
            namespace=namespace,
            mailbox=self._mailbox,
            clock=self._clock,
            report_slow=self._report_slow,
        )


def _too_busy() -> Unavailable:
    return Unavailable("too many calls are waiting for the database", reason="too_busy", retry_after_s=1)
