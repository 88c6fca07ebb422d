"""What is known of an API key, as the platform's database has it."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.namespace import Namespace
from orama.domain.role import ROLE_SCOPES, Role
from orama.domain.scope import common
from orama.domain.sql import Value

SELECT_KEYS: Final = (
    "SELECT k.id, k.namespace, k.wallet, k.family, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, "
    "k.created_by, k.replaced_by, k.last_used_at, m.role, k.mac "
    "FROM api_keys k LEFT JOIN members m ON m.namespace = k.namespace AND m.wallet = k.wallet"
)
"""Rows for `key_record`, the last column apart: it is what proves the secret."""


class KeyRecord(msgspec.Struct, frozen=True):
    """What is known of a key. `wallet`: whose it is, if anybody's. `family`: the sign-in it dies with.

    `created_by`: the subject that made it. `replaced_by`: the id of the key it was rotated to. `last_used_at`: to the
    hour. `role`: what `wallet` is in the namespace now. Times are unix milliseconds.
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
    created_by: str | None = None
    replaced_by: str | None = None
    last_used_at: int | None = None
    role: Role | None = None

    @property
    def effective_scopes(self) -> frozenset[str]:
        """What the key reaches now: of a member's key, what that member may do as well."""
        if self.wallet is None:
            return self.scopes
        return frozenset() if self.role is None else common(self.scopes, ROLE_SCOPES[self.role])

    def is_good(self, now: int) -> bool:
        """Whether it is neither revoked nor past its end; of a sign-in's key the sign-in is to be asked, too."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def key_record(row: tuple[Value, ...]) -> KeyRecord:
    """The record that a row of `SELECT_KEYS` holds."""
    fields = dict(zip(KeyRecord.__struct_fields__, row[:-1], strict=True))
    return msgspec.convert({**fields, "scopes": str(fields["scopes"]).split()}, KeyRecord)
