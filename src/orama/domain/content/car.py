"""CAR, version 1: blocks one after the other in one file (ipld.io/specs/transport/car/carv1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orama.domain.content.cid import Cid, read_cid
from orama.domain.content.varint import encode_varint, read_varint

MAX_HEADER_BYTES: Final = 64 * 1024
"""Longest header: about 1,700 roots."""
MAX_BLOCK_BYTES: Final = 2 * 1024 * 1024
"""Largest block; the same bound as Kubo's, whose peers exchange no larger ones."""
_MAX_SECTION_BYTES: Final = MAX_BLOCK_BYTES + 256
_MAX_LENGTH_BYTES: Final = 9
_MORE: Final = 0x80
_MAX_ROOTS: Final = 1024


def car_header(root: Cid) -> bytes:
    """What an archive with one root begins with."""
    binary = b"\0" + root.binary
    # DAG-CBOR: {"roots": [42(binary)], "version": 1}
    text = b"\xa2\x65roots\x81\xd8\x2a" + _cbor_head(2, len(binary)) + binary + b"\x67version\x01"
    return encode_varint(len(text)) + text


def car_section(cid: Cid, data: bytes) -> bytes:
    """One block of an archive."""
    binary = cid.binary
    return encode_varint(len(binary) + len(data)) + binary + data


class CarReader:
    """Takes an archive apart as it comes. Holds at most one block beside what was fed."""

    def __init__(self) -> None:
        self.roots: list[Cid] | None = None
        """Set once the header has been read."""
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[tuple[Cid, bytes]]:
        """Take a piece; the blocks that are whole now. Their hashes were not checked.

        Raises:
            ValueError: it is no such archive, a block is too large, or of an unknown kind.
        """
        self._buffer += piece
        at = 0
        while (section := self._section(at)) is not None:
            start, at = section
            whole = bytes(self._buffer[start:at])
            if self.roots is None:
                self.roots = _read_header(whole)
                continue
            cid, end = read_cid(whole, 0)
            yield cid, whole[end:]
        del self._buffer[:at]

    def finish(self) -> None:
        """Tell that there is no more.

        Raises:
            ValueError: the archive is cut off.
        """
        if self.roots is None or self._buffer:
            raise ValueError("the archive is cut off")

    def _section(self, at: int) -> tuple[int, int] | None:
        """Where the section that begins at `at` has its content, once that is here."""
        head = bytes(self._buffer[at : at + _MAX_LENGTH_BYTES])
        if all(byte & _MORE for byte in head):
            if len(head) == _MAX_LENGTH_BYTES:
                raise ValueError("a length has too many bytes")
            return None
        length, used = read_varint(head, 0)
        if length > (MAX_HEADER_BYTES if self.roots is None else _MAX_SECTION_BYTES):
            raise ValueError("a block is larger than 2 MiB" if self.roots else "the header is too long, or no CAR's")
        if length == 0:
            raise ValueError("an empty section")
        end = at + used + length
        return (at + used, end) if end <= len(self._buffer) else None


def _read_header(text: bytes) -> list[Cid]:
    """The roots. The map's keys may stand in either order."""
    version: int | None = None
    roots: list[Cid] = []
    count, at = _read_cbor_head(text, 0, major=5)
    for _ in range(count):
        length, at = _read_cbor_head(text, at, major=3)
        key, at = text[at : at + length], at + length
        if key == b"version":
            version, at = _read_cbor_head(text, at, major=0)
        elif key == b"roots":
            number, at = _read_cbor_head(text, at, major=4)
            if number > _MAX_ROOTS:
                raise ValueError(f"more than {_MAX_ROOTS} roots")
            for _ in range(number):
                root, at = _read_cbor_cid(text, at)
                roots.append(root)
        else:
            raise ValueError("a header field that CAR version 1 does not have")
    if version != 1:
        raise ValueError("only version 1 of CAR is understood")
    if at != len(text):
        raise ValueError("bytes behind the header")
    return roots


def _read_cbor_cid(text: bytes, at: int) -> tuple[Cid, int]:
    tag, at = _read_cbor_head(text, at, major=6)
    length, at = _read_cbor_head(text, at, major=2)
    binary = text[at : at + length]
    if tag != 42 or len(binary) != length or not binary.startswith(b"\0"):  # noqa: PLR2004  the tag of identifiers
        raise ValueError("a root is no identifier")
    cid, end = read_cid(binary, 1)
    if end != len(binary):
        raise ValueError("bytes behind a root")
    return cid, at + length


def _cbor_head(major: int, value: int) -> bytes:
    """The head of a CBOR item of up to 255 bytes (RFC 8949 §3), in its shortest form."""
    direct = 24
    return bytes((major << 5 | value,)) if value < direct else bytes((major << 5 | direct, value))


def _read_cbor_head(text: bytes, at: int, *, major: int) -> tuple[int, int]:
    """The number in a head of the wanted kind, and the offset behind it."""
    head = text[at] if at < len(text) else -1
    if head >> 5 != major:
        raise ValueError("no header of a CAR")
    small = head & 0x1F
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(small, 0)
    if small > 27 or at + 1 + width > len(text):  # noqa: PLR2004  the last head with a number of fixed width
        raise ValueError("no header of a CAR")
    return (int.from_bytes(text[at + 1 : at + 1 + width]) if width else small), at + 1 + width
