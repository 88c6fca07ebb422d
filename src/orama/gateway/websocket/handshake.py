"""The opening handshake, RFC 6455 §4.2."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final

VERSION: Final = "13"
_MAGIC: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16


def is_handshake(method: str, http_version: str, headers: Mapping[str, str]) -> bool:
    """Whether a request without a body asks for a WebSocket, in the one way that there is."""
    connection = {token.strip() for token in headers.get("connection", "").lower().split(",")}
    return (
        method == "GET"
        and http_version == "1.1"
        and "upgrade" in connection
        and headers.get("upgrade", "").lower() == "websocket"
        and headers.get("sec-websocket-version") == VERSION
        and _is_key(headers.get("sec-websocket-key", ""))
    )


def accept_key(headers: Mapping[str, str]) -> str:
    """What proves to the client that its handshake was understood."""
    digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _MAGIC.encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
