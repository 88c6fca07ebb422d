"""What a conversation sees of its connection, whichever driver holds it."""

from __future__ import annotations

from typing import Final, Protocol

from orama.gateway.websocket.frame import Frame, Incoming

NORMAL: Final = 1000
RESTART: Final = 1012
_MAX_REASON_BYTES: Final = 123


class Socket(Protocol):
    """One open WebSocket. All methods are for the event loop, and for the one conversation that it belongs to."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        ...

    def send(self, frame: Frame) -> None:
        """Hand over a message and never wait.

        A client that does not keep up is cut with 1013; on a closed socket nothing happens.
        """
        ...

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent, or the socket is closed."""
        ...

    async def receive(self) -> Incoming | None:
        """The client's next message; None once there will be no more. While nobody asks, the client is not read."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Say why and hang up. A second call does nothing."""
        ...


class Conversation(Protocol):
    """What is said on one socket, from its opening to its end.

    It may hold resources from before the handshake is answered; a driver either calls it or abandons it.
    """

    async def __call__(self, socket: Socket) -> None:
        """Converse. When this returns, the socket is closed."""
        ...

    def abandon(self) -> None:
        """Let go of everything: the client went away before the socket was open."""
        ...


class SocketCounts:
    """What all sockets of a node count for telemetry."""

    def __init__(self) -> None:
        self.open = 0
        """Sockets that are open now."""
        self.slow_consumers_cut = 0
        """Clients that were cut because they did not keep up."""
        self.dead_peers_cut = 0
        """Clients that were cut because no pong came."""


def reason_text(text: str) -> str:
    """`text` within the 123 bytes that a close frame has for it (RFC 6455 §5.5)."""
    return text.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
