"""An Ethereum wallet made by eth-account, which shares no code with ours: the oracle of the signature tests."""

from __future__ import annotations

import sys

# Importing eth-account raises the recursion limit a hundredfold, which would let deep JSON crash this process.
_recursion_limit = sys.getrecursionlimit()
from eth_account import Account  # noqa: E402
from eth_account.messages import encode_defunct  # noqa: E402

sys.setrecursionlimit(_recursion_limit)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Wallet:
    """A key pair; the same `number` makes the same wallet."""

    chain_type = "ETH"

    def __init__(self, number: int = 1) -> None:
        self._account = Account.from_key(number.to_bytes(32, "big"))
        self.address: str = self._account.address
        self.bare: str = self.address[2:].lower()
        self.subject: str = "0x" + self.bare

    def sign(self, text: str) -> str:
        """What ``personal_sign`` gives, with ``0x``."""
        return "0x" + self._account.sign_message(encode_defunct(text=text)).signature.hex().removeprefix("0x")


def with_v(signature: str, v: int) -> str:
    """The signature with its last byte replaced."""
    return signature[:-2] + f"{v:02x}"


def malleated(signature: str) -> str:
    """The other signature of the same key and text, which anybody can compute: s in the upper half."""
    raw = bytes.fromhex(signature.removeprefix("0x"))
    s = ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + s.to_bytes(32, "big")).hex() + f"{55 - raw[64]:02x}"
