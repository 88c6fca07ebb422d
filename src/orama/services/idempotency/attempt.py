"""One request with a key on its way to the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.once import Executed, Once, find, key_reused
from orama.domain.sql import Consistency, Result, Statement
from orama.errors import Conflict, Internal, OramaError
from orama.services.auth.keyring import Sealer
from orama.services.idempotency.space import Spaces

T = TypeVar("T")


class Attempt:
    """A request that must take effect once, here or in an earlier attempt.

    Everything that it changes is one batch, in a tenant's database (`execute`) or in the platform's (`carry_out`).
    `replayed` tells, once that is done, whether it was done before.
    """

    def __init__(self, once: Once, database: Database, spaces: Spaces, sealer: Sealer) -> None:
        self._once = once
        self._database = database
        self._spaces = spaces
        self._sealer = sealer
        self._done = False
        self.replayed = False

    async def execute(self, namespace: Namespace, batch: Sequence[Statement], *, keep_rows: bool) -> list[Result]:
        """As `contracts.Database.execute`; a repeat gets the results of the first time, with their rows if `keep_rows`.

        Raises:
            Conflict: the key stands for another request, or the results were not kept.
        """
        await self._spaces.note(namespace)
        executed = await self._execute(namespace, batch, msgspec.structs.replace(self._once, keep_rows=keep_rows))
        if executed.results is None:
            raise reply_not_kept()
        return executed.results

    async def carry_out(self, batch: Sequence[Statement], outcome: T) -> tuple[T, list[Result]]:
        """Change the platform's tables by `batch`; a repeat gets the outcome and the results of the first time.

        Outcomes hold secrets that are shown once: they are kept sealed, and open for this key only. Results are kept as
        they are: `batch` returns no secrets.

        Raises:
            Conflict: the key stands for another request, or the outcome was not kept.
        """
        sealed = self._sealer.seal(msgspec.msgpack.encode(outcome), self._context)
        kept = sealed if len(sealed) <= self._once.max_kept_bytes else None
        executed = await self._execute(PLATFORM, batch, msgspec.structs.replace(self._once, note=kept))
        if executed.replayed:
            outcome = self._outcome(executed.note, type(outcome))
        return outcome, executed.results or []

    async def recall(self, kind: type[T]) -> T | None:
        """The outcome, of type `kind`, if the request took effect in the platform's tables before.

        Raises:
            Conflict: the key stands for another request, or the outcome was not kept.
        """
        statement = find(self._once.key, self._once.now)
        rows = (await self._database.query(PLATFORM, statement, consistency=Consistency.LINEARIZABLE)).rows
        if not rows:
            return None
        request, _, note = msgspec.convert(rows[0], tuple[bytes, bytes | None, bytes | None])
        if request != self._once.request:
            raise key_reused()
        self.replayed = True
        return self._outcome(note, kind)

    async def _execute(self, namespace: Namespace, batch: Sequence[Statement], once: Once) -> Executed:
        if self._done:  # A second batch would be taken for a repeat of the first, and not be executed.
            raise Internal("an attempt has one batch")
        executed = await self._database.execute_once(namespace, batch, once)
        self._done, self.replayed = True, executed.replayed
        return executed

    def _outcome(self, note: bytes | None, kind: type[T]) -> T:
        if note is None:
            raise reply_not_kept()
        try:
            return msgspec.msgpack.decode(self._sealer.unseal(note, self._context), type=kind)
        except msgspec.MsgspecError as error:  # Another version of this program kept it in another form.
            raise reply_not_kept() from error

    @property
    def _context(self) -> str:
        return f"idempotency key {self._once.key.hex()}"


async def once(attempt: Attempt | None, kind: type[T], act: Callable[[], Awaitable[T]]) -> T:
    """`act`, unless it took effect in an earlier attempt: then its outcome of then.

    Where `act` fails, a repeat may have overtaken it, and what that changed may be why: a challenge that is used up.
    """
    if attempt is None:
        return await act()
    known = await attempt.recall(kind)
    if known is not None:
        return known
    try:
        return await act()
    except OramaError:
        known = await attempt.recall(kind)
        if known is None:
            raise
        return known


async def carry_out(database: Database, batch: Sequence[Statement], outcome: T, attempt: Attempt | None) -> T:
    """Change the platform's tables by `batch` and return `outcome`, or that of an earlier attempt."""
    if attempt is not None:
        return (await attempt.carry_out(batch, outcome))[0]
    await database.execute(PLATFORM, batch)
    return outcome


async def carry_out_unseen(database: Database, batch: Sequence[Statement], attempt: Attempt | None) -> list[Result]:
    """Change the platform's tables by `batch` and return its results; for acts whose outcome is only that it is done.

    `once` knows them as True.
    """
    return await database.execute(PLATFORM, batch) if attempt is None else (await attempt.carry_out(batch, True))[1]


def reply_not_kept() -> Conflict:
    """The request took effect, and nobody can say any more what it was answered."""
    return Conflict(
        "the request took effect when it was sent first, but its reply was not kept, mostly because it was too long: "
        "read what it changed",
        reason="idempotency_reply_not_kept",
    )
