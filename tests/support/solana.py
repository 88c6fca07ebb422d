"""A Solana wallet made by solders, which shares no code with ours: the oracle of the signature tests."""

from __future__ import annotations

import base64

from solders.keypair import Keypair
from solders.pubkey import Pubkey

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of Ed25519's base point (RFC 8032, §5.1)."""


class SolanaWallet:
    """A key pair; the same `number` makes the same wallet. Has what `support.wallet.Wallet` has."""

    chain_type = "SOL"

    def __init__(self, number: int = 1) -> None:
        self._pair = Keypair.from_seed(number.to_bytes(32, "big"))
        self.address: str = str(self._pair.pubkey())
        self.bare: str = self.address
        self.subject: str = self.address
        self.key: bytes = bytes(self._pair.pubkey())

    def sign(self, text: str) -> str:
        """What ``signMessage`` gives, in the base64 that clients send."""
        return base64.b64encode(bytes(self._pair.sign_message(text.encode()))).decode()


def address_of(key: bytes) -> str:
    """The address that solders gives a public key, sound or not."""
    return str(Pubkey(key))


def malleated(signature: str) -> str:
    """Another signature of the same key and text for verifiers that do not reduce s, which anybody can compute."""
    raw = base64.b64decode(signature)
    s = int.from_bytes(raw[32:], "little") + ORDER
    return base64.b64encode(raw[:32] + s.to_bytes(32, "little")).decode()
