"""API keys: made, found, listed and revoked. The secret is shown once and stored as an HMAC."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.api_key import ApiKey, key_subject
from orama.domain.audit import ANYONE, LOCAL, OPERATOR, Action, Provenance
from orama.domain.base62 import base62
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.scope import ALL_SCOPES, parse_scope
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, InvalidArgument, NotFound, Precondition
from orama.services.auth.audit import ALWAYS, AuditLog, Condition
from orama.services.auth.decision import Decisions
from orama.services.auth.key_record import SELECT_KEYS, KeyRecord, key_record
from orama.services.auth.keyring import Keyring
from orama.services.auth.settings import AuthSettings
from orama.services.sweep import Sweep, platform_sweep

MAX_NAME: Final = 128
"""Characters of a key's name."""

_LASTING: Final = (
    "(SELECT count(*) FROM api_keys WHERE namespace = ? AND wallet IS ? AND family IS NULL AND replaced_by IS NULL "
    "AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) "
    "AND (wallet IS NOT NULL OR created_by GLOB 'ak_*'))"
)
"""How many lasting keys a wallet has in a namespace; or, for no wallet, how many such keys were made by keys."""
_IS_MEMBER: Final = "EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?)"
_REMOVE_ENDED: Final = (  # Those that ended before a moment, given four times, by themselves or with their sign-in.
    "DELETE FROM api_keys WHERE id IN ("
    "SELECT id FROM api_keys WHERE expires_at <= ? UNION ALL SELECT id FROM api_keys WHERE revoked_at <= ? UNION ALL "
    "SELECT k.id FROM families f JOIN api_keys k ON k.family = f.id WHERE f.expires_at <= ? UNION ALL "
    "SELECT k.id FROM families f JOIN api_keys k ON k.family = f.id WHERE f.revoked_at <= ? LIMIT ?)"
)


