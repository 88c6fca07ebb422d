"""A request's body that its handler reads as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from orama.errors import InvalidArgument, TooLarge
from orama.gateway.kernel.limits import HttpLimits

Part = tuple[bytes, bool]
"""Some bytes, and whether more follow."""


class BodyStream:
    """An iterator over the pieces of one body. Nothing is asked of the client before the first piece is.

    A client that sends nothing costs no memory and, after a while, gets 408; time that the handler takes between two
    pieces is not the client's.

    Args:
        receive: waits for the next part; raises `Cancelled` if the caller has gone.
        limits: how slow the client may be.
        declared_bytes: what the client says the body has; None if it does not say.
    """

    def __init__(self, receive: Callable[[], Awaitable[Part]], limits: HttpLimits, declared_bytes: int | None) -> None:
        self._receive = receive
        self._limits = limits
        self._monotonic = asyncio.get_running_loop().time
        self._waited_s = 0.0
        self.declared_bytes = declared_bytes
        self.received_bytes = 0
        self.finished = declared_bytes == 0
        """Whether nothing more will come."""
        self.on_wait: Callable[[], None] | None = None
        """Called before each wait for the client: the call's own deadline does not count meanwhile."""
        self.on_arrival: Callable[[], None] | None = None
        """Called after each."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece, which is not empty.

        Raises:
            InvalidArgument: it came too slowly (408, reason ``request_timeout``).
            Cancelled: the caller has gone.
        """
        while not self.finished:
            piece, more = await self._wait()
            self.received_bytes += len(piece)
            self.finished = not more
            if piece:
                return piece
        raise StopAsyncIteration

    async def read(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it has more than `max_bytes`; what is too much was not read.
        """
        if self.declared_bytes is not None and self.declared_bytes > max_bytes:
            raise too_large(max_bytes)
        pieces: list[bytes] = []
        async for piece in self:
            pieces.append(piece)
            if self.received_bytes > max_bytes:
                raise too_large(max_bytes)
        return b"".join(pieces)

    async def _wait(self) -> Part:
        limits = self._limits
        if self.on_wait is not None:
            self.on_wait()
        started = self._monotonic()
        patience_s = limits.body_grace_s + self.received_bytes / limits.min_body_rate - self._waited_s
        try:
            async with asyncio.timeout(patience_s):
                return await self._receive()
        except TimeoutError:
            raise InvalidArgument(
                "the request's body came too slowly", reason="request_timeout", http_status=408
            ) from None
        finally:
            self._waited_s += self._monotonic() - started
            if self.on_arrival is not None:
                self.on_arrival()


def too_large(max_bytes: int) -> TooLarge:
    """A body has more bytes than it may."""
    return TooLarge(f"the request body is larger than {max_bytes} bytes", reason="body_too_large")
