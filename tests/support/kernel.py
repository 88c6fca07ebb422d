"""A gateway kernel of its own for tests: real pipeline, real listener, operations made for the purpose."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orama.backends.clock import SystemClock
from orama.contracts.clock import Clock
from orama.domain.sql import MAX_INTEGER
from orama.errors import Code, Internal, Unprocessable
from orama.gateway.kernel.asgi import AsgiDriver
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import ClientAddress, parse_networks
from orama.gateway.kernel.connections import ConnectionTable
from orama.gateway.kernel.http1 import Http1Services
from orama.gateway.kernel.in_flight import InFlight
from orama.gateway.kernel.limits import HttpLimits
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import PUBLIC, RouteClass, operation, operations_of
from orama.gateway.kernel.pipeline import Pipeline
from orama.gateway.kernel.route import Router
from orama.gateway.stages.correlation import Correlation
from orama.gateway.stages.cors import Cors
from orama.gateway.stages.decode import Decode
from orama.gateway.stages.routing import Routing
from orama.gateway.stages.upgrade import Upgrade
from orama.gateway.websocket.connection import WebSocketServices
from orama.gateway.websocket.frame import Frame
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.socket import Socket
from orama.node.listener import Listener, bind


class Echo(msgspec.Struct):
    text: str
    number: int = 0


class Item(msgspec.Struct):
    id: str
    limit: int = 10


class Download(msgspec.Struct):
    pieces: int
    fail: int = -1
    wait: int = -1
    length: bool = True
    known: bool = True


class ProbeHandlers:
    """Operations that show what the kernel does to a request."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.started = asyncio.Event()
        self.cancelled = False
        self.conversations = 0
        self.abandoned = 0
        self.pieces_made = 0
        self.streams_closed = 0

    @operation("POST", "/echo", scope=PUBLIC, route_class=RouteClass.WRITE)
    async def echo(self, call: Call, request: Echo) -> Echo:
        """Give back what came."""
        return request

    @operation("POST", "/stream", scope=PUBLIC, route_class=RouteClass.WRITE, streaming=True)
    async def stream(self, call: Call, request: Echo) -> Echo:
        """The same through ASGI."""
        return request

    @operation("GET", "/items/{id}/parts", scope=PUBLIC, route_class=RouteClass.READ)
    async def parts(self, call: Call, request: Item) -> Item:
        """Path and query together."""
        return request

    @operation("GET", "/who", scope=PUBLIC, route_class=RouteClass.READ)
    async def who(self, call: Call) -> dict[str, str | bool]:
        """Whose request it is."""
        return {"peer": call.request.peer, "client": call.request.client, "forwarded": call.request.forwarded}

    @operation("GET", "/slow", scope=PUBLIC, route_class=RouteClass.WRITE)
    async def slow(self, call: Call) -> Echo:
        """Wait until the test says so."""
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Echo("done")

    @operation("GET", "/big", scope=PUBLIC, route_class=RouteClass.READ)
    async def big(self, call: Call) -> Reply:
        """Sixteen megabytes."""
        return Reply(200, b"x" * (16 << 20), "text/plain", headers=[])

    @operation(
        "POST", "/upload", scope=PUBLIC, route_class=RouteClass.WRITE, streaming=True, accepts=(("text/plain", str),)
    )
    async def upload(self, call: Call) -> dict[str, int | str]:
        """Count what comes; a first piece of `refuse` is refused, and `wait` waits for the test before going on."""
        digest, size = hashlib.sha256(), 0
        assert call.request.stream is not None
        async for piece in call.request.stream:
            if piece.startswith(b"refuse"):
                raise Unprocessable("not this")
            if piece.startswith(b"wait"):
                self.started.set()
                await self.release.wait()
            digest.update(piece)
            size += len(piece)
        return {"size": size, "sha256": digest.hexdigest()}

    @operation(
        "POST",
        "/upload/small",
        scope=PUBLIC,
        route_class=RouteClass.WRITE,
        streaming=True,
        accepts=(("text/plain", str),),
    )
    async def upload_small(self, call: Call) -> dict[str, str]:
        """Give back at most 100 bytes."""
        assert call.request.stream is not None
        return {"text": (await call.request.stream.read(100)).decode()}

    @operation(
        "GET",
        "/download",
        scope=PUBLIC,
        route_class=RouteClass.READ,
        streaming=True,
        media_type="text/plain",
        response=str,
    )
    async def download(self, call: Call, request: Download) -> Reply:
        """A stream of `pieces` of a megabyte, which fails before the one numbered `fail`, or waits for the test."""
        call.cache("private, max-age=9")
        size = request.pieces << 20
        headers = [("x-probe", "1")]
        if call.request.method == "HEAD":
            return Reply(200, b"", "text/plain", headers, length=size)
        if request.pieces == 0 and request.fail < 0:
            return Reply(304, b"", "text/plain", headers)
        length = size if request.length else None
        return Reply(200, b"", "text/plain", headers, self._pieces(request), length=length)

    async def _pieces(self, request: Download) -> AsyncGenerator[bytes]:
        try:
            for number in range(request.pieces):
                if number == request.fail:
                    raise (
                        Unprocessable("a failure in the middle")
                        if request.known
                        else ZeroDivisionError("a secret detail")
                    )
                if number == request.wait:
                    self.started.set()
                    await self.release.wait()
                self.pieces_made += 1
                yield b"%d" % (number % 10) * (1 << 20)
        finally:
            self.streams_closed += 1

    @operation("GET", "/fault", scope=PUBLIC, route_class=RouteClass.READ)
    async def fault(self, call: Call) -> Echo:
        """A bug."""
        raise ZeroDivisionError("a secret detail")

    @operation("GET", "/internal", scope=PUBLIC, route_class=RouteClass.READ)
    async def internal(self, call: Call) -> Echo:
        """A fault that somebody noticed."""
        raise Internal("another secret detail")

    @operation("GET", "/socket", scope=PUBLIC, route_class=RouteClass.READ, status=101, websocket=True, response=Echo)
    async def socket(self, call: Call) -> Reply:
        """Give back every message, and fail at the word."""
        if call.request.query == "slow":
            self.started.set()
            await self.release.wait()
        return Reply(101, b"", headers=[], conversation=Conversation(self))

    async def converse(self, socket: Socket) -> None:
        self.conversations += 1
        try:
            while (incoming := await socket.receive()) is not None:
                if incoming.data == b"fail":
                    raise Unprocessable("it cannot be: " + "é" * 100)
                if incoming.data == b"break":
                    raise ZeroDivisionError("a secret detail")
                if incoming.data == b"leave":
                    return
                if incoming.data.startswith(b"wait"):
                    self.started.set()
                    await self.release.wait()
                socket.send(Frame(incoming.data, text=incoming.text))
        finally:
            self.conversations -= 1

    @operation("GET", "/failing", scope=PUBLIC, route_class=RouteClass.READ, errors=(Code.UNPROCESSABLE,))
    async def failing(self, call: Call) -> Echo:
        """An error with everything."""
        raise Unprocessable("it cannot be", reason="cannot", details={"max": MAX_INTEGER}, retry_after_s=2.5)


