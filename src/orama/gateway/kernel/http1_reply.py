"""Replies as HTTP/1.1 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from orama.gateway.kernel.message import Reply

_STATUS_LINE: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_STATUS_LINE[499] = "HTTP/1.1 499 Client Closed Request\r\n"


class ReplyWriter:
    """Encodes replies in one piece, so that each is one write and one packet where it fits.

    Args:
        constant: headers that every reply carries, encoded once.
    """

    def __init__(self, constant: Sequence[tuple[str, str]]) -> None:
        self._constant = "".join(f"{name}: {value}\r\n" for name, value in constant)
        self._shared: list[tuple[bytes, bytes]] = []
        self._shared_text = self._constant

    def encode(self, reply: Reply, shared: list[tuple[bytes, bytes]], *, keep_alive: bool, head_only: bool) -> bytes:
        """The bytes of `reply`.

        `shared` are the host server's headers for all replies (the date): encoded anew only when the list is another.
        """
        if shared is not self._shared:
            self._shared = shared
            self._shared_text = self._constant + "".join(
                f"{name.decode()}: {value.decode()}\r\n" for name, value in shared
            )
        body = reply.body
        parts = [_STATUS_LINE[reply.status], self._shared_text]
        if reply.status != HTTPStatus.NO_CONTENT:  # RFC 9110 §8.6: no length on 204
            parts.append(f"content-type: {reply.content_type}\r\ncontent-length: {len(body)}\r\n")
        parts += [f"{name}: {value}\r\n" for name, value in reply.headers]
        parts.append("\r\n" if keep_alive else "connection: close\r\n\r\n")
        head = "".join(parts).encode("latin-1")
        return head if head_only or not body else head + body

    def encode_upgrade(self, reply: Reply, accept: str) -> bytes:
        """The bytes of a 101, after which the connection is a WebSocket."""
        parts = [
            _STATUS_LINE[reply.status],
            self._constant,
            f"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n",
            *(f"{name}: {value}\r\n" for name, value in reply.headers),
            "\r\n",
        ]
        return "".join(parts).encode("latin-1")
