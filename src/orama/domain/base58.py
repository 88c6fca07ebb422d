"""Base58 in Bitcoin's alphabet, which Solana writes its addresses in: no 0, O, I or l, and no checksum."""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}


def base58(data: bytes) -> str:
    """`data` as a big-endian number in base 58, with a ``1`` for each zero byte that it begins with."""
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def parse_base58(text: str) -> bytes:
    """The bytes that `text` spells; every text of the alphabet spells other bytes.

    The time is quadratic in the length: callers bound it.

    Raises:
        ValueError: a character is not of the alphabet.
    """
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError(f"{letter!r} is no digit of base 58")
        number = number * 58 + _VALUES[letter]
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
