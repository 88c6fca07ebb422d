"""WebSockets in tests, through either driver: the handshake as an HTTP reply, and a client to talk with."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
}


def is_asgi(running: Any) -> bool:
    """Whether the node is called in this process, without a socket."""
    return running.url == "http://node"


async def handshake(
    running: Any, path: str, query: Any = None, headers: dict[str, str] | None = None
) -> httpx2.Response:
    """How the node answers a handshake; whatever was opened is closed again."""
    target = f"{path}?{urlencode(query)}" if query else path
    request = httpx2.Request("GET", f"{running.url}{target}", headers=headers)
    try:
        async with socket(running, target, headers) as client:
            return httpx2.Response(101, headers=client.headers, request=request)
    except Refused as refusal:
        return httpx2.Response(refusal.status, headers=refusal.headers, content=refusal.body, request=request)


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.headers = headers
        self.body = body


@asynccontextmanager
async def socket(running: Any, target: str, headers: dict[str, str] | None = None) -> AsyncIterator[Client]:
    """An open WebSocket. Raises `Refused` if the node does not want it."""
    if is_asgi(running):
        async with _asgi_socket(running.node.asgi, target, headers or {}) as client:
            yield client
        return
    url = running.url.replace("http://", "ws://") + target
    try:
        connection = await connect(
            url, additional_headers=headers, compression=None, ping_interval=None, max_size=None, max_queue=None
        )
    except InvalidStatus as refusal:
        reply = refusal.response
        raise Refused(reply.status_code, list(reply.headers.raw_items()), bytes(reply.body or b"")) from None
    try:
        yield TcpClient(connection)
    finally:
        await connection.close()


class Client:
    """What tests say and hear."""

    headers: Any
    code: int | None = None
    reason: str = ""

    async def send(self, message: str | bytes) -> None:
        raise NotImplementedError

    async def _next(self) -> str | bytes | None:
        raise NotImplementedError

    async def close(self, code: int = 1000) -> None:
        raise NotImplementedError

    async def recv(self, timeout_s: float = 5) -> str | bytes:
        """The next message; fails if the socket is closed instead."""
        async with asyncio.timeout(timeout_s):
            message = await self._next()
        assert message is not None, f"closed with {self.code} {self.reason!r}"
        return message

    async def json(self, timeout_s: float = 5) -> dict[str, Any]:
        return json.loads(await self.recv(timeout_s))

    async def data(self, timeout_s: float = 5) -> bytes:
        """The payload in the next envelope."""
        return base64.b64decode((await self.json(timeout_s))["data"])

    async def say(self, **command: Any) -> None:
        await self.send(json.dumps(command))

    async def quiet(self, wait_s: float = 0.1) -> bool:
        """Whether nothing comes for a while."""
        with suppress(TimeoutError):
            await self.recv(wait_s)
            return False
        return True

    async def closing(self, timeout_s: float = 5) -> int | None:
        """The code with which the node closes, whatever it says before."""
        async with asyncio.timeout(timeout_s):
            while await self._next() is not None:
                pass
        return self.code


class TcpClient(Client):
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        assert connection.response is not None
        self.headers = list(connection.response.headers.raw_items())

    async def send(self, message: str | bytes) -> None:
        await self.connection.send(message)

    async def _next(self) -> str | bytes | None:
        try:
            return await self.connection.recv()
        except ConnectionClosed:
            self.code, self.reason = self.connection.close_code, self.connection.close_reason or ""
            return None

    async def close(self, code: int = 1000) -> None:
        await self.connection.close(code)


class AsgiClient(Client):
    """The other end of an ASGI server."""

    def __init__(self) -> None:
        self.to_node: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_node: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        await self.to_node.put({"type": "websocket.receive", kind: message})

    async def _next(self) -> str | bytes | None:
        if self.code is not None:
            return None
        message = await self.from_node.get()
        if message["type"] == "websocket.close":
            self.code, self.reason = message["code"], message.get("reason", "")
            return None
        return message.get("text", message.get("bytes"))

    async def close(self, code: int = 1000) -> None:
        await self.to_node.put({"type": "websocket.disconnect", "code": code})


@asynccontextmanager
async def _asgi_socket(application: Any, target: str, headers: dict[str, str]) -> AsyncIterator[AsgiClient]:
    path, _, query = target.partition("?")
    client = AsgiClient()
    sent = {"host": "node", **{name.lower(): value for name, value in {**HANDSHAKE, **headers}.items()}}
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "extensions": {"websocket.http.response": {}},
    }
    await client.to_node.put({"type": "websocket.connect"})
    running = asyncio.create_task(application(scope, client.to_node.get, client.from_node.put))
    try:
        first = await client.from_node.get()
        if first["type"] != "websocket.accept":
            body = await client.from_node.get()
            raise Refused(first["status"], first["headers"], body["body"])
        client.headers = first["headers"]
        yield client
    finally:
        await client.close()
        async with asyncio.timeout(10):
            await running
