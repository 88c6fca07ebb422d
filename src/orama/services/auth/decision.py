"""Remembered decisions on credentials, so that a warm request costs no question to the database."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

import msgspec

from orama.contracts.clock import Clock
from orama.domain.identity import Principal
from orama.domain.namespace import Namespace
from orama.errors import Unauthenticated, Unavailable
from orama.services.auth.settings import AuthSettings


class Accepted(msgspec.Struct, frozen=True):
    """The credential holds, until `not_after` (unix seconds) at the latest."""

    principal: Principal
    not_after: float


class Refused(msgspec.Struct, frozen=True):
    """The credential does not hold; `text` and `reason` are for the caller."""

    text: str
    reason: str


Decision: TypeAlias = Accepted | Refused
Decide: TypeAlias = Callable[[str], Awaitable[Decision]]


class _Kept(msgspec.Struct, gc=False):
    """An accepted decision and until when (monotonic seconds) it is good: as it is, and in an outage."""

    decision: Accepted
    fresh_until: float
    usable_until: float


class Decisions:
    """Decisions by the SHA-256 of the credential, for `AuthSettings.decision_s`; bounded; asked for once at a time.

    While the database is away an accepted credential stays good for up to `AuthSettings.outage_decision_s` since it
    was last confirmed. Refusals are remembered apart, so that guessing cannot push out what is in use.
    """

    def __init__(self, clock: Clock, settings: AuthSettings) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic
        self._now = clock.now
        self._settings = settings
        self._accepted: dict[bytes, _Kept] = {}
        self._refused: dict[bytes, tuple[Refused, float]] = {}
        self._asking: dict[bytes, asyncio.Task[Decision]] = {}
        self._revocations = 0
        self.hits = 0
        """Credentials decided from memory."""
        self.misses = 0
        """Credentials that had to be checked."""

    def recall(self, credential: str) -> Principal | None:
        """Who `credential` stands for, if it was accepted lately."""
        kept = self._accepted.get(_digest(credential))
        if kept is None or self._monotonic() >= kept.fresh_until or self._now() >= kept.decision.not_after:
            return None
        self.hits += 1
        return kept.decision.principal

    async def of(self, credential: str, decide: Decide) -> Principal:
        """Who `credential` stands for, by memory or by `decide`.

        Raises:
            Unauthenticated: it does not hold.
            Unavailable: it cannot be checked now.
        """
        remembered = self.recall(credential)
        if remembered is not None:
            return remembered
        digest = _digest(credential)
        refused = self._refused.get(digest)
        if refused is not None and self._clock.monotonic() < refused[1]:
            self.hits += 1
            raise Unauthenticated(refused[0].text, reason=refused[0].reason)
        self.misses += 1
        decision = await self._ask(digest, credential, decide)
        if isinstance(decision, Refused):
            raise Unauthenticated(decision.text, reason=decision.reason)
        return decision.principal

    def forget(
        self,
        *,
        key_ids: Collection[str] = (),
        families: Collection[str] = (),
        members: Collection[tuple[Namespace, str]] = (),
    ) -> None:
        """Drop at once what was decided on these keys, on credentials of these sign-ins, and on those of members.

        `members`: by namespace and wallet, when what a wallet may do there has changed.
        """
        self._revocations += 1
        gone = [
            digest
            for digest, kept in self._accepted.items()
            if (caller := kept.decision.principal).key_id in key_ids
            or caller.family in families
            or (caller.namespace, caller.wallet) in members
        ]
        for digest in gone:
            del self._accepted[digest]

    async def _ask(self, digest: bytes, credential: str, decide: Decide) -> Decision:
        task = self._asking.get(digest)
        if task is None:
            task = asyncio.ensure_future(self._decide(digest, credential, decide))
            self._asking[digest] = task
            task.add_done_callback(lambda done: self._answered(digest, done))
        # The question belongs to all who wait for it: one caller's cancellation must not fail the others.
        return await asyncio.shield(task)

    def _answered(self, digest: bytes, task: asyncio.Task[Decision]) -> None:
        del self._asking[digest]
        if not task.cancelled():
            task.exception()  # Seen, even if every waiter has gone away.

    async def _decide(self, digest: bytes, credential: str, decide: Decide) -> Decision:
        asked_at, revocations = self._clock.monotonic(), self._revocations
        try:
            decision = await decide(credential)
        except Unavailable:
            last = self._last(digest)
            if last is None:
                raise
            return last
        if revocations == self._revocations:  # Else this answer may be older than what was revoked meanwhile.
            self._keep(digest, decision, asked_at)
        return decision

    def _last(self, digest: bytes) -> Accepted | None:
        """What was last decided, if that still counts in an outage; it is then not asked again for a moment."""
        kept = self._accepted.get(digest)
        now = self._clock.monotonic()
        if kept is None or now >= kept.usable_until or self._clock.now() >= kept.decision.not_after:
            return None
        kept.fresh_until = min(now + self._settings.outage_retry_s, kept.usable_until)
        return kept.decision

    def _keep(self, digest: bytes, decision: Decision, asked_at: float) -> None:
        # Counted from the question: what is revoked after it may not be in the answer.
        fresh_until = asked_at + self._settings.decision_s
        self._accepted.pop(digest, None)
        self._refused.pop(digest, None)
        if isinstance(decision, Refused):
            self._refused[digest] = (decision, fresh_until)
        else:
            self._accepted[digest] = _Kept(decision, fresh_until, asked_at + self._settings.outage_decision_s)
        for kept in (self._accepted, self._refused):
            if len(kept) > self._settings.max_decisions:
                del kept[next(iter(kept))]  # The oldest: a dict keeps the order of insertion.


def _digest(credential: str) -> bytes:
    # Bytes that are no text arrive as surrogates; they are part of a wrong credential, not a failure.
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()
