"""Private keys of `orama wallet`: read from and written as text, and what can be done with them."""

from __future__ import annotations

import base64
import hmac
from typing import Final, Protocol

import msgspec
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orama.domain.base58 import base58
from orama.domain.ethereum import checksum_address, keccak256, personal_message_hash
from orama.domain.wallet import Chain

_SEED_BYTES: Final = 32
_KEYPAIR_BYTES: Final = 64


class WalletKey(Protocol):
    """A key of either chain."""

    @property
    def chain(self) -> Chain:
        """Whose wallet it is."""
        ...

    @property
    def address(self) -> str:
        """The wallet as people read it."""
        ...

    @property
    def text(self) -> str:
        """The secret, as it stands in the file."""
        ...

    def sign(self, text: str) -> str:
        """The signature of `text` in the form that the gateway wants."""
        ...


class EthereumKey:
    """A key of secp256k1, in the file as 64 hex digits."""

    chain = Chain.ETHEREUM

    def __init__(self, private: PrivateKey) -> None:
        self._private = private

    @classmethod
    def create(cls) -> EthereumKey:
        """A new one."""
        return cls(PrivateKey())

    @property
    def address(self) -> str:
        """The address in EIP-55 form."""
        public = self._private.public_key.format(compressed=False)
        return checksum_address(keccak256(public[1:])[-20:].hex())

    @property
    def text(self) -> str:
        """The secret, as it stands in the file."""
        return self._private.to_hex()

    def sign(self, text: str) -> str:
        """What ``personal_sign`` gives (EIP-191): r, s and v in hexadecimal."""
        # The library's annotation of an argument that is not used here is incomplete.
        signature = bytearray(self._private.sign_recoverable(personal_message_hash(text), hasher=None))  # pyright: ignore[reportUnknownMemberType]
        signature[64] += 27
        return "0x" + signature.hex()


class SolanaKey:
    """A key of Ed25519, in the file as solana-keygen writes it: a JSON array of seed and public key, 64 numbers."""

    chain = Chain.SOLANA

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def create(cls) -> SolanaKey:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def address(self) -> str:
        """The public key in base58."""
        return base58(self._private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The secret, as it stands in the file."""
        keypair = self._private.private_bytes_raw() + self._private.public_key().public_bytes_raw()
        return msgspec.json.encode(list(keypair)).decode()

    def sign(self, text: str) -> str:
        """What ``signMessage`` gives, in standard base64."""
        return base64.b64encode(self._private.sign(text.encode())).decode()


def parse_key(text: str) -> WalletKey:
    """The key that a file's `text` holds.

    Raises:
        ValueError: it holds none; the message tells nothing of the text.
    """
    if not text.startswith("["):
        secret = bytes.fromhex(text.removeprefix("0x"))
        if len(secret) != _SEED_BYTES:
            raise ValueError(f"an Ethereum key has {_SEED_BYTES} bytes")
        return EthereumKey(PrivateKey(secret))
    try:
        keypair = bytes(msgspec.json.decode(text, type=list[int]))
    except (ValueError, msgspec.DecodeError):
        raise ValueError("a Solana key is a JSON array of numbers from 0 to 255") from None
    if len(keypair) != _KEYPAIR_BYTES:
        raise ValueError(f"a Solana key has {_KEYPAIR_BYTES} bytes")
    private = Ed25519PrivateKey.from_private_bytes(keypair[:_SEED_BYTES])
    if not hmac.compare_digest(private.public_key().public_bytes_raw(), keypair[_SEED_BYTES:]):
        raise ValueError("the two halves of the Solana key do not belong together")
    return SolanaKey(private)
