"""``/v1/namespaces`` and ``/v1/namespace``: a wallet's own namespaces, and the members of the caller's."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.namespace import parse_namespace
from orama.domain.page import page_size
from orama.domain.timestamp import rfc3339
from orama.domain.wallet import parse_wallet
from orama.errors import Code
from orama.gateway.handlers.edge import provenance
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import WALLET, Idempotency, RouteClass, operation
from orama.services.auth.assembly import Auth
from orama.wire import namespace as wire

_READ: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_WRITE: Final = (*_READ, Code.NOT_FOUND, Code.CONFLICT)


class NamespaceHandlers:
    """Namespaces are made and listed by wallets; what is done to members is done in the credential's own namespace."""

    def __init__(self, auth: Auth) -> None:
        self._own = auth.own_namespaces
        self._members = auth.members

    @operation("GET", "/v1/namespaces", scope=WALLET, route_class=RouteClass.READ, errors=_READ)
    async def mine(self, call: Call, request: wire.ListNamespaces) -> wire.NamespaceList:
        """The namespaces that the calling wallet is a member of."""
        limit = page_size(request.limit)
        found = await self._own.page(call.caller.subject, limit=limit, after=request.after)
        return wire.NamespaceList(
            namespaces=[wire.NamespaceInfo(one.name, one.role, rfc3339(one.joined_at)) for one in found],
            count=len(found),
            next=found[-1].name if len(found) == limit else msgspec.UNSET,
        )

    @operation(
        "POST",
        "/v1/namespaces",
        scope=WALLET,
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        status=201,
        idempotency=Idempotency.ATOMIC,
    )
    async def create(self, call: Call, request: wire.CreateNamespace) -> wire.NamespaceInfo:
        """Make a namespace; the calling wallet is its owner.

        Sign in for it to get credentials. A wallet makes ten at most.
        """
        made = await self._own.claim(call.caller, parse_namespace(request.name), provenance(call), attempt=call.attempt)
        return wire.NamespaceInfo(made.name, made.role, rfc3339(made.joined_at))

    @operation("GET", "/v1/namespace/members", scope="members:read", route_class=RouteClass.READ, errors=_READ)
    async def members(self, call: Call, request: wire.ListMembers) -> wire.MemberList:
        """The members of the namespace."""
        limit = page_size(request.limit)
        found = await self._members.page(call.caller.namespace, limit=limit, after=request.after)
        return wire.MemberList(
            members=[wire.MemberInfo(one.wallet, one.role, rfc3339(one.joined_at)) for one in found],
            count=len(found),
            next=found[-1].wallet if len(found) == limit else msgspec.UNSET,
        )

    @operation(
        "PUT",
        "/v1/namespace/members/{wallet}",
        scope="members:write",
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def set_role(self, call: Call, request: wire.ChangeRole) -> wire.RoleChanged:
        """Give a member another role.

        It counts at once, for tokens and keys that there are, too. Nobody gives or takes a role that reaches further
        than its own credential. The last owner stays one.
        """
        wallet = parse_wallet(request.wallet).subject
        await self._members.set_role(call.caller, wallet, request.role, provenance(call), attempt=call.attempt)
        return wire.RoleChanged(wallet, request.role)

    @operation(
        "DELETE",
        "/v1/namespace/members/{wallet}",
        scope="members:write",
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def remove(self, call: Call, request: wire.NamedMember) -> wire.Settled:
        """Remove a member, with all of its tokens, keys and invitations for the namespace."""
        wallet = parse_wallet(request.wallet).subject
        await self._members.remove(call.caller, wallet, provenance(call), attempt=call.attempt)
        return wire.Settled(namespace=call.caller.namespace)

    @operation(
        "POST",
        "/v1/namespace/transfer",
        scope=WALLET,
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        idempotency=Idempotency.ATOMIC,
    )
    async def transfer(self, call: Call, request: wire.TransferNamespace) -> wire.Settled:
        """Hand the namespace on: another member becomes an owner, the calling one an admin."""
        heir = parse_wallet(request.wallet).subject
        await self._own.transfer(call.caller, heir, provenance(call), attempt=call.attempt)
        return wire.Settled(namespace=call.caller.namespace)

    @operation("POST", "/v1/namespace/leave", scope=WALLET, route_class=RouteClass.WRITE, errors=_WRITE)
    async def leave(self, call: Call) -> wire.Settled:
        """Leave the namespace, with all of the wallet's tokens, keys and invitations for it: this token, too.

        The last owner cannot leave.
        """
        await self._own.leave(call.caller, provenance(call))
        return wire.Settled(namespace=call.caller.namespace)
