"""Group commit: many callers' batches in one transaction, each as if it had been alone.

A commit waits for the disk; sharing it is what makes durable writes fast. Each batch stands in a savepoint, so that its
failure undoes nothing else. Some failures end the whole transaction nevertheless: ``OR ROLLBACK``, an interrupt, a full
disk, a deferred foreign key found broken at COMMIT. Nothing has been acknowledged by then, and the other batches run
again, each in a transaction of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import apsw

from orama.backends.database.sqlite.once import run_once
from orama.backends.database.sqlite.session import Interrupt, Session
from orama.backends.database.sqlite.translate import chained
from orama.contracts.clock import Clock
from orama.domain.once import Executed, Once
from orama.domain.sql import Result, Statement
from orama.errors import Cancelled, Deadline, OramaError, Precondition, Unprocessable

Outcome: TypeAlias = list[Result] | Executed | OramaError
"""`Executed` is what a batch with a key comes to."""
StartTimer: TypeAlias = Callable[[], Interrupt]
"""Gives the interrupt of a batch that begins now: a batch has as long as a single statement, all together."""

_DROPS_TABLE: Final = re.compile(r"\s*DROP\s+TABLE\b", re.IGNORECASE)
_RENAMES_TABLE: Final = re.compile(r"\s*ALTER\s+TABLE\b.*\bRENAME\s+TO\b", re.IGNORECASE | re.DOTALL)


_FIRST_BROKEN_KEY: Final = Statement("SELECT 1 FROM pragma_foreign_key_check LIMIT 1", privileged=True)


class Batch(NamedTuple):
    """One caller's statements, and their key if they have one."""

    statements: tuple[Statement, ...]
    once: Once | None = None


class Turn:
    """The time in which the batches of one group may begin, from now on, and which of their callers have left."""

    def __init__(
        self, clock: Clock, length_s: float, start_timer: StartTimer, left: Sequence[Callable[[], bool]]
    ) -> None:
        self.start_timer = start_timer
        self._clock = clock
        self._length_s = length_s
        self._left = left
        self._over_at = clock.monotonic() + length_s

    def admits(self, number: int) -> bool:
        """Whether batch `number` may begin; the first always may."""
        return number == 0 or self._clock.monotonic() <= self._over_at

    def has_left(self, number: int) -> bool:
        """Whether nobody waits any more for batch `number`."""
        return self._left[number]()

    def again(self, culprit: int | None) -> Turn:
        """A new turn, without batch `culprit`: those before it have lost their work and must not lose their turn."""
        left = [one for number, one in enumerate(self._left) if number != culprit]
        return Turn(self._clock, self._length_s, self.start_timer, left)


class _TransactionLost(Exception):
    """The transaction is gone, and everybody's work with it. `culprit` is the batch that did it, if known."""

    def __init__(self, culprit: int | None, error: OramaError | None) -> None:
        super().__init__()
        self.culprit = culprit
        self.error = error


def rebuilds_table(statements: Sequence[Statement]) -> bool:
    """Whether `statements` drop a table and rename one: the usual way to rebuild a table.

    See https://sqlite.org/lang_altertable.html#otheralter.
    """
    return any(_DROPS_TABLE.match(one.sql) for one in statements) and any(
        _RENAMES_TABLE.match(one.sql) for one in statements
    )


def commit_together(session: Session, batches: Sequence[Batch], turn: Turn) -> list[Outcome | None]:
    """Run all `batches` with one commit. Returns what each came to, after it is durable; None if it did not begin.

    Some batch always comes to something.
    """
    if len(batches) == 1:
        return [commit_alone(session, batches[0], turn.start_timer)]
    try:
        return _commit_together(session, batches, turn)
    except _TransactionLost as lost:
        if lost.culprit is None or lost.error is None:
            return _commit_each(session, batches, turn.again(None))
        before, after = batches[: lost.culprit], batches[lost.culprit + 1 :]
        again = _commit_each(session, [*before, *after], turn.again(lost.culprit))
        return [*again[: lost.culprit], lost.error, *again[lost.culprit :]]
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


def _commit_each(session: Session, batches: Sequence[Batch], turn: Turn) -> list[Outcome | None]:
    outcomes: list[Outcome | None] = []
    for number, batch in enumerate(batches):
        if not turn.admits(number):
            outcomes.append(None)
        elif turn.has_left(number):
            outcomes.append(Cancelled("the caller left"))
        else:
            outcomes.append(commit_alone(session, batch, turn.start_timer))
    return outcomes


def _commit_together(session: Session, batches: Sequence[Batch], turn: Turn) -> list[Outcome | None]:
    outcomes: list[Outcome | None] = []
    session.control("BEGIN IMMEDIATE")
    for number, batch in enumerate(batches):
        if not turn.admits(number):
            outcomes.append(None)
            continue
        if turn.has_left(number):
            outcomes.append(Cancelled("the caller left"))
            continue
        session.control("SAVEPOINT batch")
        try:
            outcomes.append(_run(session, batch, turn.start_timer()))
        except OramaError as error:
            if not session.in_transaction:
                raise _TransactionLost(number, error) from error
            session.control("ROLLBACK TO batch")
            outcomes.append(error)
        session.control("RELEASE batch")
    try:
        _commit(session)
    except (apsw.ConstraintError, apsw.FullError) as error:
        _roll_back(session)
        raise _TransactionLost(None, None) from error
    return outcomes


def _run(session: Session, batch: Batch, interrupt: Interrupt) -> list[Result] | Executed:
    if batch.once is None:
        return _run_statements(session, batch.statements, interrupt)
    return run_once(session, batch.once, lambda: _run_statements(session, batch.statements, interrupt), interrupt)


def _run_statements(session: Session, statements: tuple[Statement, ...], interrupt: Interrupt) -> list[Result]:
    results: list[Result] = []
    room = session.room()
    for number, statement in enumerate(statements):
        try:
            result = session.run(statement, interrupt, room)
        except OramaError as error:
            if len(statements) > 1:
                error.details = {**(error.details or {}), "statement": number}
            raise
        found = result.rows_affected if result.rows is None else len(result.rows.rows)
        if statement.expect_rows is not None and found != statement.expect_rows:
            raise Precondition(
                f"statement {number} met {found} rows where {statement.expect_rows} were expected; nothing was changed",
                reason="expect_rows",
                details={"statement": number},
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
