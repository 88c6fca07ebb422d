"""Wallets: one canonical form per chain, so that spelling never makes two callers of one."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from orama.domain import solana
from orama.domain.ethereum import checksum_address, recover_address
from orama.errors import InvalidArgument

_ETHEREUM: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{40})", re.ASCII)


class Chain(Enum):
    """The kinds of wallets by the ``chain_type`` that clients send."""

    ETHEREUM = "ETH"
    SOLANA = "SOL"


class Wallet(msgspec.Struct, frozen=True):
    """A wallet in canonical form. `address`: for Ethereum, 40 lower-case hex digits; for Solana, base58."""

    chain: Chain
    address: str

    @property
    def subject(self) -> str:
        """What the wallet is called in tokens and tables. Base58 has no 0: the chains cannot meet."""
        return "0x" + self.address if self.chain is Chain.ETHEREUM else self.address

    @property
    def display(self) -> str:
        """What people read: the EIP-55 form, or base58."""
        return checksum_address(self.address) if self.chain is Chain.ETHEREUM else self.address

    def check_signature(self, text: str, signature: str) -> None:
        """Return if `signature` is the wallet's own of `text`, in the form that its chain has for it.

        Raises:
            ValueError: it is not.
        """
        if self.chain is Chain.SOLANA:
            solana.check_signature(self.address, text, signature)
        elif recover_address(text, signature) != self.address:
            raise ValueError("the signature is another key's or another text's")


def parse_chain(text: str) -> Chain | None:
    """The chain called `text`, in any case, or None if there is no such chain."""
    name = text.strip().upper()
    return next((chain for chain in Chain if chain.value == name), None)


def parse_wallet(text: str) -> Wallet:
    """The wallet that `text` names.

    For Ethereum 40 hex digits in any case, ``0x`` optional; for Solana base58 of a key on the curve, in its exact case.
    The few texts that are both name an Ethereum wallet: as base58 they begin with ten zero bytes, which no key does.

    Raises:
        InvalidArgument: it names none.
    """
    text = text.strip()
    found = _ETHEREUM.fullmatch(text)
    if found is not None:
        return Wallet(Chain.ETHEREUM, found[1].lower())
    try:
        solana.parse_address(text)
    except ValueError:
        # Without the cause: it would quote what was sent.
        raise InvalidArgument(
            "invalid wallet: use an Ethereum address, 40 hexadecimal digits with or without '0x', "
            "or a Solana address, the base58 text of a wallet's public key in its exact case",
            reason="invalid_wallet",
        ) from None
    return Wallet(Chain.SOLANA, text)
