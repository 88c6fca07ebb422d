"""Requests and replies of ``/v1/rqlite``. Lists and objects that a client sends as null count as empty."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from orama.domain.sql import MAX_INTEGER, MIN_INTEGER, Consistency
from orama.wire.field import REQUIRED, Count, Text, Words

_ARGUMENT: Final[dict[str, Any]] = {
    "description": 'null, a boolean, a number, a string, or `{"blob": "<base64>"}`.',
    "anyOf": [
        {"type": ["null", "boolean", "string"]},
        {"type": "number", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER},
        {
            "type": "object",
            "properties": {"blob": {"type": "string", "contentEncoding": "base64"}},
            "required": ["blob"],
            "additionalProperties": False,
        },
    ],
}
_Args = (
    Annotated[
        list[Any], msgspec.Meta(description="The values of `?`, in order.", extra_json_schema={"items": _ARGUMENT})
    ]
    | None
)
_Criteria = Annotated[dict[str, Any], msgspec.Meta(extra_json_schema={"additionalProperties": _ARGUMENT})] | None
_Expression = Annotated[str, msgspec.Meta(description="One SQL expression.")]
_TableName = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", REQUIRED: True})]


class QuerySql(msgspec.Struct):
    """One statement that reads."""

    sql: Words = ""
    args: _Args = None
    consistency: Consistency = Consistency.WEAK


class ExecuteSql(msgspec.Struct):
    """One statement that writes."""

    sql: Words = ""
    args: _Args = None


class JoinTable(msgspec.Struct):
    """Another table: `kind` is INNER (also empty), LEFT, RIGHT, FULL or CROSS."""

    table: Text = ""
    kind: str = ""
    on: _Expression = ""


class FindOptions(msgspec.Struct):
    """What of the found rows, and in which order. `limit` 0 means no limit."""

    select: list[str] | None = None
    joins: list[JoinTable] | None = None
    group_by: list[str] | None = None
    order_by: list[str] | None = None
    limit: Count | None = None
    offset: Count | None = None


class FindRows(FindOptions):
    """Which rows: those whose columns equal the criteria. `options`, if it says anything, wins as a whole."""

    table: Text = ""
    criteria: _Criteria = None
    options: FindOptions | None = None
    consistency: Consistency = Consistency.WEAK


class WhereTerm(msgspec.Struct):
    """One condition; `conj` (AND, OR) joins it to the one before."""

    expr: Annotated[_Expression, msgspec.Meta(extra_json_schema={REQUIRED: True})] = ""
    args: _Args = None
    conj: str = "AND"


class SelectRows(msgspec.Struct):
    """A SELECT in parts. With `one`, only its first row."""

    table: Text = ""
    alias: str | None = None
    select: list[str] | None = None
    joins: list[JoinTable] | None = None
    where: list[WhereTerm] | None = None
    group_by: list[str] | None = None
    order_by: list[str] | None = None
    limit: Count | None = None
    offset: Count | None = None
    one: bool = False
    consistency: Consistency = Consistency.WEAK


class TransactionStep(msgspec.Struct):
    """One statement of a transaction. If it meets another number of rows than `expect_rows`, all is undone."""

    kind: Literal["exec", "query"] = "exec"
    sql: Words = ""
    args: _Args = None
    expect_rows: int | None = None


class RunTransaction(msgspec.Struct):
    """Statements that take effect all together or not at all. `statements` counts only if `ops` is empty."""

    ops: list[TransactionStep] | None = None
    statements: list[str] | None = None
    return_results: bool = False


class CreateTable(msgspec.Struct):
    """One CREATE, ALTER or DROP statement."""

    schema: Words = ""


class DropTable(msgspec.Struct):
    """The table to remove."""

    table: _TableName = ""


class RowList(msgspec.Struct):
    """Rows twice, for readers of either form: as objects, and as lists in the order of `columns`."""

    items: list[dict[str, Any]]
    count: int
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class ExecResult(msgspec.Struct):
    """What a write did. `last_insert_id` is 0 unless this statement inserted a row."""

    rows_affected: int
    last_insert_id: int
    execution_state: str = "ok"


class StepResult(msgspec.Struct):
    """What a step of kind `exec` did."""

    rows_affected: int
    last_insert_id: int


class TransactionResult(msgspec.Struct, omit_defaults=True):
    """`results`, if asked for: per step a `StepResult`, or the rows as objects."""

    status: Literal["ok"]
    results: list[StepResult | list[dict[str, Any]]] | None = None


class TableInfo(msgspec.Struct):
    """A table or view, and the SQL that made it."""

    name: str
    type: str
    sql: str


class TableList(msgspec.Struct):
    """The namespace's tables and views."""

    tables: list[TableInfo]
    count: int


class Done(msgspec.Struct):
    """It took effect."""

    status: str = "ok"
