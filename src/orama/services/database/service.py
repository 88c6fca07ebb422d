"""SQL for tenants: limits, arguments and answers, whatever the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.sql import Consistency, Result, SchemaObject, SqlLimits, Statement, quote_identifier
from orama.domain.sql_text import DDL_KEYWORDS, first_keyword
from orama.errors import InvalidArgument, NotFound, TooLarge, Unprocessable
from orama.services.database.argument import to_arguments
from orama.services.database.rendering import Table, render_apart
from orama.services.database.selection import Selection
from orama.services.idempotency.attempt import Attempt

_TABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Outcome(msgspec.Struct, frozen=True):
    """What one statement of a batch did; `table` is None unless it has rows. See `domain.sql.Result`."""

    rows_affected: int
    last_insert_id: int
    table: Table | None


class DatabaseService:
    """The database of a namespace. Everywhere `origin` is the id of the request that asks, for logs alone.

    Common to all methods, beside what `contracts.Database` says:

    Raises:
        InvalidArgument: a request that does not hold together; says what was expected.
        TooLarge: it passes a bound of `SqlLimits`; names the bound and the value.
    """

    def __init__(self, database: Database, limits: SqlLimits) -> None:
        self._database = database
        self._limits = limits

    async def query(
        self,
        namespace: Namespace,
        sql: str,
        args: Sequence[Any] = (),
        *,
        consistency: Consistency = Consistency.WEAK,
        origin: str = "",
    ) -> Table:
        """Run one statement that only reads."""
        return await self._read(namespace, self.statement(sql, args, origin=origin), consistency)

    async def select(
        self,
        namespace: Namespace,
        selection: Selection,
        *,
        consistency: Consistency = Consistency.WEAK,
        origin: str = "",
    ) -> Table:
        """Read what `selection` describes."""
        size = selection.size()
        if size > self._limits.max_selection_bytes:
            raise _too_large("bytes of names and expressions", size, self._limits.max_selection_bytes)
        statement = selection.statement(origin)
        self._check(statement)
        return await self._read(namespace, statement, consistency)

    async def select_one(
        self,
        namespace: Namespace,
        selection: Selection,
        *,
        consistency: Consistency = Consistency.WEAK,
        origin: str = "",
    ) -> dict[str, Any]:
        """The first row of what `selection` describes.

        Raises:
            NotFound: there is none.
        """
        limit = 1 if selection.limit is None else min(selection.limit, 1)
        first = msgspec.structs.replace(selection, limit=limit)
        table = await self.select(namespace, first, consistency=consistency, origin=origin)
        if not table.rows:
            raise NotFound("not found")
        return table.items()[0]

    async def execute(
        self,
        namespace: Namespace,
        batch: Sequence[Statement],
        *,
        with_rows: bool = True,
        attempt: Attempt | None = None,
    ) -> list[Outcome]:
        """Run statements, made by `statement`, as one atomic unit: all take effect, durably, or none does.

        With `attempt` they take effect once, however often it is made. `with_rows`: whether the caller looks at the
        tables of the outcomes; a repeated attempt has none otherwise.
        """
        if len(batch) > self._limits.max_statements:
            raise _too_large("statements", len(batch), self._limits.max_statements)
        if attempt is None:
            results = await self._database.execute(namespace, batch)
        else:
            results = await attempt.execute(namespace, batch, keep_rows=with_rows)
        return [await _outcome(result) for result in results]

    async def schema(self, namespace: Namespace) -> list[SchemaObject]:
        """The namespace's tables and views, ordered by name."""
        return await self._database.schema(namespace)

    async def define(self, namespace: Namespace, sql: str, *, origin: str = "", attempt: Attempt | None = None) -> None:
        """Run one statement that defines something: CREATE, ALTER or DROP."""
        if first_keyword(sql) not in DDL_KEYWORDS:
            raise InvalidArgument("'schema' must be one CREATE, ALTER or DROP statement", reason="not_ddl")
        await self.execute(namespace, [self.statement(sql, origin=origin)], attempt=attempt)

    async def drop_table(
        self, namespace: Namespace, table: str, *, origin: str = "", attempt: Attempt | None = None
    ) -> None:
        """Remove a table with its rows.

        Raises:
            NotFound: there is none of that name.
        """
        if _TABLE_NAME.fullmatch(table) is None:
            raise InvalidArgument("invalid table identifier", reason="invalid_name")
        statement = self.statement(f"DROP TABLE {quote_identifier(table)}", origin=origin)
        try:
            await self.execute(namespace, [statement], attempt=attempt)
        except Unprocessable as error:
            if "no such table" in error.text:
                raise NotFound(error.text, reason="table_not_found") from error
            raise

    def statement(
        self, sql: str, args: Sequence[Any] = (), expect_rows: int | None = None, *, origin: str = ""
    ) -> Statement:
        """A statement with JSON arguments, within the limits."""
        statement = Statement(sql, to_arguments(args), expect_rows, origin=origin)
        self._check(statement)
        return statement

    async def _read(self, namespace: Namespace, statement: Statement, consistency: Consistency) -> Table:
        return await render_apart(await self._database.query(namespace, statement, consistency=consistency))

    def _check(self, statement: Statement) -> None:
        limits = self._limits
        if not statement.sql or statement.sql.isspace():
            raise InvalidArgument("'sql' is required", reason="missing_field")
        if len(statement.args) > limits.max_parameters:
            raise _too_large("arguments", len(statement.args), limits.max_parameters)
        _check_size(statement.sql, limits.max_sql_bytes, "bytes of SQL")
        for value in statement.args:
            if isinstance(value, (str, bytes)):
                _check_size(value, limits.max_value_bytes, "bytes of one value")


async def _outcome(result: Result) -> Outcome:
    table = None if result.rows is None else await render_apart(result.rows)
    return Outcome(result.rows_affected, result.last_insert_id, table)


def _check_size(value: str | bytes, limit: int, what: str) -> None:
    # A character has at most 4 bytes: most texts need not be encoded to be measured.
    if isinstance(value, str) and len(value) * 4 > limit:
        value = value.encode("utf-8", "surrogatepass")
    if len(value) > limit:
        raise _too_large(what, len(value), limit)


def _too_large(what: str, found: int, limit: int) -> TooLarge:
    return TooLarge(
        f"{found} {what}: the limit is {limit}", reason="sql_limit", details={"limit": limit, "value": found}
    )
