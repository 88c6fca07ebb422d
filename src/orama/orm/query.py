"""Queries, word by word. Each word returns a new query: one can be kept, shared and refined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Generic, TypeVar, overload

import msgspec

from orama.domain import sql_expression
from orama.domain.sql import Consistency, Statement, Value
from orama.errors import InvalidArgument
from orama.orm.annotation import Bindable
from orama.orm.clause import Clauses, Join, JoinKind
from orama.orm.condition import Condition, to_condition
from orama.orm.expression import Expression
from orama.orm.link import Link
from orama.orm.mapping import E, row_shape
from orama.orm.paging import pages
from orama.orm.table import Table
from orama.orm.term import Ordering, Selectable, Term
from orama.orm.turn import in_turns

_T_co = TypeVar("_T_co", covariant=True)

PAGE_ROWS = 500
"""Rows that `Query.stream` reads at a time."""


class Query(msgspec.Struct, Generic[_T_co], frozen=True, eq=False):
    """A SELECT whose rows are of type T. Made by `Orm.select`; nothing is read before one of the last words.

    Conditions are typed (``age > 18``) or texts with arguments (``"age > ?", 18``). A text is one SQL expression of the
    developer's own; what comes from anybody else belongs into the arguments.

    Common to all words:

    Raises:
        InvalidArgument: a text is not one expression, or has another number of ``?`` than there are arguments.
        ValueMismatch: an argument has no form in SQL.

    Common to all last words: what `contracts.Database.query` raises, and:

    Raises:
        RowMismatch: a row does not have the type that its class declares.
    """

    link: Link
    clauses: Clauses
    make: Callable[[Sequence[Value]], _T_co]

    @overload
    def where(self, condition: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def where(self, text: str, /, *args: Bindable) -> Query[_T_co]: ...
    def where(self, first: Condition | str, /, *more: Any) -> Query[_T_co]:
        """Only rows that meet this, and whatever was asked before."""
        return self._with(where=_both(self.clauses.where, to_condition(first, more)))

    @overload
    def or_where(self, condition: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def or_where(self, text: str, /, *args: Bindable) -> Query[_T_co]: ...
    def or_where(self, first: Condition | str, /, *more: Any) -> Query[_T_co]:
        """Rows that meet all that was asked before, and rows that meet this."""
        before, condition = self.clauses.where, to_condition(first, more)
        return self._with(where=condition if before is None else before | condition)

    @overload
    def join(self, table: Table[Any, Any], on: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def join(self, table: Table[Any, Any], on: str, /, *args: Bindable) -> Query[_T_co]: ...
    def join(self, table: Table[Any, Any], on: Condition | str, /, *more: Any) -> Query[_T_co]:
        """With each row of `table` that fits."""
        return self._joined("INNER", table, to_condition(on, more))

    @overload
    def left_join(self, table: Table[Any, Any], on: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def left_join(self, table: Table[Any, Any], on: str, /, *args: Bindable) -> Query[_T_co]: ...
    def left_join(self, table: Table[Any, Any], on: Condition | str, /, *more: Any) -> Query[_T_co]:
        """With each row of `table` that fits, or with NULLs: read it with `Table.optional`, `Expression.optional`."""
        return self._joined("LEFT", table, to_condition(on, more))

    @overload
    def right_join(self, table: Table[Any, Any], on: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def right_join(self, table: Table[Any, Any], on: str, /, *args: Bindable) -> Query[_T_co]: ...
    def right_join(self, table: Table[Any, Any], on: Condition | str, /, *more: Any) -> Query[_T_co]:
        """Every row of `table`, with what fits or with NULLs, which then are on the side of what stood before."""
        return self._joined("RIGHT", table, to_condition(on, more))

    @overload
    def full_join(self, table: Table[Any, Any], on: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def full_join(self, table: Table[Any, Any], on: str, /, *args: Bindable) -> Query[_T_co]: ...
    def full_join(self, table: Table[Any, Any], on: Condition | str, /, *more: Any) -> Query[_T_co]:
        """Every row of both sides, with NULLs on either where nothing fits."""
        return self._joined("FULL", table, to_condition(on, more))

    def cross_join(self, table: Table[Any, Any]) -> Query[_T_co]:
        """With each row of `table`."""
        return self._joined("CROSS", table, None)

    def from_table(self, table: Table[Any, Any]) -> Query[_T_co]:
        """Read `table` first, if that is not the table of the first column selected."""
        return self._with(source=table.source)

    def group_by(self, *terms: Expression[Any] | str) -> Query[_T_co]:
        """One row for all that are equal in `terms`: columns, expressions, or their texts."""
        return self._with(groups=(*self.clauses.groups, *map(_group, terms)))

    @overload
    def having(self, condition: Condition, /, *more: Condition) -> Query[_T_co]: ...
    @overload
    def having(self, text: str, /, *args: Bindable) -> Query[_T_co]: ...
    def having(self, first: Condition | str, /, *more: Any) -> Query[_T_co]:
        """Only groups that meet this, and whatever was asked of groups before."""
        return self._with(having=_both(self.clauses.having, to_condition(first, more)))

    def order_by(self, *terms: Ordering | str) -> Query[_T_co]:
        """In this order: ``age.desc()``, or a text such as ``"age desc"``. What was said before goes before."""
        return self._with(order=(*self.clauses.order, *map(_order, terms)))

    def distinct(self) -> Query[_T_co]:
        """No two equal rows."""
        return self._with(distinct=True)

    def limit(self, rows: int) -> Query[_T_co]:
        """At most so many rows."""
        return self._with(limit=_count_of_rows(rows))

    def offset(self, rows: int) -> Query[_T_co]:
        """Without the first so many rows. The engine still goes through them: to page, prefer `stream` or a key."""
        return self._with(offset=_count_of_rows(rows))

    def into(self, row_type: type[E]) -> Query[E]:
        """Rows as instances of `row_type`, each field from the column of that name.

        Raises:
            RowMismatch: a field has no column, or two. That a value fits is seen when rows are read.
            TypeError: `row_type` is neither a dataclass nor a struct, or has a field without a form in SQL.
        """
        shape = row_shape(row_type)
        positions = shape.positions([term.name for term in self.clauses.terms])
        return Query(self.link, self.clauses, lambda row: shape.read([row[position] for position in positions]))

    def consistency(self, level: Consistency) -> Query[_T_co]:
        """As fresh as `level` says."""
        return msgspec.structs.replace(self, link=msgspec.structs.replace(self.link, consistency=level))

    def statement(self) -> Statement:
        """The statement, to look at it or to run it otherwise."""
        return self.clauses.statement()

    async def get_many(self) -> list[_T_co]:
        """All rows.

        Raises:
            TooLarge: they are more than one answer may hold: use `stream`.
        """
        rows = (await self.link.read(self.statement())).rows
        return [self.make(row) async for row in in_turns(rows)]

    async def get_one(self) -> _T_co | None:
        """The first row; None if there is none."""
        limit = 1 if self.clauses.limit is None else min(self.clauses.limit, 1)
        rows = await self._with(limit=limit).get_many()
        return rows[0] if rows else None

    async def count(self) -> int:
        """How many rows there are."""
        return await self._number(self.clauses.counting())

    async def exists(self) -> bool:
        """Whether there is a row."""
        return await self._number(self.clauses.existing()) == 1

    async def stream(self, page_rows: int = PAGE_ROWS) -> AsyncIterator[_T_co]:
        """All rows, however many, with `page_rows` of them in memory at a time. See `orama.orm.paging`.

        Pages are separate reads: rows that are written meanwhile may or may not be seen.
        """
        if page_rows < 1:
            raise InvalidArgument("a page has at least one row", reason="invalid_limit")
        async for page in pages(self.link, self.clauses, page_rows):
            async for row in in_turns(page):
                yield self.make(row)

    def _joined(self, kind: JoinKind, table: Table[Any, Any], on: Condition | None) -> Query[_T_co]:
        return self._with(joins=(*self.clauses.joins, Join(kind, table.source, on)))

    def _with(self, **changes: Any) -> Query[_T_co]:
        return msgspec.structs.replace(self, clauses=msgspec.structs.replace(self.clauses, **changes))

    async def _number(self, statement: Statement) -> int:
        ((value,),) = (await self.link.read(statement)).rows
        assert isinstance(value, int)  # count(*) and EXISTS are nothing else
        return value


def query_of(link: Link, items: Sequence[Selectable[Any]]) -> Query[Any]:
    """The query that selects `items`, from the table of the first that has one: one as itself, several as tuples."""
    terms: list[Term] = []
    slices: list[slice] = []
    for item in items:
        of_item = item.terms()
        slices.append(slice(len(terms), len(terms) + len(of_item)))
        terms.extend(of_item)
    source = next((item.source for item in items if item.source is not None), None)
    if len(items) == 1:
        return Query(link, Clauses(tuple(terms), source), items[0].read)
    readers = [(item.read, part) for item, part in zip(items, slices, strict=True)]
    return Query(link, Clauses(tuple(terms), source), lambda row: tuple(read(row[part]) for read, part in readers))


def _both(before: Condition | None, condition: Condition) -> Condition:
    return condition if before is None else before & condition


def _group(term: Expression[Any] | str) -> Term:
    return Term(sql_expression.group_term(term), (), "") if isinstance(term, str) else term.terms()[0]


def _order(term: Ordering | str) -> Ordering:
    return Ordering(sql_expression.order_term(term)) if isinstance(term, str) else term


def _count_of_rows(rows: int) -> int:
    if rows < 0:
        raise InvalidArgument(f"a number of rows is never negative, and {rows} is", reason="invalid_limit")
    return rows