class Conversation:
    """What the probe says on its socket."""

    def __init__(self, handlers: ProbeHandlers) -> None:
        self.handlers = handlers

    async def __call__(self, socket: Socket) -> None:
        await self.handlers.converse(socket)

    def abandon(self) -> None:
        self.handlers.abandoned += 1


@dataclass
class Seen:
    """An observer that keeps everything."""

    calls: list[tuple[str, int, str | None]] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)

    def finished(self, call: Call, reply: Reply, duration_s: float) -> None:
        assert duration_s >= 0
        self.calls.append((call.route.name, reply.status, call.error_code))

    def failed(self, call: Call, cause: BaseException) -> None:
        self.causes.append(repr(cause))


class Kernel:
    """Everything between a socket and the probe handlers."""

    def __init__(
        self,
        limits: HttpLimits,
        *,
        trusted: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        origins: tuple[str, ...] = ("*",),
        sockets: WebSocketLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.limits = limits
        self.handlers = ProbeHandlers()
        self.seen = Seen()
        self.in_flight = InFlight(clock)
        router = Router(operations_of("probe", self.handlers), max_body_bytes=limits.max_body_bytes)
        self.cors = Cors(("*",))
        self.pipeline = Pipeline(
            router,
            (Correlation(), self.cors),
            (Routing(router, hosts), Upgrade(origins), Decode(limits.max_json_depth)),
            (self.seen,),
            self.in_flight,
            clock,
            request_timeout_s=limits.request_timeout_s,
        )
        self.addresses = ClientAddress(parse_networks(trusted))
        self.connections = ConnectionTable(limits, self.addresses, clock)
        self.websockets = WebSocketServices(sockets or WebSocketLimits(), self.connections, clock)
        self.asgi = AsgiDriver(
            self.pipeline,
            limits,
            self.addresses,
            self.cors.constant,
            self.websockets.limits,
            self.websockets.counts,
        )
        self.port = 0
        self.stop = lambda: None
        """Lets the listener end, as a signal would."""


@asynccontextmanager
async def running_kernel(limits: HttpLimits | None = None, **options: Any) -> AsyncIterator[Kernel]:
    """A kernel that listens on a free port of the loopback; `options` are those of `Kernel`."""
    kernel = Kernel(limits or HttpLimits(), **options)
    listening = bind("127.0.0.1:0")
    kernel.port = listening.getsockname()[1]
    listener = Listener(
        Http1Services(
            kernel.pipeline,
            kernel.limits,
            kernel.addresses,
            kernel.connections,
            kernel.cors.constant,
            kernel.websockets,
        ),
        kernel.asgi,
        shutdown_grace_s=1,
    )
    kernel.stop = lambda: setattr(listener, "should_exit", True)
    tasks = [
        asyncio.create_task(listener.serve(sockets=[listening])),
        asyncio.create_task(kernel.connections.sweep()),
        asyncio.create_task(kernel.in_flight.sweep()),
    ]
    try:
        while not listener.started:
            await asyncio.sleep(0.01)
        yield kernel
    finally:
        kernel.handlers.release.set()
        listener.should_exit = True
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@dataclass
class RawReply:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """Bytes out, replies in: no HTTP client would send what these tests send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self, *, timeout_s: float = 10, head: bool = False) -> RawReply:
        async with asyncio.timeout(timeout_s):
            block = await self.reader.readuntil(b"\r\n\r\n")
            lines = block.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
            length = 0 if head else int(headers.get("content-length", "0"))
            return RawReply(int(lines[0].split()[1]), headers, await self.reader.readexactly(length))

    async def closed(self, *, timeout_s: float = 10) -> bool:
        """Whether the server hangs up without another byte."""
        async with asyncio.timeout(timeout_s):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request_bytes(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
