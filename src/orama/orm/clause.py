"""A SELECT in parts, and the statement that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from orama.domain.sql import Statement, Value
from orama.errors import InvalidArgument
from orama.orm.condition import Condition
from orama.orm.term import Ordering, Source, Term

JoinKind: TypeAlias = Literal["INNER", "LEFT", "RIGHT", "FULL", "CROSS"]

_COUNT: Final = Term("count(*)", (), "count(*)")


class Join(msgspec.Struct, frozen=True, eq=False):
    """Another table in FROM. `on` is None for CROSS."""

    kind: JoinKind
    source: Source
    on: Condition | None


class Clauses(msgspec.Struct, frozen=True, eq=False):
    """What a SELECT consists of. `limit` None means no limit."""

    terms: tuple[Term, ...]
    source: Source | None
    joins: tuple[Join, ...] = ()
    where: Condition | None = None
    groups: tuple[Term, ...] = ()
    having: Condition | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0
    distinct: bool = False

    @property
    def sources(self) -> list[Source]:
        """Every table that rows come from."""
        return [*filter(None, [self.source]), *(join.source for join in self.joins)]

    @property
    def is_grouped(self) -> bool:
        """Whether a row of the answer stands for several, so that none of them is its own."""
        return bool(self.groups) or self.distinct or self.having is not None

    def statement(self) -> Statement:
        """The statement.

        Raises:
            InvalidArgument: no table is named.
        """
        sql: list[str] = []
        args: list[Value] = []
        for text, values in self._parts():
            sql.append(text)
            args.extend(values)
        return Statement(" ".join(sql), tuple(args))

    def counting(self) -> Statement:
        """How many rows the statement would have."""
        # A computed term may be an aggregate, which makes one row of all; and WHERE may speak of a term by its alias.
        simple = all(term.plain and term.alias is None for term in self.terms)
        if simple and not self.is_grouped and self.limit is None and not self.offset:
            return msgspec.structs.replace(self, terms=(_COUNT,), order=()).statement()
        return self._around("SELECT count(*) FROM ({})")

    def existing(self) -> Statement:
        """Whether the statement would have a row: 1 or 0."""
        return self._around("SELECT EXISTS ({})")

    def _around(self, outer: str) -> Statement:
        inner = msgspec.structs.replace(self, order=()) if self.limit is None and not self.offset else self
        statement = inner.statement()
        return Statement(outer.format(statement.sql), statement.args)

    def _parts(self) -> Iterator[tuple[str, Sequence[Value]]]:
        if self.source is None:
            raise InvalidArgument("no column says which table to read: add .from_table(…)", reason="no_table")
        distinct = "DISTINCT " if self.distinct else ""
        yield f"SELECT {distinct}{', '.join(term.selected for term in self.terms)}", _args(self.terms)
        yield f"FROM {self.source.sql}", ()
        for join in self.joins:
            on = "" if join.on is None else f" ON {join.on.sql}"
            yield f"{join.kind} JOIN {join.source.sql}{on}", () if join.on is None else join.on.args
        if self.where is not None:
            yield f"WHERE {self.where.sql}", self.where.args
        if self.groups:
            yield f"GROUP BY {', '.join(term.sql for term in self.groups)}", _args(self.groups)
        if self.having is not None:
            yield f"HAVING {self.having.sql}", self.having.args
        if self.order:
            yield f"ORDER BY {', '.join(term.ordered for term in self.order)}", _args(self.order)
        # Numbers are arguments, so that every page is one text to the engine's cache of statements. SQL knows no
        # OFFSET without LIMIT; a negative one means none.
        if self.limit is not None or self.offset:
            yield "LIMIT ?", (-1 if self.limit is None else self.limit,)
        if self.offset:
            yield "OFFSET ?", (self.offset,)


def _args(pieces: Iterable[Term | Ordering]) -> list[Value]:
    return [value for piece in pieces for value in piece.args]
