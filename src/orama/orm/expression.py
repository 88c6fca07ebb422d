"""Typed values in SQL: what they are compared with, and what is read from them, is known before anything runs."""

# A covariant type parameter may not be a parameter's type, says the theory. Here it must be, so that `age > "x"` is an
# error. What is given up: a column that was first assigned to a variable of a wider type.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload
from uuid import UUID

import msgspec

from orama.domain import sql_expression
from orama.domain.sql import Value
from orama.orm.annotation import Bindable, codec_for
from orama.orm.codec import Codec
from orama.orm.condition import Condition, bind_all
from orama.orm.mismatch import RowMismatch, Unfit, ValueMismatch
from orama.orm.term import Ordering, Source, Term, check_name

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_Comparable: TypeAlias = int | float | str | bytes | datetime | date | UUID | Enum
"""All but Decimal, whose text is neither equal nor sorted by value."""


class Expression(msgspec.Struct, Generic[_T_co], frozen=True, eq=False):
    """A value of type T in SQL; comparisons give a `Condition`.

    `table` and `name` tell in errors where a value came from. `name` is also what it is called in the answer, unless
    `named` says otherwise.
    """

    sql: str
    args: tuple[Value, ...]
    codec: Codec
    table: str
    name: str
    source: Source | None = None
    alias: str | None = None

    def __eq__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None] | None
    ) -> Condition:
        """Equal; to None: IS NULL."""
        return self.is_null() if other is None else self._compared("=", other)

    def __ne__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None] | None
    ) -> Condition:
        """Not equal, which in SQL a NULL never is; to None: IS NOT NULL."""
        return self.is_not_null() if other is None else self._compared("<>", other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __lt__(self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None]) -> Condition:
        return self._compared("<", other)

    def __le__(self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None]) -> Condition:
        return self._compared("<=", other)

    def __gt__(self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None]) -> Condition:
        return self._compared(">", other)

    def __ge__(self: Expression[_Comparable | None], other: _T_co | Expression[_T_co | None]) -> Condition:
        return self._compared(">=", other)

    def is_null(self) -> Condition:
        """NULL."""
        return Condition(f"({self.sql} IS NULL)", self.args)

    def is_not_null(self) -> Condition:
        """Anything but NULL."""
        return Condition(f"({self.sql} IS NOT NULL)", self.args)

    def is_true(self: Expression[bool | None]) -> Condition:
        """True."""
        return self._compared("=", True)

    def is_false(self: Expression[bool | None]) -> Condition:
        """False, and not NULL."""
        return self._compared("=", False)

    def is_in(self: Expression[_Comparable | None], values: Iterable[_T_co]) -> Condition:
        """One of `values`; never so if there are none. An engine takes some 1000 arguments in one statement."""
        return self._among("IN", values)

    def not_in(self: Expression[_Comparable | None], values: Iterable[_T_co]) -> Condition:
        """None of `values`, and not NULL."""
        return self._among("NOT IN", values)

    def like(self: Expression[str | None], pattern: str) -> Condition:
        """A text of that pattern: ``%`` is any text, ``_`` any character. ASCII letters match in either case."""
        return self._compared("LIKE", pattern)

    def asc(self: Expression[_Comparable | None]) -> Ordering:
        """Least first, and NULL before all."""
        return Ordering(self._comparable_sql(), self.args, plain=isinstance(self, Column))

    def desc(self: Expression[_Comparable | None]) -> Ordering:
        """Greatest first, and NULL after all."""
        return Ordering(self._comparable_sql(), self.args, descending=True, plain=isinstance(self, Column))

    def min(self: Expression[_Comparable | None]) -> Expression[_T_co | None]:
        """The least of the group; None if there is none."""
        return self._call("min", self.codec.optional())

    def max(self: Expression[_Comparable | None]) -> Expression[_T_co | None]:
        """The greatest of the group; None if there is none."""
        return self._call("max", self.codec.optional())

    @overload
    def sum(self: Expression[int | None]) -> Expression[int | None]: ...
    @overload
    def sum(self: Expression[float | None]) -> Expression[float | None]: ...
    def sum(self) -> Expression[Any]:
        """The sum of the group; None if there is none. Integers beyond 64 bits are an error, not a wrong sum."""
        # Of truth values and members of an IntEnum the sum is a plain number.
        kind = float if self.codec.required() is codec_for(float) else int
        return self._call("sum", codec_for(kind).optional())

    def avg(self: Expression[float | None]) -> Expression[float | None]:
        """The mean of the group; None if there is none."""
        return self._call("avg", codec_for(float).optional())

    def count(self) -> Expression[int]:
        """How many of the group are not NULL."""
        return self._call("count", codec_for(int))

    def optional(self) -> Expression[_T_co | None]:
        """The same where it may be NULL: on the far side of an outer join."""
        return msgspec.structs.replace(self, codec=self.codec.optional())

    def named(self, alias: str) -> Expression[_T_co]:
        """The same, called `alias` in the answer, and in texts for HAVING and ORDER BY.

        Raises:
            InvalidArgument: the name is empty or holds NUL.
        """
        check_name(alias)
        return msgspec.structs.replace(self, name=alias, alias=alias)

    def terms(self) -> tuple[Term, ...]:
        """See `Selectable`."""
        return (Term(self.sql, self.args, self.name, self.alias, plain=isinstance(self, Column)),)

    def read(self, values: Sequence[Value]) -> _T_co:
        """See `Selectable`."""
        try:
            return self.codec.read(values[0])
        except Unfit as unfit:
            raise RowMismatch(self.table, self.name, expected=self.codec.expected, got=unfit.got) from None

    def _compared(self, operator: str, other: object) -> Condition:
        sql = self._comparable_sql()
        if isinstance(other, Expression):
            operand = cast("Expression[Any]", other)
            return Condition(f"({sql} {operator} {operand.sql})", self.args + operand.args)
        return Condition(f"({sql} {operator} ?)", (*self.args, self._write(other)))

    def _among(self, operator: str, values: Iterable[object]) -> Condition:
        found = tuple(self._write(value) for value in values)
        return Condition(f"({self._comparable_sql()} {operator} ({', '.join('?' * len(found))}))", self.args + found)

    def _comparable_sql(self) -> str:
        # The type checker says so first: this is for programs that have none.
        if not self.codec.comparable:
            raise TypeError(
                f"{self.table}.{self.name}: {self.codec.expected} is kept as text, neither equal nor sorted by value: "
                "compare sql('CAST(… AS REAL) > ?', …), or keep a whole number of the smallest unit in an int"
            )
        return self.sql

    def _write(self, value: object) -> Value:
        try:
            return self.codec.write(value)
        except Unfit as unfit:
            raise ValueMismatch(self.table, self.name, expected=self.codec.expected, got=unfit.got) from None

    def _call(self, function: str, codec: Codec) -> Expression[Any]:
        sql = self.sql if function == "count" else self._comparable_sql()
        return Expression(f"{function}({sql})", self.args, codec, self.table, f"{function}({self.name})", self.source)


class Column(Expression[_T_co], Generic[_T_co], frozen=True, eq=False):
    """A column of a table; see `Table.column`."""


def sql_as(kind: type[_T], text: str, *args: Bindable) -> Expression[_T]:
    """The SQL expression `text`, whose values are of `kind`; `args` are its ``?`` in order.

    Raises:
        InvalidArgument: the text is not one expression, or has another number of ``?``.
        ValueMismatch: SQL has no form for an argument.
        TypeError: SQL has no form for `kind`.
    """
    checked = sql_expression.expression(text, len(args))
    return Expression(checked, bind_all(args), codec_for(kind), "query", text)


def count() -> Expression[int]:
    """How many rows the group has."""
    return Expression("count(*)", (), codec_for(int), "query", "count(*)")
