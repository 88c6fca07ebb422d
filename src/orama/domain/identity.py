"""Who is calling, and what that allows."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from orama.domain.namespace import Namespace
from orama.errors import InvalidArgument

_SCOPE: Final = re.compile(r"\*|[a-z]+(:(\*|[A-Za-z0-9_.-]+)){0,2}")


class Method(Enum):
    """How a caller proved who it is."""

    API_KEY = "api_key"
    JWT = "jwt"


def parse_scope(text: str) -> str:
    """A scope as keys carry it: ``*``, ``cache:*``, ``db:read``, ``functions:invoke:hello``.

    Raises:
        InvalidArgument: the text is not of that form.
    """
    if _SCOPE.fullmatch(text) is None:
        raise InvalidArgument(
            f"invalid scope {text[:80]!r}: use '*', 'area:*', 'area:action' or 'area:action:resource'",
            reason="invalid_scope",
        )
    return text


def covers(granted: str, wanted: str) -> bool:
    """Whether the scope `granted` reaches `wanted`: part by part, ``*`` matches any, a shorter grant reaches deeper."""
    have, want = granted.split(":"), wanted.split(":")
    return len(have) <= len(want) and all(h in ("*", w) for h, w in zip(have, want, strict=False))


def covers_resource(granted: str, wanted: str, resource: str | None) -> bool:
    """Whether the scope `granted` reaches `wanted`, of two parts, for one resource, or for all if that is None.

    A resource is compared as a whole: its name may hold colons, which in scopes stand between parts.
    """
    *area_and_action, last = granted.split(":", 2)
    if len(area_and_action) < 2:  # noqa: PLR2004
        return covers(granted, wanted)
    return covers(":".join(area_and_action), wanted) and last in ("*", resource)


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller: one subject in one namespace with the scopes its credential grants.

    `subject`: a wallet in its canonical form, or ``ak_<id>`` for a key. `key_id`: the key's id without its secret,
    if a key was used. `family`: the sign-in that the credential belongs to and dies with, if any. `expires_at` and
    `issued_at`: unix seconds, of a JWT. `disregarded`: the namespace of an API key that was sent beside a JWT of
    another one; the JWT decides, and a refusal should say so.
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

    def allows(self, scope: str) -> bool:
        """Whether any of its scopes reaches `scope`."""
        return any(covers(granted, scope) for granted in self.scopes)

    def allows_resource(self, scope: str, resource: str | None) -> bool:
        """Whether any of its scopes reaches `scope` for one resource, or for all if that is None."""
        return any(covers_resource(granted, scope, resource) for granted in self.scopes)
