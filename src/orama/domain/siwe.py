"""Sign-In with Ethereum, EIP-4361: the text that a wallet shows and signs.

The parser is strict: it takes exactly what `SignInMessage.text` writes, so that a text has one reading.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from orama.domain.ethereum import checksum_address
from orama.domain.timestamp import parse_rfc3339
from orama.errors import InvalidArgument

_MAX_CHARACTERS: Final = 4096

_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]*"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"

_MESSAGE: Final = re.compile(
    rf"""
    (?P<domain>(?:[A-Za-z0-9.-]{{1,253}}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?)
    \ wants\ you\ to\ sign\ in\ with\ your\ Ethereum\ account:\n
    (?P<address>0x[0-9A-Fa-f]{{40}})\n
    \n
    (?:(?P<statement>[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~\ -]+)\n)?
    \n
    URI:\ (?P<uri>{_URI})\n
    Version:\ 1\n
    Chain\ ID:\ (?P<chain_id>[1-9][0-9]{{0,17}})\n
    Nonce:\ (?P<nonce>[A-Za-z0-9]{{8,}})\n
    Issued\ At:\ (?P<issued_at>{_TIME})
    (?:\nExpiration\ Time:\ (?P<expiration_time>{_TIME}))?
    (?:\nNot\ Before:\ (?P<not_before>{_TIME}))?
    (?:\nRequest\ ID:\ (?P<request_id>[A-Za-z0-9:@!$&'()*+,;=._~%-]*))?
    (?:\nResources:(?P<resources>(?:\n-\ {_URI})+))?
    """,
    re.VERBOSE | re.ASCII,
)


class SignInMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one message; their meaning is EIP-4361's. Times are RFC 3339 texts."""

    domain: str
    address: str
    uri: str
    chain_id: int
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
            f"{self.domain} wants you to sign in with your Ethereum account:",
            self.address,
            "",
            *([] if self.statement is None else [self.statement]),
            "",
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
        InvalidArgument: it breaks the grammar, its address EIP-55, or a time the calendar (reason
            ``invalid_message``).
    """
    found = _MESSAGE.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    if found is None:
        raise _refusal("its form is not EIP-4361's")
    fields = found.groupdict()
    if checksum_address(fields["address"][2:]) != fields["address"]:
        raise _refusal("its address is not in EIP-55 form")
    for name in ("issued_at", "expiration_time", "not_before"):
        try:
            if fields[name] is not None:
                parse_rfc3339(fields[name])
        except ValueError as error:
            raise _refusal(f"{name} is no time") from error
    resources = fields.pop("resources") or ""
    chain_id = int(fields.pop("chain_id"))
    return SignInMessage(**fields, chain_id=chain_id, resources=tuple(resources.split("\n- ")[1:]))


def _refusal(why: str) -> InvalidArgument:
    return InvalidArgument(f"this is no sign-in message: {why}", reason="invalid_message")
