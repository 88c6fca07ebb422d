"""Scopes: what a credential may do, written ``area:action:resource``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from orama.errors import InvalidArgument

ALL_SCOPES: Final = frozenset({"*"})
"""Everything, also what will be added later."""

SCOPES: Final[Mapping[str, str]] = {
    "db:read": "Query tables, list the schema.",
    "db:write": "Change rows and tables, run transactions.",
    "cache:read": "Read and list cached values.",
    "cache:write": "Store, change and delete cached values.",
    "storage:read": "Download files, see their pins.",
    "storage:write": "Upload, pin and unpin files.",
    "pubsub:subscribe": "Receive messages, list topics and presence.",
    "pubsub:publish": "Send messages.",
    "functions:read": "List functions, their versions and logs.",
    "functions:write": "Deploy, change and delete functions.",
    "functions:invoke": "Call functions.",
    "members:read": "List members and open invitations.",
    "members:write": "Invite, change roles, remove members.",
    "keys:read": "List API keys.",
    "keys:write": "Make, rotate and revoke API keys.",
    "audit:read": "Read the audit log.",
}
"""Every area and action there is, with what it allows."""

OWN: Final = "own"
"""The resource of ``keys:read:own`` and ``keys:write:own``: the keys of the same wallet, or the key itself."""

RESOURCES: Final[Mapping[str, str]] = {
    "pubsub:subscribe": "topic",
    "pubsub:publish": "topic",
    "functions:invoke": "function",
    "keys:read": OWN,
    "keys:write": OWN,
}
"""Where a scope may end in a resource, and which: a name of that kind, or the word `OWN`."""

_FORM: Final = re.compile(r"\*|[a-z]+(:(\*|[a-z]+)(:(\*|[!-)+\--~]+))?)?", re.ASCII)
"""A resource is visible ASCII without ``*`` and the comma, which stands between scopes."""

_MAX_LENGTH: Final = 128
_ALL_PARTS: Final = 3


def parse_scope(text: str) -> str:
    """A scope that means something: ``*``, ``cache:*``, ``db:read``, ``functions:invoke:hello``.

    Raises:
        InvalidArgument: the text is not of that form (reason ``invalid_scope``), or names an area, an action or a kind
            of resource that there is not (reason ``unknown_scope``).
    """
    if len(text) > _MAX_LENGTH or _FORM.fullmatch(text) is None:
        raise InvalidArgument(
            f"invalid scope {text[:80]!r}: use '*', 'area:*', 'area:action' or 'area:action:resource'",
            reason="invalid_scope",
        )
    area, action, resource = (*_parts(text), "*", "*")[:_ALL_PARTS]
    areas = list(dict.fromkeys(scope.partition(":")[0] for scope in SCOPES))
    if area not in ("*", *areas):
        raise _unknown(text, f"the areas are {', '.join(areas)}")
    actions = [scope.partition(":")[2] for scope in SCOPES if scope.startswith(f"{area}:")]
    if action not in ("*", *actions):
        raise _unknown(text, f"the actions of {area!r} are {', '.join(actions)}")
    kinds = {kind for scope, kind in RESOURCES.items() if area != "*" and covers(f"{area}:{action}", scope)}
    if resource != "*" and not any(kind != OWN or resource == OWN for kind in kinds):
        raise _unknown(text, f"{area}:{action} takes " + (f"the resource {OWN!r}" if kinds else "no resource"))
    return text


def covers(granted: str, wanted: str) -> bool:
    """Whether the scope `granted` reaches `wanted`: part by part, ``*`` matches any, a shorter grant reaches deeper."""
    have, want = _parts(granted), _parts(wanted)
    return len(have) <= len(want) and all(h in ("*", w) for h, w in zip(have, want, strict=False))


def covers_resource(granted: str, wanted: str, resource: str | None) -> bool:
    """Whether the scope `granted` reaches `wanted`, of two parts, for one resource, or for all if that is None."""
    *area_and_action, last = _parts(granted)
    if len(area_and_action) < _ALL_PARTS - 1:
        return covers(granted, wanted)
    return covers(":".join(area_and_action), wanted) and last in ("*", resource)


def allows(granted: Iterable[str], wanted: str) -> bool:
    """Whether any of the scopes `granted` reaches `wanted`."""
    return any(covers(one, wanted) for one in granted)


def beyond(granted: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Those of the scopes `wanted` that no single one of `granted` reaches, in order."""
    have = tuple(granted)
    return sorted(scope for scope in wanted if not allows(have, scope))


def common(first: Iterable[str], second: Iterable[str]) -> frozenset[str]:
    """The scopes that reach exactly what both sets reach, none of them within another."""
    others = tuple(second)
    both = {meeting for one in first for other in others if (meeting := _meeting(one, other)) is not None}
    return frozenset(scope for scope in both if not any(covers(other, scope) for other in both - {scope}))


def _parts(scope: str) -> list[str]:
    """Area, action and resource, as many as there are. The resource is a name of its own, which may hold colons."""
    return scope.split(":", _ALL_PARTS - 1)


def _meeting(first: str, second: str) -> str | None:
    """The scope that reaches what both reach, or None if they have nothing in common."""
    one, other = _parts(first), _parts(second)
    if len(one) < len(other):
        one, other = other, one
    parts: list[str] = []
    for mine, theirs in zip(one, [*other, *("*" for _ in one[len(other) :])], strict=True):
        if "*" not in (mine, theirs) and mine != theirs:
            return None
        parts.append(theirs if mine == "*" else mine)
    return ":".join(parts)


def _unknown(text: str, hint: str) -> InvalidArgument:
    return InvalidArgument(f"unknown scope {text!r}: {hint}", reason="unknown_scope")
