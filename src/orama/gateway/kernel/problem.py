"""The error envelope: one shape for every failure of every operation."""

from __future__ import annotations

import math

import msgspec

from orama.errors import Internal, MethodNotAllowed, OramaError, RateLimited, Unauthenticated, Unavailable
from orama.gateway.kernel.message import Reply
from orama.wire.problem import Problem

_encode = msgspec.json.Encoder().encode


def problem(error: OramaError, request_id: str) -> Reply:
    """The reply that tells a caller of `error`. The text of an `Internal` error stays with us."""
    text = "internal error" if isinstance(error, Internal) else error.text
    body = Problem(
        error=text,
        code=error.code.label,
        message=text,
        request_id=request_id,
        retryable=error.code.retryable,
        reason=msgspec.UNSET if error.reason is None else error.reason,
        details=msgspec.UNSET if error.details is None else error.details,
    )
    headers: list[tuple[str, str]] = []
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
    elif isinstance(error, Unavailable):
        headers.append(("retry-after", "1"))
    if isinstance(error, Unauthenticated):
        headers.append(("www-authenticate", _challenge(error)))
    elif isinstance(error, MethodNotAllowed) and error.details is not None:
        headers.append(("allow", ", ".join(error.details["allow"])))  # RFC 9110 §15.5.6 demands it
    elif isinstance(error, RateLimited) and error.details is not None:
        # The same three headers that admitted requests carry.
        headers.append(("x-ratelimit-limit", str(error.details["limit"])))
        headers.append(("x-ratelimit-remaining", "0"))
        headers.append(("x-ratelimit-reset", str(error.details["reset"])))
    return Reply(error.http_status, _encode(body), headers=headers)


def _challenge(error: Unauthenticated) -> str:
    """RFC 6750 §3: without a credential no error is named."""
    if error.reason == "missing_credential":
        return 'Bearer realm="gateway", charset="UTF-8"'
    return 'Bearer error="invalid_token"'
