"""Requests and replies about namespaces, members and invitations. Times are RFC 3339 in UTC.

Lists come in pages: `next`, if it is there, is the `after` of the following one.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from orama.domain.page import DEFAULT_PAGE
from orama.domain.role import InvitedRole, Role
from orama.wire.field import REQUIRED, Duration, NewNamespace, PageSize, Text, Wallet


class ListNamespaces(msgspec.Struct):
    """Which page of the caller's namespaces."""

    limit: PageSize = DEFAULT_PAGE
    after: str = ""


class CreateNamespace(msgspec.Struct):
    """The namespace to make."""

    name: NewNamespace


class NamespaceInfo(msgspec.Struct):
    """A namespace, and what the caller is there."""

    name: str
    role: Role
    joined_at: str


class NamespaceList(msgspec.Struct, kw_only=True):
    """Namespaces by name."""

    namespaces: list[NamespaceInfo]
    count: int
    next: str | msgspec.UnsetType = msgspec.UNSET


class ListMembers(msgspec.Struct):
    """Which page of the members."""

    limit: PageSize = DEFAULT_PAGE
    after: str = ""


class MemberInfo(msgspec.Struct):
    """A member."""

    wallet: str
    role: Role
    joined_at: str


class MemberList(msgspec.Struct, kw_only=True):
    """Members by wallet."""

    members: list[MemberInfo]
    count: int
    next: str | msgspec.UnsetType = msgspec.UNSET


class NamedMember(msgspec.Struct):
    """Which member."""

    wallet: Wallet = ""


class ChangeRole(msgspec.Struct, kw_only=True):
    """What a member should be."""

    wallet: Wallet = ""
    role: Role


class RoleChanged(msgspec.Struct):
    """What the member is now."""

    wallet: str
    role: Role


class TransferNamespace(msgspec.Struct):
    """Which member should be an owner in the caller's place."""

    wallet: Wallet = ""


class Settled(msgspec.Struct, kw_only=True):
    """It is done, in this namespace."""

    status: str = "ok"
    namespace: str


class InviteMember(msgspec.Struct, kw_only=True):
    """What the invited will be. `wallet`: the only one that may accept. `expires_in`: a week, unless said otherwise."""

    role: InvitedRole
    wallet: str = ""
    expires_in: Duration | None = None


class InvitationInfo(msgspec.Struct, kw_only=True):
    """An invitation that waits to be accepted, without its token."""

    id: str
    namespace: str
    role: InvitedRole
    wallet: str | msgspec.UnsetType = msgspec.UNSET
    created_by: str
    created_at: str
    expires_at: str


class InvitationMade(InvitationInfo, kw_only=True):
    """A new invitation. `token` is shown this once: whoever has it becomes a member."""

    token: str


class InvitationList(msgspec.Struct):
    """The invitations that wait, oldest first."""

    invitations: list[InvitationInfo]
    count: int


class NamedInvitation(msgspec.Struct):
    """Which invitation."""

    id: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9A-Za-z]{17}$", REQUIRED: True})] = ""


class AcceptInvitation(msgspec.Struct):
    """The token of an invitation."""

    token: Text = ""


class InvitationAccepted(msgspec.Struct):
    """The namespace that the caller is now a member of, and what it is there. Credentials for it: sign in."""

    namespace: str
    role: InvitedRole
