"""A WebSocket that some ASGI server holds: framing and heartbeats are that server's, bounds on what waits are ours."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from orama.errors import Code
from orama.gateway.websocket.frame import Frame, Incoming
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.socket import NORMAL, Conversation, SocketCounts, reason_text

_Message = MutableMapping[str, Any]


class AsgiSocket:
    """A `socket.Socket` over ASGI's two callables.

    ASGI's `send` may wait, ours must not: what is sent waits here, and one task writes it.
    """

    def __init__(
        self,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
        limits: WebSocketLimits,
        counts: SocketCounts,
    ) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._counts = counts
        self._queue: deque[Frame] = deque()
        self._queued_bytes = 0
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._end: tuple[int, str] | None = None
        self._ended = asyncio.Event()

    async def hold(self, conversation: Conversation) -> None:
        """Run the conversation on the socket, to its end and the socket's."""
        self._counts.open += 1
        writing = asyncio.create_task(self._write(), name="websocket-writer")
        try:
            await conversation(self)
        finally:
            self.close(NORMAL)
            self._counts.open -= 1
            await asyncio.wait([writing], timeout=self._limits.close_timeout_s)
            writing.cancel()

    @property
    def closed(self) -> bool:
        """See `socket.Socket`."""
        return self._end is not None

    def send(self, frame: Frame) -> None:
        """See `socket.Socket`."""
        if self._end is not None:
            return
        limits = self._limits
        if len(self._queue) >= limits.max_queued_messages or self._queued_bytes > limits.max_queued_bytes:
            self._counts.slow_consumers_cut += 1
            self.close(Code.UNAVAILABLE.websocket_close, "you read too slowly: messages were lost")
            return
        self._queue.append(frame)
        self._queued_bytes += len(frame.payload)
        self._empty.clear()
        self._changed.set()

    async def drain(self) -> None:
        """See `socket.Socket`."""
        await self._empty.wait()

    async def receive(self) -> Incoming | None:
        """See `socket.Socket`."""
        if self._end is not None:
            return None
        coming = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait([coming, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if not coming.done():
                coming.cancel()
        if not coming.done() or coming.cancelled():
            return None
        message = coming.result()
        if message["type"] != "websocket.receive":
            self._finish(message.get("code") or NORMAL, "")
            return None
        text = message.get("text")
        data = message.get("bytes") or b"" if text is None else text.encode()
        if len(data) > self._limits.max_message_bytes:
            self.close(Code.TOO_LARGE.websocket_close, f"a message has at most {self._limits.max_message_bytes} bytes")
            return None
        return Incoming(data, text=text is not None)

    def close(self, code: int, reason: str = "") -> None:
        """See `socket.Socket`."""
        if self._end is None:
            self._finish(code, reason_text(reason))

    def _finish(self, code: int, reason: str) -> None:
        self._end = (code, reason)
        self._ended.set()
        self._changed.set()

    async def _write(self) -> None:
        """Send what waits, and at last the close; a server whose client is gone says so by raising."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                while self._queue:
                    frame = self._queue.popleft()
                    self._queued_bytes -= len(frame.payload)
                    kind = {"text": frame.payload.decode()} if frame.text else {"bytes": frame.payload}
                    await self._send({"type": "websocket.send", **kind})
                self._empty.set()
                if self._end is not None:
                    await self._send({"type": "websocket.close", "code": self._end[0], "reason": self._end[1]})
                    return
        except OSError:
            self.close(NORMAL)
        finally:
            self._empty.set()
