"""``/v1/namespace/invitations``: how other wallets come to be members."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orama.domain.timestamp import rfc3339
from orama.domain.wallet import parse_wallet
from orama.errors import Code
from orama.gateway.handlers.edge import provenance, seconds
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import WALLET, Idempotency, RouteClass, operation
from orama.services.auth.assembly import Auth
from orama.services.auth.invitation import Invitation
from orama.wire import namespace as wire

_READ: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_WRITE: Final = (*_READ, Code.NOT_FOUND, Code.CONFLICT)


class InvitationHandlers:
    """Invitations to the caller's namespace, and the one operation for those who hold a token."""

    def __init__(self, auth: Auth) -> None:
        self._invitations = auth.invitations

    @operation("GET", "/v1/namespace/invitations", scope="members:read", route_class=RouteClass.READ, errors=_READ)
    async def waiting(self, call: Call) -> wire.InvitationList:
        """The invitations that wait to be accepted."""
        found = await self._invitations.waiting(call.caller.namespace)
        return wire.InvitationList([wire.InvitationInfo(**_fields(one)) for one in found], len(found))

    @operation(
        "POST",
        "/v1/namespace/invitations",
        scope="members:write",
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        status=201,
        idempotency=Idempotency.ATOMIC,
    )
    async def create(self, call: Call, request: wire.InviteMember) -> wire.InvitationMade:
        """Invite somebody to the namespace.

        The token is shown this once, good once, and for a week unless `expires_in` says otherwise. It ends with the
        membership, or the API key, that it was made with.
        """
        made = await self._invitations.create(
            call.caller,
            request.role,
            provenance(call),
            invited=parse_wallet(request.wallet).subject if request.wallet else None,
            lifetime_s=seconds("expires_in", request.expires_in),
            attempt=call.attempt,
        )
        return wire.InvitationMade(**_fields(made.invitation), token=made.token)

    @operation(
        "DELETE",
        "/v1/namespace/invitations/{id}",
        scope="members:write",
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def revoke(self, call: Call, request: wire.NamedInvitation) -> wire.Settled:
        """End an invitation that waits."""
        await self._invitations.revoke(call.caller, request.id, provenance(call), attempt=call.attempt)
        return wire.Settled(namespace=call.caller.namespace)

    @operation(
        "POST",
        "/v1/invitations/accept",
        scope=WALLET,
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def accept(self, call: Call, request: wire.AcceptInvitation) -> wire.InvitationAccepted:
        """Accept an invitation, with the access token of any namespace.

        The calling wallet is a member from then on; sign in for that namespace to get credentials for it.
        """
        accepted = await self._invitations.accept(call.caller, request.token, provenance(call), attempt=call.attempt)
        return wire.InvitationAccepted(accepted.namespace, accepted.role)


def _fields(one: Invitation) -> dict[str, Any]:
    return {
        "id": one.id,
        "namespace": one.namespace,
        "role": one.role,
        "wallet": one.invited or msgspec.UNSET,
        "created_by": one.created_by,
        "created_at": rfc3339(one.created_at),
        "expires_at": rfc3339(one.expires_at),
    }
