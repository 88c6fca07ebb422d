"""Changes of single rows: each is one statement, and a way to read what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from orama.domain.sql import Result, Statement, Value, quote_identifier
from orama.errors import Precondition
from orama.orm.link import Link
from orama.orm.mapping import E, Field
from orama.orm.mismatch import RowMismatch, Unfit
from orama.orm.table import Table

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Write(msgspec.Struct, Generic[_T_co], frozen=True, eq=False):
    """A statement, and what its result stands for. `versioned`: the table whose row must have the version it had."""

    statement: Statement
    outcome: Callable[[Result], _T_co]
    versioned: str | None = None


async def run(link: Link, writes: Sequence[Write[_T]]) -> list[_T]:
    """Run statements as one atomic batch; returns the outcome of each. Raises what `Link.write` does, and:

    Raises:
        Precondition: reason ``stale``: a row has another version, or is gone. Nothing was changed.
    """  # noqa: D415 (the summary runs on)
    try:
        results = await link.write([write.statement for write in writes])
    except Precondition as error:
        # Of a single statement it need not say which.
        number: int | None = (error.details or {}).get("statement", 0 if len(writes) == 1 else None)
        table = None if number is None else writes[number].versioned
        if table is None:
            raise
        raise Precondition(
            f"the row of {table} was changed or removed since it was read: nothing was changed; read it again",
            reason="stale",
            details=error.details,
        ) from error
    return [write.outcome(result) for write, result in zip(writes, results, strict=True)]


def saving(table: Table[E, Any], entity: E) -> Write[E]:
    """Store `entity`: a new row, or in place of the row with its primary key. Its outcome is the entity as stored.

    Raises:
        ValueMismatch: a value is not what its field is declared to be.
    """
    values = dict(zip(table.shape.fields, table.shape.write(entity), strict=True))
    changes: dict[str, object] = {}
    on_conflict = ""
    if table.version is None:
        on_conflict = _on_conflict(table)
    else:
        before = values[table.version]
        changes[table.version.attribute] = values[table.version] = getattr(entity, table.version.attribute) + 1
        if before:
            return Write(
                _update(table, entity, values, before), lambda _: table.shape.replaced(entity, changes), table.name
            )
    if not table.generated or values[table.key[0]] is not None:
        return Write(_insert(table, values, on_conflict), lambda _: table.shape.replaced(entity, changes))
    key = table.key[0]
    del values[key]
    insertion = _insert(table, values, f" RETURNING {quote_identifier(key.column)}")
    return Write(
        msgspec.structs.replace(insertion, expect_rows=1),
        lambda result: table.shape.replaced(entity, {**changes, key.attribute: _given_key(key, result)}),
    )


def removing(table: Table[E, Any], entity: E) -> Write[bool]:
    """Remove the row of `entity`. Its outcome is whether there was one; with a version there must be.

    Raises:
        ValueMismatch: the entity was never stored.
    """
    version = table.version
    if version is None:
        return removing_key(table, table.key_of(entity))
    args = (*table.key_of(entity), version.write(getattr(entity, version.attribute)))
    sql = f"DELETE FROM {quote_identifier(table.name)} WHERE {_matching([*table.key, version])}"  # noqa: S608 (quoted)
    return Write(Statement(sql, args, expect_rows=1), lambda _: True, table.name)


def removing_key(table: Table[Any, Any], key: tuple[Value, ...]) -> Write[bool]:
    """Remove the row with that primary key, whatever its version. Its outcome is whether there was one."""
    sql = f"DELETE FROM {quote_identifier(table.name)} WHERE {_matching(table.key)}"  # noqa: S608 (quoted)
    return Write(Statement(sql, key), lambda result: result.rows_affected > 0)


def _insert(table: Table[Any, Any], values: Mapping[Field, Value], suffix: str) -> Statement:
    into = f"INSERT INTO {quote_identifier(table.name)}"
    if not values:
        return Statement(f"{into} DEFAULT VALUES{suffix}")
    columns = ", ".join(quote_identifier(field.column) for field in values)
    marks = ", ".join("?" * len(values))
    return Statement(f"{into} ({columns}) VALUES ({marks}){suffix}", tuple(values.values()))


def _update(table: Table[E, Any], entity: E, values: Mapping[Field, Value], version: Value) -> Statement:
    assert table.version is not None
    changed = {field: value for field, value in values.items() if field not in table.key}
    assignments = ", ".join(f"{quote_identifier(field.column)} = ?" for field in changed)
    return Statement(
        f"UPDATE {quote_identifier(table.name)} SET {assignments} WHERE {_matching([*table.key, table.version])}",  # noqa: S608 (quoted)
        (*changed.values(), *table.key_of(entity), version),
        expect_rows=1,
    )


def _on_conflict(table: Table[Any, Any]) -> str:
    key = ", ".join(quote_identifier(field.column) for field in table.key)
    others = [quote_identifier(field.column) for field in table.shape.fields if field not in table.key]
    if not others:
        return f" ON CONFLICT ({key}) DO NOTHING"
    return f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in others)}"


def _matching(fields: Sequence[Field]) -> str:
    return " AND ".join(f"{quote_identifier(field.column)} = ?" for field in fields)


def _given_key(key: Field, result: Result) -> object:
    assert result.rows is not None  # it has the column of RETURNING
    ((value,),) = result.rows.rows
    try:
        return key.codec.required().read(value)
    except Unfit as unfit:
        # Stored it is: what is wrong is the table.
        raise RowMismatch(key.table, key.column, expected="an INTEGER PRIMARY KEY", got=unfit.got) from None
