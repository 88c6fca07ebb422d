"""Requests and replies of the audit log. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any

import msgspec

from orama.domain.page import DEFAULT_PAGE
from orama.wire.field import PageSize


class ListAudit(msgspec.Struct):
    """Which page; `before` is the `next` of the page before. Only acts by `actor`, only `action`s, if given."""

    limit: PageSize = DEFAULT_PAGE
    before: str = ""
    actor: str = ""
    action: str = ""


class AuditInfo(msgspec.Struct, kw_only=True):
    """`actor` did `action` on `target`. `client`: the group of addresses that the request came from."""

    id: str
    at: str
    actor: str
    action: str
    target: str | msgspec.UnsetType = msgspec.UNSET
    details: dict[str, Any]
    request_id: str
    client: str


class AuditPage(msgspec.Struct, kw_only=True):
    """Acts, newest first."""

    entries: list[AuditInfo]
    count: int
    next: str | msgspec.UnsetType = msgspec.UNSET
