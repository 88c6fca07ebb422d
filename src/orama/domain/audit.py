"""What the audit log speaks of: acts on a namespace, its members and its credentials."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from orama.domain.namespace import Namespace

OPERATOR: Final = "operator"
"""The actor of commands that are run on the node's own data directory."""

ANYONE: Final = "anyone"
"""The actor of what needs no proof: keys without a signature, on development nodes."""


class Action(Enum):
    """Every kind of act. The words are stable."""

    NAMESPACE_CREATE = "namespace.create"
    NAMESPACE_TRANSFER = "namespace.transfer"
    MEMBER_JOIN = "member.join"
    MEMBER_ROLE = "member.role"
    MEMBER_REMOVE = "member.remove"
    MEMBER_LEAVE = "member.leave"
    INVITATION_CREATE = "invitation.create"
    INVITATION_ACCEPT = "invitation.accept"
    INVITATION_REVOKE = "invitation.revoke"
    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    SESSION_SIGN_IN = "session.sign_in"
    SESSION_LOGOUT = "session.logout"
    SESSION_LOGOUT_ALL = "session.logout_all"
    SESSION_REUSE = "session.refresh_reuse"
    SESSION_CODE_REUSE = "session.code_reuse"
    APP_REGISTER = "app.register"
    WALLET_LINK = "wallet.link"
    WALLET_UNLINK = "wallet.unlink"


class Provenance(msgspec.Struct, frozen=True):
    """Where an act came from: the id of its request, and the group of addresses of its client; empty if it had none."""

    request_id: str = ""
    client: str = ""


LOCAL: Final = Provenance()
"""That of acts without a request: the operator's commands."""


class AuditEntry(msgspec.Struct, frozen=True):
    """One act: `actor` did `action` on `target` of `namespace` `at` (unix milliseconds).

    `actor`: a wallet, ``ak_<id>``, `OPERATOR` or `ANYONE`. `details`: what else there is to know, never a secret.
    """

    namespace: Namespace
    at: int
    id: str
    actor: str
    action: str
    target: str | None
    details: dict[str, Any]
    request_id: str
    client: str
