"""One call on its way through the pipeline, whatever protocol it came by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from orama.domain.identity import Principal
from orama.errors import Unauthenticated

if TYPE_CHECKING:
    from orama.gateway.kernel.route import Route


class Request(msgspec.Struct, gc=False):
    """What a driver read from its connection.

    `path` is as sent, still percent-encoded, without the query; `query` is the raw query string. Header names are in
    lower case; a header that came twice has its values joined by a comma, and those where that would be ambiguous
    were refused by the driver. `body` is whole and within the limit. `peer` is the address at the connection's other
    end, `client` the one behind trusted proxies, `forwarded` whether an untrusted peer claimed to speak for another.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    client: str
    forwarded: bool = False


class Reply(msgspec.Struct, gc=False):
    """What a driver writes to its connection.

    `headers` are names in lower case with their values, and never content-length, date or connection: those are the
    driver's. With `stream` set, `body` is empty.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = []
    stream: AsyncIterator[bytes] | None = None


class Call:
    """The state of one request: what stages learn about it, and what handlers may ask.

    `started` and `deadline` are monotonic seconds. `principal` is None until authenticated, and stays None for
    anonymous callers of public operations. `trace_id` is that of a valid ``traceparent``, for logs and backends.
    """

    __slots__ = (
        "arguments",
        "deadline",
        "error_code",
        "expired",
        "headers",
        "path_values",
        "principal",
        "request",
        "request_id",
        "route",
        "started",
        "trace_id",
    )

    def __init__(self, request: Request, started: float, route: Route) -> None:
        self.request = request
        self.started = started
        self.route = route
        self.deadline = 0.0
        self.expired = False
        self.request_id = ""
        self.trace_id: str | None = None
        self.path_values: dict[str, str] | None = None
        self.principal: Principal | None = None
        self.arguments: msgspec.Struct | None = None
        self.headers: list[tuple[str, str]] = []
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
