"""A server that says what a test wants, byte for byte, to see what a client makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from orama.gateway.kernel.message import Reply

CLOSE = b""
"""Instead of a reply: close the connection."""

TRICKLE = b"trickle"
"""Instead of a reply: one that goes on for ever, a byte at a time."""


class ScriptedServer:
    """Answers each request with the next of its replies; `heard` are the requests."""

    def __init__(self, replies: list[bytes]) -> None:
        self.replies = replies
        self.heard: list[bytes] = []
        self.url = ""
        self.serving: set[asyncio.Task] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.current_task())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            self.heard.append(head + await reader.readexactly(length))
            reply = self.replies.pop(0)
            if reply == CLOSE:
                return
            writer.write(http(200, length=10**9) if reply == TRICKLE else reply)
            await writer.drain()
            while reply == TRICKLE:
                await asyncio.sleep(0.05)
                writer.write(b" ")
                await writer.drain()


@asynccontextmanager
async def scripted_server(*replies: bytes) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(list(replies))
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in server.serving:
            task.cancel()
        await asyncio.gather(*server.serving, return_exceptions=True)


def http(status: int, body: bytes = b"{}", *headers: tuple[str, str], length: int | None = None) -> bytes:
    """A reply of HTTP/1.1."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def as_http(reply: Reply) -> bytes:
    """A reply of the gateway's."""
    return http(reply.status, bytes(reply.body), *reply.headers)
