"""What drivers and the pipeline hand to each other: a request read, a reply to write."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from orama.gateway.kernel.body import BodyStream
from orama.gateway.websocket.socket import Conversation


class Request(msgspec.Struct, gc=False):
    """What a driver read from its connection.

    `path` is as sent, still percent-encoded, without the query; `query` is the raw query string. Header names are in
    lower case; a header that came twice has its values joined by a comma, and those where that would be ambiguous
    were refused by the driver. `body` is whole and within the limit; it is empty where the handler reads `stream`.
    `peer` is the address at the connection's other end, `client` the one behind trusted proxies, `forwarded` whether
    an untrusted peer claimed to speak for another. `websocket`: a valid handshake, which the driver can follow.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    client: str
    forwarded: bool = False
    websocket: bool = False
    stream: BodyStream | None = None


class Reply(msgspec.Struct, gc=False):
    """What a driver writes to its connection.

    `headers` are names in lower case with their values, and never content-length, date or connection: those are the
    driver's. With `stream` set, `body` is empty, and the driver closes the stream, however far it came. `length` is
    that of the stream, or of the body that is not sent because HEAD was asked; None where it is that of `body`, or
    where nobody knows the stream's. `sent_bytes` counts what the stream has given. With `conversation` set, `status` is
    101, and the connection becomes a WebSocket on which that is said.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = []
    stream: AsyncGenerator[bytes] | None = None
    conversation: Conversation | None = None
    length: int | None = None
    sent_bytes: int = 0
