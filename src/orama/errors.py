"""Every failure that a caller can meet, in one table for all protocols.

    OramaError
    ├── InvalidArgument     400   the request is malformed or breaks a stated limit
    ├── Unauthenticated     401   no credential, or one that does not hold
    ├── PermissionDenied    403   a credential that does not reach this far
    ├── NotFound            404
    ├── MethodNotAllowed    405
    ├── Conflict            409   the state forbids it (exists already, limit of keys reached)
    ├── Precondition        412   a condition the caller stated did not hold
    ├── TooLarge            413
    ├── Unprocessable       422   understood, allowed, and failed by its own doing (SQL errors)
    ├── RateLimited         429
    ├── Cancelled           499   the caller went away
    ├── Internal            500   our fault; the text is hidden
    ├── Unimplemented       501   the chosen backend cannot do it
    ├── BadBackend          502   a backend answered nonsense
    ├── Unavailable         503   a backend is away; try again
    ├── Deadline            504   our own deadline ended; the outcome of a write is unknown
    └── StorageFull         507

This module knows no protocol: the columns are numbers that drivers look up.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, final


@final
class Code(Enum):
    """A failure's kind, with its number in each protocol and whether trying again can help."""

    INVALID_ARGUMENT = ("INVALID_ARGUMENT", 400, 4400, "INVALID_ARGUMENT", False)
    UNAUTHENTICATED = ("UNAUTHENTICATED", 401, 4401, "UNAUTHENTICATED", False)
    PERMISSION_DENIED = ("PERMISSION_DENIED", 403, 4403, "PERMISSION_DENIED", False)
    NOT_FOUND = ("NOT_FOUND", 404, 4404, "NOT_FOUND", False)
    METHOD_NOT_ALLOWED = ("METHOD_NOT_ALLOWED", 405, 4405, "UNIMPLEMENTED", False)
    CONFLICT = ("CONFLICT", 409, 4409, "ABORTED", False)
    PRECONDITION = ("PRECONDITION", 412, 4412, "FAILED_PRECONDITION", False)
    TOO_LARGE = ("TOO_LARGE", 413, 1009, "RESOURCE_EXHAUSTED", False)
    UNPROCESSABLE = ("UNPROCESSABLE", 422, 4422, "FAILED_PRECONDITION", False)
    RATE_LIMITED = ("RATE_LIMITED", 429, 4429, "RESOURCE_EXHAUSTED", True)
    CANCELLED = ("CANCELLED", 499, 1001, "CANCELLED", False)
    INTERNAL = ("INTERNAL", 500, 1011, "INTERNAL", False)
    UNIMPLEMENTED = ("UNIMPLEMENTED", 501, 4501, "UNIMPLEMENTED", False)
    BAD_BACKEND = ("BAD_BACKEND", 502, 1014, "UNAVAILABLE", True)
    UNAVAILABLE = ("UNAVAILABLE", 503, 1013, "UNAVAILABLE", True)
    DEADLINE = ("DEADLINE", 504, 4504, "DEADLINE_EXCEEDED", False)
    STORAGE_FULL = ("STORAGE_FULL", 507, 4507, "RESOURCE_EXHAUSTED", False)

    def __init__(self, label: str, http_status: int, websocket_close: int, grpc: str, retryable: bool) -> None:
        self.label = label
        self.http_status = http_status
        self.websocket_close = websocket_close
        self.grpc = grpc
        self.retryable = retryable


class OramaError(Exception):
    """A failure with a text that may be shown to the caller.

    Args:
        text: what went wrong and what to do; public by definition.
        reason: a stable lower-case word for programs, finer than the code.
        details: further public facts; JSON values only.
        retry_after_s: seconds after which trying again may help.
        http_status: for the few framing refusals whose status differs from the code's (408, 414, 415, 421, 431).

    A private cause belongs to ``raise … from cause``: it is logged, never sent.
    """

    code: ClassVar[Code] = Code.INTERNAL
    request_id: str | None = None
    """In a client: the request that failed, by the name that the gateway's log knows it by."""

    def __init__(
        self,
        text: str,
        *,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.reason = reason
        self.details = details
        self.retry_after_s = retry_after_s
        self.http_status = http_status or self.code.http_status


class InvalidArgument(OramaError):
    """The request is malformed, or breaks a stated limit."""

    code = Code.INVALID_ARGUMENT


class Unauthenticated(OramaError):
    """No credential was given, or the one given does not hold."""

    code = Code.UNAUTHENTICATED


class PermissionDenied(OramaError):
    """The credential holds but does not reach this far."""

    code = Code.PERMISSION_DENIED


class NotFound(OramaError):
    """There is no such thing, or none that the caller may know of."""

    code = Code.NOT_FOUND


class MethodNotAllowed(OramaError):
    """The path exists; this method on it does not."""

    code = Code.METHOD_NOT_ALLOWED


class Conflict(OramaError):
    """The state of things forbids it."""

    code = Code.CONFLICT


class Precondition(OramaError):
    """A condition that the caller stated did not hold; nothing was changed."""

    code = Code.PRECONDITION


class TooLarge(OramaError):
    """The request or its answer passes a stated limit."""

    code = Code.TOO_LARGE


class Unprocessable(OramaError):
    """Understood and allowed, and failed by its own doing: an SQL error, a statement that ran too long."""

    code = Code.UNPROCESSABLE


class RateLimited(OramaError):
    """Too many requests; ``retry_after_s`` says when the next one is welcome."""

    code = Code.RATE_LIMITED


class Cancelled(OramaError):
    """The caller went away before the answer."""

    code = Code.CANCELLED


class Internal(OramaError):
    """A fault of ours. The text is hidden from callers."""

    code = Code.INTERNAL


class Unimplemented(OramaError):
    """The configured backend cannot do this."""

    code = Code.UNIMPLEMENTED


class BadBackend(OramaError):
    """A backend answered something that it should not."""

    code = Code.BAD_BACKEND


class Unavailable(OramaError):
    """A backend is away; nothing was changed; try again."""

    code = Code.UNAVAILABLE


class Deadline(OramaError):
    """The gateway's own deadline ended. With reason ``outcome_unknown`` a write may have happened."""

    code = Code.DEADLINE


class StorageFull(OramaError):
    """No room is left, on the disk or in a quota."""

    code = Code.STORAGE_FULL


BY_LABEL: dict[str, type[OramaError]] = {kind.code.label: kind for kind in OramaError.__subclasses__()}
"""From the ``code`` of an error body to the class, for clients that rebuild errors."""
