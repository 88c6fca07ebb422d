"""API keys: made, found, listed and revoked. The secret is shown once and stored as an HMAC."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.api_key import ApiKey
from orama.domain.base62 import base62
from orama.domain.identity import parse_scope
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement, Value
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, InvalidArgument, NotFound, Precondition
from orama.services.auth.decision import Decisions
from orama.services.auth.keyring import Keyring
from orama.services.auth.settings import AuthSettings
from orama.services.sweep import Sweep, platform_sweep

ALL_SCOPES: Final = ("*",)

_SELECT: Final = (
    "SELECT k.id, k.namespace, k.wallet, k.family, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.mac "
    "FROM api_keys k"
)
_LASTING_KEYS: Final = (
    "(SELECT count(*) FROM api_keys WHERE namespace = ? AND wallet = ? AND family IS NULL "
    "AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?))"
)
_MEMBER_WITH_ROOM: Final = (  # Both halves stand here.
    f"{_LASTING_KEYS} < ? AND EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?)"  # noqa: S608
)
_REMOVE_ENDED: Final = (  # Those that ended before a moment, given four times, by themselves or with their sign-in.
    "DELETE FROM api_keys WHERE id IN ("
    "SELECT id FROM api_keys WHERE expires_at <= ? UNION ALL SELECT id FROM api_keys WHERE revoked_at <= ? UNION ALL "
    "SELECT k.id FROM families f JOIN api_keys k ON k.family = f.id WHERE f.expires_at <= ? UNION ALL "
    "SELECT k.id FROM families f JOIN api_keys k ON k.family = f.id WHERE f.revoked_at <= ? LIMIT ?)"
)


class KeyRecord(msgspec.Struct, frozen=True):
    """What is known of a key. `wallet`: whose it is, if anybody's. `family`: the sign-in it dies with.

    Times are unix milliseconds.
    """

    id: str
    namespace: Namespace
    wallet: str | None
    family: str | None
    name: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class ApiKeys:
    """The keys of all namespaces."""

    def __init__(
        self, database: Database, clock: Clock, keyring: Keyring, decisions: Decisions, settings: AuthSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._decisions = decisions
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
        exists = "EXISTS (SELECT 1 FROM namespaces WHERE name = ?)"
        key, insertion = self._insertion(namespace, exists, (namespace,), name, scopes, expires_at=expires_at)
        try:
            await self._database.execute(PLATFORM, [insertion])
        except Precondition as error:
            raise NotFound(f"there is no namespace {namespace!r}", reason="unknown_namespace") from error
        return key

    def creation_unclaimed(self, namespace: Namespace, name: str) -> tuple[ApiKey, Statement]:
        """A key for a namespace that nobody has, and the statement that makes it. For development.

        It dies when a wallet claims the namespace, and is not made if a wallet has it, or the operator made it.
        """
        nobodys = "NOT EXISTS (SELECT 1 FROM namespaces WHERE name = ? AND kind <> 'open')"
        return self._insertion(namespace, nobodys, (namespace,), name)

    async def creation_for_member(self, wallet: str, namespace: Namespace, name: str) -> tuple[ApiKey, Statement]:
        """A lasting key of a member, and the statement that makes it.

        Raises:
            Conflict: the wallet has as many as it may have in this namespace (reason ``too_many_keys``).
        """
        own = (namespace, wallet, to_ms(self._clock.now()))
        limit = self._settings.max_keys_per_wallet
        ((number,),) = (await self._database.query(PLATFORM, Statement("SELECT " + _LASTING_KEYS, own))).rows
        if isinstance(number, int) and number >= limit:
            raise Conflict(
                f"this wallet has {limit} API keys for {namespace!r}: revoke one first", reason="too_many_keys"
            )
        return self._insertion(namespace, _MEMBER_WITH_ROOM, (*own, limit, namespace, wallet), name, wallet=wallet)

    def creation_for_family(self, wallet: str, namespace: Namespace, family_id: str) -> tuple[ApiKey, Statement]:
        """The key of a sign-in, which dies with it, and the statement that makes it."""
        return self._insertion(namespace, "1", (), "sign-in", wallet=wallet, family_id=family_id)

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

    async def list(self, namespace: Namespace) -> list[KeyRecord]:
        """The keys of a namespace, oldest first, revoked and expired ones too."""
        statement = Statement(_SELECT + " WHERE k.namespace = ? ORDER BY k.created_at, k.id", (namespace,))
        return [_record(row) for row in (await self._database.query(PLATFORM, statement)).rows]

    async def revoke(self, namespace: Namespace, key_id: str) -> None:
        """End a key: dead here at once, elsewhere within `decision_s`. A second time does nothing.

        Raises:
            NotFound: the namespace has no such key.
        """
        revoke = Statement(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND namespace = ?",
            (to_ms(self._clock.now()), key_id, namespace),
            expect_rows=1,
        )
        try:
            await self._database.execute(PLATFORM, [revoke])
        except Precondition as error:
            raise NotFound(f"there is no API key {key_id!r} in {namespace!r}", reason="unknown_key") from error
        self._decisions.forget(key_ids={key_id})

    def sweep(self) -> Sweep:
        """The removal of keys that ended long ago."""

        def ended_before() -> tuple[int, ...]:
            return (to_ms(self._clock.now() - self._settings.ended_retention_s),) * 4

        return platform_sweep(self._database, "api_keys", _REMOVE_ENDED, ended_before)

    async def _find(self, key_id: str) -> tuple[KeyRecord, bytes] | None:
        now = to_ms(self._clock.now())
        statement = Statement(
            _SELECT + " LEFT JOIN families f ON f.id = k.family "
            "WHERE k.id = ? AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) "
            "AND (k.family IS NULL OR (f.revoked_at IS NULL AND f.expires_at > ?))",
            (key_id, now, now),
        )
        rows = (await self._database.query(PLATFORM, statement)).rows
        return (_record(rows[0]), msgspec.convert(rows[0][-1], bytes)) if rows else None

    def _insertion(
        self,
        namespace: Namespace,
        condition: str,
        arguments: tuple[Value, ...],
        name: str,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        wallet: str | None = None,
        family_id: str | None = None,
        expires_at: int | None = None,
    ) -> tuple[ApiKey, Statement]:
        """A fresh key, and the statement that stores it if `condition` holds."""
        key = ApiKey(base62(secrets.token_bytes(12)), base62(secrets.token_bytes(32)), namespace)
        row = (
            key.id,
            self._keyring.api_key_mac(key.secret),
            namespace,
            wallet,
            family_id,
            name,
            " ".join(sorted({parse_scope(scope) for scope in scopes})),
            to_ms(self._clock.now()),
            expires_at,
        )
        sql = (
            "INSERT INTO api_keys (id, mac, namespace, wallet, family, name, scopes, created_at, expires_at) "
            "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE " + condition
        )
        return key, Statement(sql, (*row, *arguments), expect_rows=1)


def _record(row: tuple[Value, ...]) -> KeyRecord:
    fields = dict(zip(KeyRecord.__struct_fields__, row[:-1], strict=True))
    return msgspec.convert({**fields, "scopes": str(fields["scopes"]).split()}, KeyRecord)
