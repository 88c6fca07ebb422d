"""What is over goes: one sweep removes it from one place, a few rows at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement, Value

Remove: TypeAlias = Callable[[int], Awaitable[int]]


class Sweep(msgspec.Struct, frozen=True):
    """The removal of what is over in one place, by whoever owns that place.

    `name` is the place, as metrics show it. `remove` removes at most as many rows as it is told and returns how many
    those were; fewer than told means that nothing is left for now. It may be called at any time, from several nodes at
    once.
    """

    name: str
    remove: Remove


def platform_sweep(database: Database, table: str, sql: str, arguments: Callable[[], tuple[Value, ...]]) -> Sweep:
    """The removal of old rows from one of the platform's tables.

    Args:
        database: where the platform's tables are.
        table: its name.
        sql: a DELETE with one more ``?`` at its end than there are arguments: the most rows that it may remove.
            What it looks for must be found by an index, so that its cost follows what it removes.
        arguments: asked for each time, as they tell the time.
    """

    async def remove(max_rows: int) -> int:
        (result,) = await database.execute(PLATFORM, [Statement(sql, (*arguments(), max_rows))])
        return result.rows_affected

    return Sweep(table, remove)
