"""The parts of a SELECT that both tables and expressions are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from orama.domain.sql import Value, quote_identifier
from orama.errors import InvalidArgument

_T_co = TypeVar("_T_co", covariant=True)


class Source(msgspec.Struct, frozen=True):
    """A table as it stands in FROM, perhaps under another name, with the columns of its primary key."""

    table: str
    alias: str | None
    key: tuple[str, ...]

    @property
    def sql(self) -> str:
        """For FROM and JOIN."""
        name = quote_identifier(self.table)
        return name if self.alias is None else f"{name} AS {quote_identifier(self.alias)}"

    def column(self, name: str) -> str:
        """One of its columns, by its full name."""
        return f"{quote_identifier(self.alias or self.table)}.{quote_identifier(name)}"


class Term(msgspec.Struct, frozen=True):
    """One column of an answer: its SQL, its arguments, and what it is called. `alias`: if it is to be called that."""

    sql: str
    args: tuple[Value, ...]
    name: str
    alias: str | None = None
    plain: bool = False
    """Whether it is a table's column and nothing else."""

    @property
    def selected(self) -> str:
        """For SELECT."""
        return self.sql if self.alias is None else f"{self.sql} AS {quote_identifier(self.alias)}"


class Ordering(msgspec.Struct, frozen=True):
    """A term of ORDER BY."""

    sql: str
    args: tuple[Value, ...] = ()
    descending: bool = False
    plain: bool = False
    """Whether it is a table's column, so that a page can begin after its value."""

    @property
    def ordered(self) -> str:
        """For ORDER BY."""
        return f"{self.sql} DESC" if self.descending else self.sql


class Selectable(Protocol[_T_co]):
    """What can stand after SELECT: a table, a column, an expression."""

    @property
    def source(self) -> Source | None:
        """The table that it is of, if it is of one."""
        ...

    def terms(self) -> tuple[Term, ...]:
        """Its columns in the answer."""
        ...

    def read(self, values: Sequence[Value]) -> _T_co:
        """What the values of `terms` stand for.

        Raises:
            RowMismatch: they are not of its type.
        """
        ...


def check_name(name: str) -> None:
    """Refuse what cannot be quoted.

    Raises:
        InvalidArgument: `name` is empty, or holds NUL.
    """
    if not name or "\0" in name:
        raise InvalidArgument(f"invalid name {name[:80]!r}", reason="invalid_name")
