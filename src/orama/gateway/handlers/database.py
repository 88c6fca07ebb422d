"""``/v1/rqlite``: SQL."""

from __future__ import annotations

from typing import Any, Final

from orama.errors import Code, InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import Idempotency, RouteClass, operation
from orama.services.database.rendering import Table
from orama.services.database.selection import Condition, Join, Selection
from orama.services.database.service import DatabaseService, Outcome
from orama.wire.database import (
    CreateTable,
    Done,
    DropTable,
    ExecResult,
    ExecuteSql,
    FindOptions,
    FindRows,
    JoinTable,
    QuerySql,
    RowList,
    RunTransaction,
    SelectRows,
    StepResult,
    TableInfo,
    TableList,
    TransactionResult,
)

_READ: Final = "db:read"
_WRITE: Final = "db:write"
_ALWAYS: Final = (
    Code.INVALID_ARGUMENT,
    Code.PERMISSION_DENIED,
    Code.TOO_LARGE,
    Code.UNPROCESSABLE,
    Code.BAD_BACKEND,
    Code.UNAVAILABLE,
)
_ON_WRITE: Final = (*_ALWAYS, Code.DEADLINE, Code.STORAGE_FULL)


class DatabaseHandlers:
    """The database of the caller's own namespace."""

    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    @operation("POST", "/v1/rqlite/query", scope=_READ, route_class=RouteClass.READ, errors=_ALWAYS)
    async def query(self, call: Call, request: QuerySql) -> RowList:
        """Run one statement that reads.

        Columns declared BOOLEAN come as true and false, DATE, DATETIME and TIMESTAMP as RFC 3339, BLOBs as base64.
        """
        return _row_list(
            await self._database.query(
                call.caller.namespace,
                request.sql,
                request.args or (),
                consistency=request.consistency,
                origin=call.request_id,
            )
        )

    @operation(
        "POST",
        "/v1/rqlite/exec",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=_ON_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def exec(self, call: Call, request: ExecuteSql) -> ExecResult:
        """Run one statement that writes.

        The answer comes after the effect is durable.
        """
        database = self._database
        statement = database.statement(request.sql, request.args or (), origin=call.request_id)
        (done,) = await database.execute(call.caller.namespace, [statement], with_rows=False, attempt=call.attempt)
        return ExecResult(done.rows_affected, done.last_insert_id)

    @operation("POST", "/v1/rqlite/find", scope=_READ, route_class=RouteClass.READ, errors=_ALWAYS)
    async def find(self, call: Call, request: FindRows) -> RowList:
        """List the rows whose columns have the given values."""
        return _row_list(
            await self._database.select(
                call.caller.namespace, _found(request), consistency=request.consistency, origin=call.request_id
            )
        )

    @operation(
        "POST", "/v1/rqlite/find-one", scope=_READ, route_class=RouteClass.READ, errors=(*_ALWAYS, Code.NOT_FOUND)
    )
    async def find_one(self, call: Call, request: FindRows) -> dict[str, Any]:
        """Read the first row whose columns have the given values."""
        return await self._database.select_one(
            call.caller.namespace, _found(request), consistency=request.consistency, origin=call.request_id
        )

    @operation("POST", "/v1/rqlite/select", scope=_READ, route_class=RouteClass.READ, errors=(*_ALWAYS, Code.NOT_FOUND))
    async def select(self, call: Call, request: SelectRows) -> RowList | dict[str, Any]:
        """Run a SELECT given in parts.

        With `one`, the answer is the first row itself, with the row again in `items`; 404 if there is none.
        """
        namespace, selection, origin = call.caller.namespace, _selected(request), call.request_id
        if not request.one:
            return _row_list(
                await self._database.select(namespace, selection, consistency=request.consistency, origin=origin)
            )
        row = await self._database.select_one(namespace, selection, consistency=request.consistency, origin=origin)
        return {"items": [row], **row}

    @operation(
        "POST",
        "/v1/rqlite/transaction",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ON_WRITE, Code.PRECONDITION),
        idempotency=Idempotency.ATOMIC,
    )
    async def transaction(self, call: Call, request: RunTransaction) -> TransactionResult:
        """Run statements that take effect all together or not at all.

        412 if one met another number of rows than it expected.
        """
        database = self._database
        if request.ops:
            kinds = [step.kind for step in request.ops]
            batch = [
                database.statement(step.sql, step.args or (), step.expect_rows, origin=call.request_id)
                for step in request.ops
            ]
        else:
            kinds = ["exec"] * len(request.statements or ())
            batch = [database.statement(sql, origin=call.request_id) for sql in request.statements or ()]
        if not batch:
            raise InvalidArgument("'ops' or 'statements' must hold a statement", reason="missing_field")
        outcomes = await database.execute(
            call.caller.namespace, batch, with_rows=request.return_results, attempt=call.attempt
        )
        if not request.return_results:
            return TransactionResult("ok")
        return TransactionResult("ok", [_step_result(*step) for step in zip(kinds, outcomes, strict=True)])

    @operation("GET", "/v1/rqlite/schema", scope=_READ, route_class=RouteClass.READ, errors=_ALWAYS)
    async def schema(self, call: Call) -> TableList:
        """List the tables and views, ordered by name."""
        found = await self._database.schema(call.caller.namespace)
        return TableList([TableInfo(one.name, one.type, one.sql) for one in found], len(found))

    @operation(
        "POST",
        "/v1/rqlite/create-table",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=_ON_WRITE,
        status=201,
        idempotency=Idempotency.ATOMIC,
    )
    async def create_table(self, call: Call, request: CreateTable) -> Done:
        """Create, alter or drop a table, view or index by one statement."""
        await self._database.define(call.caller.namespace, request.schema, origin=call.request_id, attempt=call.attempt)
        return Done()

    @operation(
        "POST",
        "/v1/rqlite/drop-table",
        scope=_WRITE,
        route_class=RouteClass.WRITE,
        errors=(*_ON_WRITE, Code.NOT_FOUND),
        idempotency=Idempotency.ATOMIC,
    )
    async def drop_table(self, call: Call, request: DropTable) -> Done:
        """Remove a table with its rows."""
        await self._database.drop_table(
            call.caller.namespace, request.table, origin=call.request_id, attempt=call.attempt
        )
        return Done()


