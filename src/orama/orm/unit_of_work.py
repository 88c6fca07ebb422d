"""A transaction: statements are collected, and take effect together or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from orama.domain.sql import Result, Statement
from orama.orm.annotation import Bindable
from orama.orm.condition import bind_all
from orama.orm.link import Link
from orama.orm.mapping import E
from orama.orm.query import Query
from orama.orm.table import Table
from orama.orm.write import Write, removing, run, saving

_T = TypeVar("_T")


class Pending(Generic[_T]):
    """What a statement of a unit of work did, once the unit is done."""

    def __init__(self) -> None:
        self._outcomes: list[_T] = []

    @property
    def value(self) -> _T:
        """What it did.

        Raises:
            RuntimeError: the unit of work was not sent, or did not take effect.
        """
        if not self._outcomes:
            raise RuntimeError("this is known once the unit of work has taken effect")
        return self._outcomes[0]

    def settle(self, outcome: _T) -> None:
        """Say what it did."""
        self._outcomes.append(outcome)


class UnitOfWork:
    """Statements that are sent as one atomic batch when the ``async with`` block ends; on an exception, not at all.

    Nothing is held meanwhile, no lock and no connection: reads inside see the state before. What they saw is made sure
    of by `expect`, by a version (`Table`), or by ``expect_rows``.

    At the end of the block, beside what `contracts.Database.execute` raises:

    Raises:
        Precondition: an expectation did not hold (reason ``stale``: a version). Nothing was changed: begin again.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._work: list[tuple[Write[Any], Pending[Any]]] = []
        self._entered = self._open = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a unit of work is good once: begin another")
        self._entered = self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        if kind is None:
            outcomes = await run(self._link, [write for write, _ in self._work])
            for (_, pending), outcome in zip(self._work, outcomes, strict=True):
                pending.settle(outcome)

    def save(self, table: Table[E, Any], entity: E) -> Pending[E]:
        """Store `entity`, as `Repository.save` does; its value will be the entity as stored.

        Raises:
            ValueMismatch: a value is not what its field is declared to be.
        """
        return self._add(saving(table, entity))

    def remove(self, table: Table[E, Any], entity: E) -> Pending[bool]:
        """Remove the row of `entity`, as `Repository.remove` does; its value will be whether there was one.

        Raises:
            ValueMismatch: the entity was never stored.
        """
        return self._add(removing(table, entity))

    def execute(self, sql: str, *args: Bindable, expect_rows: int | None = None) -> Pending[Result]:
        """Run a whole statement of the developer's own, with a ``?`` for each of `args`.

        `expect_rows`: how many rows it must change, or return; else the unit has no effect.

        Raises:
            ValueMismatch: SQL has no form for an argument.
        """
        return self._add(Write(Statement(sql, bind_all(args), expect_rows), _itself))

    def expect(self, query: Query[Any], rows: int) -> None:
        """Have the unit take effect only if `query` has so many rows then, after the statements before this."""
        inner = query.statement()
        self._add(Write(Statement(f"SELECT 1 FROM ({inner.sql})", inner.args, rows), _itself))  # noqa: S608 (built)

    def _add(self, write: Write[_T]) -> Pending[_T]:
        if not self._open:
            raise RuntimeError("a unit of work takes statements inside its `async with` block only")
        self._link.check_length(len(self._work) + 1)
        pending: Pending[_T] = Pending()
        self._work.append((write, pending))
        return pending


def _itself(result: Result) -> Result:
    return result
