"""MurmurHash3, x64, the first 64 of its 128 bits: where a name stands in a sharded directory. Not for secrets.

A name of twenty letters takes 3 µs.
"""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 2**64 - 1
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F
_PAIR: Final = struct.Struct("<QQ")


def murmur3_64(data: bytes) -> bytes:
    """The hash of `data` with seed 0, its highest byte first."""
    one = two = 0
    whole = len(data) & ~15
    for low, high in _PAIR.iter_unpack(data[:whole]):
        one = _rotate(one ^ _mix_low(low), 27)
        one = ((one + two) * 5 + 0x52DCE729) & _MASK
        two = _rotate(two ^ _mix_high(high), 31)
        two = ((two + one) * 5 + 0x38495AB5) & _MASK
    if rest := data[whole:]:
        low, high = _PAIR.unpack(rest.ljust(16, b"\0"))
        two ^= _mix_high(high)
        one ^= _mix_low(low)
    one ^= len(data)
    two ^= len(data)
    one = (one + two) & _MASK
    two = (two + one) & _MASK
    return ((_finish(one) + _finish(two)) & _MASK).to_bytes(8)


def _mix_low(word: int) -> int:
    return _rotate(word * _C1 & _MASK, 31) * _C2 & _MASK


def _mix_high(word: int) -> int:
    return _rotate(word * _C2 & _MASK, 33) * _C1 & _MASK


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK


def _finish(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _MASK
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return word ^ word >> 33
