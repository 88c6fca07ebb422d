"""The HTTP/1.1 driver: small JSON operations straight from the parser, everything else through ASGI on the same port.

It extends uvicorn's protocol class, whose streaming serves large bodies, with what no stock server has: absolute
deadlines, caps before the parser's own, strict framing, replies in order when requests are pipelined, and WebSockets
whose handshake is a call like any other. It uses attributes that uvicorn does not promise (`cycle`, `scope`, `on_*`):
the version is pinned, and `tests/api/test_http1*.py` holds this class to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from orama.errors import InvalidArgument, OramaError, Unavailable
from orama.gateway.kernel.asgi import ABORT
from orama.gateway.kernel.body import too_large
from orama.gateway.kernel.client_address import ClientAddress
from orama.gateway.kernel.connections import ConnectionTable
from orama.gateway.kernel.framing import body_length, read_headers, split_target
from orama.gateway.kernel.http1_reply import ReplyWriter
from orama.gateway.kernel.limits import HttpLimits
from orama.gateway.kernel.message import Reply, Request
from orama.gateway.kernel.pipeline import Pipeline
from orama.gateway.websocket.connection import WebSocketConnection, WebSocketServices
from orama.gateway.websocket.handshake import accept_key, is_handshake
from orama.gateway.websocket.socket import Conversation

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# Framing of a chunked body may cost this many times the body itself before it is taken for an attack.
_CHUNKING_OVERHEAD: Final = 8


class Http1Services:
    """What all connections of a listener share."""

    def __init__(
        self,
        pipeline: Pipeline,
        limits: HttpLimits,
        addresses: ClientAddress,
        connections: ConnectionTable,
        constant_headers: Sequence[tuple[str, str]],
        websockets: WebSocketServices,
    ) -> None:
        self.pipeline = pipeline
        self.limits = limits
        self.addresses = addresses
        self.connections = connections
        self.writer = ReplyWriter(constant_headers)
        self.websockets = websockets


class Http1Protocol(HttpToolsProtocol):
    """One connection.

    It is always in one phase, and each phase has its deadline: `idle` between requests, `head` from a request's first
    byte, `body` until its last, `busy` while replies are owed, `closing` while the rest of a refused request is thrown
    away. Requests that come ahead of their turn wait in a queue; reading pauses while it is full.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        services: Http1Services,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn asks its parser to tolerate data after a close; a fresh one does not.
        self.parser = httptools.HttpRequestParser(self)
        self._services = services
        self._limits = services.limits
        self._now = self.loop.time
        self._phase = "head"
        self._phase_since = 0.0
        self._stalled_since: float | None = None
        self._waiting: deque[tuple[Request, bool] | tuple[RequestResponseCycle, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._running: RequestResponseCycle | None = None
        self._receiving = False
        self._raw_bytes = 0
        self._raw_bytes_at_body = 0
        self._peer = ""
        self._trusted_peer = False
        self._closing = False
        self._method = self._path = self._query = self._version = ""
        self._begin()

    def _begin(self) -> None:
        """Forget the last message."""
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] = {}
        self._head_done = False
        self._body: bytes | bytearray = b""
        self._body_limit = self._limits.max_body_bytes
        self._via_asgi = False
        self._websocket = self._upgrading = False
        self._early = b""
        self._streamed_bytes = 0

    # ── connection ──────────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection, or say that the node is full."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._peer = self.client[0] if self.client else ""
        self._trusted_peer = self._services.addresses.trusts(self._peer)
        self._enter("head")
        if not self._services.connections.admit(self, self._peer):
            # Not in the table, so nothing would sweep it: no lingering, a full node lets go at once.
            self._refuse(Unavailable("too many connections", reason="too_many_connections", retry_after_s=1))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the work whose answer nobody will read."""
        self._services.connections.release(self)
        self._closing = True
        self._waiting.clear()
        self._cancel()
        super().connection_lost(exc)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def shutdown(self) -> None:
        """Close once every reply that is owed has been written."""
        if self._streaming and self._running is not None:
            self._running.keep_alive = False  # what it still receives is not dropped
            return
        self._closing = True
        if not self._busy():
            self.transport.close()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self._stalled_since = self._now()
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._stalled_since = None
        super().resume_writing()
        self.flow.resume_reading()
        if self._phase == "busy" and self._task is None and not self._streaming and not self._closing:
            self._next()

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._phase_since = self._now()

    def check_deadlines(self, now: float) -> None:
        """Cut or refuse the connection if its phase has lasted too long."""
        limits, spent = self._limits, now - self._phase_since
        if self._stalled_since is not None and now - self._stalled_since > limits.write_stall_s:
            self.transport.abort()
        elif self._phase == "idle" and spent > limits.idle_s:
            self.transport.close()
        elif self._phase == "closing" and spent > limits.linger_s:
            self.transport.abort()
        elif self._phase == "head" and spent > limits.header_timeout_s:
            self._refuse_late("the request's headers took too long")
        elif self._phase == "body" and self._raw_bytes < (spent - limits.body_grace_s) * limits.min_body_rate:
            self._refuse_late("the request's body came too slowly")

    def _refuse_late(self, text: str) -> None:
        if self._phase == "head" and not self._receiving:
            self.transport.close()  # nothing was asked, so nothing is answered
        else:
            self._refuse(InvalidArgument(text, reason="request_timeout", http_status=408))

    # ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._closing:
            return
        if self._upgrading:
            self._early += data
            if len(self._early) > self._limits.max_header_bytes:
                self.transport.abort()
            return
        self._raw_bytes += len(data)
        if self._phase == "idle":
            self._enter("head")
        # `data` may still belong to the request before.
        elif self._raw_bytes > self._raw_limit() + len(data):
            self._refuse(too_large(self._body_limit) if self._head_done else _too_many_headers(self._limits))
            return
        elif self._head_done and self._raw_bytes - self._raw_bytes_at_body > self._limits.max_header_bytes + len(data):
            # No body came for as long: it is one endless trailer or chunk extension, which the parser buffers.
            self._refuse(_too_many_headers(self._limits))
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._websocket:
                # Frames that come before our 101, which they should not, wait for it.
                self._early = data[upgrade.args[0] :]
                self._upgrading = True
            else:
                self._closing = True  # the request is answered as if it had not asked (RFC 9110 §7.8)
        except httptools.HttpParserCallbackError as wrapped:
            cause = wrapped.__context__
            if not isinstance(cause, OramaError):
                raise
            self._refuse(cause)
        except httptools.HttpParserError:
            if not self._closing:
                self._refuse(InvalidArgument("malformed HTTP request", reason="malformed_request"))

    def _raw_limit(self) -> int:
        """Bytes that a request may take on the wire so far: what the parser buffers has to have a bound, too."""
        head = self._limits.max_header_bytes + self._limits.max_request_line_bytes
        if not self._head_done:
            return head
        return head + _CHUNKING_OVERHEAD * max(self._body_limit, self._limits.max_body_bytes, self._streamed_bytes)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._begin()
        self._receiving = True
        if self._phase != "head" and not self._busy():
            self._enter("head")

    def on_url(self, url: bytes) -> None:
        """Part of the request target."""
        self._target += url
        if len(self._target) > self._limits.max_request_line_bytes:
            raise InvalidArgument(
                f"the request target is longer than {self._limits.max_request_line_bytes} bytes",
                reason="target_too_long",
                http_status=414,
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or a trailer, which counts and is dropped."""
        self._lines.append((name, value))
        if len(self._lines) > self._limits.max_headers:
            raise _too_many_headers(self._limits)

    def on_headers_complete(self) -> None:
        """Judge the framing, choose the way, and say so early if the body is too large."""
        # What came on the wire holds the headers: only if that is too much is it worth to add them up.
        if self._raw_bytes > self._limits.max_header_bytes and self._header_bytes() > self._limits.max_header_bytes:
            raise _too_many_headers(self._limits)
        self._headers = headers = read_headers(self._lines)
        self._head_done = True
        self._raw_bytes_at_body = self._raw_bytes
        parser = self.parser
        self._version = parser.get_http_version()
        length = body_length(headers, self._version)
        self._method = parser.get_method().decode("ascii")
        self._path, self._query = split_target(self._target.decode("ascii"), headers.get("host", ""))
        route, _ = self._services.pipeline.router.match(self._method, self._path)
        self._body_limit = route.max_body_bytes
        if route.operation.websocket:
            self._websocket = length == 0 and is_handshake(self._method, self._version, headers)
        self._via_asgi = route.operation.streaming
        if self._via_asgi:
            self._hand_over(headers)
            return
        if length == 0:
            return
        if length is not None and length > self._body_limit:
            raise too_large(self._body_limit)
        if not self._busy():
            if "expect" in headers:
                self.transport.write(_CONTINUE)
            self._enter("body")

    def _header_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self._lines)

    def _hand_over(self, headers: dict[str, str]) -> None:
        """Let uvicorn's ASGI cycle serve this message; it starts when its turn comes."""
        super().on_message_begin()
        self.url = self._target
        self.headers.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
        self.expect_100_continue = "expect" in headers
        self.scope["extensions"] = {ABORT: cast("Any", self.transport.abort)}
        self.cycle = cast("RequestResponseCycle", None)  # uvicorn's own queue stays empty: `_waiting` keeps the order
        super().on_headers_complete()
        if (cycle := cast("RequestResponseCycle | None", self.cycle)) is not None:
            cycle.transport = cast("asyncio.Transport", _CycleTransport(self, cycle))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._busy():
            self._waiting.append((cycle, app))
            self.flow.pause_reading()
        else:
            self._start_stream(cycle, app)

    def _start_stream(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._streaming = True
        self._running = cycle
        self._enter("busy")
        super()._start_asgi_task(cycle, app)

    def _should_upgrade(self) -> bool:
        """Never by uvicorn: for it every message is a plain one."""
        return False

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._raw_bytes_at_body = self._raw_bytes
        if self._via_asgi:
            self._streamed_bytes += len(body)
            super().on_body(body)
            return
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body) + body
        if len(self._body) > self._body_limit:
            raise too_large(self._body_limit)

    def on_message_complete(self) -> None:
        """A whole request: answer it now, or after those before it."""
        self._receiving = False
        self._raw_bytes = 0
        if self._via_asgi:
            super().on_message_complete()
            return
        headers = self._headers
        peer = client = self._peer
        forwarded = "x-forwarded-for" in headers or "forwarded" in headers
        if forwarded and self._trusted_peer:
            client, forwarded = self._services.addresses.behind(peer, headers), False
        request = Request(
            self._method,
            self._path,
            self._query,
            headers,
            bytes(self._body),
            peer,
            client,
            forwarded=forwarded,
            websocket=self._websocket,
        )
        parser = self.parser
        keep_alive = parser.should_keep_alive() and self._version == "1.1" and not parser.should_upgrade()
        if self._busy():
            self._waiting.append((request, keep_alive))
            if len(self._waiting) >= self._limits.max_pipelined:
                self.flow.pause_reading()
        else:
            self._start(request, keep_alive)

    # ── replying ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _busy(self) -> bool:
        """Whether replies are owed."""
        return self._task is not None or self._streaming or bool(self._waiting)

    def _start(self, request: Request, keep_alive: bool) -> None:
        self._enter("busy")
        self._task = self.loop.create_task(self._serve(request, keep_alive))

    async def _serve(self, request: Request, keep_alive: bool) -> None:
        reply = await self._services.pipeline.run(request, self._cancel)
        self._task = None
        if self.transport.is_closing():
            if reply.conversation is not None:
                reply.conversation.abandon()
            return
        if reply.conversation is not None:
            self._upgrade(request, reply, reply.conversation)
            return
        keep_alive = keep_alive and not self._closing
        self._write(reply, keep_alive=keep_alive, head_only=request.method == "HEAD")
        self.server_state.total_requests += 1
        if not keep_alive:
            self._closing = True
            self.transport.close()
        elif self._stalled_since is None:
            self._next()

    def _upgrade(self, request: Request, reply: Reply, conversation: Conversation) -> None:
        """Let the connection be a WebSocket from here on."""
        services, transport = self._services, self.transport
        connection = WebSocketConnection(services.websockets, transport, self.connections)
        self.connections.discard(self)
        services.connections.hand_over(self, connection)
        transport.write(services.writer.encode_upgrade(reply, accept_key(request.headers)))
        transport.set_protocol(connection)
        connection.open(self._early, stalled=self._stalled_since is not None)
        if self._closing:
            connection.shutdown()
        self.server_state.total_requests += 1
        task = self.loop.create_task(conversation(connection), name="websocket")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        """An ASGI reply has been written."""
        self._streaming = False
        super().on_response_complete()
        if not self.transport.is_closing():
            self._unset_keepalive_if_required()  # the table's deadlines stand in for uvicorn's timer
            if not self._closing:
                self._next()

    def _next(self) -> None:
        """Serve the request whose turn it is, or wait for one."""
        if not self._waiting:
            self._enter(("body" if self._head_done else "head") if self._receiving else "idle")
            return
        request, extra = self._waiting.popleft()
        if isinstance(request, Request):
            self._start(request, cast("bool", extra))
        else:
            self._start_stream(request, extra)
        if len(self._waiting) < self._limits.max_pipelined // 2:
            self.flow.resume_reading()

    def _refuse(self, error: OramaError) -> None:
        """Answer what could not be read, then hang up without losing the answer.

        Closing at once while the client still sends would make its kernel throw our reply away, so the connection is
        half closed and the rest is read and dropped for a while.
        """
        if self.transport.is_closing():
            return
        request = Request("?", "?", "", self._headers, b"", self._peer, self._peer)
        reply = self._services.pipeline.refuse(request, error)
        self._closing = True
        self._waiting.clear()
        if self._streaming and self.cycle is self._running and self.cycle.more_body:
            # It is the rest of a body that is being read: for its reader the caller has gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        elif self._busy():
            return  # the reply to an earlier request is still owed; the connection closes after it
        self._write(reply, keep_alive=False, head_only=False)
        self._linger()

    def close_after(self, cycle: RequestResponseCycle) -> None:
        """Close once what was written is sent; if the cycle's request is still coming, not before it is told so."""
        if not cycle.more_body:
            self.transport.close()
        elif not self.transport.is_closing():
            self._closing = True
            self._waiting.clear()
            self._linger()

    def _linger(self) -> None:
        self._enter("closing")
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _write(self, reply: Reply, *, keep_alive: bool, head_only: bool) -> None:
        self.transport.write(
            self._services.writer.encode(
                reply, self.server_state.default_headers, keep_alive=keep_alive, head_only=head_only
            )
        )


class _CycleTransport:
    """What an ASGI cycle sees of its connection, which closes when its owner finds it time."""

    def __init__(self, owner: Http1Protocol, cycle: RequestResponseCycle) -> None:
        self._owner = owner
        self._cycle = cycle
        self.write = owner.transport.write
        self.is_closing = owner.transport.is_closing

    def close(self) -> None:
        """The cycle wants to close."""
        self._owner.close_after(self._cycle)


def _too_many_headers(limits: HttpLimits) -> InvalidArgument:
    return InvalidArgument(
        f"too many headers: at most {limits.max_headers}, together {limits.max_header_bytes} bytes",
        reason="headers_too_large",
        http_status=431,
    )
