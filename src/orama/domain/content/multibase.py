"""Text forms of bytes that name their own alphabet by their first letter (multiformats/multibase)."""

from __future__ import annotations

import base64
from typing import Final

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE58_VALUE: Final = {letter: value for value, letter in enumerate(_BASE58)}
_BASE36_VALUE: Final = {letter: value for value, letter in enumerate(_BASE36)}


def encode_base32(data: bytes) -> str:
    """RFC 4648 base32 in small letters, without padding and without a prefix."""
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def encode_base58(data: bytes) -> str:
    """Bitcoin's base58. The time is quadratic: for identifiers only."""
    return _encode_digits(data, _BASE58)


def decode_base58(text: str) -> bytes:
    """The bytes of a base58 text.

    Raises:
        ValueError: another letter stands in it.
    """
    return _decode_digits(text, _BASE58_VALUE)


def decode_multibase(text: str) -> bytes:
    """The bytes of `text`, whose first letter names the alphabet of the rest.

    Known are base16, base32 and base36 in one case of letters, base58btc, and base64url without padding. The caller
    has bounded the length.

    Raises:
        ValueError: an unknown alphabet, a letter outside it, or bits beyond the last byte.
    """
    prefix, body = text[:1], text[1:]
    match prefix:
        case "b" | "f" | "k" if body.lower() == body:
            return _DECODERS[prefix](body)
        case "B" | "F" | "K" if body.upper() == body:
            return _DECODERS[prefix.lower()](body.lower())
        case "z" | "u":
            return _DECODERS[prefix](body)
        case _:
            raise ValueError("unknown alphabet")


def _decode_base16(body: str) -> bytes:
    data = bytes.fromhex(body)
    if data.hex() != body:  # white space
        raise ValueError("not base16")
    return data


def _decode_base32(body: str) -> bytes:
    data = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
    if encode_base32(data) != body:
        raise ValueError("bits beyond the last byte")
    return data


def _decode_base36(body: str) -> bytes:
    return _decode_digits(body, _BASE36_VALUE)


def _decode_base64url(body: str) -> bytes:
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    if base64.urlsafe_b64encode(data).decode("ascii").rstrip("=") != body:
        raise ValueError("bits beyond the last byte, or letters outside the alphabet")
    return data


_DECODERS: Final = {
    "f": _decode_base16,
    "b": _decode_base32,
    "k": _decode_base36,
    "z": decode_base58,
    "u": _decode_base64url,
}


def _encode_digits(data: bytes, alphabet: str) -> str:
    """`data` as one large number; each zero byte in front is a zero digit."""
    number, letters = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, len(alphabet))
        letters = alphabet[digit] + letters
    return alphabet[0] * (len(data) - len(data.lstrip(b"\0"))) + letters


def _decode_digits(text: str, values: dict[str, int]) -> bytes:
    number, base = 0, len(values)
    for letter in text:
        value = values.get(letter)
        if value is None:
            raise ValueError("a letter outside the alphabet")
        number = number * base + value
    zero = next(iter(values))
    return bytes(len(text) - len(text.lstrip(zero))) + number.to_bytes((number.bit_length() + 7) // 8)
