"""The load of publish and subscribe: many sockets, one of which publishes, and when each message reached each of them.

As a program: `deliver URL SOCKETS SECONDS STALLED` prints deliveries per second and their latencies as JSON, while so
many further sockets never read; `hold URL SOCKETS` opens some, says ``held``, and keeps them until its input ends.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from array import array
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from .frame import message_frame, read_frames

_PAYLOAD: Final = b"a message of some length, as applications send them: " + b"x" * 75
_AHEAD: Final = 8
"""Messages that are under way at once."""
_CONNECTING: Final = 50
_CONNECT_TIMEOUT_S: Final = 60
_SILENCE_S: Final = 10


class Deliveries(msgspec.Struct, frozen=True):
    """What was delivered, per second, and how long that took from publishing, in ms."""

    per_second: float
    p50_ms: float
    p99_ms: float


class Socket(asyncio.Protocol):
    """One connection; tells `run` of each message."""

    def __init__(self, run: Run, request: bytes) -> None:
        self._run = run
        self._request = request
        self._buffer = bytearray()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        self._stalled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """A socket that goes before the end spoils the figure, unless it deserved it."""
        if not self._stalled:
            self._run.fail(exc or ConnectionError("the server hung up"))

    def stall(self) -> None:
        """Read no more."""
        self._stalled = True
        self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """The upgrade, then messages."""
        self._buffer += data
        if not self.opened.done():
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:20]:
                self._run.fail(ConnectionError(head.decode("latin-1") + rest.decode("latin-1")))
                return
            self._buffer = bytearray(rest)
            self.opened.set_result(None)
        try:
            for _ in read_frames(self._buffer):
                self._run.delivered(self)
        except ConnectionError as error:
            self._run.fail(error)


class Run:
    """All sockets of a run, and what is under way."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies = array("d")
        self._published: list[float] = []
        self._missing: list[int] = []
        self._until = 0.0
        self._frame = message_frame(_PAYLOAD, masked=True)

    def fail(self, error: Exception) -> None:
        """End the run with an error."""
        if not self.over.done():
            self.over.set_exception(error)

    async def connect(self, url: str, count: int) -> None:
        """Open so many sockets, some at a time."""
        address = urlsplit(url)
        target = address.path + (f"?{address.query}" if address.query else "")
        request = (
            f"GET {target or '/'} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()
        loop = asyncio.get_running_loop()
        while len(self.sockets) < count:
            some = [
                (
                    await loop.create_connection(
                        lambda: Socket(self, request), address.hostname or "", address.port or 80
                    )
                )[1]
                for _ in range(min(_CONNECTING, count - len(self.sockets)))
            ]
            await asyncio.wait(
                [self.over, *(one.opened for one in some[-1:])],
                timeout=_CONNECT_TIMEOUT_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self.over.done():
                self.over.result()
            self.sockets += some
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await asyncio.gather(*(one.opened for one in self.sockets))

    def stall(self, count: int) -> None:
        """Let so many of the sockets stop reading; nobody waits for them."""
        for _ in range(count):
            self.sockets.pop().stall()

    async def deliver(self, seconds: float) -> Deliveries:
        """Publish for so long, always some messages ahead, and wait until all have arrived."""
        began = time.perf_counter()
        self._until = began + seconds
        for _ in range(_AHEAD):
            self._publish()
        async with asyncio.timeout(seconds + _SILENCE_S):
            await self.over
        took = time.perf_counter() - began
        ordered = sorted(self.latencies)
        return Deliveries(
            len(ordered) / took, ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000
        )

    def delivered(self, receiver: Socket) -> None:
        """A message reached one of the sockets; they come in order."""
        number = receiver.received
        receiver.received += 1
        now = time.perf_counter()
        self.latencies.append(now - self._published[number])
        self._missing[number] -= 1
        if self._missing[number]:
            return
        if now < self._until:
            self._publish()
        elif number == len(self._published) - 1 and not self.over.done():
            self.over.set_result(None)

    def _publish(self) -> None:
        self._published.append(time.perf_counter())
        self._missing.append(len(self.sockets))
        self.sockets[0].transport.write(self._frame)


async def _deliver(url: str, sockets: int, seconds: float, stalled: int) -> None:
    run = Run()
    await run.connect(url, sockets + stalled)
    run.stall(stalled)
    print(msgspec.json.encode(await run.deliver(seconds)).decode())


async def _hold(url: str, sockets: int) -> None:
    run = Run()
    await run.connect(url, sockets)
    print("held", flush=True)
    released = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([released, run.over], return_when=asyncio.FIRST_COMPLETED)
    if run.over.done():
        run.over.result()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "deliver":
        uvloop.run(_deliver(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
    else:
        uvloop.run(_hold(sys.argv[2], int(sys.argv[3])))
