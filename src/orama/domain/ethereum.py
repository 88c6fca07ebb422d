"""Ethereum's rules for addresses and signed texts: EIP-55, EIP-191 and EIP-2's low s."""

from __future__ import annotations

from typing import Final

import sha3
from coincurve import PublicKey

_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""The order of secp256k1's group (SEC 2, §2.4.1)."""

_RECOVERY_ID: Final = {0: 0, 1: 1, 27: 0, 28: 1}
"""From a signature's last byte: wallets write 27 or 28, some libraries 0 or 1."""

_SIGNATURE_HEX_DIGITS: Final = 130


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: the padding of the submission, not of SHA-3."""
    # An extension module without stubs.
    return bytes(sha3.keccak_256(data).digest())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def checksum_address(address: str) -> str:
    """`address` (40 hex digits) in EIP-55's mixed case, after ``0x``."""
    lower = address.lower()
    digest = keccak256(lower.encode()).hex()
    return "0x" + "".join(
        letter.upper() if nibble >= "8" else letter for letter, nibble in zip(lower, digest, strict=False)
    )


def personal_message_hash(text: str) -> bytes:
    """What a wallet's ``personal_sign`` signs for `text` (EIP-191, version 0x45)."""
    message = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)


def recover_address(text: str, signature: str) -> str:
    """The address (40 lower-case hex digits) whose key signed `text` with ``personal_sign``.

    `signature` is r, s and v: 65 bytes in hex, ``0x`` optional. Of the two signatures that anybody can make from one,
    only that with the lower s is taken (EIP-2), so that a signature has one form.

    Raises:
        ValueError: it is no signature of that form, or of no key.
    """
    digits = signature.removeprefix("0x")
    if len(digits) != _SIGNATURE_HEX_DIGITS:
        raise ValueError("an Ethereum signature has 65 bytes")
    raw = bytes.fromhex(digits)
    if len(raw) * 2 != len(digits):
        raise ValueError("a signature in hex has no spaces")
    recovery_id = _RECOVERY_ID.get(raw[64])
    if recovery_id is None:
        raise ValueError("the last byte of a signature is 0, 1, 27 or 28")
    if int.from_bytes(raw[32:64], "big") > _ORDER // 2:
        raise ValueError("the signature's s is in the upper half")
    compact = raw[:64] + bytes((recovery_id,))
    public = PublicKey.from_signature_and_message(compact, personal_message_hash(text), hasher=None)
    return keccak256(public.format(compressed=False)[1:])[12:].hex()
