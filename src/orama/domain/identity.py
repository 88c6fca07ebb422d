"""Who is calling, and what that allows."""

from __future__ import annotations

from enum import Enum

import msgspec

from orama.domain.namespace import Namespace
from orama.domain.scope import allows, covers_resource


class Method(Enum):
    """How a caller proved who it is."""

    API_KEY = "api_key"
    JWT = "jwt"


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller: one subject in one namespace with the scopes its credential grants.

    `subject`: a wallet in its canonical form, or ``ak_<id>`` for a key. `key_id`: the key's id without its secret,
    if a key was used. `family`: the sign-in that the credential belongs to and dies with, if any. `expires_at` and
    `issued_at`: unix seconds, of a JWT. `disregarded`: the namespace of an API key that was sent beside a JWT of
    another one; the JWT decides, and a refusal should say so. `wallet`: whose credential it is; a key may be nobody's.
    `joined_key_id`: the key that was sent beside a JWT of the same namespace, whose scopes are among these.
    """

    method: Method
    subject: str
    namespace: Namespace
    scopes: frozenset[str]
    key_id: str | None = None
    family: str | None = None
    issued_at: int | None = None
    expires_at: int | None = None
    disregarded: Namespace | None = None
    wallet: str | None = None
    joined_key_id: str | None = None

    @property
    def is_wallet(self) -> bool:
        """Whether a wallet that signed in is calling itself, rather than a key that it or somebody else made."""
        return self.method is Method.JWT and self.key_id is None

    @property
    def owner(self) -> str:
        """Who it is for others: the wallet, whichever of its keys or tokens it came with, or else the key."""
        return self.wallet or self.subject

    def allows(self, scope: str) -> bool:
        """Whether any of its scopes reaches `scope`."""
        return allows(self.scopes, scope)

    def allows_resource(self, scope: str, resource: str | None) -> bool:
        """Whether any of its scopes reaches `scope` for one resource, or for all if that is None."""
        return any(covers_resource(granted, scope, resource) for granted in self.scopes)
