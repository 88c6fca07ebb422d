"""As much of protobuf's wire format as DAG-PB and UnixFS need: numbers and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orama.domain.content.varint import encode_varint, read_varint

_NUMBER: Final = 0
_FIXED_64: Final = 1
_BYTES: Final = 2
_FIXED_32: Final = 5
_MAX_FIELD: Final = 2**29


def number_field(field: int, value: int) -> bytes:
    """A field that holds a number which is not negative."""
    return encode_varint(field << 3 | _NUMBER) + encode_varint(value)


def bytes_field(field: int, value: bytes) -> bytes:
    """A field that holds bytes, text or a message."""
    return encode_varint(field << 3 | _BYTES) + encode_varint(len(value)) + value


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in the order in which they stand; fields of fixed width are passed over.

    Raises:
        ValueError: it is no such message.
    """
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        field, kind = tag >> 3, tag & 7
        if not 0 < field < _MAX_FIELD:
            raise ValueError("a field without a number")
        if kind == _NUMBER:
            value, at = read_varint(message, at)
            yield field, value
            continue
        if kind == _BYTES:
            length, at = read_varint(message, at)
        elif kind in (_FIXED_32, _FIXED_64):
            length = 4 if kind == _FIXED_32 else 8
        else:
            raise ValueError("a field of an unknown kind")
        if length > len(message) - at:
            raise ValueError("a field is cut off")
        if kind == _BYTES:
            yield field, message[at : at + length]
        at += length
