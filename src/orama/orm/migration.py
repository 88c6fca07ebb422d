"""Migrations: SQL files that bring a database's schema to what the program expects.

A file is called ``<version>_<name>.sql``. Each is applied as one atomic batch together with its row in
``schema_migrations``, so that of several processes that start at once exactly one applies it.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, Precondition

_FILE: Final = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql", re.ASCII)

_TOKEN: Final = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<quoted>'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\])  # a doubled quote is two quoted parts in a row
    | (?P<end>;)
    | (?P<unterminated>/\*|['"`\[])
    | .
    """,
    re.VERBOSE | re.DOTALL,
)

_LEDGER: Final = Statement(
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)"
)
_APPLIED: Final = Statement("SELECT version, checksum FROM schema_migrations")
_RECORD: Final = (
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) "
    "SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM schema_migrations WHERE version = ?)"
)


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, its name and its SQL."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(directory: Traversable) -> list[Migration]:
    """The migrations in `directory`, in order of their versions.

    Raises:
        ValueError: an SQL file is not called ``0001_name.sql``, or two have one version.
    """
    found: dict[int, Migration] = {}
    for file in directory.iterdir():
        if not file.name.endswith(".sql"):
            continue
        name = _FILE.fullmatch(file.name)
        if name is None:
            raise ValueError(f"{file.name}: a migration is called 0001_name.sql")
        if int(name[1]) in found:
            raise ValueError(f"{file.name}: version {name[1]} is taken by another file")
        found[int(name[1])] = Migration(int(name[1]), name[2], file.read_text("utf-8"))
    return [found[version] for version in sorted(found)]


async def apply_migrations(
    database: Database, namespace: Namespace, migrations: list[Migration], clock: Clock
) -> list[Migration]:
    """Bring `namespace`'s schema up to date; returns what this call applied. Safe to run at once from many processes.

    Raises:
        Conflict: a migration was changed after it was applied (reason ``migration_changed``), or the database was
            written by a newer program (reason ``schema_too_new``). Nothing was applied.
    """
    await database.execute(namespace, [_LEDGER])
    applied = await _checked(database, namespace, migrations)
    done: list[Migration] = []
    for migration in migrations:
        if migration.version in applied:
            continue
        row = (migration.version, migration.name, migration.checksum, to_ms(clock.now()), migration.version)
        statements = [Statement(sql) for sql in split_statements(migration.sql)]
        try:
            await database.execute(namespace, [Statement(_RECORD, row, expect_rows=1), *statements])
        except Precondition:
            # Another process was faster; what it applied must be what we would have.
            await _checked(database, namespace, migrations)
        else:
            done.append(migration)
    return done


async def _checked(database: Database, namespace: Namespace, migrations: list[Migration]) -> set[int]:
    """The versions already applied, once it is sure that they are ours."""
    ours = {migration.version: migration for migration in migrations}
    rows = (await database.query(namespace, _APPLIED, consistency=Consistency.LINEARIZABLE)).rows
    for version, checksum in rows:
        migration = ours.get(version) if isinstance(version, int) else None
        if migration is None:
            raise Conflict(
                f"the database has migration {version}, which this program does not know: run a newer one",
                reason="schema_too_new",
            )
        if migration.checksum != checksum:
            raise Conflict(
                f"migration {migration.version:04}_{migration.name} was changed after it was applied: "
                "restore the file and write a new migration",
                reason="migration_changed",
            )
    return {version for version, _ in rows if isinstance(version, int)}


def split_statements(script: str) -> list[str]:
    """The statements of `script`, without comments: each ends at a ``;`` outside quotes and comments.

    Trigger bodies, which hold such a ``;``, are not understood.

    Raises:
        ValueError: a quote or a comment does not end.
    """
    statements: list[str] = []
    parts: list[str] = []
    for token in _TOKEN.finditer(script + ";"):
        if token.lastgroup == "unterminated":
            raise ValueError(f"{token[0]} at character {token.start()} does not end")
        if token.lastgroup == "comment":
            parts.append(" ")
        elif token.lastgroup == "end":
            statement = "".join(parts).strip()
            statements += [statement] if statement else []
            parts.clear()
        else:
            parts.append(token[0])
    return statements
