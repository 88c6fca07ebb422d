"""One call on its way through the pipeline, whatever protocol it came by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from orama.domain.identity import Principal
from orama.errors import Unauthenticated

if TYPE_CHECKING:
    from orama.gateway.kernel.operation import Operation


class Request(msgspec.Struct, gc=False):
    """What a driver read from its connection.

    `path` is as sent, still percent-encoded, without the query. `query` is the raw query string. Header names are
    lower case; a name that came twice is joined with a comma, and refused earlier if that would be ambiguous.
    `body` is whole and bounded. `peer` is the address of the connection's other end, `client` the one behind trusted
    proxies.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    client: str
    scheme: str = "http"
    upgrade: bool = False


class Reply(msgspec.Struct, gc=False):
    """What a driver writes to its connection.

    `headers` never hold content-length, date or connection: those are the driver's.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = []
    stream: AsyncIterator[bytes] | None = None


class Call:
    """The state of one request: what stages learn about it, and what handlers may ask.

    `started` and `deadline` are monotonic seconds. `principal` is None until authenticated, and stays None for
    anonymous callers of public operations.
    """

    __slots__ = (
        "arguments",
        "deadline",
        "error_code",
        "operation",
        "path_values",
        "principal",
        "rate_headers",
        "request",
        "request_id",
        "started",
        "trace_id",
    )

    def __init__(self, request: Request, started: float) -> None:
        self.request = request
        self.started = started
        self.deadline = 0.0
        self.request_id = ""
        self.trace_id: str | None = None
        self.operation: Operation | None = None
        self.path_values: dict[str, str] | None = None
        self.principal: Principal | None = None
        self.arguments: msgspec.Struct | None = None
        self.rate_headers: list[tuple[str, str]] | None = None
        self.error_code: str | None = None

    @property
    def caller(self) -> Principal:
        """The authenticated caller.

        Raises:
            Unauthenticated: a public operation was called anonymously, and its handler needs to know who calls.
        """
        if self.principal is None:
            raise Unauthenticated("missing API key")
        return self.principal
