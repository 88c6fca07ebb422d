"""How the ORM reaches one namespace's database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, Result, Rows, SqlLimits, Statement
from orama.errors import TooLarge


class Link(msgspec.Struct, frozen=True, eq=False):
    """Where statements go, how fresh answers must be, and what one batch may hold."""

    database: Database
    namespace: Namespace
    consistency: Consistency
    limits: SqlLimits

    async def read(self, statement: Statement) -> Rows:
        """The answer to a statement that only reads. Raises what `contracts.Database.query` does."""
        return await self.database.query(self.namespace, statement, consistency=self.consistency)

    async def write(self, batch: Sequence[Statement]) -> list[Result]:
        """Run a batch as one atomic unit. Raises what `contracts.Database.execute` does, and:

        Raises:
            TooLarge: see `check_length`.
        """  # noqa: D415 (the summary runs on)
        self.check_length(len(batch))
        return await self.database.execute(self.namespace, batch)

    def check_length(self, statements: int) -> None:
        """Refuse a batch that is too long.

        Raises:
            TooLarge: it has more than `SqlLimits.max_statements` (reason ``sql_limit``).
        """
        limit = self.limits.max_statements
        if statements > limit:
            raise TooLarge(
                f"{statements} statements in one batch: the limit is {limit}, so write in several",
                reason="sql_limit",
                details={"limit": limit, "value": statements},
            )
