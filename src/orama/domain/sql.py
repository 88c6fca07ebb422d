"""SQL as the ports speak it: statements, results, limits. Values are SQLite's five kinds."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

import msgspec

Value: TypeAlias = int | float | str | bytes | None
"""One SQL value. Integers are signed and exact to 64 bits; booleans are the integers 0 and 1."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1

RESERVED_PREFIX: Final = "_orama"
"""Names that start so, in any case of letters, are the platform's in every namespace: tenants neither see nor reach
them."""


class Consistency(Enum):
    """How fresh a read must be. One file has one answer for all; clusters differ (see the adapter's guarantees)."""

    NONE = "none"
    WEAK = "weak"
    LINEARIZABLE = "linearizable"
    STRONG = "strong"


class Statement(msgspec.Struct, frozen=True, gc=False):
    """Exactly one SQL statement with its positional arguments.

    `expect_rows`: how many rows it must change (or return, if it returns rows); otherwise the whole batch it
    stands in is rolled back and `Precondition` is raised.
    `privileged`: the platform's own words about a tenant's database, which may name reserved tables and is not
    judged. Its text is a constant of our code, never a caller's.
    """

    sql: str
    args: tuple[Value, ...] = ()
    expect_rows: int | None = None
    privileged: bool = False


class Rows(msgspec.Struct, frozen=True):
    """The answer to a read.

    `columns`: names as SQLite reports them, in order, perhaps repeated. `declared`: each column's declared type as
    written in its CREATE TABLE, None for an expression. `rows`: tuples as long as `columns`.
    """

    columns: tuple[str, ...]
    declared: tuple[str | None, ...]
    rows: list[tuple[Value, ...]]


class Result(msgspec.Struct, frozen=True):
    """What one statement of a batch did.

    `rows_affected`: rows inserted, updated or deleted by the statement itself, 0 for reads and DDL.
    `last_insert_id`: rowid of the last row that *this* statement inserted, else 0.
    `rows`: None unless the statement has columns (SELECT, RETURNING).
    """

    rows_affected: int
    last_insert_id: int
    rows: Rows | None = None


class SchemaObject(msgspec.Struct, frozen=True):
    """A table or view with the SQL that made it. `type` is ``table`` or ``view``."""

    name: str
    type: str
    sql: str


class SqlLimits(msgspec.Struct, frozen=True):
    """Bounds on SQL work, the same on every engine. Each breach is a 4xx that names the limit."""

    max_sql_bytes: int = 100_000
    """Longest statement."""
    max_selection_bytes: int = 16 * 1024
    """Names and expressions of one find or select, all together."""
    max_parameters: int = 1_000
    """Most parameters of one statement."""
    max_statements: int = 1_000
    """Most statements of one batch or transaction."""
    max_value_bytes: int = 4 * 1024 * 1024
    """Longest single value."""
    max_rows: int = 10_000
    """Most rows that one answer may hold."""
    max_result_bytes: int = 8 * 1024 * 1024
    """Most bytes of values that one answer may hold."""
    statement_timeout_s: float = 5.0
    """How long one statement may run."""


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier: it can only ever be read as a name.

    The caller has refused NUL, which SQLite would take for the end of the text.
    """
    return '"' + name.replace('"', '""') + '"'
