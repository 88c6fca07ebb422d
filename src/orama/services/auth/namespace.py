"""Who may be in which namespace."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, NotFound, PermissionDenied, Precondition
from orama.services.auth.decision import Decisions
from orama.services.auth.settings import AuthSettings

Role: TypeAlias = Literal["owner", "member"]


class Namespaces:
    """Namespaces and their members.

    The first wallet that signs in for a name claims it. One that the operator made has no owner until the operator
    grants it one, and is never claimable. An open namespace takes any wallet as a member.
    """

    def __init__(self, database: Database, clock: Clock, decisions: Decisions, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._decisions = decisions
        self._settings = settings

    async def admission(self, namespace: Namespace, wallet: str) -> list[Statement]:
        """What must be done, in one batch with what follows from it, so that `wallet` is a member: perhaps nothing.

        Raises:
            PermissionDenied: the namespace is another's.
            Conflict: the wallet has claimed as many as it may (reason ``too_many_namespaces``).
        """
        statement = Statement(
            "SELECT EXISTS (SELECT 1 FROM members WHERE namespace = ? AND wallet = ?), "
            "EXISTS (SELECT 1 FROM namespaces WHERE name = ?), "
            "(SELECT count(*) FROM namespaces WHERE claimed_by = ?)",
            (namespace, wallet, namespace, wallet),
        )
        ((is_member, exists, claimed),) = (await self._database.query(PLATFORM, statement)).rows
        if is_member:
            return []
        if namespace in self._settings.open_namespaces:
            return [self._creation(namespace, "open"), self._grant(namespace, wallet, "member")]
        if exists:
            raise PermissionDenied(
                f"the namespace {namespace!r} is another's: ask an owner to admit this wallet", reason="not_a_member"
            )
        limit = self._settings.max_namespaces_per_wallet
        if isinstance(claimed, int) and claimed >= limit:
            raise Conflict(
                f"this wallet has claimed {limit} namespaces already: use one of them", reason="too_many_namespaces"
            )
        return self._claim(namespace, wallet)

    async def create(self, namespace: Namespace) -> None:
        """Make a namespace in the operator's name.

        Raises:
            Conflict: there is one of that name.
        """
        creation = msgspec.structs.replace(self._creation(namespace, "operator"), expect_rows=1)
        try:
            await self._database.execute(PLATFORM, [creation, self._revocation(namespace)])
        except Precondition as error:
            raise Conflict(f"the namespace {namespace!r} exists already", reason="namespace_exists") from error

    async def grant(self, namespace: Namespace, wallet: str, role: Role) -> None:
        """Make `wallet` (a subject) a member in `role`.

        Raises:
            NotFound: there is no such namespace.
        """
        try:
            await self._database.execute(PLATFORM, [self._grant(namespace, wallet, role)])
        except Precondition as error:
            raise NotFound(f"there is no namespace {namespace!r}", reason="unknown_namespace") from error

    async def withdraw(self, namespace: Namespace, wallet: str) -> None:
        """End a membership with all credentials that came of it; nothing, if there is none."""
        now = to_ms(self._clock.now())
        revoke = " SET revoked_at = ? WHERE namespace = ? AND wallet = ? AND revoked_at IS NULL RETURNING id"
        batch = [
            Statement("DELETE FROM members WHERE namespace = ? AND wallet = ?", (namespace, wallet)),
            Statement("UPDATE families" + revoke, (now, namespace, wallet)),
            Statement("UPDATE api_keys" + revoke, (now, namespace, wallet)),
        ]
        _, families, keys = (
            {str(row[0]) for row in result.rows.rows} if result.rows else set[str]()
            for result in await self._database.execute(PLATFORM, batch)
        )
        self._decisions.forget(families=families, key_ids=keys)

    def _claim(self, namespace: Namespace, wallet: str) -> list[Statement]:
        now = to_ms(self._clock.now())
        claim = Statement(
            "INSERT INTO namespaces (name, kind, claimed_by, created_at) SELECT ?, 'claimed', ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM namespaces WHERE name = ?) "
            "AND (SELECT count(*) FROM namespaces WHERE claimed_by = ?) < ?",
            (namespace, wallet, now, namespace, wallet, self._settings.max_namespaces_per_wallet),
            expect_rows=1,
        )
        return [claim, self._grant(namespace, wallet, "owner"), self._revocation(namespace)]

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

    def _grant(self, namespace: Namespace, wallet: str, role: Role) -> Statement:
        return Statement(
            "INSERT INTO members (namespace, wallet, role, created_at) SELECT ?, ?, ?, ? "
            "WHERE EXISTS (SELECT 1 FROM namespaces WHERE name = ?) "
            "ON CONFLICT (namespace, wallet) DO UPDATE SET role = excluded.role",
            (namespace, wallet, role, to_ms(self._clock.now()), namespace),
            expect_rows=1,
        )
