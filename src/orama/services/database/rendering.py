"""From SQL to JSON: values as clients expect them, by the declared types of their columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from orama.domain.sql import Rows, Value

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_MILLISECONDS_FROM: Final = 10**12
"""Integers beyond this are milliseconds since 1970, others are seconds."""


class Table(msgspec.Struct, frozen=True):
    """The answer to a read, ready for JSON; `bytes` among the values stand for base64."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def items(self) -> list[dict[str, Any]]:
        """The rows as objects. Of two columns with one name the later wins."""
        columns = self.columns
        return [dict(zip(columns, row, strict=True)) for row in self.rows]


def render(rows: Rows) -> Table:
    """The values of `rows` as clients expect them.

    Columns declared BOOLEAN give true and false; DATE, DATETIME and TIMESTAMP give RFC 3339 text, where the value is a
    moment in one of SQLite's forms or unix time; all else stays what it is.
    """
    renderers = [_RENDERERS.get((declared or "").upper()) for declared in rows.declared]
    if not any(renderers):
        return Table(rows.columns, rows.rows)
    return Table(
        rows.columns,
        [
            tuple(value if render is None else render(value) for value, render in zip(row, renderers, strict=True))
            for row in rows.rows
        ],
    )


def _boolean(value: Value) -> Value:
    return value > 0 if isinstance(value, int) else value


def _moment(value: Value) -> Value:
    if isinstance(value, int):
        return _unix_time(value)
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    day, minute, second, fraction, zone = found.groups(default="")
    text = f"{day}T{minute or '00:00'}{second or ':00'}{fraction.rstrip('0').rstrip('.')}{zone or 'Z'}"
    return text if _exists(f"{day}T{minute or '00:00'}{second or ':00'}") else value


def _unix_time(value: int) -> Value:
    seconds, milliseconds = divmod(value, 1000) if abs(value) > _MILLISECONDS_FROM else (value, 0)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return value
    return f"{text}{f'.{milliseconds:03}'.rstrip('0') if milliseconds else ''}Z"


def _exists(moment: str) -> bool:
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


_RENDERERS: Final[dict[str, Callable[[Value], Value]]] = {
    "BOOLEAN": _boolean,
    "DATE": _moment,
    "DATETIME": _moment,
    "TIMESTAMP": _moment,
}
