"""From subscriptions to a socket, also while the socket is not open yet."""

from __future__ import annotations

from collections.abc import Callable

from orama.domain.pubsub import Message
from orama.errors import Code
from orama.gateway.websocket.frame import Frame
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.socket import Socket
from orama.services.pubsub.delivery import Delivery


class SocketSink:
    """A `delivery.Sink` that sends each message in one form.

    A subscription holds before the handshake is answered, so that a client that has its answer misses nothing. What
    comes in between waits here, within the bounds of a socket's queue.
    """

    def __init__(self, form: Callable[[Message], Frame], limits: WebSocketLimits) -> None:
        self._form = form
        self._limits = limits
        self._socket: Socket | None = None
        self._early: list[Frame] = []
        self._early_bytes = 0

    def open(self, socket: Socket) -> None:
        """Send what waits, and from now on whatever comes."""
        self._socket = socket
        limits = self._limits
        for frame in self._early:
            socket.send(frame)
        if len(self._early) > limits.max_queued_messages or self._early_bytes > limits.max_queued_bytes:
            socket.close(Code.UNAVAILABLE.websocket_close, "messages were lost before the socket was open")
        self._early.clear()

    def deliver(self, delivery: Delivery) -> None:
        """See `delivery.Sink`."""
        frame = delivery.form(self._form)
        if self._socket is not None:
            self._socket.send(frame)
        elif (
            len(self._early) <= self._limits.max_queued_messages and self._early_bytes <= self._limits.max_queued_bytes
        ):
            self._early.append(frame)
            self._early_bytes += len(frame.payload)

    @property
    def closed(self) -> bool:
        """See `delivery.Sink`."""
        return self._socket is not None and self._socket.closed

    async def drain(self) -> None:
        """See `delivery.Sink`."""
        if self._socket is not None:
            await self._socket.drain()
