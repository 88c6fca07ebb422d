"""Messages as they are handed to sockets: encoded once, however many clients get them."""

from __future__ import annotations

from typing import Final

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_SHORT: Final = 126
_MEDIUM: Final = 65_536


class Frame:
    """One message to clients. `payload` is UTF-8 if it is `text`; `encoded` is the same as one frame, unmasked."""

    __slots__ = ("encoded", "payload", "text")

    def __init__(self, payload: bytes, *, text: bool = True) -> None:
        self.payload = payload
        self.text = text
        size = len(payload)
        first = _TEXT if text else _BINARY
        if size < _SHORT:
            head = bytes((first, size))
        elif size < _MEDIUM:
            head = bytes((first, 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, 127)) + size.to_bytes(8, "big")
        self.encoded = head + payload


class Incoming:
    """One message from a client, whole. `data` is valid UTF-8 if it is `text`."""

    __slots__ = ("data", "text")

    def __init__(self, data: bytes, *, text: bool) -> None:
        self.data = data
        self.text = text
