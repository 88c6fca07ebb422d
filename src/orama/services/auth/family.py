"""Families: a sign-in with its chain of refresh tokens.

A refresh token is good once. Its successor follows from it, so that for a moment of grace the same one can be given
again to a client that lost the reply; a later reuse means that two hold the token, and ends the family.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.audit import Action, Provenance
from orama.domain.base62 import base62
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import Role
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import Precondition, Unauthenticated, Unavailable
from orama.services.auth.audit import AuditLog, Condition
from orama.services.auth.decision import Decisions
from orama.services.auth.keyring import Keyring
from orama.services.auth.settings import AuthSettings
from orama.services.sweep import Sweep, platform_sweep

_FORM: Final = re.compile(r"[0-9A-Za-z]{43}", re.ASCII)
"""32 bytes in base62."""

_ATTEMPTS: Final = 3
"""A token goes from unused to used, a family from alive to revoked, and never back: twice is enough."""

# Of a family that ended before a moment, given twice. Its tokens and its key go before it.
_REMOVE_TOKENS: Final = (
    "DELETE FROM refresh_tokens WHERE hash IN ("
    "SELECT t.hash FROM families f JOIN refresh_tokens t ON t.family = f.id WHERE f.expires_at <= ? UNION ALL "
    "SELECT t.hash FROM families f JOIN refresh_tokens t ON t.family = f.id WHERE f.revoked_at <= ? LIMIT ?)"
)
_NOTHING_LEFT: Final = (
    "NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE family = f.id) "
    "AND NOT EXISTS (SELECT 1 FROM api_keys WHERE family = f.id)"
)
_REMOVE_FAMILIES: Final = (  # All parts stand here.
    "DELETE FROM families WHERE id IN ("  # noqa: S608
    f"SELECT f.id FROM families f WHERE f.expires_at <= ? AND {_NOTHING_LEFT} UNION ALL "
    f"SELECT f.id FROM families f WHERE f.revoked_at <= ? AND {_NOTHING_LEFT} LIMIT ?)"
)


class Family(msgspec.Struct, frozen=True):
    """A sign-in of `wallet` for `namespace`, good until `expires_at` (unix milliseconds)."""

    id: str
    wallet: str
    namespace: Namespace
    expires_at: int


class LivingFamily(msgspec.Struct, frozen=True):
    """A sign-in that is good now, and what its wallet is in the namespace now."""

    family: Family
    role: Role


class Rotated(msgspec.Struct, frozen=True):
    """A family and the refresh token that is now good for it."""

    family: Family
    refresh_token: str


class _Token(msgspec.Struct, frozen=True):
    family: Family
    used_at: int | None


class Families:
    """Opens, rotates and ends sign-ins. All races are decided by the database: gateways share it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        decisions: Decisions,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._decisions = decisions
        self._audit = audit
        self._settings = settings

    def opening(self, wallet: str, namespace: Namespace) -> tuple[Rotated, list[Statement]]:
        """A new family with its first refresh token, and the statements that make it so, for members only."""
        now = to_ms(self._clock.now())
        family = Family(
            base62(secrets.token_bytes(16)), wallet, namespace, expires_at=now + self._settings.refresh_s * 1000
        )
        refresh_token = base62(secrets.token_bytes(32))
        create = Statement(
            "INSERT INTO families (id, wallet, namespace, created_at, expires_at) SELECT ?, ?, ?, ?, ? "
            "WHERE EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?)",
            (family.id, wallet, namespace, now, family.expires_at, namespace, wallet),
            expect_rows=1,
        )
        return Rotated(family, refresh_token), [create, _token_insertion(refresh_token, family.id, now)]

    async def find(self, family_id: str) -> LivingFamily | None:
        """The family, if it lives and its wallet is still a member."""
        statement = Statement(
            "SELECT f.id, f.wallet, f.namespace, f.expires_at, m.role FROM families f "
            "JOIN members m ON m.namespace = f.namespace AND m.wallet = f.wallet "
            "WHERE f.id = ? AND f.revoked_at IS NULL AND f.expires_at > ?",
            (family_id, to_ms(self._clock.now())),
        )
        rows = (await self._database.query(PLATFORM, statement)).rows
        return LivingFamily(_family(rows[0][:4]), msgspec.convert(rows[0][4], Role)) if rows else None

    async def rotate(self, refresh_token: str, namespace: Namespace | None, provenance: Provenance) -> Rotated:
        """Exchange a refresh token for its successor; `namespace`, if given, must be the token's.

        Raises:
            Unauthenticated: unknown, expired, revoked, of another namespace, or used before; the last ends its family.
        """
        if _FORM.fullmatch(refresh_token) is None:
            raise invalid_refresh_token()
        successor = self._keyring.successor(refresh_token)
        for _ in range(_ATTEMPTS):
            token = await self._find_token(refresh_token)
            if token is None or namespace not in {None, token.family.namespace}:
                raise invalid_refresh_token()
            now = to_ms(self._clock.now())
            if token.used_at is not None:
                if now - token.used_at <= self._settings.refresh_grace_s * 1000:
                    return Rotated(token.family, successor)
                await self.revoke(token.family.id, Action.SESSION_REUSE, provenance)
                raise invalid_refresh_token("refresh_token_reused")
            consume = Statement(
                "UPDATE refresh_tokens SET used_at = ? WHERE hash = ? AND used_at IS NULL "
                "AND EXISTS (SELECT 1 FROM families WHERE id = family AND revoked_at IS NULL)",
                (now, _hash(refresh_token)),
                expect_rows=1,
            )
            try:
                await self._database.execute(PLATFORM, [consume, _token_insertion(successor, token.family.id, now)])
            except Precondition:
                continue  # Another refresh or a logout was faster: look again.
            return Rotated(token.family, successor)
        raise Unavailable("the session is being changed elsewhere; try again", retry_after_s=1)

    async def revoke(self, family_id: str, action: Action, provenance: Provenance) -> None:
        """End a family: its tokens and its API key are dead here at once, elsewhere within `decision_s`."""
        await self._revoke(Condition("id = ?", (family_id,)), action, provenance)

    async def revoke_of_token(self, refresh_token: str, provenance: Provenance) -> None:
        """End the family that a refresh token, used or not, belongs to; nothing, if it is unknown."""
        if _FORM.fullmatch(refresh_token) is not None:
            ended = Condition("id = (SELECT family FROM refresh_tokens WHERE hash = ?)", (_hash(refresh_token),))
            await self._revoke(ended, Action.SESSION_LOGOUT, provenance)

    async def revoke_all(self, wallet: str, namespace: Namespace, provenance: Provenance) -> None:
        """End all of a wallet's families in a namespace."""
        ended = Condition("wallet = ? AND namespace = ?", (wallet, namespace))
        await self._revoke(ended, Action.SESSION_LOGOUT_ALL, provenance)

    def sweeps(self) -> tuple[Sweep, Sweep]:
        """The removal of families that ended long ago, and of their tokens.

        The used tokens of one that lives stay: they are how a stolen one is found out.
        """

        def ended_before() -> tuple[int, int]:
            moment = to_ms(self._clock.now() - self._settings.ended_retention_s)
            return moment, moment

        return (
            platform_sweep(self._database, "refresh_tokens", _REMOVE_TOKENS, ended_before),
            platform_sweep(self._database, "families", _REMOVE_FAMILIES, ended_before),
        )

    async def _revoke(self, ended: Condition, action: Action, provenance: Provenance) -> None:
        # `ended` is one of the three above.
        sql = f"UPDATE families SET revoked_at = ? WHERE {ended.sql} AND revoked_at IS NULL RETURNING id"  # noqa: S608
        revoke = Statement(sql, (to_ms(self._clock.now()), *ended.arguments))
        record = self._audit.end_of_families(ended, action, provenance=provenance)
        _, result = await self._database.execute(PLATFORM, [record, revoke])
        self._decisions.forget(families={str(row[0]) for row in result.rows.rows} if result.rows else ())

    async def _find_token(self, refresh_token: str) -> _Token | None:
        statement = Statement(
            "SELECT f.id, f.wallet, f.namespace, f.expires_at, t.used_at "
            "FROM refresh_tokens t JOIN families f ON f.id = t.family "
            "WHERE t.hash = ? AND f.revoked_at IS NULL AND f.expires_at > ?",
            (_hash(refresh_token), to_ms(self._clock.now())),
        )
        rows = (await self._database.query(PLATFORM, statement, consistency=Consistency.LINEARIZABLE)).rows
        return _Token(_family(rows[0][:4]), msgspec.convert(rows[0][4], int | None)) if rows else None


def invalid_refresh_token(reason: str = "invalid_refresh_token") -> Unauthenticated:
    """The one answer to every refresh token that does not hold."""
    return Unauthenticated("invalid or expired refresh token", reason=reason)


def _hash(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()


def _token_insertion(refresh_token: str, family_id: str, now: int) -> Statement:
    return Statement(
        "INSERT INTO refresh_tokens (hash, family, created_at) VALUES (?, ?, ?)", (_hash(refresh_token), family_id, now)
    )


def _family(row: tuple[object, ...]) -> Family:
    family_id, wallet, namespace, expires_at = msgspec.convert(row, tuple[str, str, Namespace, int])
    return Family(family_id, wallet, namespace, expires_at)
