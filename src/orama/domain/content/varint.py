"""Unsigned integers of variable length: seven bits a byte, the lowest first (protobuf, multiformats)."""

from __future__ import annotations

from typing import Final

_MORE: Final = 0x80
_MAX_BITS: Final = 63


def encode_varint(value: int) -> bytes:
    """The shortest form of `value`, which is not negative."""
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & 0x7F | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_length(value: int) -> int:
    """How many bytes `encode_varint` makes of `value`."""
    return max(1, (value.bit_length() + 6) // 7)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer at the offset `at`, and the offset behind it.

    Raises:
        ValueError: it does not end, or has more than 63 bits (the bound of the multiformats).
    """
    value = shift = 0
    while shift < _MAX_BITS:
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7
    raise ValueError("a number has more than 63 bits")
