"""API keys as their holders manage them: listed, made, rotated and revoked, within what the caller may itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.api_key import ApiKey, key_subject
from orama.domain.audit import Action, Provenance
from orama.domain.identity import Principal
from orama.domain.scope import allows, parse_scope
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, InvalidArgument, PermissionDenied
from orama.services.auth.api_key import ApiKeys, unknown_key
from orama.services.auth.audit import ALWAYS, AuditLog, Condition
from orama.services.auth.decision import Decisions
from orama.services.auth.key_record import KeyRecord
from orama.services.auth.settings import AuthSettings
from orama.services.auth.standing import Acts, Standing
from orama.services.idempotency.attempt import Attempt

READ, READ_OWN = "keys:read", "keys:read:own"
WRITE, WRITE_OWN = "keys:write", "keys:write:own"

_IS_GOOD: Final = (
    "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) AND (k.family IS NULL "
    "OR EXISTS (SELECT 1 FROM families f WHERE f.id = k.family AND f.revoked_at IS NULL AND f.expires_at > ?))"
)


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made: `key` holds the secret, which is shown this once. Times: unix milliseconds.

    `replaces`: the id of the key that was rotated, which works until `replaced_until`.
    """

    key: ApiKey
    name: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None
    replaces: str | None = None
    replaced_until: int | None = None


