"""Copies of databases for backups, taken while a node writes to them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# apsw's stubs name a type (Buffer) that Python has from 3.12 on.

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw
from msgspec import convert

from orama.backends.database.sqlite.connection import DEFENCES
from orama.backends.database.sqlite.files import databases_in, is_database
from orama.backends.database.sqlite.functions import BoundedFunctions
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.database.sqlite.translate import translate
from orama.contracts.backup import Content
from orama.domain.sql import quote_identifier

_PAGES_AT_ONCE: Final = 2_000
"""About 10 ms of copying, after which an interrupt of the user's is heard."""

_WRITE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
_READ: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW
_TABLES: Final = (
    r"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY 1"
)

_COMPUTED: Final = (
    "SELECT t.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table' AND c.hidden = 2"
)
"""Tables with virtual columns."""


class SqliteSnapshots:
    """`contracts.backup.Section`: the databases in a data directory, the platform's last.

    Its tables say whom a namespace belongs to. Copied last, they know the owner of everything copied before: no
    database comes back that anybody could claim.
    """

    def __init__(self, settings: SqliteSettings) -> None:
        self._directory = settings.data_directory
        self._busy_timeout_ms = int(settings.busy_timeout_s * 1000)

    def names(self) -> list[str]:
        """See `contracts.backup.Section`."""
        return databases_in(self._directory)

    def export(self, name: str, scratch: Path) -> Path:
        """See `contracts.backup.Section`.

        Raises:
            BadBackend: the file is no database, or damaged where everything begins.
            StorageFull: there is no room for the copy.
            Unavailable: the file cannot be opened.
        """
        try:
            self._copy(self._directory / name, scratch)
        except (apsw.Error, OSError) as error:
            failure = translate(error)
            raise type(failure)(f"cannot copy {name}: {error}", reason=failure.reason) from error
        return scratch

    def owns(self, name: str) -> bool:
        """See `contracts.backup.Section`."""
        return is_database(name)

    def examine(self, name: str, file: Path) -> Content:  # noqa: ARG002 (all databases are examined alike)
        """See `contracts.backup.Section`."""
        try:
            with closing(_open_copy(file)) as copy:
                damage = _damage(copy)
                return Content({} if damage else _count(copy), damage)
        except apsw.Error as error:
            return Content(damage=str(error))

    def _copy(self, original: Path, scratch: Path) -> None:
        # SQLite would make it readable for others.
        os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with closing(apsw.Connection(str(scratch), flags=_WRITE)) as target:
            # Nobody reads an unfinished copy.
            target.pragma("journal_mode", "off")
            target.pragma("synchronous", "off")
            with closing(apsw.Connection(str(original), flags=_READ)) as source:
                source.set_busy_timeout(self._busy_timeout_ms)
                # The first read of a transaction settles which moment it sees. Writers go on beside it in the log.
                source.execute("BEGIN; SELECT 1 FROM sqlite_schema").fetchall()
                with target.backup("main", source, "main") as copying:
                    while not copying.done:
                        copying.step(_PAGES_AT_ONCE)


def _open_copy(file: Path) -> apsw.Connection:
    """A connection to a file that nobody writes: without locks and companions. What the file says is not trusted."""
    connection = apsw.Connection(f"file:{quote(str(file.absolute()))}?immutable=1", flags=_READ | apsw.SQLITE_OPEN_URI)
    for option, value in DEFENCES:
        connection.config(option, value)
    # Indexes may be of these functions' values.
    BoundedFunctions(connection, lambda: None)
    return connection


def _damage(copy: apsw.Connection) -> str | None:
    """What SQLite finds wrong with the file, or None. What tenants can bring about is no damage.

    It does not look at CHECK constraints, as the file is read-only; they may want what does not hold, as random() > 0.
    Virtual columns it would compute, and those may fail for rows that were there before, or take for ever: tables
    that have some are not looked through here, only read and counted.
    """
    computed = {name for (name,) in copy.execute(_COMPUTED)}
    checks = ["PRAGMA integrity_check(1)"]
    if computed:
        tables = (table for table in _tables(copy) if table not in computed)
        checks = [f"PRAGMA integrity_check({quote_identifier(table)})" for table in tables]
    return next(filter(None, (_first_finding(copy, check) for check in checks)), None)


def _first_finding(copy: apsw.Connection, check: str) -> str | None:
    finding = copy.execute(check).get
    return None if finding == "ok" else " ".join(str(finding).split())


def _tables(copy: apsw.Connection) -> list[str]:
    return [str(name) for (name,) in copy.execute(_TABLES)]


def _count(copy: apsw.Connection) -> dict[str, int]:
    """How many rows each table has."""
    counting = "SELECT count(*) FROM {} NOT INDEXED"
    return {table: convert(copy.execute(counting.format(quote_identifier(table))).get, int) for table in _tables(copy)}
