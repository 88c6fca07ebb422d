"""Requests and replies of ``/v1/keys``. Times are RFC 3339 in UTC; keys are called ``ak_<id>``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from orama.domain.page import DEFAULT_PAGE
from orama.wire.field import REQUIRED, Duration, Name, PageSize

_KeyId = Annotated[
    str,
    msgspec.Meta(
        description="A key's id, with ak_ or without.",
        extra_json_schema={"pattern": "^(ak_)?[0-9A-Za-z]{17}$", REQUIRED: True},
    ),
]
_Overlap = Annotated[
    str | Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})],
    msgspec.Meta(description="A Go duration ('30s', '72h') or whole seconds; 0 ends the old key at once."),
]


class ListKeys(msgspec.Struct):
    """Which page of the keys; `after` is the `next` of the page before. `all`: those that have ended, too."""

    limit: PageSize = DEFAULT_PAGE
    after: str = ""
    all: bool = False


class CreateKey(msgspec.Struct, kw_only=True):
    """What the key may do, what it is for, and how long it lasts: by default until it is revoked."""

    scopes: list[str]
    name: Name = ""
    expires_in: Duration | None = None


class NamedKey(msgspec.Struct):
    """Which key."""

    id: _KeyId = ""


class RotateKey(msgspec.Struct):
    """Which key to replace, and for how long the old one still works: a day, unless said otherwise."""

    id: _KeyId = ""
    overlap: _Overlap | None = None
    expires_in: Duration | None = None


class KeyMade(msgspec.Struct, kw_only=True):
    """A new key. `api_key` is shown this once. `replaces` works until `replaced_until`."""

    api_key: str
    id: str
    name: str
    scopes: list[str]
    namespace: str
    created_at: str
    expires_at: str | msgspec.UnsetType = msgspec.UNSET
    replaces: str | msgspec.UnsetType = msgspec.UNSET
    replaced_until: str | msgspec.UnsetType = msgspec.UNSET


class KeyInfo(msgspec.Struct, kw_only=True):
    """A key without its secret.

    `scopes`: what was given; `effective_scopes`: what is left of it, given what its wallet may do. `sign_in`: it ends
    with a sign-in. `last_used_at`: to the hour. `replaced_by`: the key it was rotated to.
    """

    id: str
    name: str
    scopes: list[str]
    effective_scopes: list[str]
    sign_in: bool
    wallet: str | msgspec.UnsetType = msgspec.UNSET
    created_by: str | msgspec.UnsetType = msgspec.UNSET
    created_at: str
    expires_at: str | msgspec.UnsetType = msgspec.UNSET
    revoked_at: str | msgspec.UnsetType = msgspec.UNSET
    last_used_at: str | msgspec.UnsetType = msgspec.UNSET
    replaced_by: str | msgspec.UnsetType = msgspec.UNSET


class ApiKeyList(msgspec.Struct, kw_only=True):
    """Keys, oldest first."""

    keys: list[KeyInfo]
    count: int
    next: str | msgspec.UnsetType = msgspec.UNSET


class KeyRevoked(msgspec.Struct, kw_only=True):
    """The key has ended."""

    status: str = "ok"
    id: str
