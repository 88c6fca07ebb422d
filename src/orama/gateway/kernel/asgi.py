"""The ASGI driver: the same pipeline for whatever speaks ASGI."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from orama.errors import Cancelled, OramaError
from orama.gateway.kernel.body import BodyStream, Part, too_large
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

# Sent at a time: a client that takes less in `HttpLimits.write_stall_s` is cut.
_SEND_BYTES: Final = 256 * 1024
# RFC 9110 §8.6 and §15.4.5: no length where there can be no body.
_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

ABORT: Final = "orama.abort"
"""The ASGI extension by which a server offers to cut the connection: a function without arguments."""


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
        head_only = scope["method"] == "HEAD"
        headers: dict[str, str] = {}
        try:
            headers = read_headers(scope["headers"])
            length = body_length(headers, "1.1")
            request = self._request(scope, headers, peer)
            route, _ = self._pipeline.router.match(request.method, request.path)
            if route.operation.accepts:
                request.stream = BodyStream(functools.partial(_next_part, receive), self._limits, length)
            else:
                request.body = await _whole_body(receive, route.max_body_bytes, length)
        except Cancelled:
            return
        except OramaError as error:
            unread = Request(scope["method"], "?", "", headers, b"", peer, peer)
            await self._send(send, self._pipeline.refuse(unread, error), head_only=head_only)
            return
        task = asyncio.current_task()
        assert task is not None
        reply = await self._pipeline.run(request, task.cancel)
        if request.stream is not None and not request.stream.finished:
            reply.headers.append(("connection", "close"))  # nobody reads the rest
        if reply.stream is None:
            await self._send(send, reply, head_only=head_only)
        else:
            await self._send_stream(send, receive, reply, reply.stream, scope)

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

    async def _send(self, send: Send, reply: Reply, *, head_only: bool = False, prefix: str = "") -> None:
        await send(self._start(reply, len(reply.body) if reply.length is None else reply.length, prefix))
        await send({"type": f"{prefix}http.response.body", "body": b"" if head_only else reply.body})

    async def _send_stream(
        self, send: Send, receive: Receive, reply: Reply, stream: AsyncGenerator[bytes], scope: Scope
    ) -> None:
        """Send a reply as it is made; stop when the caller has gone.

        After a failure in the middle the connection is cut, as the protocol has no other way to say that what was sent
        is not the whole.
        """
        gone = asyncio.ensure_future(_wait_until_gone(receive))
        try:
            await send(self._start(reply, reply.length))
            async for piece in stream:
                for at in range(0, len(piece), _SEND_BYTES):
                    await send({"type": "http.response.body", "body": piece[at : at + _SEND_BYTES], "more_body": True})
                await asyncio.sleep(0)  # to a caller that has gone, sending takes no time
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        except OramaError:
            abort = scope.get("extensions", {}).get(ABORT)
            if abort is None:
                raise  # the server is to cut the connection
            abort()
            await gone
        finally:
            gone.cancel()
            await stream.aclose()

    def _headers(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        return self._constant + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]

    def _start(self, reply: Reply, length: int | None, prefix: str = "") -> Message:
        headers = self._headers(reply)
        if reply.status not in _WITHOUT_BODY:
            headers.append((b"content-type", reply.content_type.encode("latin-1")))
            if length is not None:
                headers.append((b"content-length", str(length).encode("ascii")))
        return {"type": f"{prefix}http.response.start", "status": reply.status, "headers": headers}


async def _next_part(receive: Receive) -> Part:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Cancelled("the caller went away")
    return message.get("body", b""), message.get("more_body", False)


async def _whole_body(receive: Receive, max_bytes: int, declared: int | None) -> bytes:
    """The whole body, bounded by the operation's limit."""
    parts: list[bytes] = []
    received, more = 0, True
    while more:
        if max(received, declared or 0) > max_bytes:
            raise too_large(max_bytes)
        part, more = await _next_part(receive)
        parts.append(part)
        received += len(part)
    if received > max_bytes:
        raise too_large(max_bytes)
    return b"".join(parts)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
