"""WebSocket frames by hand (RFC 6455 §5.2): right ones and every wrong one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from support.kernel import RawClient, raw_client
from support.websocket import HANDSHAKE

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x12\x34\x56\x78"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True, length: int | None = None
) -> bytes:
    """One frame of a client; `length` is what its head claims, `rsv` its reserved bits from 0 to 7."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[number % 4] for number, byte in enumerate(payload))


def close_frame(code: int | None = 1000, reason: bytes = b"", **options: bool) -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason, **options)


@dataclass
class Heard:
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int | None:
        return int.from_bytes(self.payload[:2], "big") if self.payload else None


class RawSocket:
    """An open WebSocket whose client speaks in bytes."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.send = client.send

    async def heard(self, timeout_s: float = 5) -> Heard:
        """The server's next frame. It never masks, never fragments, never sets a reserved bit."""
        reader = self.client.reader
        async with asyncio.timeout(timeout_s):
            first, second = await reader.readexactly(2)
            assert first & 0xF0 == 0x80
            assert second < 128
            size = second
            if second == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
                assert size >= 126
            elif second == 127:
                size = int.from_bytes(await reader.readexactly(8), "big")
                assert size >= 65536
            return Heard(first & 0x0F, await reader.readexactly(size))

    async def closing(self, timeout_s: float = 5) -> int | None:
        """The code of the server's close frame, which must be its last word; it is answered."""
        while (heard := await self.heard(timeout_s)).opcode != CLOSE:
            pass
        self.send(close_frame(heard.code))
        assert await self.client.closed(timeout_s=timeout_s)
        heard.payload[2:].decode()
        return heard.code


def handshake_bytes(target: str = "/socket", **headers: str | None) -> bytes:
    """A handshake; `headers` with ``_`` for ``-`` replace or, if None, remove."""
    sent = {"Host": "test", **HANDSHAKE}
    for name, value in headers.items():
        title = "-".join(part.capitalize() for part in name.split("_")).replace("Websocket", "WebSocket")
        sent.pop(title, None)
        if value is not None:
            sent[title] = value
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


@asynccontextmanager
async def raw_socket(port: int, target: str = "/socket", **headers: str | None) -> AsyncIterator[RawSocket]:
    async with raw_client(port) as client:
        client.send(handshake_bytes(target, **headers))
        reply = await client.reply()
        assert reply.status == 101, reply
        yield RawSocket(client)
