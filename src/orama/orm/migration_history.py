"""What was applied to a database: recorded in a table of its own, in the same transaction as the effect."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.migration import Applied, Fingerprint
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import OramaError, Precondition, Unprocessable

_OWN_STATEMENTS = 2
"""How many statements of ours stand before those of a migration."""


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

    async def prepare(self) -> None:
        """Make the table if it is missing, so that `read` need not fail to learn it; `apply` makes it, too."""
        await self._database.execute(self._namespace, [self._create])

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
