"""One WebSocket on a transport of its own: RFC 6455 by `websockets`, bounds and deadlines by us.

The framing library does no I/O; what it leaves to its user is here: assembling fragments, UTF-8, bounds on fragments
and control frames, heartbeats, and ends that come whatever the other side does. Messages of the gateway go to the
transport as frames that were encoded once for all clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import MutableSet
from typing import Any, Final, cast

from websockets.frames import Frame as RawFrame
from websockets.frames import Opcode
from websockets.protocol import SEND_EOF, Protocol, Side, State

from orama.contracts.clock import Clock
from orama.errors import Code
from orama.gateway.kernel.connections import ConnectionTable
from orama.gateway.websocket.frame import Frame, Incoming
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.socket import RESTART, SocketCounts, reason_text

_MAX_CONTROL_BYTES: Final = 125
_HIGH_WATER_BYTES: Final = 16 * 1024
_PING_EARLY_S: Final = 1.0
"""The table's sweep comes every half second: so no dead client outlives interval and timeout together."""
_INVALID_TEXT: Final = 1007
_TOO_LARGE: Final = Code.TOO_LARGE.websocket_close


class WebSocketServices:
    """What all WebSockets of a listener share."""

    def __init__(self, limits: WebSocketLimits, connections: ConnectionTable, clock: Clock) -> None:
        self.limits = limits
        self.connections = connections
        self.clock = clock
        self.counts = SocketCounts()
        # A logger that says nothing: what clients send is not for the log.
        self.quiet = logging.Logger("websocket", level=logging.CRITICAL + 1)  # noqa: LOG001  nobody's but ours


