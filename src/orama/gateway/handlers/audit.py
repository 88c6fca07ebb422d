"""``/v1/namespace/audit``: who did what in the caller's namespace."""

from __future__ import annotations

import msgspec

from orama.domain.page import cursor, page_size, parse_cursor
from orama.domain.timestamp import rfc3339
from orama.errors import Code
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import RouteClass, operation
from orama.services.auth.assembly import Auth
from orama.wire import audit as wire


class AuditHandlers:
    """The audit log is read here and written by the acts themselves."""

    def __init__(self, auth: Auth) -> None:
        self._audit = auth.audit

    @operation(
        "GET",
        "/v1/namespace/audit",
        scope="audit:read",
        route_class=RouteClass.READ,
        errors=(Code.INVALID_ARGUMENT, Code.UNAVAILABLE),
    )
    async def page(self, call: Call, request: wire.ListAudit) -> wire.AuditPage:
        """What was done to the namespace, its members and its credentials, newest first."""
        limit = page_size(request.limit)
        found = await self._audit.page(
            call.caller.namespace,
            limit=limit,
            before=parse_cursor(request.before) if request.before else None,
            actor=request.actor or None,
            action=request.action or None,
        )
        entries = [
            wire.AuditInfo(
                id=one.id,
                at=rfc3339(one.at),
                actor=one.actor,
                action=one.action,
                target=one.target or msgspec.UNSET,
                details=one.details,
                request_id=one.request_id,
                client=one.client,
            )
            for one in found
        ]
        last = cursor(found[-1].at, found[-1].id) if len(found) == limit else msgspec.UNSET
        return wire.AuditPage(entries=entries, count=len(entries), next=last)
