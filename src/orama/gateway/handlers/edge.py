"""What handlers have in common: reading small things off a request, and telling of moments."""

from __future__ import annotations

import msgspec

from orama.domain.audit import Provenance
from orama.domain.duration import parse_duration_s
from orama.domain.timestamp import rfc3339
from orama.errors import InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group

_MAX_S = (2**63 - 1) // 10**9
"""292 years: what a Go duration can say."""


def provenance(call: Call) -> Provenance:
    """Where `call` came from, for the audit log."""
    return Provenance(call.request_id, address_group(call.request.client))


def seconds(field: str, value: str | int | None, *, least: int = 1) -> float | None:
    """The seconds of a duration as callers write it: a Go duration or whole seconds; None stays None.

    Raises:
        InvalidArgument: it is neither, below `least`, or longer than 292 years (reason ``invalid_duration``).
    """
    if value is None:
        return None
    try:
        length_s = parse_duration_s(value) if isinstance(value, str) else value
    except ValueError as cause:
        raise InvalidArgument(f"invalid {field}: {cause}", reason="invalid_duration") from cause
    if not least <= length_s <= _MAX_S:
        raise InvalidArgument(f"invalid {field}: from {least} to {_MAX_S} seconds", reason="invalid_duration")
    return length_s


def moment(ms: int | None) -> str | msgspec.UnsetType:
    """Unix milliseconds as RFC 3339, or nothing."""
    return msgspec.UNSET if ms is None else rfc3339(ms)
