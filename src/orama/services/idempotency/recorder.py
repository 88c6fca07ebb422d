"""Requests whose effect is not in SQL: the key is recorded before the effect, and the reply after it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, TypeAlias

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.once import Once, annotate, forget
from orama.domain.timestamp import to_ms
from orama.errors import Code, Conflict, Deadline, OramaError
from orama.services.idempotency.attempt import reply_not_kept
from orama.services.idempotency.space import Spaces

_OUTCOME_UNKNOWN: Final = frozenset({Code.DEADLINE, Code.INTERNAL, Code.BAD_BACKEND, Code.CANCELLED})


class StoredReply(msgspec.Struct, frozen=True):
    """A reply as it was first given."""

    status: int
    content_type: str
    headers: list[tuple[str, str]]
    body: bytes


class _Begun(msgspec.Struct, frozen=True, tag=True):
    """The request was begun at `at` (unix milliseconds), and nobody has said how it ended."""

    at: int


class _Ended(msgspec.Struct, frozen=True, tag=True):
    """It took effect; `reply` is None if it was too long to be kept."""

    reply: StoredReply | None


_Record: TypeAlias = _Begun | _Ended
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Record).decode


class Recorder:
    """Records keyed requests in the database of their namespace: at most one effect for each key.

    Args:
        database: where the records are kept.
        spaces: hears of each namespace with records.
        clock: tells the time.
        in_use_s: for so long a request that was begun may still be under way.
    """

    def __init__(self, database: Database, spaces: Spaces, clock: Clock, *, in_use_s: float) -> None:
        self._database = database
        self._spaces = spaces
        self._clock = clock
        self._in_use_ms = int(in_use_s * 1000)

    async def begin(self, namespace: Namespace, once: Once) -> StoredReply | None:
        """Record that the request begins. None if it is the first; its reply, if it took effect before.

        Raises:
            Conflict: the key stands for another request (reason ``idempotency_key_reused``), or for one that is under
                way (reason ``idempotency_key_in_use``), or the reply was too long to be kept.
            Deadline: the request was begun before and did not end: it may or may not have taken effect.
        """
        await self._spaces.note(namespace)
        begun = msgspec.structs.replace(once, note=_encode(_Begun(once.now)))
        executed = await self._database.execute_once(namespace, [], begun)
        if not executed.replayed or executed.note is None:
            return None
        record: _Record = _decode(executed.note)
        match record:
            case _Begun(at) if to_ms(self._clock.now()) - at < self._in_use_ms:
                raise Conflict(
                    "a request with this Idempotency-Key is under way: repeat it in a moment",
                    reason="idempotency_key_in_use",
                    retry_after_s=1,
                )
            case _Begun():
                raise Deadline(
                    "a request with this Idempotency-Key was begun and did not end: it may have taken effect or not",
                    reason="outcome_unknown",
                )
            case _Ended(None):
                raise reply_not_kept()
            case _Ended(reply):
                return reply

    async def end(self, namespace: Namespace, once: Once, reply: StoredReply) -> None:
        """Record the reply to a request that took effect."""
        record = _encode(_Ended(reply))
        if len(record) > once.max_kept_bytes:
            record = _encode(_Ended(None))
        with suppress(OramaError):  # What happened stays true; a repeat hears that its outcome is unknown.
            await self._database.execute(namespace, [annotate(once.key, record)])

    async def fail(self, namespace: Namespace, once: Once, error: OramaError) -> None:
        """Forget a request that failed and changed nothing, so that a repeat is carried out."""
        if error.code not in _OUTCOME_UNKNOWN:
            with suppress(OramaError):  # The caller is to hear of `error`.
                await self._database.execute(namespace, [forget(once.key)])
