"""The members of a namespace, for those who manage them."""

from __future__ import annotations

import msgspec

from orama.contracts.database import Database
from orama.domain.audit import Action, Provenance
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import ROLE_SCOPES, Role
from orama.domain.sql import Statement
from orama.services.auth.audit import AuditLog
from orama.services.auth.decision import Decisions
from orama.services.auth.membership import Memberships, last_owner
from orama.services.auth.standing import Acts, Standing
from orama.services.idempotency.attempt import Attempt


class Member(msgspec.Struct, frozen=True):
    """A wallet in a namespace. `joined_at`: unix milliseconds."""

    wallet: str
    role: Role
    joined_at: int


class Members:
    """Lists members, changes their roles and removes them.

    Nobody gives a role that reaches further than its own credential, nor touches a member that does: an admin cannot
    make owners, and cannot demote or remove them. A namespace that has an owner keeps one.
    """

    def __init__(
        self, database: Database, decisions: Decisions, memberships: Memberships, acts: Acts, audit: AuditLog
    ) -> None:
        self._database = database
        self._decisions = decisions
        self._memberships = memberships
        self._acts = acts
        self._audit = audit

    async def page(self, namespace: Namespace, *, limit: int, after: str = "") -> list[Member]:
        """Up to `limit` members, by wallet, those after the wallet `after`."""
        statement = Statement(
            "SELECT wallet, role, created_at FROM members WHERE namespace = ? AND wallet > ? ORDER BY wallet LIMIT ?",
            (namespace, after, limit),
        )
        rows = (await self._database.query(PLATFORM, statement)).rows
        fields = Member.__struct_fields__
        return msgspec.convert([dict(zip(fields, row, strict=True)) for row in rows], list[Member])

    async def set_role(
        self, caller: Principal, wallet: str, role: Role, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> None:
        """Give a member another role. Its tokens and keys reach what the new one reaches at once, elsewhere within 5 s.

        Raises:
            PermissionDenied: the old or the new role reaches further than the caller (reason ``beyond_caller``).
            NotFound: the wallet is no member (reason ``unknown_member``).
            Conflict: no owner would be left (reason ``last_owner``).
        """
        namespace = caller.namespace

        async def plan(standing: Standing) -> tuple[bool, list[Statement]]:
            standing.require("members:write")
            before = await self._memberships.find(namespace, wallet)
            standing.require_all(ROLE_SCOPES[before.role], f"the member's role ({before.role})")
            standing.require_all(ROLE_SCOPES[role], f"the role {role}")
            if before.role == role:
                return True, []
            if before.is_last_owner:
                raise last_owner()
            details = {"role": role, "before": before.role}
            return True, [
                self._memberships.role_change(namespace, wallet, before.role, role),
                self._audit.entry(
                    *(namespace, caller.subject, Action.MEMBER_ROLE, wallet), provenance=provenance, details=details
                ),
            ]

        await self._acts.perform(caller, plan, bool, attempt)
        self._decisions.forget(members={(namespace, wallet)})

    async def remove(
        self, caller: Principal, wallet: str, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> None:
        """End a membership, and all credentials that came of it at once, elsewhere within `decision_s`.

        Raises:
            PermissionDenied: the member's role reaches further than the caller (reason ``beyond_caller``).
            NotFound: the wallet is no member (reason ``unknown_member``).
            Conflict: no owner would be left (reason ``last_owner``).
        """
        namespace = caller.namespace

        async def plan(standing: Standing) -> tuple[bool, list[Statement]]:
            standing.require("members:write")
            before = await self._memberships.find(namespace, wallet)
            standing.require_all(ROLE_SCOPES[before.role], f"the member's role ({before.role})")
            if before.is_last_owner:
                raise last_owner()
            record = self._audit.entry(
                *(namespace, caller.subject, Action.MEMBER_REMOVE, wallet),
                provenance=provenance,
                details={"role": before.role},
            )
            return True, [*self._memberships.withdrawal(namespace, wallet), record]

        await self._acts.perform(caller, plan, bool, attempt)
        self._decisions.forget(members={(namespace, wallet)})
