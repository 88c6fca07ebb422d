"""Invitations: how a wallet becomes a member of a namespace that is another's.

The token of an invitation is good once, for a time. It is shown once and stored as its SHA-256.
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
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import ROLE_SCOPES, InvitedRole, roles_with
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, InvalidArgument, NotFound, PermissionDenied
from orama.services.auth.account import Accounts
from orama.services.auth.audit import AuditLog, Condition
from orama.services.auth.membership import Memberships
from orama.services.auth.settings import AuthSettings
from orama.services.auth.standing import Acts, Standing
from orama.services.idempotency.attempt import Attempt
from orama.services.sweep import Sweep, platform_sweep

PREFIX: Final = "inv_"

_TOKEN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{43}}", re.ASCII)

_INVITERS: Final = roles_with(ROLE_SCOPES["admin"])
"""Who may invite in any of the roles that there are invitations for."""

_IS_OPEN: Final = (
    "accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ? "  # noqa: S608
    "AND (key IS NULL OR EXISTS (SELECT 1 FROM api_keys k WHERE k.id = invitations.key "
    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?))) "
    "AND (wallet IS NULL OR EXISTS (SELECT 1 FROM members m WHERE m.namespace = invitations.namespace "
    f"AND m.wallet = invitations.wallet AND m.role IN ({', '.join('?' for _ in _INVITERS)})))"
)
"""That it waits, and that whoever made it could still make it."""

_REMOVE_EXPIRED: Final = (
    "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at <= ? LIMIT ?)"
)


class Invitation(msgspec.Struct, frozen=True):
    """An invitation that waits. `invited`: the only wallet that may accept it, if one was named.

    Times are unix milliseconds.
    """

    id: str
    namespace: Namespace
    role: InvitedRole
    invited: str | None
    created_by: str
    created_at: int
    expires_at: int


class MadeInvitation(msgspec.Struct, frozen=True):
    """A new invitation, and its token, which is shown this once."""

    invitation: Invitation
    token: str


class Invitations:
    """Makes, lists and ends invitations, and lets wallets accept them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        accounts: Accounts,
        memberships: Memberships,
        acts: Acts,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._accounts = accounts
        self._memberships = memberships
        self._acts = acts
        self._audit = audit
        self._settings = settings

    async def create(
        self,
        caller: Principal,
        role: InvitedRole,
        provenance: Provenance,
        *,
        invited: str | None = None,
        lifetime_s: float | None = None,
        attempt: Attempt | None = None,
    ) -> MadeInvitation:
        """An invitation to the caller's namespace, and its token. It ends with what allowed the caller to make it.

        Raises:
            PermissionDenied: the role reaches further than the caller (reason ``beyond_caller``).
            InvalidArgument: it would be good for longer than `AuthSettings.max_invitation_s`.
            Conflict: as many as may wait do (reason ``too_many_invitations``).
        """
        namespace = caller.namespace
        expires_at = self._expiry(lifetime_s)
        token = PREFIX + base62(secrets.token_bytes(32))

        async def plan(standing: Standing) -> tuple[MadeInvitation, list[Statement]]:
            standing.require("members:write")
            needed = {"members:write", *ROLE_SCOPES[role]}
            standing.require_all(needed, f"the role {role}")
            maker = standing.alone(needed)
            now = to_ms(self._clock.now())
            made = Invitation(
                base62(secrets.token_bytes(12)), namespace, role, invited, caller.subject, now, expires_at
            )
            waiting, limit = self._waiting(namespace), self._settings.max_invitations_per_namespace
            count = Statement(f"SELECT count(*) FROM invitations WHERE {waiting.sql}", waiting.arguments)  # noqa: S608
            ((number,),) = (await self._database.query(PLATFORM, count)).rows
            if isinstance(number, int) and number >= limit:
                raise Conflict(f"{limit} invitations wait already: end one first", reason="too_many_invitations")
            insertion = Statement(
                "INSERT INTO invitations "  # noqa: S608
                "(id, hash, namespace, role, invited, created_by, wallet, key, created_at, expires_at) "
                "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "
                f"WHERE (SELECT count(*) FROM invitations WHERE {waiting.sql}) < ?",
                (
                    *(made.id, _hash(token), namespace, role, invited, caller.subject),
                    *(maker.wallet, maker.lasting_key_id, now, expires_at),
                    *(*waiting.arguments, limit),
                ),
                expect_rows=1,
            )
            details = {"role": role, "invited": invited}
            return MadeInvitation(made, token), [
                insertion,
                self._audit.entry(
                    *(namespace, caller.subject, Action.INVITATION_CREATE, made.id),
                    provenance=provenance,
                    details=details,
                ),
            ]

        return await self._acts.perform(caller, plan, MadeInvitation, attempt)

    async def waiting(self, namespace: Namespace) -> list[Invitation]:
        """The invitations that wait, oldest first; there are never more than may."""
        condition = self._waiting(namespace)
        return await self._select(Condition(f"{condition.sql} ORDER BY created_at, id", condition.arguments))

    async def revoke(
        self, caller: Principal, invitation_id: str, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> None:
        """End an invitation that waits.

        Raises:
            NotFound: none of that id waits in the caller's namespace (reason ``unknown_invitation``).
        """
        waiting = self._waiting(caller.namespace)
        one = Condition(f"id = ? AND {waiting.sql}", (invitation_id, *waiting.arguments))

        async def plan(standing: Standing) -> tuple[bool, list[Statement]]:
            standing.require("members:write")
            if not await self._select(one):
                raise _unknown()
            return True, [
                Statement(
                    f"UPDATE invitations SET revoked_at = ? WHERE {one.sql}",  # noqa: S608
                    (to_ms(self._clock.now()), *one.arguments),
                    expect_rows=1,
                ),
                self._audit.entry(
                    *(caller.namespace, caller.subject, Action.INVITATION_REVOKE, invitation_id), provenance=provenance
                ),
            ]

        await self._acts.perform(caller, plan, bool, attempt)

    async def accept(
        self, caller: Principal, token: str, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> Invitation:
        """Make the calling wallet a member of the namespace that the token invites to; the token is used up.

        Raises:
            NotFound: the token is unknown, used, past its time, for another wallet, or its maker may invite nobody any
                more (reason ``unknown_invitation`` for all of them).
            Conflict: the wallet is a member already, or there are as many memberships as there may be.
        """
        wallet = caller.subject
        if _TOKEN.fullmatch(token) is None:
            raise _unknown()

        async def plan(_: Standing) -> tuple[Invitation, list[Statement]]:
            is_open = self._is_open()
            one = Condition(f"hash = ? AND {is_open.sql}", (_hash(token), *is_open.arguments))
            found = await self._select(one)
            if not found or not await self._is_for(found[0], wallet):
                raise _unknown()
            (invitation,) = found
            room = await self._room(invitation.namespace, wallet)
            return invitation, [
                Statement(
                    f"UPDATE invitations SET accepted_at = ?, accepted_by = ? WHERE {one.sql}",  # noqa: S608
                    (to_ms(self._clock.now()), wallet, *one.arguments),
                    expect_rows=1,
                ),
                self._memberships.joining(invitation.namespace, wallet, invitation.role, room),
                self._audit.entry(
                    *(invitation.namespace, wallet, Action.INVITATION_ACCEPT, invitation.id),
                    provenance=provenance,
                    details={"role": invitation.role},
                ),
            ]

        return await self._acts.perform(caller, plan, Invitation, attempt)

    def sweep(self) -> Sweep:
        """The removal of invitations whose time is over; what became of them stands in the audit log."""

        def now() -> tuple[int]:
            return (to_ms(self._clock.now()),)

        return platform_sweep(self._database, "invitations", _REMOVE_EXPIRED, now)

    async def _is_for(self, invitation: Invitation, account: str) -> bool:
        """Whether `account` may accept: the wallet that was invited may have been linked to it."""
        if invitation.invited in {None, account}:
            return True
        try:
            return await self._accounts.of(str(invitation.invited)) == account
        except PermissionDenied:  # it acts for nobody now
            return False

    async def _room(self, namespace: Namespace, wallet: str) -> Condition:
        """What is true while the wallet may become one more member.

        Raises:
            Conflict: it may not, or is one.
        """
        own, others = (
            "(SELECT count(*) FROM members WHERE wallet = ?)",
            "(SELECT count(*) FROM members WHERE namespace = ?)",
        )
        is_member = "EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?)"
        statement = Statement(f"SELECT {own}, {others}, {is_member}", (wallet, namespace, namespace, wallet))
        ((in_namespaces, members, is_one),) = msgspec.convert(
            (await self._database.query(PLATFORM, statement)).rows, list[tuple[int, int, int]]
        )
        most, most_members = self._settings.max_memberships_per_wallet, self._settings.max_members_per_namespace
        if is_one:
            raise Conflict(f"this wallet is a member of {namespace!r} already", reason="already_member")
        if in_namespaces >= most:
            raise Conflict(f"this wallet is in {most} namespaces: leave one first", reason="too_many_memberships")
        if members >= most_members:
            raise Conflict(f"the namespace has {most_members} members", reason="too_many_members")
        return Condition(f"{own} < ? AND {others} < ?", (wallet, most, namespace, most_members))

    async def _select(self, condition: Condition) -> list[Invitation]:
        fields = Invitation.__struct_fields__
        statement = Statement(
            f"SELECT {', '.join(fields)} FROM invitations WHERE {condition.sql}",  # noqa: S608
            condition.arguments,
        )
        rows = (await self._database.query(PLATFORM, statement, consistency=Consistency.LINEARIZABLE)).rows
        return msgspec.convert([dict(zip(fields, row, strict=True)) for row in rows], list[Invitation])

    def _is_open(self) -> Condition:
        now = to_ms(self._clock.now())
        return Condition(_IS_OPEN, (now, now, *_INVITERS))

    def _waiting(self, namespace: Namespace) -> Condition:
        is_open = self._is_open()
        return Condition(f"namespace = ? AND {is_open.sql}", (namespace, *is_open.arguments))

    def _expiry(self, lifetime_s: float | None) -> int:
        lifetime_s, limit = lifetime_s or self._settings.invitation_s, self._settings.max_invitation_s
        if lifetime_s > limit:
            raise InvalidArgument(f"an invitation is good for at most {limit} seconds", reason="invalid_expiry")
        return to_ms(self._clock.now() + lifetime_s)


def _unknown() -> NotFound:
    return NotFound("there is no such invitation, or it has ended", reason="unknown_invitation")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
