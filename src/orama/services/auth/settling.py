"""From what is read to what is written, when others write at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from orama.contracts.database import Database
from orama.domain.sql import Statement
from orama.errors import Precondition, Unavailable
from orama.services.idempotency.attempt import Attempt, carry_out

_ATTEMPTS: Final = 3

_T = TypeVar("_T")


async def settle(
    database: Database, plan: Callable[[], Awaitable[tuple[_T, list[Statement]]]], attempt: Attempt | None = None
) -> _T:
    """Carry out what `plan` comes to: all of its statements or none; returns its outcome.

    What a plan reads makes for good messages; what is true is decided by the conditions in its statements. If one of
    them fails, the world has changed in between, and the plan is made anew.

    Raises:
        Unavailable: the world changes faster than it can be read.
    """
    for _ in range(_ATTEMPTS):
        outcome, statements = await plan()
        try:
            return await carry_out(database, statements, outcome, attempt)
        except Precondition:
            continue
    raise Unavailable("this is being changed elsewhere; try again", retry_after_s=1)
