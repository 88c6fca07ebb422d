"""Solana's rules for addresses and signed texts: base58 of an Ed25519 key, and strict verification.

OpenSSL, which does the arithmetic, takes keys that are points of small order, for which one signature fits many texts,
and keys in more than one spelling. Neither is a wallet's, so both are refused here, as Solana's own programs do.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from orama.domain.base58 import parse_base58

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_ADDRESS_CHARACTERS: Final = 44

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
"""The curve's field and its constant d (RFC 8032, §5.1)."""

_Y8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})
"""The y of the eight points whose order divides 8."""


def parse_address(text: str) -> bytes:
    """The public key that a wallet's address names.

    Raises:
        ValueError: it is not base58 of 32 bytes, or these are no key that a wallet can have: an address that a program
            derived lies off the curve on purpose, and nobody can sign for it.
    """
    if len(text) > _MAX_ADDRESS_CHARACTERS:
        raise ValueError(f"an address has at most {_MAX_ADDRESS_CHARACTERS} characters")
    key = parse_base58(text)
    if len(key) != _KEY_BYTES:
        raise ValueError(f"an address is base58 of {_KEY_BYTES} bytes")
    if not _is_sound_point(key):
        raise ValueError("no wallet has this key")
    return key


def check_signature(address: str, text: str, signature: str) -> None:
    """Return if `signature`, 64 bytes in standard base64, is one of `text` by the key at `address`.

    Raises:
        ValueError: it is not. Of the spellings and twins that anybody can make from a signature, none counts.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise ValueError("a signature is in standard base64") from error
    if len(raw) != _SIGNATURE_BYTES or base64.b64encode(raw).decode() != signature:
        raise ValueError(f"a signature is base64 of {_SIGNATURE_BYTES} bytes, with its padding")
    if _y(raw[:_KEY_BYTES]) in _SMALL_ORDER_Y:
        raise ValueError("the signature's R is of small order")
    try:
        # Compares R byte by byte and refuses an s that is not reduced: what is left is one signature per text.
        Ed25519PublicKey.from_public_bytes(parse_address(address)).verify(raw, text.encode())
    except InvalidSignature as error:
        raise ValueError("the signature is another key's or another text's") from error


def _y(point: bytes) -> int:
    """The y that an encoded point begins with; its last bit is the sign of x (RFC 8032, §5.1.2)."""
    return int.from_bytes(point, "little") & ((1 << 255) - 1)


def _is_sound_point(key: bytes) -> bool:
    """Whether `key` is a point of the curve in its one encoding, and not of small order."""
    y = _y(key)
    if y >= _P or y in _SMALL_ORDER_Y:
        return False
    # x² = (y² - 1) / (d·y² + 1) has a root if numerator times denominator has one (Euler's criterion).
    square = y * y % _P
    return pow((square - 1) * (_D * square + 1), (_P - 1) // 2, _P) == 1
