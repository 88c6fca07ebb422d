"""The port for SQL: one logical SQLite database per namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from orama.domain.namespace import Namespace
from orama.domain.once import Executed, Once
from orama.domain.sql import Consistency, Result, Rows, SchemaObject, Statement


class DatabaseGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class."""

    linearizable_reads: bool
    """`query` sees every write acknowledged before it was called, whatever `consistency` says."""
    enforces_foreign_keys: bool
    """A statement that breaks a foreign key fails."""
    survives_restart: bool
    """What was acknowledged is there after the process dies and starts again."""
    keeps_results: bool
    """`execute_once` gives the results of a repeated batch again, if they are short enough to be kept. Where False,
    it may say None instead of results with rows."""


class Database(Protocol):
    """SQL per namespace, isolated by structure.

    A namespace's database exists from its first mention. Tenants reach their own tables and views and nothing else:
    every statement is judged before its first step, whatever its text. Statements for
    `orama.domain.namespace.PLATFORM`, and those marked ``privileged``, are the platform's own and are not judged.

    Common to all methods:

    Raises:
        Unprocessable: SQL that does not compile or fails as it runs; the text is SQLite's. Reasons ``sql_error``,
            ``constraint``, ``statement_timeout``.
        PermissionDenied: a statement that tenants may not use (reason ``statement_not_allowed``).
        InvalidArgument: not exactly one statement, wrong number of arguments, a value outside its kind.
        TooLarge: the answer passes `SqlLimits.max_rows` or ``max_result_bytes``; says how to page.
        StorageFull: no room; nothing was changed.
        BadBackend: the engine's data is damaged, or it answered nonsense.
        Unavailable: the engine is away, closed, or too busy; nothing was changed.
        Deadline: reason ``outcome_unknown``: a write may or may not have happened.
    """

    @property
    def guarantees(self) -> DatabaseGuarantees:
        """What this engine promises beyond the contract."""
        ...

    async def query(
        self, namespace: Namespace, statement: Statement, *, consistency: Consistency = Consistency.WEAK
    ) -> Rows:
        """Run one statement that only reads. Never waits for a writer.

        Raises:
            InvalidArgument: the statement would write (reason ``read_only``).
        """
        ...

    async def execute(self, namespace: Namespace, batch: Sequence[Statement]) -> list[Result]:
        """Run the statements in order as one atomic unit; all take effect, durably, or none does.

        Returns once the engine holds the effects durably; one result for each statement. An empty batch does nothing.
        Another caller's failure never undoes an acknowledged batch, nor fails this one. Batches of one namespace take
        effect in the order in which this method was called.

        An error of one statement of several has its number, from 0, in ``details["statement"]``. One that belongs to
        none, such as a deferred key found broken at the end, has no number.

        Raises:
            Precondition: a statement's ``expect_rows`` did not hold.
        """
        ...

    async def execute_once(self, namespace: Namespace, batch: Sequence[Statement], once: Once) -> Executed:
        """`execute` for a batch with a key: it takes effect exactly once, however often and from wherever it is sent.

        The key is remembered, with the request's digest, the note and the results, in the same atomic unit as the
        effects, the key first: until `Once.expires_at` (by the `Once.now` of later calls) the same key changes nothing
        and gives what was remembered. That holds for repeats at the same moment, after a failure whose outcome is
        unknown, and after a crash at any point. A batch that fails is not remembered: a repeat runs again. An empty
        batch remembers its key alone.

        `domain.once` has the table, in the namespace's own database, and the statements that belong to it.

        Raises:
            Conflict: the key is remembered for another request (reason ``idempotency_key_reused``).
        """
        ...

    async def schema(self, namespace: Namespace) -> list[SchemaObject]:
        """The namespace's own tables and views, ordered by name."""
        ...

    async def ping(self) -> None:
        """Do a real read of the platform's database."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and let go of everything. A second call does nothing."""
        ...
