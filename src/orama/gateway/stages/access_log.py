"""One log line per request: allow-listed facts only, never a header, a query, a body or a credential."""

from __future__ import annotations

import traceback

import msgspec
import structlog

from orama.contracts.clock import Clock
from orama.domain.timestamp import rfc3339, to_ms
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply
from orama.telemetry.log import LEVELS, Format, Level, LogWriter

_SERVER_ERROR = 500


class AccessRecord(msgspec.Struct, omit_defaults=True):
    """The line. `path` is without its query; `duration_ms` counts from the last byte read."""

    timestamp: str
    level: Level
    event: str
    request_id: str
    method: str
    path: str
    operation: str
    status: int
    bytes: int
    duration_ms: float
    client: str
    namespace: str | None = None
    subject: str | None = None
    code: str | None = None
    trace_id: str | None = None


class AccessLog:
    """A `kernel.pipeline.Observer` that writes the access log.

    Encoding a struct and appending it costs a microsecond; writing happens in the writer's thread. Health checks are
    logged on level debug: they would drown the rest.
    """

    def __init__(
        self,
        writer: LogWriter,
        events: structlog.stdlib.BoundLogger,
        clock: Clock,
        *,
        level: Level,
        log_format: Format,
    ) -> None:
        self._write = writer.write
        self._events = events
        self._now = clock.now
        self._level = LEVELS[level]
        self._json = log_format == "json"
        self._encode = msgspec.json.Encoder().encode

    def finished(self, call: Call, reply: Reply, duration_s: float) -> None:
        """Log the call."""
        level: Level = "info"
        if reply.status >= _SERVER_ERROR:
            level = "error"
        elif call.route.quiet:
            level = "debug"
        if LEVELS[level] < self._level:
            return
        request = call.request
        principal = call.principal
        record = AccessRecord(
            timestamp=rfc3339(to_ms(self._now())),
            level=level,
            event="request",
            request_id=call.request_id,
            method=request.method,
            path=request.path[:256],
            operation=call.route.name,
            status=reply.status,
            bytes=len(reply.body),
            duration_ms=int(duration_s * 1_000_000) / 1000,
            client=request.client,
            namespace=None if principal is None else principal.namespace,
            subject=None if principal is None else principal.subject,
            code=call.error_code,
            trace_id=call.trace_id,
        )
        self._write(self._encode(record) + b"\n" if self._json else _console_line(record))

    def failed(self, call: Call, cause: BaseException) -> None:
        """Log what the caller is not told, with the same request id."""
        self._events.error(
            "request failed",
            request_id=call.request_id,
            operation=call.route.name,
            cause=f"{type(cause).__name__}: {cause}"[:2000],
            stack="".join(traceback.format_exception(cause, limit=-8))[:8000],
        )


def _console_line(record: AccessRecord) -> bytes:
    who = f" {record.namespace}/{record.subject}" if record.namespace else ""
    code = f" {record.code}" if record.code else ""
    path = record.path.encode("unicode_escape").decode("ascii")
    return (
        f"{record.timestamp} {record.status} {record.method} {path} {record.duration_ms:.1f} ms{code}{who} "
        f"[{record.request_id}]\n"
    ).encode()
