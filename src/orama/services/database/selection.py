"""A SELECT in parts, and the statement it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from orama.domain.sql import Statement, Value
from orama.domain.sql_expression import column, expression, group_term, name, order_term, table
from orama.errors import InvalidArgument
from orama.services.database.argument import to_arguments

_JOINS: Final = {
    "": "INNER JOIN",
    "JOIN": "INNER JOIN",
    "INNER": "INNER JOIN",
    "LEFT": "LEFT JOIN",
    "LEFT OUTER": "LEFT JOIN",
    "RIGHT": "RIGHT JOIN",
    "RIGHT OUTER": "RIGHT JOIN",
    "FULL": "FULL JOIN",
    "FULL OUTER": "FULL JOIN",
    "CROSS": "CROSS JOIN",
}


class Join(msgspec.Struct, frozen=True):
    """Another table. `kind`: INNER (also empty), LEFT, RIGHT, FULL or CROSS; `on`: an SQL expression."""

    table: str
    kind: str = ""
    on: str = ""


class Condition(msgspec.Struct, frozen=True):
    """One term of WHERE: an SQL expression with ``?`` for each of `args`. `conj` joins it to the one before."""

    expr: str
    args: tuple[Any, ...] = ()
    conj: str = "AND"


class Selection(msgspec.Struct, frozen=True):
    """What to read. `criteria`: columns and the values they must have; a null asks for NULL.

    `limit` None means no limit. Names are quoted; see `expression` for what else may stand where.
    """

    table: str
    alias: str | None = None
    columns: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    criteria: Mapping[str, Any] = {}
    where: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0

    def size(self) -> int:
        """Characters of all names and expressions: what building the statement costs grows with it."""
        return sum(map(len, self._texts()))

    def _texts(self) -> Iterator[str]:
        yield self.table
        yield self.alias or ""
        for texts in (self.columns, self.criteria, self.group_by, self.order_by):
            for text in texts:
                yield f"{text} "  # an empty one costs something, too
        for join in self.joins:
            yield f"{join.kind}{join.table}{join.on} "
        for condition in self.where:
            yield f"{condition.conj}{condition.expr} "

    def statement(self, origin: str = "") -> Statement:
        """The statement; `origin` as there.

        Raises:
            InvalidArgument: a part is not what it must be.
        """
        if not self.table:
            raise InvalidArgument("'table' is required", reason="missing_field")
        where, arguments = self._where()
        columns = ", ".join(map(column, self.columns)) or "*"
        clauses = [
            f"SELECT {columns} FROM {table(self.table, self.alias)}",  # noqa: S608 (each part is quoted or proven)
            *map(_join, self.joins),
            where,
            f"GROUP BY {', '.join(map(group_term, self.group_by))}" if self.group_by else "",
            f"ORDER BY {', '.join(map(order_term, self.order_by))}" if self.order_by else "",
            self._limit(),
        ]
        return Statement(" ".join(filter(None, clauses)), arguments, origin=origin)

    def _where(self) -> tuple[str, tuple[Value, ...]]:
        text = ""
        values: list[Any] = []
        for key, value in self.criteria.items():
            text += f" {'AND' if text else 'WHERE'} {name(key)} {'IS NULL' if value is None else '= ?'}"
            if value is not None:
                values.append(value)
        for condition in self.where:
            conjunction = condition.conj.strip().upper() or "AND"
            if conjunction not in ("AND", "OR"):
                raise InvalidArgument(f"'conj' is AND or OR, not {condition.conj[:80]!r}", reason="invalid_conjunction")
            text += f" {conjunction if text else 'WHERE'} {expression(condition.expr, len(condition.args))}"
            values.extend(condition.args)
        return text.lstrip(), to_arguments(values)

    def _limit(self) -> str:
        if self.offset < 0 or (self.limit is not None and self.limit < 0):
            raise InvalidArgument("'limit' and 'offset' are never negative", reason="invalid_limit")
        if self.limit is None and not self.offset:
            return ""
        # SQL knows no OFFSET without LIMIT; a negative one means none.
        return f"LIMIT {-1 if self.limit is None else self.limit}" + (f" OFFSET {self.offset}" if self.offset else "")


def _join(join: Join) -> str:
    kind = _JOINS.get(" ".join(join.kind.upper().split()))
    if kind is None:
        raise InvalidArgument(
            f"'kind' of a join is INNER, LEFT, RIGHT, FULL or CROSS, not {join.kind[:80]!r}", reason="invalid_join"
        )
    if not join.on:
        if kind != "CROSS JOIN":
            raise InvalidArgument(f"the join with {join.table[:80]!r} needs 'on'", reason="invalid_join")
        return f"{kind} {table(join.table)}"
    return f"{kind} {table(join.table)} ON {expression(join.on)}"
