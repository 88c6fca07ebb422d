"""SQL as the ports speak it: statements, results, limits. Values are SQLite's five kinds."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

import msgspec

from orama.domain.namespace import Namespace
from orama.errors import TooLarge

Value: TypeAlias = int | float | str | bytes | None
"""One SQL value. Integers are signed and exact to 64 bits; booleans are the integers 0 and 1."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1

RESERVED_PREFIX: Final = "_orama"
"""Names that start so, in any case of letters, are the platform's in every namespace: tenants neither see nor reach
them."""


_PAGE_ROWS: Final = 1_000
"""The longest page that is proposed to whom an answer was too large."""


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
    `origin`: the id of the request that asks, for the log of slow statements alone.
    """

    sql: str
    args: tuple[Value, ...] = ()
    expect_rows: int | None = None
    privileged: bool = False
    origin: str = ""


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


class SlowStatement(msgspec.Struct, frozen=True):
    """A statement that ran for longer than `SqlLimits.slow_statement_s`, however it ended.

    `duration_s`: how long it ran, without its time in queues. `rows`: how many it returned or changed; None if it
    `failed`. It had been compiled: every name in it is that of something, and not a text in the wrong quotes.
    """

    namespace: Namespace
    statement: Statement
    duration_s: float
    rows: int | None

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.rows is None


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
    max_migrations: int = 1_000
    """Most files of one set of migrations."""
    max_migration_bytes: int = 256 * 1024
    """Longest file of a set of migrations."""
    max_value_bytes: int = 4 * 1024 * 1024
    """Longest single value."""
    max_rows: int = 10_000
    """Most rows that one answer may hold."""
    max_result_bytes: int = 8 * 1024 * 1024
    """Most bytes of values that one answer may hold."""
    statement_timeout_s: float = 5.0
    """How long one statement may run."""
    slow_statement_s: float = 0.1
    """A statement that runs longer is logged with its shape: its text without literals and comments. Nothing is
    refused."""


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier: it can only ever be read as a name.

    The caller has refused NUL, which SQLite would take for the end of the text.
    """
    return '"' + name.replace('"', '""') + '"'


def answer_too_large(limits: SqlLimits, fitting_rows: int) -> TooLarge:
    """The error for an answer of which `fitting_rows` rows fit and the next one did not; says how to page."""
    if fitting_rows >= limits.max_rows:
        name, limit, page = "max_rows", limits.max_rows, min(_PAGE_ROWS, limits.max_rows)
        passes = f"the answer has more than {limit} rows ({name})"
    else:
        name, limit, page = "max_result_bytes", limits.max_result_bytes, min(_PAGE_ROWS, (fitting_rows + 1) // 2)
        passes = f"the answer has more than {limit} bytes ({name})"
    how = (
        f"read it in pages: add ORDER BY <unique column> LIMIT {page}, and for each next page "
        f"WHERE <unique column> > <its last value>, or OFFSET {page}, {2 * page}, …"
        if page
        else "one row alone passes it: select fewer columns, or substr() of the long ones"
    )
    return TooLarge(
        f"{passes}: {how}", reason="result_too_large", details={"name": name, "limit": limit, "page_rows": page}
    )