class WebSocketConnection(asyncio.Protocol):
    """A `socket.Socket`, and the protocol of a transport from its 101 on.

    Reading pauses while a message waits for the conversation, so that a client is read as fast as it is served.
    """

    def __init__(
        self, services: WebSocketServices, transport: asyncio.Transport, server_connections: MutableSet[Any]
    ) -> None:
        self._services = services
        self._limits = services.limits
        self._now = services.clock.monotonic
        self._transport = transport
        self._server_connections = server_connections
        self._protocol = Protocol(
            Side.SERVER,
            # A ping may come between the fragments of a message of full length.
            max_size=services.limits.max_message_bytes + _MAX_CONTROL_BYTES,
            logger=services.quiet,
        )
        self._inbox: deque[Incoming] = deque()
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0
        self._text = False
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self._reading = True
        self._stalled = False
        self._queued = 0
        self._drained: asyncio.Future[None] | None = None
        self._pings = 0
        self._pinged_at = self._window_since = self._now()
        self._awaited_pong: bytes | None = None
        self._control_frames = 0
        self._closing_since: float | None = None

    def open(self, early: bytes, *, stalled: bool) -> None:
        """Begin. `early`: what came behind the handshake; `stalled`: whether the transport takes no more just now."""
        self._server_connections.add(self)
        self._services.counts.open += 1
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._stalled = stalled
        if early:
            self.data_received(early)

    # ── the conversation's side ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def closed(self) -> bool:
        """See `socket.Socket`."""
        return self._closing_since is not None

    def send(self, frame: Frame) -> None:
        """See `socket.Socket`."""
        if self._closing_since is not None:
            return
        if self._stalled:
            self._queued += 1
            limits = self._limits
            if (
                self._queued > limits.max_queued_messages
                or self._transport.get_write_buffer_size() > limits.max_queued_bytes
            ):
                self._services.counts.slow_consumers_cut += 1
                self.close(Code.UNAVAILABLE.websocket_close, "you read too slowly: messages were lost")
                return
        self._transport.write(frame.encoded)

    async def drain(self) -> None:
        """See `socket.Socket`."""
        if self._stalled and self._closing_since is None:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    async def receive(self) -> Incoming | None:
        """See `socket.Socket`."""
        while not self._inbox:
            if self._ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        incoming = self._inbox.popleft()
        if not self._inbox and not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
        return incoming

    def close(self, code: int, reason: str = "") -> None:
        """See `socket.Socket`."""
        if self._closing_since is None:
            self._protocol.send_close(code, reason_text(reason))
            self._flush()
            self._begin_closing()

    def shutdown(self) -> None:
        """The server stops; called by uvicorn."""
        self.close(RESTART, "the node restarts: connect again")

    # ── the transport's side ────────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        """Feed the parser and take what it found."""
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if self._ended:
                break
            self._take(cast("RawFrame", event))
        self._flush()
        if protocol.state is not State.OPEN:
            self._begin_closing()
        elif self._inbox and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The client says no more, with or without a close frame; the transport closes after what is queued."""
        self._protocol.receive_eof()
        self._begin_closing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  whatever the cause, it is over
        """Everything ends here."""
        self._services.connections.release(self)
        self._server_connections.discard(self)
        self._services.counts.open -= 1
        self._begin_closing()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._stalled = True

    def resume_writing(self) -> None:
        """It does again."""
        self._stalled = False
        self._queued = 0
        self._wake(self._drained)

    def check_deadlines(self, now: float) -> None:
        """Ping, wait for the pong, and let nothing linger; called by the table."""
        limits = self._limits
        if self._closing_since is not None:
            if now - self._closing_since >= limits.close_timeout_s:
                self._transport.abort()
        elif not self._reading:
            self._pinged_at = now  # what we do not read we cannot miss: the wait for the pong begins anew
        elif self._awaited_pong is not None and now - self._pinged_at >= limits.pong_timeout_s:
            self._services.counts.dead_peers_cut += 1
            self._transport.abort()
            self._begin_closing()
        elif self._awaited_pong is None and now - self._pinged_at >= limits.ping_interval_s - _PING_EARLY_S:
            self._ping(now)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, frame: RawFrame) -> None:
        opcode = frame.opcode
        if opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._take_data(frame)
            return
        self._count_control_frame()
        if opcode is Opcode.PONG and frame.data == self._awaited_pong:
            self._awaited_pong = None

    def _take_data(self, frame: RawFrame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        self._fragment_bytes += len(frame.data)
        limits = self._limits
        if self._fragment_bytes > limits.max_message_bytes:
            self._fail(_TOO_LARGE, f"a message has at most {limits.max_message_bytes} bytes")
        elif len(self._fragments) > limits.max_fragments:
            self._fail(_TOO_LARGE, f"a message comes in at most {limits.max_fragments} frames")
        elif frame.fin:
            data = self._fragments[0] if len(self._fragments) == 1 else b"".join(self._fragments)
            self._fragments.clear()
            self._fragment_bytes = 0
            if self._text and not _is_utf8(data):
                self._fail(_INVALID_TEXT, "a text message is UTF-8")
                return
            self._inbox.append(Incoming(data, text=self._text))
            self._wake(self._waiting)

    def _count_control_frame(self) -> None:
        now, limits = self._now(), self._limits
        if now - self._window_since >= limits.ping_interval_s:
            self._window_since, self._control_frames = now, 0
        self._control_frames += 1
        if self._control_frames > limits.max_control_frames:
            self._fail(Code.RATE_LIMITED.websocket_close, "too many control frames")

    def _ping(self, now: float) -> None:
        self._pings += 1
        self._pinged_at = now
        self._awaited_pong = self._pings.to_bytes(4, "big")
        self._protocol.send_ping(self._awaited_pong)
        self._flush()

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455 §7.1.7): what comes from now on is not looked at."""
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)
        self._ended = True

    def _flush(self) -> None:
        """Write what the library wants to be written."""
        for data in self._protocol.data_to_send():
            if self._transport.is_closing():
                return
            if data != SEND_EOF:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                # Half closed only: closing while the client still sends would make its kernel drop our close frame.
                self._transport.write_eof()
            else:
                self._transport.close()

    def _begin_closing(self) -> None:
        """Nothing is sent any more, and the conversation learns of it; what was received before is still its own."""
        if self._closing_since is None:
            self._closing_since = self._now()
        self._ended = True
        self._fragments.clear()
        self._wake(self._waiting)
        self._wake(self._drained)
        if not self._reading and not self._transport.is_closing():
            self._reading = True  # the other side's close frame must be seen
            self._transport.resume_reading()

    def _wake(self, sleeper: asyncio.Future[None] | None) -> None:
        if sleeper is not None and not sleeper.done():
            sleeper.set_result(None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
