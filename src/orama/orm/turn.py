"""Long work on the event loop, in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

_T = TypeVar("_T")

ROWS_PER_TURN: Final = 100
"""Rows that are mapped before other tasks have their turn: below 1 ms."""


async def in_turns(items: Iterable[_T]) -> AsyncIterator[_T]:
    """The `items`, with a turn for other tasks after every `ROWS_PER_TURN` of them."""
    for number, item in enumerate(items, 1):
        yield item
        if number % ROWS_PER_TURN == 0:
            await asyncio.sleep(0)
