"""What a wallet does with namespaces of its own: make, list, hand on and leave them."""

from __future__ import annotations

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.audit import Action, Provenance
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import Role
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, PermissionDenied
from orama.services.auth.audit import AuditLog
from orama.services.auth.decision import Decisions
from orama.services.auth.membership import Memberships, last_owner
from orama.services.auth.namespace import Namespaces
from orama.services.auth.standing import Acts, Standing
from orama.services.idempotency.attempt import Attempt


class OwnNamespace(msgspec.Struct, frozen=True):
    """A namespace that a wallet is a member of. `joined_at`: unix milliseconds."""

    name: Namespace
    role: Role
    joined_at: int


class OwnNamespaces:
    """For wallets that signed in: each acts for itself alone. The caller is one (`Principal.is_wallet`)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        decisions: Decisions,
        namespaces: Namespaces,
        memberships: Memberships,
        acts: Acts,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._decisions = decisions
        self._namespaces = namespaces
        self._memberships = memberships
        self._acts = acts
        self._audit = audit

    async def page(self, wallet: str, *, limit: int, after: str = "") -> list[OwnNamespace]:
        """Up to `limit` namespaces that `wallet` is a member of, by name, those after the name `after`."""
        statement = Statement(
            "SELECT namespace, role, created_at FROM members WHERE wallet = ? AND namespace > ? "
            "ORDER BY namespace LIMIT ?",
            (wallet, after, limit),
        )
        fields = OwnNamespace.__struct_fields__
        rows = (await self._database.query(PLATFORM, statement)).rows
        return msgspec.convert([dict(zip(fields, row, strict=True)) for row in rows], list[OwnNamespace])

    async def claim(
        self, caller: Principal, name: Namespace, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> OwnNamespace:
        """Make a namespace, whose owner the caller becomes.

        Raises:
            Conflict: there is one of that name, or the wallet has claimed as many as it may.
        """

        async def plan(_: Standing) -> tuple[OwnNamespace, list[Statement]]:
            made = OwnNamespace(name, "owner", to_ms(self._clock.now()))
            return made, await self._namespaces.claim(name, caller.subject, provenance)

        return await self._acts.perform(caller, plan, OwnNamespace, attempt)

    async def leave(self, caller: Principal, provenance: Provenance) -> None:
        """End the caller's membership of the namespace that its credential is for, and all credentials for it.

        Raises:
            Conflict: the caller is the last owner (reason ``last_owner``).
        """
        namespace, wallet = caller.namespace, caller.subject

        async def plan(_: Standing) -> tuple[bool, list[Statement]]:
            if (await self._memberships.find(namespace, wallet)).is_last_owner:
                raise last_owner()
            record = self._audit.entry(namespace, wallet, Action.MEMBER_LEAVE, wallet, provenance=provenance)
            return True, [*self._memberships.withdrawal(namespace, wallet), record]

        await self._acts.perform(caller, plan, bool)
        self._decisions.forget(members={(namespace, wallet)})

    async def transfer(
        self, caller: Principal, heir: str, provenance: Provenance, *, attempt: Attempt | None = None
    ) -> None:
        """Make another member, `heir`, an owner in the caller's place; the caller becomes an admin.

        Raises:
            PermissionDenied: the caller is no owner (reason ``not_an_owner``).
            NotFound: the heir is no member (reason ``unknown_member``).
            Conflict: the heir is the caller (reason ``already_owner``).
        """
        namespace, wallet = caller.namespace, caller.subject

        async def plan(standing: Standing) -> tuple[bool, list[Statement]]:
            if standing.role != "owner":
                raise PermissionDenied("only an owner can hand a namespace on", reason="not_an_owner")
            if heir == wallet:
                raise Conflict("this wallet is an owner already: name another member", reason="already_owner")
            before = (await self._memberships.find(namespace, heir)).role
            return True, [
                self._memberships.role_change(namespace, heir, before, "owner"),
                self._memberships.role_change(namespace, wallet, "owner", "admin"),
                self._audit.entry(namespace, wallet, Action.NAMESPACE_TRANSFER, heir, provenance=provenance),
            ]

        await self._acts.perform(caller, plan, bool, attempt)
        self._decisions.forget(members={(namespace, wallet), (namespace, heir)})
