"""Group commit: many callers' batches in one transaction, each as if it had been alone.

A commit waits for the disk; sharing it is what makes durable writes fast. Each batch stands in a savepoint, so that its
failure undoes nothing else. Some failures end the whole transaction nevertheless: ``OR ROLLBACK``, an interrupt, a full
disk, a deferred foreign key found broken at COMMIT. Nothing has been acknowledged by then, and the other batches run
again, each in a transaction of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import apsw

from orama.backends.database.sqlite.session import Interrupt, Session
from orama.backends.database.sqlite.translate import chained
from orama.domain.sql import Result, Statement
from orama.errors import Deadline, OramaError, Precondition, Unprocessable

Batch: TypeAlias = tuple[Statement, ...]
Outcome: TypeAlias = list[Result] | OramaError
StartTimer: TypeAlias = Callable[[], Interrupt]
"""Gives the interrupt of a batch that begins now: a batch has as long as a single statement, all together."""

_DROPS_TABLE: Final = re.compile(r"\s*DROP\s+TABLE\b", re.IGNORECASE)
_RENAMES_TABLE: Final = re.compile(r"\s*ALTER\s+TABLE\b.*\bRENAME\s+TO\b", re.IGNORECASE | re.DOTALL)

_FIRST_BROKEN_KEY: Final = Statement("SELECT 1 FROM pragma_foreign_key_check LIMIT 1", privileged=True)


class _TransactionLost(Exception):
    """The transaction is gone, and everybody's work with it. `culprit` is the batch that did it, if known."""

    def __init__(self, culprit: int | None, error: OramaError | None) -> None:
        super().__init__()
        self.culprit = culprit
        self.error = error


def rebuilds_table(batch: Batch) -> bool:
    """Whether `batch` drops a table and renames one: the usual way to rebuild a table.

    See https://sqlite.org/lang_altertable.html#otheralter.
    """
    return any(_DROPS_TABLE.match(one.sql) for one in batch) and any(_RENAMES_TABLE.match(one.sql) for one in batch)


def commit_together(session: Session, batches: Sequence[Batch], start_timer: StartTimer) -> list[Outcome]:
    """Run all `batches` with one commit. Returns what each came to, after it is durable."""
    if len(batches) <= 1:
        return [commit_alone(session, batch, start_timer) for batch in batches]
    try:
        return _commit_together(session, batches, start_timer)
    except _TransactionLost as lost:
        return [
            lost.error
            if number == lost.culprit and lost.error is not None
            else commit_alone(session, batch, start_timer)
            for number, batch in enumerate(batches)
        ]
    except (OramaError, apsw.Error) as error:
        _roll_back(session)
        return [chained(error) for _ in batches]


def commit_alone(session: Session, batch: Batch, start_timer: StartTimer) -> Outcome:
    """Run `batch` in a transaction of its own."""
    try:
        session.control("BEGIN IMMEDIATE")
        results = _run(session, batch, start_timer())
        _commit(session)
    except (OramaError, apsw.Error) as error:
        _roll_back(session)
        return chained(error)
    return results


def commit_rebuild(session: Session, batch: Batch, start_timer: StartTimer) -> Outcome:
    """Run `batch`, which rebuilds a table, without the actions of foreign keys, and check them all at the end.

    With foreign keys on, DROP TABLE would delete the rows that point to the table's. SQLite takes the switch outside
    transactions only.
    """
    session.control("PRAGMA foreign_keys = OFF")
    try:
        session.control("BEGIN IMMEDIATE")
        interrupt = start_timer()
        results = _run(session, batch, interrupt)
        broken = session.run(_FIRST_BROKEN_KEY, interrupt).rows
        if broken is not None and broken.rows:
            raise Unprocessable("FOREIGN KEY constraint failed", reason="constraint")
        _commit(session)
    except (OramaError, apsw.Error) as error:
        _roll_back(session)
        return chained(error)
    finally:
        session.control("PRAGMA foreign_keys = ON")
    return results


def _commit_together(session: Session, batches: Sequence[Batch], start_timer: StartTimer) -> list[Outcome]:
    outcomes: list[Outcome] = []
    session.control("BEGIN IMMEDIATE")
    for batch in batches:
        session.control("SAVEPOINT batch")
        try:
            outcomes.append(_run(session, batch, start_timer()))
        except OramaError as error:
            if not session.in_transaction:
                raise _TransactionLost(len(outcomes), error) from error
            session.control("ROLLBACK TO batch")
            outcomes.append(error)
        session.control("RELEASE batch")
    try:
        _commit(session)
    except (apsw.ConstraintError, apsw.FullError) as error:
        _roll_back(session)
        raise _TransactionLost(None, None) from error
    return outcomes


def _run(session: Session, batch: Batch, interrupt: Interrupt) -> list[Result]:
    results: list[Result] = []
    room = session.room()
    for number, statement in enumerate(batch):
        result = session.run(statement, interrupt, room)
        found = result.rows_affected if result.rows is None else len(result.rows.rows)
        if statement.expect_rows is not None and found != statement.expect_rows:
            raise Precondition(
                f"statement {number} met {found} rows where {statement.expect_rows} were expected; nothing was changed",
                reason="expect_rows",
            )
        results.append(result)
    return results


def _commit(session: Session) -> None:
    """COMMIT.

    Raises:
        Deadline: reason ``outcome_unknown``: the disk failed in the middle; the rows may be there after a restart.
        apsw.Error: it failed, and nothing was stored.
    """
    try:
        session.control("COMMIT")
    except apsw.IOError as error:
        raise Deadline(
            "the disk failed while the write was made durable: it may or may not have happened",
            reason="outcome_unknown",
        ) from error


def _roll_back(session: Session) -> None:
    if session.in_transaction:
        session.control("ROLLBACK")
