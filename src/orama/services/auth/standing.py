"""What a caller may do at the very moment of an act: read anew, and still true when the act takes effect.

A caller's scopes as the gateway knows them may be some seconds old. For requests on data that is the price of asking no
database; whoever changes members, keys or invitations could use those seconds to outlive its own removal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias, TypeVar

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.identity import Principal
from orama.domain.role import ROLE_SCOPES, Role
from orama.domain.scope import allows, beyond
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import PermissionDenied, Unauthenticated
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.audit import Condition
from orama.services.auth.family import Families
from orama.services.auth.settling import settle
from orama.services.idempotency.attempt import Attempt, once

_SIGN_IN_HOLDS: Final = (
    "EXISTS (SELECT 1 FROM families f JOIN members m ON m.namespace = f.namespace AND m.wallet = f.wallet "
    "WHERE f.id = ? AND f.revoked_at IS NULL AND m.role = ?)"
)
_KEY_HOLDS: Final = (
    "EXISTS (SELECT 1 FROM api_keys k LEFT JOIN families f ON f.id = k.family "
    "LEFT JOIN members m ON m.namespace = k.namespace AND m.wallet = k.wallet "
    "WHERE k.id = ? AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) "
    "AND f.revoked_at IS NULL AND m.role IS ?)"
)


class Part(msgspec.Struct, frozen=True):
    """What one credential gives: `scopes` until `expires_at` (unix milliseconds; None: no end is set).

    `holds` is true in the database as long as that is so. `wallet`: whose credential it is, if anybody's.
    `lasting_key_id`: the key, if it is one that lasts; what a sign-in gives is its wallet's doing.
    """

    scopes: frozenset[str]
    expires_at: int | None
    holds: Condition
    wallet: str | None
    lasting_key_id: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """What a caller may do now. `role`: its wallet's, if it is a wallet that signed in."""

    caller: Principal
    parts: tuple[Part, ...]
    role: Role | None

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of all its credentials."""
        return frozenset[str]().union(*(part.scopes for part in self.parts))

    def allows(self, scope: str) -> bool:
        """Whether any of its scopes reaches `scope`."""
        return allows(self.scopes, scope)

    def require(self, scope: str) -> None:
        """Return if the caller has `scope`.

        Raises:
            PermissionDenied: it has not (reason ``scope_missing``).
        """
        if not self.allows(scope):
            raise PermissionDenied(f"this credential does not have the scope {scope!r}", reason="scope_missing")

    def require_all(self, scopes: Iterable[str], what: str) -> None:
        """Return if the caller has all `scopes`, which are those of `what`: nobody decides on more than it may.

        Raises:
            PermissionDenied: it has not (reason ``beyond_caller``).
        """
        missing = beyond(self.scopes, scopes)
        if missing:
            raise PermissionDenied(
                f"{what} reaches further than this credential, which lacks {', '.join(missing)}",
                reason="beyond_caller",
                details={"missing": missing},
            )

    def alone(self, scopes: Iterable[str]) -> Part:
        """The first of its credentials that has all `scopes` by itself.

        Raises:
            PermissionDenied: each has only some of them (reason ``beyond_caller``).
        """
        wanted = tuple(scopes)
        found = next((part for part in self.parts if not beyond(part.scopes, wanted)), None)
        if found is None:
            raise PermissionDenied("this takes one credential that reaches all of it", reason="beyond_caller")
        return found

    def until(self, scopes: Iterable[str]) -> int | None:
        """Until when (unix milliseconds) the caller has all `scopes`; None: no end is set."""
        ends: list[int] = []
        for scope in scopes:
            lasting = [part.expires_at for part in self.parts if allows(part.scopes, scope)]
            if None not in lasting:
                ends.append(max((end for end in lasting if end is not None), default=0))
        return min(ends, default=None)


_T = TypeVar("_T")
Plan: TypeAlias = Callable[[Standing], Awaitable[tuple[_T, list[Statement]]]]
"""From a caller's standing to an outcome, and to the statements that make it true."""


class Acts:
    """Carries out what callers do to members, keys and invitations."""

    def __init__(self, database: Database, clock: Clock, families: Families, api_keys: ApiKeys) -> None:
        self._database = database
        self._clock = clock
        self._families = families
        self._api_keys = api_keys

    async def perform(self, caller: Principal, plan: Plan[_T], kind: type[_T], attempt: Attempt | None = None) -> _T:
        """Carry `plan` out, all of it or nothing, on the condition that the caller's standing is still what it was.

        Args:
            caller: who acts.
            plan: what it comes to.
            kind: of what type its outcome is; the outcome of an act that is only done is True.
            attempt: the key of the request, if it has one.

        Raises:
            Unauthenticated: the caller's credential has ended.
            Unavailable: the world changes faster than it can be read.
        """

        async def under_conditions() -> tuple[_T, list[Statement]]:
            standing = await self._standing(caller)
            outcome, effects = await plan(standing)
            return outcome, [*map(_still_holds, standing.parts), *effects]

        return await once(attempt, kind, lambda: settle(self._database, under_conditions, attempt))

    async def _standing(self, caller: Principal) -> Standing:
        parts: list[Part] = []
        role: Role | None = None
        if caller.is_wallet:
            living = await self._families.find(caller.family) if caller.family else None
            if living is None:
                raise Unauthenticated("invalid or expired token", reason="invalid_token")
            role = living.role
            holds = Condition(_SIGN_IN_HOLDS, (living.family.id, role))
            parts.append(Part(ROLE_SCOPES[role], None, holds, caller.wallet))
        for key_id in (caller.key_id, caller.joined_key_id):
            key = key_id and await self._api_keys.find(key_id)
            if key:
                holds = Condition(_KEY_HOLDS, (key.id, to_ms(self._clock.now()), key.role))
                lasting = key.id if key.family is None else None
                parts.append(Part(key.effective_scopes, key.expires_at, holds, key.wallet, lasting))
        if not parts:
            raise Unauthenticated("invalid API key", reason="invalid_api_key")
        return Standing(caller, tuple(parts), role)


def _still_holds(part: Part) -> Statement:
    return Statement(f"SELECT 1 WHERE {part.holds.sql}", part.holds.arguments, expect_rows=1)
