"""One call on its way through the pipeline, whatever protocol it came by."""

from __future__ import annotations

import msgspec

from orama.domain.identity import Principal
from orama.errors import Unauthenticated
from orama.gateway.kernel.message import Request
from orama.gateway.kernel.route import Route
from orama.services.auth.authenticator import Credentials
from orama.services.idempotency.attempt import Attempt


class Call:
    """The state of one request: what stages learn about it, and what handlers may ask.

    `started` and `deadline` are monotonic seconds. `principal` is None until authenticated, and stays None for
    anonymous callers of public operations; `credentials` are what it was known by. `trace_id` is that of a valid
    ``traceparent``, for logs and backends. `attempt` is there if the request carries an ``Idempotency-Key`` and its
    operation is `Idempotency.ATOMIC`.
    """

    __slots__ = (
        "arguments",
        "attempt",
        "credentials",
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
        self.credentials: Credentials | None = None
        self.principal: Principal | None = None
        self.attempt: Attempt | None = None
        self.arguments: msgspec.Struct | None = None
        self.headers: list[tuple[str, str]] = []
        self.error_code: str | None = None

    def cache(self, directives: str) -> None:
        """Say how long the reply may be kept, in place of what was said before."""
        self.headers = [header for header in self.headers if header[0] != "cache-control"]
        self.headers.append(("cache-control", directives))

    @property
    def caller(self) -> Principal:
        """The authenticated caller.

        Raises:
            Unauthenticated: a public operation was called anonymously, and its handler needs to know who calls.
        """
        if self.principal is None:
            raise Unauthenticated("missing API key")
        return self.principal
