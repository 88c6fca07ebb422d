"""What was applied to a database: recorded in a table of its own, in the same transaction as the effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import OramaError, Precondition, Unprocessable
from orama.orm.migration import Fingerprint

_OWN_STATEMENTS = 2
"""How many statements of ours stand before those of a migration."""


class Applied(Fingerprint, frozen=True):
    """A migration that was applied. `applied_at`: unix milliseconds."""

    applied_at: int


class DriftKind(Enum):
    """How a history and a set of files can differ, beside files that still wait."""

    CHANGED = "changed"
    """The file has another text than was applied."""
    MISSING = "missing"
    """It was applied, and there is no such file."""
    OUT_OF_ORDER = "out_of_order"
    """It waits, although later ones were applied."""


class Drift(msgspec.Struct, frozen=True):
    """One difference. `migration`: the file, or for `DriftKind.MISSING` what was applied."""

    kind: DriftKind
    migration: Fingerprint

    @property
    def text(self) -> str:
        """What is wrong and what to do, for people."""
        match self.kind:
            case DriftKind.CHANGED:
                says = "was changed after it was applied: restore it, and write what is new into a new file"
            case DriftKind.MISSING:
                says = "was applied, but there is no such file: restore it"
            case DriftKind.OUT_OF_ORDER:
                says = "comes before files that were applied: give it a number after theirs"
        return f"{self.migration.file} {says}"


class Comparison(msgspec.Struct, frozen=True):
    """`pending`: the files that were not applied, by version, those out of order included."""

    pending: tuple[Fingerprint, ...]
    drift: tuple[Drift, ...]


def compare(history: Iterable[Applied], files: Iterable[Fingerprint]) -> Comparison:
    """Hold a set of files, one a version, against a history."""
    applied = {one.version: one for one in history}
    given = {one.version: one for one in files}
    newest = max(applied, default=-1)
    pending = tuple(given[version] for version in sorted(given.keys() - applied.keys()))
    drift = [Drift(DriftKind.OUT_OF_ORDER, one) for one in pending if one.version < newest]
    for version, one in applied.items():
        if version not in given:
            drift.append(Drift(DriftKind.MISSING, one))
        elif given[version].checksum != one.checksum:
            drift.append(Drift(DriftKind.CHANGED, given[version]))
    return Comparison(pending, tuple(sorted(drift, key=lambda one: one.migration.version)))


class History:
    """The history of one namespace's database.

    Rows are only ever added, and only while there are as many as whoever adds one has seen. So of several processes
    that apply at once exactly one applies a file, and none on a history that it has not compared with its files.

    Args:
        database: where the namespace's database is.
        namespace: whose history it is.
        clock: tells when something was applied.
        table: the table that keeps it: a constant of our code.
        privileged: whether the statements about it are the platform's own words; see `Statement`.
    """

    def __init__(self, database: Database, namespace: Namespace, clock: Clock, *, table: str, privileged: bool) -> None:
        self._database = database
        self._namespace = namespace
        self._clock = clock
        self._privileged = privileged
        self._create = Statement(
            f"CREATE TABLE IF NOT EXISTS {table} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)",
            privileged=privileged,
        )
        self._select = Statement(
            f"SELECT version, name, checksum, applied_at FROM {table} ORDER BY version",  # noqa: S608 (a constant)
            privileged=privileged,
        )
        self._insert = (
            f"INSERT INTO {table} (version, name, checksum, applied_at) "  # noqa: S608 (a constant)
            f"SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM {table}) = ?"
        )

    async def read(self) -> list[Applied]:
        """What was applied, by version. A database to which nothing was applied has no table, and gets none."""
        try:
            rows = await self._database.query(self._namespace, self._select, consistency=Consistency.LINEARIZABLE)
        except Unprocessable as error:
            if "no such table" in error.text:
                return []
            raise
        return [msgspec.convert(dict(zip(rows.columns, row, strict=True)), Applied) for row in rows.rows]

    async def apply(
        self, migration: Fingerprint, statements: Sequence[Statement], *, history_length: int
    ) -> Applied | None:
        """Run `statements` and record `migration`, as one atomic unit.

        Returns None, and changes nothing, if the history has not `history_length` rows any more: somebody else has
        applied something. Then read it again.

        Raises:
            OramaError: as `Database.execute`; ``details["statement"]`` counts `statements` from 0.
        """
        applied = Applied(migration.version, migration.name, migration.checksum, to_ms(self._clock.now()))
        record = Statement(
            self._insert,
            (*msgspec.structs.astuple(applied), history_length),
            expect_rows=1,
            privileged=self._privileged,
        )
        try:
            await self._database.execute(self._namespace, [self._create, record, *statements])
        except Precondition:
            return None
        except OramaError as error:
            if error.details is not None and "statement" in error.details:
                number = error.details.pop("statement") - _OWN_STATEMENTS
                error.details |= {"statement": number} if number >= 0 else {}
            raise
        return applied
