"""Roles: what a member of a namespace may do there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from orama.domain.scope import ALL_SCOPES, beyond

Role: TypeAlias = Literal["owner", "admin", "member", "reader"]

InvitedRole: TypeAlias = Literal["admin", "member", "reader"]
"""Roles that invitations give; owners are made of members."""

_OWN_KEYS: Final = frozenset({"keys:read:own", "keys:write:own"})
_DATA: Final = frozenset({"db:*", "cache:*", "storage:*", "pubsub:*", "functions:*"})

ROLE_SCOPES: Final[Mapping[Role, frozenset[str]]] = {
    "owner": ALL_SCOPES,
    "admin": _DATA | {"members:*", "keys:*", "audit:read"},
    "member": _DATA | _OWN_KEYS,
    "reader": frozenset({"db:read", "cache:read", "storage:read", "pubsub:subscribe", "functions:read"}) | _OWN_KEYS,
}
"""From the most to the least. A member's credentials reach what both they and the role reach."""


def roles_with(scopes: Iterable[str]) -> tuple[Role, ...]:
    """The roles that reach all of `scopes`."""
    wanted = tuple(scopes)
    return tuple(role for role, granted in ROLE_SCOPES.items() if not beyond(granted, wanted))
