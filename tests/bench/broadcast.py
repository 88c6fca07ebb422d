"""The floor of publish and subscribe: a bare WebSocket server that sends each message to everybody who is connected.

An asyncio protocol on uvloop that knows just enough of RFC 6455: it answers the handshake, takes whole masked frames,
and writes one frame, made once, to every transport. No topics, no limits, no log, no idea who is there.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Final, cast

import uvloop

from .frame import message_frame, read_frames

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BACKLOG: Final = 2048


class Broadcast(asyncio.Protocol):
    """One connection."""

    def __init__(self, everybody: set[asyncio.Transport]) -> None:
        self._everybody = everybody
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport; it hears of nothing before the handshake."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._everybody.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """The handshake, then messages for everybody."""
        self._buffer += data
        if not self._upgraded:
            if b"\r\n\r\n" in self._buffer:
                self._shake_hands()
            return
        for payload in read_frames(self._buffer):
            frame = message_frame(payload)
            for transport in self._everybody:
                transport.write(frame)

    def _shake_hands(self) -> None:
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"sec-websocket-key" not in headers:  # somebody asks whether we are up
            self._transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n"ok"')
            self._transport.close()
            return
        key = next(
            line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: "
            + accept
            + b"\r\n\r\n"
        )
        self._upgraded = True
        self._everybody.add(self._transport)


async def _main() -> None:
    everybody: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Broadcast(everybody), "127.0.0.1", 0, backlog=_BACKLOG)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
