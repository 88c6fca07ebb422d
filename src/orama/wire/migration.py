"""Requests and replies of ``/v1/db/migrations``."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from orama.domain.migration import MAX_VERSION, NAME_PATTERN

Version: TypeAlias = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": MAX_VERSION})]
"""The number that a file's name begins with, in four digits."""

Checksum: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})]
"""SHA-256 of a file's text in UTF-8, in hexadecimal."""

MigrationName: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{NAME_PATTERN}$"})]
"""What stands between a file's number and its ending."""


class SentMigration(msgspec.Struct, omit_defaults=True):
    """A file `0001_name.sql`. Its `checksum` alone will do in a plan, and once it was applied."""

    version: Version
    name: MigrationName
    sql: str | None = None
    checksum: Checksum | None = None


class PlanMigrations(msgspec.Struct):
    """The whole set of files."""

    migrations: list[SentMigration]


class ApplyMigrations(msgspec.Struct):
    """The whole set of files, those that were applied included."""

    migrations: list[SentMigration]


class PendingMigration(msgspec.Struct):
    """A file that was not applied."""

    version: int
    name: str
    checksum: str


class AppliedMigration(msgspec.Struct):
    """A file that was applied, as it was then. `applied_at` is RFC 3339 in UTC."""

    version: int
    name: str
    checksum: str
    applied_at: str


class MigrationDrift(msgspec.Struct):
    """How the files differ from those that were applied.

    `changed`: the file has another text. `missing`: there is no such file. `out_of_order`: it was not applied, although
    later ones were. `message` says what to do.
    """

    kind: Literal["changed", "missing", "out_of_order"]
    version: int
    name: str
    message: str


class MigrationList(msgspec.Struct):
    """What was applied, by version."""

    migrations: list[AppliedMigration]
    count: int


class MigrationPlan(msgspec.Struct):
    """What was applied, what would be, and what stands in the way. With any drift nothing would be applied."""

    applied: list[AppliedMigration]
    pending: list[PendingMigration]
    drift: list[MigrationDrift]


class MigrationProgress(msgspec.Struct):
    """What this call applied, and what still waits: send the same again with the SQL of the first that waits."""

    applied: list[AppliedMigration]
    pending: list[PendingMigration]
