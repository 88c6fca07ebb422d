"""A set of migrations as a caller sends it: checked whole before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from orama.domain.migration import MAX_VERSION, Fingerprint, checksum_of, is_migration_name
from orama.domain.sql import SqlLimits
from orama.errors import InvalidArgument, TooLarge
from orama.orm.script import ScriptStatement, split_statements

_CHECKSUM: Final = re.compile(r"[0-9a-f]{64}")


class MigrationFile(msgspec.Struct, frozen=True):
    """One file. Its `sql` may be left out where its `checksum` (see `checksum_of`) is given."""

    version: int
    name: str
    sql: str | None = None
    checksum: str | None = None


class Submission(msgspec.Struct, frozen=True):
    """A set that holds together. `sql`: the texts that were sent, by version."""

    fingerprints: tuple[Fingerprint, ...]
    sql: dict[int, str]


def read_submission(files: Sequence[MigrationFile], limits: SqlLimits) -> Submission:
    """Check a set. Takes time in proportion to its texts: not for an event loop.

    Raises:
        InvalidArgument: a name, number or checksum that cannot be, or two files of one version.
        TooLarge: too many files, or one too long.
    """
    if len(files) > limits.max_migrations:
        raise _too_large("files", len(files), limits.max_migrations)
    found: dict[int, Fingerprint] = {}
    sql: dict[int, str] = {}
    for file in files:
        one = _fingerprint(file, limits)
        if one.version in found:
            raise InvalidArgument(
                f"{one.file} and {found[one.version].file} have one version: give each its own",
                reason="migration_version",
            )
        found[one.version] = one
        if file.sql is not None:
            sql[one.version] = file.sql
    return Submission(tuple(found.values()), sql)


def read_scripts(
    given: Submission, pending: Iterable[Fingerprint], limits: SqlLimits
) -> dict[int, list[ScriptStatement]]:
    """The statements of each of `pending` whose text was sent, by version. Not for an event loop, either.

    Raises:
        InvalidArgument: a quote or comment does not end, or there is no statement.
        TooLarge: too many statements, or one too long.
    """
    return {one.version: _script(one, given.sql[one.version], limits) for one in pending if one.version in given.sql}


def _fingerprint(file: MigrationFile, limits: SqlLimits) -> Fingerprint:
    if not 0 <= file.version <= MAX_VERSION:
        raise InvalidArgument(
            f"version {file.version}: it is a number from 0 to {MAX_VERSION}", reason="migration_version"
        )
    if not is_migration_name(file.name):
        raise InvalidArgument(
            f"version {file.version}: a name is 1 to 100 small letters, digits and underscores",
            reason="migration_name",
        )
    one = Fingerprint(file.version, file.name, file.checksum or "")
    if file.checksum is not None and _CHECKSUM.fullmatch(file.checksum) is None:
        raise InvalidArgument(f"{one.file}: a checksum is SHA-256 in 64 small hex digits", reason="migration_checksum")
    if file.sql is None:
        if file.checksum is None:
            raise InvalidArgument(f"{one.file}: send its 'sql', or its 'checksum'", reason="missing_field")
        return one
    try:
        size = len(file.sql.encode())
    except UnicodeEncodeError:
        raise InvalidArgument(f"{one.file}: text with lone surrogates is no SQL", reason="migration_syntax") from None
    if size > limits.max_migration_bytes:
        raise _too_large(f"bytes of {one.file}", size, limits.max_migration_bytes)
    checksum = checksum_of(file.sql)
    if file.checksum not in (None, checksum):
        raise InvalidArgument(f"{one.file}: 'checksum' is not that of 'sql'", reason="migration_checksum")
    return Fingerprint(file.version, file.name, checksum)


def _script(one: Fingerprint, sql: str, limits: SqlLimits) -> list[ScriptStatement]:
    try:
        statements = split_statements(sql)
    except ValueError as error:
        raise InvalidArgument(f"{one.file} {error}", reason="migration_syntax") from None
    if not statements:
        raise InvalidArgument(f"{one.file} holds no statement", reason="migration_empty")
    if len(statements) > limits.max_statements:
        raise _too_large(f"statements of {one.file}", len(statements), limits.max_statements)
    for statement in statements:
        size = len(statement.sql.encode())
        if size > limits.max_sql_bytes:
            raise _too_large(f"bytes of SQL in {one.file} line {statement.line}", size, limits.max_sql_bytes)
    return statements


def _too_large(what: str, found: int, limit: int) -> TooLarge:
    return TooLarge(
        f"{found} {what}: the limit is {limit}", reason="sql_limit", details={"limit": limit, "value": found}
    )
