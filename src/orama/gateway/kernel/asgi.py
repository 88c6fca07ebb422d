"""The ASGI driver: the same pipeline for whatever speaks ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from orama.errors import InvalidArgument, OramaError, TooLarge
from orama.gateway.kernel.client_address import ClientAddress
from orama.gateway.kernel.framing import body_length, read_headers
from orama.gateway.kernel.limits import HttpLimits
from orama.gateway.kernel.message import Reply, Request
from orama.gateway.kernel.pipeline import Pipeline
from orama.gateway.websocket.asgi_socket import AsgiSocket
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.socket import SocketCounts

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_POLICY_VIOLATION = 1008
_DENIAL = "websocket.http.response"


class ClientGone(Exception):
    """The caller hung up in the middle of its body: there is nobody to answer."""


class AsgiDriver:
    """An ASGI 3 application around the pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        limits: HttpLimits,
        addresses: ClientAddress,
        constant_headers: Sequence[tuple[str, str]],
        websocket_limits: WebSocketLimits,
        socket_counts: SocketCounts,
    ) -> None:
        self._websocket_limits = websocket_limits
        self._socket_counts = socket_counts
        self._constant = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in constant_headers]
        self._pipeline = pipeline
        self._limits = limits
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._converse(scope, receive, send)
        elif scope["type"] == "lifespan":
            # The composition root opens and closes the node; a server that insists is told that all is well.
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        headers: dict[str, str] = {}
        try:
            headers = read_headers(scope["headers"])
            body_length(headers, "1.1")
            request = self._request(scope, headers, peer)
            request.body = await self._body(request, receive)
        except ClientGone:
            return
        except OramaError as error:
            unread = Request(scope["method"], "?", "", headers, b"", peer, peer)
            await self._send(send, self._pipeline.refuse(unread, error), head_only=scope["method"] == "HEAD")
            return
        task = asyncio.current_task()
        assert task is not None
        reply = await self._pipeline.run(request, task.cancel)
        await self._send(send, reply, head_only=request.method == "HEAD")

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: the handshake is a call; the server has seen to it that it is a valid one."""
        if (await receive())["type"] != "websocket.connect":
            return
        peer = scope["client"][0] if scope.get("client") else ""
        scope["method"] = "GET"
        headers: dict[str, str] = {}
        task = asyncio.current_task()
        assert task is not None
        try:
            headers = read_headers(scope["headers"])
            request = self._request(scope, headers, peer)
            request.websocket = True
            # Servers log the URL of a WebSocket; a credential may stand in it.
            scope["query_string"] = b""
            reply = await self._pipeline.run(request, task.cancel)
        except OramaError as error:
            reply = self._pipeline.refuse(Request("GET", "?", "", headers, b"", peer, peer), error)
        if reply.conversation is not None:
            try:
                await send({"type": "websocket.accept", "headers": self._headers(reply)})
            except BaseException:
                reply.conversation.abandon()
                raise
            socket = AsgiSocket(receive, send, self._websocket_limits, self._socket_counts)
            await socket.hold(reply.conversation)
        elif _DENIAL in scope.get("extensions", {}):
            await self._send(send, reply, prefix="websocket.")
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def _request(self, scope: Scope, headers: dict[str, str], peer: str) -> Request:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        trusted = self._addresses.trusts(peer)
        forwarded = "x-forwarded-for" in headers or "forwarded" in headers
        return Request(
            method=scope["method"],
            path=raw_path.decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=b"",
            peer=peer,
            client=self._addresses.behind(peer, headers) if trusted and forwarded else peer,
            forwarded=forwarded and not trusted,
        )

    async def _body(self, request: Request, receive: Receive) -> bytes:
        """The whole body, bounded by the operation's limit."""
        route, _ = self._pipeline.router.match(request.method, request.path)
        limit = route.max_body_bytes
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit():
            raise InvalidArgument("Content-Length is not a number", reason="framing")
        parts: list[bytes] = []
        size = int(declared)
        received = 0
        while size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            received += len(parts[-1])
            size = max(size, received)
            if not message.get("more_body", False):
                return b"".join(parts)
        raise TooLarge(f"the request body is larger than {limit} bytes", reason="body_too_large")

    def _headers(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        return self._constant + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]

    async def _send(self, send: Send, reply: Reply, *, head_only: bool = False, prefix: str = "") -> None:
        headers = self._headers(reply)
        if reply.status != HTTPStatus.NO_CONTENT:  # RFC 9110 §8.6: no length on 204
            headers.append((b"content-type", reply.content_type.encode("latin-1")))
            headers.append((b"content-length", str(len(reply.body)).encode("ascii")))
        await send({"type": f"{prefix}http.response.start", "status": reply.status, "headers": headers})
        await send({"type": f"{prefix}http.response.body", "body": b"" if head_only else reply.body})
