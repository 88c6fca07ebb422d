"""The little of WebSocket framing (RFC 6455 §5) that the floor and the load need: whole messages, no extensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_TEXT: Final = 0x81
_CLOSE: Final = 0x8
_PING: Final = 0x9
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127


def message_frame(payload: bytes, *, masked: bool = False) -> bytes:
    """A text message in one frame. Its mask is zero, which is as good as any and costs nothing."""
    size, bit = len(payload), _MASKED if masked else 0
    if size < _TWO_BYTES:
        head = bytes((_TEXT, bit | size))
    elif size < 1 << 16:
        head = bytes((_TEXT, bit | _TWO_BYTES)) + size.to_bytes(2, "big")
    else:
        head = bytes((_TEXT, bit | _EIGHT_BYTES)) + size.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload


def read_frames(buffer: bytearray) -> Iterator[bytes]:
    """The payloads of the whole messages in `buffer`, which are taken out of it. Masks are those of `message_frame`.

    Raises:
        ConnectionError: the other side closed.
    """
    while len(buffer) >= 2:
        opcode, size, start = buffer[0] & 0xF, buffer[1] & 0x7F, 2
        if size == _TWO_BYTES:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == _EIGHT_BYTES:
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if buffer[1] & _MASKED:
            start += 4
        if len(buffer) < start + size:
            return
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == _CLOSE:
            raise ConnectionError(f"closed with {int.from_bytes(payload[:2], 'big')}: {payload[2:]!r}")
        if opcode < _PING:
            yield payload