class ApiKeys:
    """The keys of all namespaces."""

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

    async def create(
        self,
        namespace: Namespace,
        *,
        name: str = "",
        scopes: Iterable[str] = ALL_SCOPES,
        expires_at: int | None = None,
    ) -> ApiKey:
        """A key in the operator's name, for a namespace that exists; it lasts until revoked or `expires_at` (unix ms).

        Raises:
            NotFound: there is no such namespace.
            InvalidArgument: a scope of no known form, or an end in the past.
        """
        if expires_at is not None and expires_at <= to_ms(self._clock.now()):
            raise InvalidArgument("the key would have expired already", reason="invalid_expiry")
        exists = Condition("EXISTS (SELECT 1 FROM namespaces WHERE name = ?)", (namespace,))
        key, creation = self.creation(
            namespace, exists, OPERATOR, LOCAL, name=name, scopes=scopes, expires_at=expires_at
        )
        try:
            await self._database.execute(PLATFORM, creation)
        except Precondition as error:
            raise NotFound(f"there is no namespace {namespace!r}", reason="unknown_namespace") from error
        return key

    def creation_unclaimed(
        self, namespace: Namespace, name: str, provenance: Provenance
    ) -> tuple[ApiKey, list[Statement]]:
        """A key for a namespace that nobody has, and the statements that make it. For development.

        It dies when a wallet claims the namespace, and is not made if a wallet has it, or the operator made it.
        """
        nobodys = Condition("NOT EXISTS (SELECT 1 FROM namespaces WHERE name = ? AND kind <> 'open')", (namespace,))
        return self.creation(namespace, nobodys, ANYONE, provenance, name=name)

    async def creation_for_member(
        self, wallet: str, namespace: Namespace, name: str, provenance: Provenance
    ) -> tuple[ApiKey, list[Statement]]:
        """A lasting key of a member, and the statements that make it.

        Raises:
            Conflict: the wallet has as many as it may have in this namespace (reason ``too_many_keys``).
        """
        room = await self.room(namespace, wallet)
        condition = Condition(f"{room.sql} AND {_IS_MEMBER}", (*room.arguments, namespace, wallet))
        return self.creation(namespace, condition, wallet, provenance, name=name, wallet=wallet)

    def creation_for_family(self, wallet: str, namespace: Namespace, family_id: str) -> tuple[ApiKey, Statement]:
        """The key of a sign-in, which dies with it, and the statement that makes it."""
        return self._insertion(namespace, ALWAYS, "sign-in", "*", wallet=wallet, family_id=family_id, maker=wallet)

    async def room(self, namespace: Namespace, wallet: str | None) -> Condition:
        """What is true while the wallet may have one more lasting key, or keys may make one more that is no wallet's.

        Raises:
            Conflict: that is not so (reason ``too_many_keys``).
        """
        own = (namespace, wallet, to_ms(self._clock.now()))
        whose, limit = "this wallet has", self._settings.max_keys_per_wallet
        if wallet is None:
            whose, limit = "keys have made", self._settings.max_keys_without_wallet
        ((number,),) = (await self._database.query(PLATFORM, Statement("SELECT " + _LASTING, own))).rows
        if isinstance(number, int) and number >= limit:
            raise Conflict(f"{whose} {limit} API keys for {namespace!r}: revoke one first", reason="too_many_keys")
        return Condition(f"{_LASTING} < ?", (*own, limit))

    def creation(
        self,
        namespace: Namespace,
        condition: Condition,
        actor: str,
        provenance: Provenance,
        *,
        name: str = "",
        scopes: Iterable[str] = ALL_SCOPES,
        wallet: str | None = None,
        expires_at: int | None = None,
    ) -> tuple[ApiKey, list[Statement]]:
        """A fresh lasting key, and the statements that store it, if `condition` holds, and record that.

        Raises:
            InvalidArgument: a scope that means nothing, or a name that is too long.
        """
        told = " ".join(sorted({parse_scope(scope) for scope in scopes}))
        key, insertion = self._insertion(
            namespace, condition, name, told, wallet=wallet, expires_at=expires_at, maker=actor
        )
        details = {"name": name, "scopes": told}
        record = self._audit.entry(
            namespace, actor, Action.KEY_CREATE, key_subject(key.id), provenance=provenance, details=details
        )
        return key, [insertion, record]

    async def find(self, key_id: str) -> KeyRecord | None:
        """The key called `key_id`, if it is good now."""
        found = await self._find(key_id)
        return found and found[0]

    async def authenticate(self, key: ApiKey) -> KeyRecord | None:
        """The record of `key`, if its secret is right and it is good now."""
        found = await self._find(key.id)
        if found is None or not hmac.compare_digest(found[1], self._keyring.api_key_mac(key.secret)):
            return None
        return found[0] if found[0].namespace == key.namespace else None

    async def select(self, condition: Condition) -> list[KeyRecord]:
        """The keys for which `condition` holds, which speaks of ``k``, and may order and limit them."""
        statement = Statement(f"{SELECT_KEYS} WHERE {condition.sql}", condition.arguments)
        return [key_record(row) for row in (await self._database.query(PLATFORM, statement)).rows]

    async def revoke(self, namespace: Namespace, key_id: str) -> None:
        """End a key in the operator's name: dead here at once, elsewhere within `decision_s`. Twice does nothing.

        Raises:
            NotFound: the namespace has no such key.
        """
        try:
            await self._database.execute(PLATFORM, self.revocation(namespace, key_id, OPERATOR, LOCAL))
        except Precondition as error:
            raise unknown_key(key_id) from error
        self._decisions.forget(key_ids={key_id})

    def revocation(self, namespace: Namespace, key_id: str, actor: str, provenance: Provenance) -> list[Statement]:
        """The statements that end a key of the namespace, and record that if it was not ended before."""
        lives = Condition(
            "EXISTS (SELECT 1 FROM api_keys WHERE id = ? AND namespace = ? AND revoked_at IS NULL)", (key_id, namespace)
        )
        revoke = Statement(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND namespace = ?",
            (to_ms(self._clock.now()), key_id, namespace),
            expect_rows=1,
        )
        target = key_subject(key_id)
        return [
            self._audit.entry(namespace, actor, Action.KEY_REVOKE, target, provenance=provenance, only_if=lives),
            revoke,
        ]

    async def list(self, namespace: Namespace) -> list[KeyRecord]:
        """The keys of a namespace, oldest first, revoked and expired ones too."""
        return await self.select(Condition("k.namespace = ? ORDER BY k.created_at, k.id", (namespace,)))

    def sweep(self) -> Sweep:
        """The removal of keys that ended long ago."""

        def ended_before() -> tuple[int, ...]:
            return (to_ms(self._clock.now() - self._settings.ended_retention_s),) * 4

        return platform_sweep(self._database, "api_keys", _REMOVE_ENDED, ended_before)

    async def _find(self, key_id: str) -> tuple[KeyRecord, bytes] | None:
        now = to_ms(self._clock.now())
        statement = Statement(
            SELECT_KEYS + " LEFT JOIN families f ON f.id = k.family "
            "WHERE k.id = ? AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) "
            "AND (k.family IS NULL OR (f.revoked_at IS NULL AND f.expires_at > ?)) "
            "AND (k.wallet IS NULL OR m.role IS NOT NULL)",
            (key_id, now, now),
        )
        rows = (await self._database.query(PLATFORM, statement)).rows
        return (key_record(rows[0]), msgspec.convert(rows[0][-1], bytes)) if rows else None

    def _insertion(
        self,
        namespace: Namespace,
        condition: Condition,
        name: str,
        scopes: str,
        *,
        maker: str,
        wallet: str | None = None,
        family_id: str | None = None,
        expires_at: int | None = None,
    ) -> tuple[ApiKey, Statement]:
        """A fresh key, and the statement that stores it if `condition` holds."""
        if len(name) > MAX_NAME:
            raise InvalidArgument(f"a name has at most {MAX_NAME} characters", reason="invalid_name")
        key = ApiKey(base62(secrets.token_bytes(12)), base62(secrets.token_bytes(32)), namespace)
        row = (
            key.id,
            self._keyring.api_key_mac(key.secret),
            namespace,
            wallet,
            family_id,
            name,
            scopes,
            to_ms(self._clock.now()),
            expires_at,
            maker,
        )
        sql = (
            "INSERT INTO api_keys "
            "(id, mac, namespace, wallet, family, name, scopes, created_at, expires_at, created_by) "
            "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE " + condition.sql
        )
        return key, Statement(sql, (*row, *condition.arguments), expect_rows=1)


def unknown_key(key_id: str) -> NotFound:
    """The one answer to the id of a key that there is not, that is another namespace's, or that is not to be known."""
    return NotFound(f"there is no API key {key_subject(key_id)[:80]!r} here", reason="unknown_key")
