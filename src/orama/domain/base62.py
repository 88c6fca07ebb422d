"""Base62: digits and letters only, so that a double click selects a token and no URL or shell changes it."""

from __future__ import annotations

import math
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(data: bytes) -> str:
    """`data` as a big-endian number in base 62, padded to the length that any `data` of its size fits in.

    16 bytes make 22 characters, 32 bytes make 43.
    """
    length = math.ceil(len(data) * 8 / math.log2(62))
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
