"""Namespaces: who made which, and who gets in."""

from __future__ import annotations

from typing import Literal

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.audit import LOCAL, OPERATOR, Action, Provenance
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import Role
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, NotFound, PermissionDenied, Precondition
from orama.services.auth.account import Accounts
from orama.services.auth.audit import AuditLog
from orama.services.auth.decision import Decisions
from orama.services.auth.membership import Memberships, last_owner
from orama.services.auth.settings import AuthSettings
from orama.services.auth.settling import settle


class NamespaceRecord(msgspec.Struct, frozen=True):
    """A namespace as the operator sees it. `created_at`: unix milliseconds."""

    name: Namespace
    kind: Literal["claimed", "operator", "open"]
    members: int
    owners: int
    created_at: int


class _Found(msgspec.Struct, frozen=True):
    """What there is of a namespace and a wallet, and how many namespaces the wallet has claimed."""

    is_member: bool
    exists: bool
    claimed: int


class Namespaces:
    """Namespaces, the ways into them, and what the operator does to them.

    The first wallet that signs in for a name claims it. One that the operator made has no owner until the operator
    grants it one, and is never claimable. An open namespace takes any wallet as a member.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        decisions: Decisions,
        accounts: Accounts,
        memberships: Memberships,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._decisions = decisions
        self._accounts = accounts
        self._memberships = memberships
        self._audit = audit
        self._settings = settings

    async def admission(self, namespace: Namespace, wallet: str, provenance: Provenance = LOCAL) -> list[Statement]:
        """What must be done, in one batch with what follows from it, so that `wallet` is a member: perhaps nothing.

        Raises:
            PermissionDenied: the namespace is another's.
            Conflict: the wallet has claimed as many as it may (reason ``too_many_namespaces``).
        """
        found = await self._find(namespace, wallet)
        if found.is_member:
            return []
        if namespace in self._settings.open_namespaces:
            return [
                self._creation(namespace, "open"),
                self._memberships.joining(namespace, wallet, "member"),
                self._record(namespace, wallet, Action.MEMBER_JOIN, wallet, provenance, "member"),
            ]
        if found.exists:
            raise PermissionDenied(
                f"the namespace {namespace!r} is another's: ask an owner to admit this wallet", reason="not_a_member"
            )
        return self._claim(namespace, wallet, found.claimed, provenance)

    async def claim(self, namespace: Namespace, wallet: str, provenance: Provenance) -> list[Statement]:
        """What makes `namespace`, which nobody has, the wallet's.

        Raises:
            Conflict: there is one of that name (reason ``namespace_exists``), or the wallet has claimed as many as it
                may (reason ``too_many_namespaces``).
        """
        found = await self._find(namespace, wallet)
        if found.exists or namespace in self._settings.open_namespaces:
            raise _exists(namespace)
        return self._claim(namespace, wallet, found.claimed, provenance)

    async def create(self, namespace: Namespace) -> None:
        """Make a namespace in the operator's name.

        Raises:
            Conflict: there is one of that name (reason ``namespace_exists``).
        """
        creation = msgspec.structs.replace(self._creation(namespace, "operator"), expect_rows=1)
        record = self._record(namespace, OPERATOR, Action.NAMESPACE_CREATE, namespace, LOCAL)
        try:
            await self._database.execute(PLATFORM, [creation, self._revocation(namespace), record])
        except Precondition as error:
            raise _exists(namespace) from error

    async def grant(self, namespace: Namespace, wallet: str, role: Role) -> None:
        """Make `wallet` (a subject) a member in `role`, whatever it was before, in the operator's name.

        A wallet that is linked to another account stands for that account.

        Raises:
            NotFound: there is no such namespace.
            PermissionDenied: the wallet was unlinked from its account and is nobody's.
            Conflict: the namespace would be left without an owner (reason ``last_owner``).
        """

        async def plan() -> tuple[str, list[Statement]]:
            found = await self._find(namespace, wallet)
            if not found.exists:
                raise NotFound(f"there is no namespace {namespace!r}", reason="unknown_namespace")
            if found.is_member:
                return wallet, await self._role_change(namespace, wallet, role)
            account = await self._accounts.of(wallet)
            if account != wallet and (await self._find(namespace, account)).is_member:
                return account, await self._role_change(namespace, account, role)
            still = self._accounts.while_of(Statement("SELECT 1 WHERE 1", expect_rows=1), wallet, account)
            join = self._memberships.joining(namespace, account, role)
            return account, [
                still,
                join,
                self._record(namespace, OPERATOR, Action.MEMBER_JOIN, account, LOCAL, role),
            ]

        account = await settle(self._database, plan)
        self._decisions.forget(members={(namespace, account)})

    async def withdraw(self, namespace: Namespace, wallet: str) -> None:
        """End a membership with all credentials that came of it, in the operator's name.

        Raises:
            NotFound: there is none.
            Conflict: the namespace would be left without an owner (reason ``last_owner``).
        """

        async def plan() -> tuple[None, list[Statement]]:
            if (await self._memberships.find(namespace, wallet)).is_last_owner:
                raise last_owner()
            record = self._record(namespace, OPERATOR, Action.MEMBER_REMOVE, wallet, LOCAL)
            return None, [*self._memberships.withdrawal(namespace, wallet), record]

        await settle(self._database, plan)
        self._decisions.forget(members={(namespace, wallet)})

    async def page(self, *, limit: int, after: str = "") -> list[NamespaceRecord]:
        """Up to `limit` of all namespaces, by name, those after the name `after`: for the operator."""
        statement = Statement(
            "SELECT n.name, n.kind, count(m.wallet), count(m.wallet) FILTER (WHERE m.role = 'owner'), n.created_at "
            "FROM namespaces n LEFT JOIN members m ON m.namespace = n.name WHERE n.name > ? "
            "GROUP BY n.name ORDER BY n.name LIMIT ?",
            (after, limit),
        )
        fields = NamespaceRecord.__struct_fields__
        rows = (await self._database.query(PLATFORM, statement)).rows
        return msgspec.convert([dict(zip(fields, row, strict=True)) for row in rows], list[NamespaceRecord])

    async def _role_change(self, namespace: Namespace, wallet: str, role: Role) -> list[Statement]:
        before = await self._memberships.find(namespace, wallet)
        if before.is_last_owner and role != "owner":
            raise last_owner()
        change = self._memberships.role_change(namespace, wallet, before.role, role)
        return [change, self._record(namespace, OPERATOR, Action.MEMBER_ROLE, wallet, LOCAL, role)]

    async def _find(self, namespace: Namespace, wallet: str) -> _Found:
        statement = Statement(
            "SELECT EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?), "
            "EXISTS (SELECT 1 FROM namespaces WHERE name = ?), "
            "(SELECT count(*) FROM namespaces WHERE claimed_by = ?)",
            (namespace, wallet, namespace, wallet),
        )
        ((is_member, exists, claimed),) = msgspec.convert(
            (await self._database.query(PLATFORM, statement)).rows, list[tuple[int, int, int]]
        )
        return _Found(bool(is_member), bool(exists), claimed)

    def _claim(self, namespace: Namespace, wallet: str, claimed: int, provenance: Provenance) -> list[Statement]:
        limit = self._settings.max_namespaces_per_wallet
        if claimed >= limit:
            raise Conflict(
                f"this wallet has claimed {limit} namespaces already: use one of them", reason="too_many_namespaces"
            )
        claim = Statement(
            "INSERT INTO namespaces (name, kind, claimed_by, created_at) SELECT ?, 'claimed', ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM namespaces WHERE name = ?) "
            "AND (SELECT count(*) FROM namespaces WHERE claimed_by = ?) < ?",
            (namespace, wallet, to_ms(self._clock.now()), namespace, wallet, limit),
            expect_rows=1,
        )
        return [
            claim,
            self._memberships.joining(namespace, wallet, "owner"),
            self._revocation(namespace),
            self._record(namespace, wallet, Action.NAMESPACE_CREATE, namespace, provenance),
        ]

    def _revocation(self, namespace: Namespace) -> Statement:
        """Ends the keys of a namespace that gets an owner: they were made in development, for nobody's namespace."""
        return Statement(
            "UPDATE api_keys SET revoked_at = ? WHERE namespace = ? AND revoked_at IS NULL",
            (to_ms(self._clock.now()), namespace),
        )

    def _creation(self, namespace: Namespace, kind: Literal["operator", "open"]) -> Statement:
        """Adds one row, or none if there is one of that name."""
        return Statement(
            "INSERT INTO namespaces (name, kind, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            (namespace, kind, to_ms(self._clock.now())),
        )

    def _record(
        self,
        namespace: Namespace,
        actor: str,
        action: Action,
        target: str,
        provenance: Provenance,
        role: Role | None = None,
    ) -> Statement:
        details = {} if role is None else {"role": role}
        return self._audit.entry(namespace, actor, action, target, provenance=provenance, details=details)


def _exists(namespace: Namespace) -> Conflict:
    return Conflict(f"the namespace {namespace!r} exists already", reason="namespace_exists")