def _row_list(table: Table) -> RowList:
    return RowList(table.items(), len(table.rows), table.columns, table.rows)


def _step_result(kind: str, outcome: Outcome) -> StepResult | list[dict[str, Any]]:
    if kind == "exec":
        return StepResult(outcome.rows_affected, outcome.last_insert_id)
    return [] if outcome.table is None else outcome.table.items()


def _found(request: FindRows) -> Selection:
    options = request.options if request.options not in (None, FindOptions()) else request
    return Selection(
        table=request.table,
        columns=tuple(options.select or ()),
        joins=_joins(options.joins),
        criteria=request.criteria or {},
        group_by=tuple(options.group_by or ()),
        order_by=tuple(options.order_by or ()),
        limit=options.limit or None,
        offset=options.offset or 0,
    )


def _selected(request: SelectRows) -> Selection:
    return Selection(
        table=request.table,
        alias=request.alias,
        columns=tuple(request.select or ()),
        joins=_joins(request.joins),
        where=tuple(Condition(term.expr, tuple(term.args or ()), term.conj) for term in request.where or ()),
        group_by=tuple(request.group_by or ()),
        order_by=tuple(request.order_by or ()),
        limit=request.limit,
        offset=request.offset or 0,
    )


def _joins(joins: list[JoinTable] | None) -> tuple[Join, ...]:
    return tuple(Join(one.table, one.kind, one.on) for one in joins or ())
