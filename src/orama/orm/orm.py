"""Where it begins: one namespace's database, seen through tables."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, SqlLimits, Statement
from orama.orm.annotation import Bindable
from orama.orm.condition import bind_all
from orama.orm.link import Link
from orama.orm.mapping import E, row_shape
from orama.orm.query import Query, query_of
from orama.orm.repository import Repository
from orama.orm.table import K, Table
from orama.orm.term import Selectable
from orama.orm.turn import in_turns
from orama.orm.unit_of_work import UnitOfWork

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_F = TypeVar("_F")
_G = TypeVar("_G")


class Orm:
    """Queries, repositories and transactions over one namespace of a `contracts.Database`.

    Args:
        database: any engine, here or far away; `PooledDatabase` adds bounds, a deadline and repeated reads.
        namespace: whose data.
        consistency: how fresh reads are, unless a query says otherwise.
        limits: those of the engine; the most statements of one batch are checked before it is sent.
    """

    def __init__(
        self,
        database: Database,
        namespace: Namespace,
        *,
        consistency: Consistency = Consistency.WEAK,
        limits: SqlLimits | None = None,
    ) -> None:
        self._link = Link(database, namespace, consistency, limits or SqlLimits())

    # What a row is, is known of up to six columns; of more, give a class by `Query.into`.
    @overload
    def select(self, a: Selectable[_A], /) -> Query[_A]: ...
    @overload
    def select(self, a: Selectable[_A], b: Selectable[_B], /) -> Query[tuple[_A, _B]]: ...
    @overload
    def select(self, a: Selectable[_A], b: Selectable[_B], c: Selectable[_C], /) -> Query[tuple[_A, _B, _C]]: ...
    @overload
    def select(
        self, a: Selectable[_A], b: Selectable[_B], c: Selectable[_C], d: Selectable[_D], /
    ) -> Query[tuple[_A, _B, _C, _D]]: ...
    @overload
    def select(
        self, a: Selectable[_A], b: Selectable[_B], c: Selectable[_C], d: Selectable[_D], f: Selectable[_F], /
    ) -> Query[tuple[_A, _B, _C, _D, _F]]: ...
    @overload
    def select(
        self,
        a: Selectable[_A],
        b: Selectable[_B],
        c: Selectable[_C],
        d: Selectable[_D],
        f: Selectable[_F],
        g: Selectable[_G],
        /,
    ) -> Query[tuple[_A, _B, _C, _D, _F, _G]]: ...
    @overload
    def select(
        self,
        a: Selectable[Any],
        b: Selectable[Any],
        c: Selectable[Any],
        d: Selectable[Any],
        f: Selectable[Any],
        g: Selectable[Any],
        h: Selectable[Any],
        /,
        *more: Selectable[Any],
    ) -> Query[tuple[Any, ...]]: ...
    def select(self, *items: Selectable[Any]) -> Query[Any]:
        """Read tables, columns and expressions: rows are what one item stands for, or tuples of what several do.

        It reads from the table of the first item that has one; `Query.join` adds others.
        """
        return query_of(self._link, items)

    def repository(self, table: Table[E, K]) -> Repository[E, K]:
        """The rows of `table` as objects."""
        return Repository(self._link, table)

    def transaction(self) -> UnitOfWork:
        """An ``async with`` block whose statements take effect together, at its end, or not at all."""
        return UnitOfWork(self._link)

    async def fetch(self, row_type: type[E], sql: str, *args: Bindable) -> list[E]:
        """The rows of a whole statement of the developer's own, with a ``?`` for each of `args`.

        Each field of `row_type` is read from the column of its name; other columns are passed over.

        Raises:
            RowMismatch: a field has no column, or two, or a value is not of its type.
            ValueMismatch: SQL has no form for an argument.
            TypeError: `row_type` is neither a dataclass nor a struct, or has a field without a form in SQL.
        """
        shape = row_shape(row_type)
        rows = await self._link.read(Statement(sql, bind_all(args)))
        positions = shape.positions(rows.columns)
        return [shape.read([row[position] for position in positions]) async for row in in_turns(rows.rows)]
