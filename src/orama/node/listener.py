"""The listening socket and the server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Generator

import uvicorn

from orama.errors import Conflict, InvalidArgument
from orama.gateway.kernel.asgi import AsgiDriver
from orama.gateway.kernel.http1 import Http1Protocol, Http1Services

_BACKLOG = 2048


def bind(listen: str) -> socket.socket:
    """A listening TCP socket for ``HOST:PORT``, where an IPv6 host stands in brackets. Port 0 takes a free one.

    Raises:
        InvalidArgument: the text is not of that form, or the address is not this machine's.
        Conflict: somebody listens there already.
    """
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit():
        raise InvalidArgument(f"cannot listen on {listen!r}: expected HOST:PORT, as in 127.0.0.1:6001")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as cause:
        raise InvalidArgument(f"cannot listen on {listen}: {cause}") from cause
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as cause:
        listener.close()
        raise Conflict(
            f"cannot listen on {listen}: {cause.strerror}; stop the other program, or use --listen HOST:PORT"
        ) from cause
    listener.setblocking(False)
    return listener


class Listener(uvicorn.Server):
    """uvicorn as the host of our HTTP/1.1 class. Signals are the node's business, not the server's."""

    def __init__(self, services: Http1Services, application: AsgiDriver, *, shutdown_grace_s: float) -> None:
        self.listening = asyncio.Event()
        """Set once the socket is served."""
        super().__init__(
            uvicorn.Config(
                application,
                http=functools.partial(Http1Protocol, services=services),  # pyright: ignore[reportArgumentType] a class is meant, a factory will do
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=int(shutdown_grace_s),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def url_of(listener: socket.socket) -> str:
    """The URL under which `listener` can be reached from this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  a comparison: these stand for all addresses, loopback among them
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
