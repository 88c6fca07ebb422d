"""The blocks that somebody wants, in two bytes each."""

from __future__ import annotations

import secrets
import struct
from typing import Final

_WORDS: Final = struct.Struct("<4Q")
_BITS_PER_BLOCK: Final = 16
_LEAST_BITS: Final = 1 << 16


class LiveSet:
    """A set of hashes that never denies what was added, and now and then affirms what was not (a Bloom filter).

    Of a thousand unwanted blocks it takes about two for wanted; the next set, with another salt, takes others. A hash
    is random already, so that its words stand in for as many hash functions.

    Args:
        expected: about how many will be added.
    """

    def __init__(self, expected: int) -> None:
        self._size = max(_LEAST_BITS, expected * _BITS_PER_BLOCK)
        self._bits = bytearray(self._size // 8 + 1)
        self._salt = secrets.randbits(64)

    def add(self, multihash: bytes) -> None:
        """Add a hash of at least 32 bytes."""
        for place in self._places(multihash):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, multihash: bytes) -> bool:
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in self._places(multihash))

    def _places(self, multihash: bytes) -> list[int]:
        return [(word ^ self._salt) % self._size for word in _WORDS.unpack(multihash[-_WORDS.size :])]
