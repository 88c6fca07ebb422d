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


class AccessRecord(msgspec.Struct, omit_defaults=True, gc=False):
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

    It takes down the facts; the line is made in the writer's thread. Health checks and the like are logged on level
    debug: they would drown the rest.
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
        self._write_later = writer.write_later
        self._events = events
        self._now = clock.now
        self._level = LEVELS[level]
        self._render = _json_line if log_format == "json" else _console_line

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
        # By position, as keywords cost twice as much.
        record = AccessRecord(
            rfc3339(to_ms(self._now())),
            level,
            "request",
            call.request_id,
            request.method,
            request.path[:256],
            call.route.name,
            reply.status,
            len(reply.body) + reply.sent_bytes,
            int(duration_s * 1_000_000) / 1000,
            request.client,
            None if principal is None else principal.namespace,
            None if principal is None else principal.subject,
            call.error_code,
            call.trace_id,
        )
        self._write_later(self._render, record)

    def failed(self, call: Call, cause: BaseException) -> None:
        """Log what the caller is not told, with the same request id."""
        self._events.error(
            "request failed",
            request_id=call.request_id,
            operation=call.route.name,
            cause=f"{type(cause).__name__}: {cause}"[:2000],
            stack="".join(traceback.format_exception(cause, limit=-8))[:8000],
        )


_encode = msgspec.json.Encoder().encode


def _json_line(record: AccessRecord) -> bytes:
    return _encode(record) + b"\n"


def _console_line(record: AccessRecord) -> bytes:
    who = f" {record.namespace}/{record.subject}" if record.namespace else ""
    code = f" {record.code}" if record.code else ""
    path = record.path.encode("unicode_escape").decode("ascii")
    return (
        f"{record.timestamp} {record.status} {record.method} {path} {record.duration_ms:.1f} ms{code}{who} "
        f"[{record.request_id}]\n"
    ).encode()
