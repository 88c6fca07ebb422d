"""Opening connections: durable, defensive, and with SQLite's own limits lowered."""

# pyright: reportUnknownMemberType=false
# apsw's stubs name a type (Buffer) that Python has from 3.12 on.

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

import apsw

from orama.backends.database.sqlite.settings import SqliteSettings

_LIMITS: Final = {
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_COLUMN: 500,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 100,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_VDBE_OP: 250_000,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}

DEFENCES: Final = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),  # "text" is a name, never a string
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1),
)
"""What every connection is configured with: neither what a statement says nor what a schema says is trusted."""


class Access(Enum):
    """What a connection is for."""

    WRITE = apsw.SQLITE_OPEN_READWRITE
    READ = apsw.SQLITE_OPEN_READONLY


def open_connection(
    path: Path, access: Access, settings: SqliteSettings, *, busy_timeout_s: float, max_row_bytes: int | None = None
) -> apsw.Connection:
    """A connection to the existing file `path`, for one thread at a time. Blocks: never for the event loop.

    `max_row_bytes`: the longest value or row that it reads or makes, if that is to be less than the settings say.

    Raises:
        apsw.Error: the file cannot be opened, or is no database.
    """
    connection = apsw.Connection(
        str(path),
        flags=access.value | apsw.SQLITE_OPEN_NOFOLLOW | apsw.SQLITE_OPEN_NOMUTEX,
        statementcachesize=settings.cached_statements,
    )
    try:
        connection.set_busy_timeout(int(busy_timeout_s * 1000))
        for option, value in DEFENCES:
            connection.config(option, value)
        connection.drop_modules(())
        if access is Access.WRITE:
            # WAL: readers never wait for the writer; `create_file` makes files so. FULL: a commit is on the disk before
            # anybody hears of it.
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            # A log that once grew is cut back, so that idle databases stay small.
            connection.pragma("journal_size_limit", 4 * 1024 * 1024)
            if settings.max_database_pages is not None:
                connection.pragma("max_page_count", settings.max_database_pages)
        else:
            connection.pragma("query_only", True)
        for limit, bound in _LIMITS.items():
            connection.limit(limit, bound)
        limits = settings.limits
        # A row may be longer than its longest value.
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, max_row_bytes or limits.max_value_bytes + 64 * 1024)
        connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, limits.max_sql_bytes + 1)
        connection.limit(apsw.SQLITE_LIMIT_VARIABLE_NUMBER, limits.max_parameters)
    except BaseException:
        connection.close()
        raise
    return connection
