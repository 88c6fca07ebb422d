"""What an operator may choose about embedded SQLite."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orama.domain.sql import SqlLimits


class SqliteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `SqliteDatabase`; the defaults suit one node of 2 to 8 cores.

    A database in use costs one connection for writes, one for reads on the event loop, and up to
    `readers_per_database` more, each with a thread; about 2 descriptors a connection.
    """

    data_directory: Path
    limits: SqlLimits = SqlLimits()
    max_open_databases: int = 64
    """Beyond it the one unused for longest is closed; if all are in use, callers wait for `open_timeout_s`."""
    readers_per_database: int = 2
    """Read connections, each with a thread, of one database."""
    writer_threads: int = 4
    """Threads that write, for all tenants' databases together; the platform's has one more."""
    max_group_batches: int = 256
    """How many batches share one commit at most."""
    max_waiting: int = 10_000
    """Accepted and unanswered calls in this node; beyond it callers are told to come back."""
    max_waiting_per_database: int = 2_000
    """The same for one namespace."""
    busy_timeout_s: float = 5.0
    """How long to wait for another process that locks a file, such as a backup."""
    open_timeout_s: float = 5.0
    """How long a caller waits while too many databases are in use."""
    cached_statements: int = 64
    """Compiled statements kept per connection."""
    max_database_pages: int | None = None
    """Size limit of each database in pages of 4 KiB; None for what the disk holds."""
