"""Wallets: one canonical form per chain, so that letter case never makes two callers of one."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from orama.domain.ethereum import checksum_address
from orama.errors import InvalidArgument

_ETHEREUM: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{40})", re.ASCII)
_SOLANA: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)


class Chain(Enum):
    """The kinds of wallets by the ``chain_type`` that clients send."""

    ETHEREUM = "ETH"
    SOLANA = "SOL"


class Wallet(msgspec.Struct, frozen=True):
    """A wallet in canonical form. `address`: for Ethereum, 40 lower-case hex digits."""

    chain: Chain
    address: str

    @property
    def subject(self) -> str:
        """What the wallet is called in tokens and tables."""
        return "0x" + self.address

    @property
    def display(self) -> str:
        """What people read: the EIP-55 form."""
        return checksum_address(self.address)


def parse_chain(text: str) -> Chain | None:
    """The chain called `text` (Ethereum if blank), or None if there is no such chain."""
    name = text.strip().upper() or Chain.ETHEREUM.value
    return next((chain for chain in Chain if chain.value == name), None)


def parse_wallet(text: str) -> Wallet:
    """The wallet that `text` names: 40 hex digits in any case, ``0x`` optional.

    Raises:
        InvalidArgument: it names none, or one of a chain that is not offered.
    """
    text = text.strip()
    found = _ETHEREUM.fullmatch(text)
    if found is not None:
        return Wallet(Chain.ETHEREUM, found[1].lower())
    if _SOLANA.fullmatch(text) is not None:
        raise solana_not_offered()
    raise InvalidArgument(
        "invalid wallet: use an Ethereum address, 40 hexadecimal digits with or without '0x'", reason="invalid_wallet"
    )


def solana_not_offered() -> InvalidArgument:
    """The refusal of a Solana wallet, the same wherever one turns up."""
    return InvalidArgument(
        "Solana wallets are not offered yet: sign in with an Ethereum wallet (chain_type 'ETH')",
        reason="chain_not_offered",
    )