class KeyIssuer:
    """Keys of the caller's namespace.

    A caller with ``keys:read`` or ``keys:write`` reaches all of them, one with ``keys:…:own`` those of its own wallet,
    or the key itself if it is no wallet's. A key never reaches further than its maker did, nor lives longer.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        api_keys: ApiKeys,
        decisions: Decisions,
        acts: Acts,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._api_keys = api_keys
        self._decisions = decisions
        self._acts = acts
        self._audit = audit
        self._settings = settings

    async def page(
        self, caller: Principal, *, limit: int, after: tuple[int, str] | None = None, ended: bool = False
    ) -> list[KeyRecord]:
        """Up to `limit` keys that are good, or with `ended` all, oldest first, after the one of that time and id."""
        reach, now = _reach(caller, caller.scopes, READ), to_ms(self._clock.now())
        sql, arguments = reach.sql, reach.arguments
        if after is not None:
            sql, arguments = f"{sql} AND (k.created_at, k.id) > (?, ?)", (*arguments, *after)
        if not ended:
            sql, arguments = f"{sql} AND {_IS_GOOD}", (*arguments, now, now)
        return await self._api_keys.select(Condition(f"{sql} ORDER BY k.created_at, k.id LIMIT ?", (*arguments, limit)))

    async def get(self, caller: Principal, key_id: str) -> KeyRecord:
        """One key, good or not.

        Raises:
            NotFound: there is none of that id that the caller may know of (reason ``unknown_key``).
        """
        return await self._find(caller, caller.scopes, READ, key_id)

    async def create(
        self,
        caller: Principal,
        *,
        name: str,
        scopes: Iterable[str],
        lifetime_s: float | None,
        provenance: Provenance,
        attempt: Attempt | None = None,
    ) -> NewKey:
        """A new key of the caller's wallet, or of nobody if the caller is such a key; it lasts until it is revoked.

        Args:
            caller: who wants it.
            name: what it is for.
            scopes: what it reaches; no more than the caller.
            lifetime_s: seconds after which it ends; None: it ends with the key that makes it, if one does.
            provenance: for the audit log.
            attempt: the key of the request, if it has one.

        Raises:
            PermissionDenied: a scope reaches further than the caller (reason ``beyond_caller``).
            InvalidArgument: no scope or one that means nothing, or an end after the caller's own.
            Conflict: there are as many keys as there may be (reason ``too_many_keys``).
        """
        wanted = frozenset(map(parse_scope, scopes))
        if not wanted:
            raise InvalidArgument(
                "scopes is required: say what the key may do, such as db:read", reason="missing_field"
            )

        async def plan(standing: Standing) -> tuple[NewKey, list[Statement]]:
            standing.require(WRITE_OWN)
            standing.require_all(wanted, "the new key")
            expires_at = self._expiry(standing, wanted, lifetime_s)
            room = await self._api_keys.room(caller.namespace, caller.wallet)
            key, creation = self._api_keys.creation(
                *(caller.namespace, room, caller.subject, provenance),
                name=name, scopes=wanted, wallet=caller.wallet, expires_at=expires_at,
            )  # fmt: skip
            return NewKey(key, name, wanted, to_ms(self._clock.now()), expires_at), creation

        return await self._acts.perform(caller, plan, NewKey, attempt)

    async def rotate(
        self,
        caller: Principal,
        key_id: str,
        *,
        overlap_s: float | None,
        lifetime_s: float | None,
        provenance: Provenance,
        attempt: Attempt | None = None,
    ) -> NewKey:
        """A new key in the place of another, with its name and scopes; both work for `overlap_s` seconds.

        Without `lifetime_s` (seconds) it ends when the old one would have. The keys of other wallets cannot be rotated:
        their secrets are those wallets' own.

        Raises:
            NotFound: there is no good key of that id that the caller may know of (reason ``unknown_key``).
            PermissionDenied: the key reaches further than the caller (``beyond_caller``), or is another wallet's.
            InvalidArgument: an overlap above `AuthSettings.max_key_overlap_s`, or an end after the caller's own.
            Conflict: the key is a sign-in's, was rotated before, or its own predecessor still works.
        """
        namespace = caller.namespace
        overlap_s = self._settings.key_overlap_s if overlap_s is None else overlap_s
        if overlap_s > self._settings.max_key_overlap_s:
            raise InvalidArgument(
                f"overlap: at most {self._settings.max_key_overlap_s} seconds", reason="invalid_overlap"
            )

        async def plan(standing: Standing) -> tuple[NewKey, list[Statement]]:
            now = to_ms(self._clock.now())
            old = await self._find(caller, standing.scopes, WRITE, key_id)
            await self._check_rotation(standing, old, now)
            reach = old.effective_scopes
            expires_at = self._expiry(standing, reach, lifetime_s, default=old.expires_at)
            until = min(now + to_ms(overlap_s), old.expires_at or 2**62)
            key, creation = self._api_keys.creation(
                *(namespace, ALWAYS, caller.subject, provenance),
                name=old.name, scopes=old.scopes, wallet=old.wallet, expires_at=expires_at,
            )  # fmt: skip
            replace = Statement(
                "UPDATE api_keys SET replaced_by = ?, expires_at = ? WHERE id = ? AND replaced_by IS NULL "
                "AND revoked_at IS NULL AND expires_at IS ?",
                (key.id, until, old.id, old.expires_at),
                expect_rows=1,
            )
            record = self._audit.entry(
                *(namespace, caller.subject, Action.KEY_ROTATE, key_subject(old.id)),
                provenance=provenance,
                details={"new_key": key_subject(key.id), "works_until": until},
            )
            return NewKey(key, old.name, old.scopes, now, expires_at, old.id, until), [replace, *creation, record]

        made = await self._acts.perform(caller, plan, NewKey, attempt)
        self._decisions.forget(key_ids={key_id})
        return made

    async def revoke(self, caller: Principal, key_id: str, provenance: Provenance) -> None:
        """End a key: dead here at once, elsewhere within `decision_s`. A second time does nothing.

        Raises:
            NotFound: there is no key of that id that the caller may know of (reason ``unknown_key``).
            PermissionDenied: the key reaches further than the caller (reason ``beyond_caller``).
        """

        async def plan(standing: Standing) -> tuple[bool, list[Statement]]:
            record = await self._find(caller, standing.scopes, WRITE, key_id)
            if not _is_own(caller, record):
                standing.require_all(record.effective_scopes, "the key")
            return True, self._api_keys.revocation(caller.namespace, key_id, caller.subject, provenance)

        await self._acts.perform(caller, plan, bool)
        self._decisions.forget(key_ids={key_id})

    async def _find(self, caller: Principal, scopes: frozenset[str], scope: str, key_id: str) -> KeyRecord:
        reach = _reach(caller, scopes, scope)
        found = await self._api_keys.select(Condition(f"k.id = ? AND {reach.sql}", (key_id, *reach.arguments)))
        if not found:
            raise unknown_key(key_id)
        return found[0]

    async def _check_rotation(self, standing: Standing, old: KeyRecord, now: int) -> None:
        if not old.is_good(now):
            raise unknown_key(old.id)
        if old.wallet not in {None, standing.caller.wallet}:
            raise PermissionDenied(
                "this key is another wallet's: it can be revoked, and rotated by that wallet only",
                reason="anothers_key",
            )
        if old.family is not None:
            raise Conflict("this key belongs to a sign-in and ends with it: sign in again", reason="sign_in_key")
        if old.replaced_by is not None:
            raise Conflict(f"this key was rotated to {key_subject(old.replaced_by)}", reason="already_rotated")
        standing.require_all(old.effective_scopes, "the key")
        before = await self._api_keys.select(
            Condition(
                "k.replaced_by = ? AND k.namespace = ? AND k.revoked_at IS NULL AND k.expires_at > ?",
                (old.id, old.namespace, now),
            )
        )
        if before:
            raise Conflict(
                f"the key before it, {key_subject(before[0].id)}, still works: revoke that first",
                reason="rotation_under_way",
            )

    def _expiry(
        self, standing: Standing, scopes: Iterable[str], lifetime_s: float | None, *, default: int | None = None
    ) -> int | None:
        """When a key with `scopes` ends (unix milliseconds): as wanted, else at `default`, never after the caller."""
        bound = standing.until(scopes)
        wanted = default if lifetime_s is None else to_ms(self._clock.now() + lifetime_s)
        if bound is None or (wanted is not None and wanted <= bound):
            return wanted
        if lifetime_s is not None:
            raise InvalidArgument("the key would outlive the one that makes it", reason="invalid_expiry")
        return bound


def _reach(caller: Principal, scopes: Iterable[str], scope: str) -> Condition:
    """Which keys ``k`` a caller with `scopes` reaches for `scope`: all of its namespace, or its own."""
    if allows(scopes, scope):
        return Condition("k.namespace = ?", (caller.namespace,))
    if caller.wallet is not None:
        return Condition("k.namespace = ? AND k.wallet = ?", (caller.namespace, caller.wallet))
    return Condition("k.namespace = ? AND k.id = ?", (caller.namespace, caller.key_id))


def _is_own(caller: Principal, record: KeyRecord) -> bool:
    return record.wallet == caller.wallet if caller.wallet is not None else record.id == caller.key_id
