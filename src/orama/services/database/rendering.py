"""From SQL to JSON: values as clients expect them, by the declared types of their columns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import msgspec

from orama.domain.sql import Rows, Value

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_MILLISECONDS_FROM: Final = 10**12
"""Integers beyond this are milliseconds since 1970, others are seconds."""
_DAY_0: Final = date(1970, 1, 1).toordinal()
_MAX_CELLS_ON_LOOP: Final = 20_000
"""Some 20 ms of work at most."""

_Renderer: TypeAlias = Callable[[Value], Value]


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
    makers = [_RENDERERS.get((declared or "").upper()) for declared in rows.declared]
    if not any(makers):
        return Table(rows.columns, rows.rows)
    days: dict[int, str] = {}
    renderers = [None if make is None else make(days) for make in makers]
    return Table(
        rows.columns,
        [
            tuple(value if render is None else render(value) for value, render in zip(row, renderers, strict=True))
            for row in rows.rows
        ],
    )


async def render_apart(rows: Rows) -> Table:
    """`render`, in a thread if there is much to do, so that the event loop goes on."""
    if len(rows.rows) * len(rows.columns) <= _MAX_CELLS_ON_LOOP or not any(
        (declared or "").upper() in _RENDERERS for declared in rows.declared
    ):
        return render(rows)
    return await asyncio.to_thread(render, rows)


def _boolean(value: Value) -> Value:
    return value > 0 if isinstance(value, int) else value


def _moment(value: Value, days: dict[int, str]) -> Value:
    if isinstance(value, int):
        return _unix_time(value, days)
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    day, minute, second, fraction, zone = found.groups(default="")
    text = f"{day}T{minute or '00:00'}{second or ':00'}{fraction.rstrip('0').rstrip('.')}{zone or 'Z'}"
    return text if _exists(f"{day}T{minute or '00:00'}{second or ':00'}") else value


def _unix_time(value: int, days: dict[int, str]) -> Value:
    seconds, milliseconds = divmod(value, 1000) if abs(value) > _MILLISECONDS_FROM else (value, 0)
    day, second = divmod(seconds, 86_400)
    text = days.get(day)
    if text is None:
        try:
            text = date.fromordinal(_DAY_0 + day).isoformat()
        except (ValueError, OverflowError):
            return value
        days[day] = text
    minute, second = divmod(second, 60)
    text = f"{text}T{minute // 60:02}:{minute % 60:02}:{second:02}"
    return f"{text}{f'.{milliseconds:03}'.rstrip('0') if milliseconds else ''}Z"


def _exists(moment: str) -> bool:
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def _booleans(_days: dict[int, str]) -> _Renderer:
    return _boolean


def _moments(days: dict[int, str]) -> _Renderer:
    return lambda value: _moment(value, days)


_RENDERERS: Final[dict[str, Callable[[dict[int, str]], _Renderer]]] = {
    "BOOLEAN": _booleans,
    "DATE": _moments,
    "DATETIME": _moments,
    "TIMESTAMP": _moments,
}
"""How to make what renders a column of that type; `days` are the texts of the days met in this answer."""
