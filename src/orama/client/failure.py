"""From what went wrong on the way, or what a gateway answered, to the classes of `orama.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import httpx2
import msgspec

from orama.errors import BY_LABEL, BadBackend, Code, Deadline, InvalidArgument, OramaError, Unavailable
from orama.wire.problem import Problem

_NEVER_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
_BY_STATUS: Final = {code.http_status: BY_LABEL[code.label] for code in Code}


def failure_on_the_way(error: httpx2.HTTPError | TimeoutError, url: str, *, may_have_written: bool) -> OramaError:
    """The error for an exchange that did not come to an answer; chain it with ``raise … from error``.

    `may_have_written`: whether the request would write. Then, unless it surely never reached the gateway, nobody knows
    whether it did.
    """
    what = str(error) or type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return Unavailable(f"cannot reach {url}: {what}", reason="gateway_unreachable")
    if may_have_written:
        return Deadline(
            f"{url} did not answer ({what}): the write may or may not have happened", reason="outcome_unknown"
        )
    return Unavailable(f"{url} did not answer: {what}", reason="connection_lost")


def failure_answered(status: int, headers: Mapping[str, str], body: bytes, url: str) -> OramaError:
    """The error that the gateway's reply tells of: the same class, text, reason and details as on its side."""
    retry_after_s = _seconds(headers.get("retry-after"))
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = f"{url} answered {status}, and not as an Orama gateway does: is the address right?"
        return _kind_by_status(status)(text, reason="no_gateway", retry_after_s=retry_after_s, http_status=status)
    kind = BY_LABEL.get(problem.code) or _kind_by_status(status)  # a newer gateway may know more codes
    error = kind(
        problem.error,
        reason=problem.reason or None,
        details=problem.details or None,
        retry_after_s=retry_after_s,
        http_status=status,
    )
    error.request_id = problem.request_id
    return error


def _kind_by_status(status: int) -> type[OramaError]:
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return InvalidArgument if is_ours else BadBackend


def _seconds(text: str | None) -> float | None:
    """What ``Retry-After`` says, if in seconds: the form that gateways use."""
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None
