"""The text that a wallet shows and signs: Sign-In with Ethereum (EIP-4361), and its twin for Solana.

Solana's is the form of github.com/phantom/sign-in-with-solana; of its fields, all that EIP-4361 demands are demanded.
The parser is strict: it takes exactly what `SignInMessage.text` writes, so that a text has one reading.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from orama.domain.timestamp import parse_rfc3339
from orama.domain.wallet import Chain, parse_wallet
from orama.errors import InvalidArgument

_MAX_CHARACTERS: Final = 4096

_ACCOUNT: Final = {Chain.ETHEREUM: "Ethereum", Chain.SOLANA: "Solana"}
_CHAIN_ID: Final = {
    Chain.ETHEREUM: r"[1-9][0-9]{0,17}",
    Chain.SOLANA: r"mainnet|testnet|devnet|localnet|solana:mainnet|solana:testnet|solana:devnet",
}
_AFTER_STATEMENT: Final = {Chain.ETHEREUM: (r"\n", r"\n"), Chain.SOLANA: (r"\n\n", "")}
"""What ends a statement, and what follows then, or where there is none."""

_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]*"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"


def _grammar(chain: Chain) -> re.Pattern[str]:
    end, gap = _AFTER_STATEMENT[chain]
    return re.compile(
        rf"""
        (?P<domain>(?:[A-Za-z0-9.-]{{1,253}}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?)
        \ wants\ you\ to\ sign\ in\ with\ your\ {_ACCOUNT[chain]}\ account:\n
        (?P<address>[0-9A-Za-z]{{32,44}})\n
        \n
        (?:(?P<statement>[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~\ -]+){end})?
        {gap}
        URI:\ (?P<uri>{_URI})\n
        Version:\ 1\n
        Chain\ ID:\ (?P<chain_id>{_CHAIN_ID[chain]})\n
        Nonce:\ (?P<nonce>[A-Za-z0-9]{{8,}})\n
        Issued\ At:\ (?P<issued_at>{_TIME})
        (?:\nExpiration\ Time:\ (?P<expiration_time>{_TIME}))?
        (?:\nNot\ Before:\ (?P<not_before>{_TIME}))?
        (?:\nRequest\ ID:\ (?P<request_id>[A-Za-z0-9:@!$&'()*+,;=._~%-]*))?
        (?:\nResources:(?P<resources>(?:\n-\ {_URI})+))?
        """,
        re.VERBOSE | re.ASCII,
    )


_GRAMMARS: Final = {chain: _grammar(chain) for chain in Chain}


class SignInMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one message; their meaning is EIP-4361's. Times are RFC 3339 texts.

    `chain_id`: for Ethereum a number (EIP-155), for Solana the network's name.
    """

    chain: Chain
    domain: str
    address: str
    uri: str
    chain_id: str
    nonce: str
    issued_at: str
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the wallet signs."""
        optional = (
            ("Expiration Time", self.expiration_time),
            ("Not Before", self.not_before),
            ("Request ID", self.request_id),
        )
        lines = [
            f"{self.domain} wants you to sign in with your {_ACCOUNT[self.chain]} account:",
            self.address,
            "",
            *([] if self.statement is None else [self.statement]),
            # Only EIP-4361 has this line even without a statement.
            *([] if self.statement is None and self.chain is Chain.SOLANA else [""]),
            f"URI: {self.uri}",
            "Version: 1",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
            *(f"{name}: {value}" for name, value in optional if value is not None),
            *(["Resources:"] if self.resources else []),
            *(f"- {resource}" for resource in self.resources),
        ]
        return "\n".join(lines)


def parse_message(text: str) -> SignInMessage:
    """The message that `text` is, wholly.

    Raises:
        InvalidArgument: it breaks the grammar of both chains, its address is not in the one form, or a time is not of
            the calendar (reason ``invalid_message``).
    """
    if len(text) > _MAX_CHARACTERS:
        raise _refusal(f"it is longer than {_MAX_CHARACTERS} characters")
    for chain, grammar in _GRAMMARS.items():
        found = grammar.fullmatch(text)
        if found is not None:
            return _checked(chain, found.groupdict())
    raise _refusal("its form is neither EIP-4361's nor that of Sign In With Solana")


def _checked(chain: Chain, fields: dict[str, str | Any]) -> SignInMessage:
    try:
        wallet = parse_wallet(fields["address"])
    except InvalidArgument as error:
        raise _refusal("its address is none") from error
    if (wallet.chain, wallet.display) != (chain, fields["address"]):
        raise _refusal("its address is not in the form of its chain (EIP-55, base58)")
    for name in ("issued_at", "expiration_time", "not_before"):
        try:
            if fields[name] is not None:
                parse_rfc3339(fields[name])
        except ValueError as error:
            raise _refusal(f"{name} is no time") from error
    resources = fields.pop("resources") or ""
    return SignInMessage(chain=chain, **fields, resources=tuple(resources.split("\n- ")[1:]))


def _refusal(why: str) -> InvalidArgument:
    return InvalidArgument(f"this is no sign-in message: {why}", reason="invalid_message")
