"""Memberships as rows: what is read of them, and the statements that change them, whoever wants it."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.role import Role
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.errors import Conflict, NotFound
from orama.services.auth.audit import ALWAYS, Condition

_OWNERS: Final = "(SELECT count(*) FROM members WHERE namespace = ? AND role = 'owner')"


class Membership(msgspec.Struct, frozen=True):
    """What a wallet is in a namespace. `is_last_owner`: nobody else is an owner there."""

    role: Role
    is_last_owner: bool


class Memberships:
    """The members of all namespaces. A namespace that has an owner keeps one: every statement sees to that."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, namespace: Namespace, wallet: str) -> Membership:
        """What `wallet` is in `namespace`.

        Raises:
            NotFound: it is no member.
        """
        statement = Statement(
            f"SELECT role, role = 'owner' AND {_OWNERS} = 1 FROM members WHERE namespace = ? AND wallet = ?",  # noqa: S608
            (namespace, namespace, wallet),
        )
        rows = (await self._database.query(PLATFORM, statement)).rows
        if not rows:
            raise NotFound(f"{wallet} is no member here", reason="unknown_member")
        return msgspec.convert(dict(zip(Membership.__struct_fields__, rows[0], strict=True)), Membership, strict=False)

    def joining(self, namespace: Namespace, wallet: str, role: Role, only_if: Condition = ALWAYS) -> Statement:
        """Makes `wallet`, which must be no member yet, a member, if `only_if` holds."""
        return Statement(
            "INSERT INTO members (namespace, wallet, role, created_at) SELECT ?, ?, ?, ? "
            f"WHERE {only_if.sql} ON CONFLICT (namespace, wallet) DO NOTHING",
            (namespace, wallet, role, to_ms(self._clock.now()), *only_if.arguments),
            expect_rows=1,
        )

    def role_change(self, namespace: Namespace, wallet: str, before: Role, after: Role) -> Statement:
        """Gives a member that is `before` the role `after`, unless no owner would be left."""
        return Statement(
            "UPDATE members SET role = ? WHERE namespace = ? AND wallet = ? AND role = ? "  # noqa: S608
            f"AND (role <> 'owner' OR ? = 'owner' OR {_OWNERS} > 1)",
            (after, namespace, wallet, before, after, namespace),
            expect_rows=1,
        )

    def withdrawal(self, namespace: Namespace, wallet: str) -> list[Statement]:
        """Ends a membership, unless no owner would be left, with all that came of it.

        Its sign-ins, its API keys, and the invitations it made.
        """
        now = to_ms(self._clock.now())
        revoke = " SET revoked_at = ? WHERE namespace = ? AND wallet = ? AND revoked_at IS NULL"
        return [
            Statement(
                f"DELETE FROM members WHERE namespace = ? AND wallet = ? AND (role <> 'owner' OR {_OWNERS} > 1)",  # noqa: S608
                (namespace, wallet, namespace),
                expect_rows=1,
            ),
            Statement("UPDATE families" + revoke, (now, namespace, wallet)),
            Statement("UPDATE api_keys" + revoke, (now, namespace, wallet)),
            Statement("UPDATE invitations" + revoke, (now, namespace, wallet)),
        ]


def last_owner() -> Conflict:
    """The refusal to leave a namespace without an owner."""
    return Conflict("this is the last owner: make another member an owner first", reason="last_owner")
