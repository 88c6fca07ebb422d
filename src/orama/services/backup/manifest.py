"""What a backup says of itself."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from orama.contracts.backup import Content
from orama.errors import Conflict, TooLarge, Unprocessable

FORMAT: Final = 1
"""The version of the format. A reader refuses higher ones: it would not know what it leaves out."""

HEADER_NAME: Final = "backup.json"
MANIFEST_NAME: Final = "manifest.json"

MAX_JSON_BYTES: Final = 64 * 1024 * 1024
"""Longest header or manifest: some 300,000 databases."""

_Text = TypeVar("_Text", bound=msgspec.Struct)


class Header(msgspec.Struct, frozen=True):
    """The first member. `program`: the version of what wrote it. `created_at`: unix milliseconds."""

    format: int
    program: str
    created_at: int


class Part(msgspec.Struct, frozen=True):
    """One file in a backup. `content`: what was found in it as it was written."""

    name: str
    bytes: int
    sha256: str
    content: Content


class Manifest(msgspec.Struct, frozen=True):
    """The last member."""

    parts: list[Part]


class Backup(msgspec.Struct, frozen=True):
    """A backup as a whole."""

    header: Header
    parts: list[Part]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(sum(part.content.rows.values()) for part in self.parts)

    @property
    def damaged(self) -> dict[str, str]:
        """What was damaged already when it was copied, by name."""
        return {part.name: part.content.damage for part in self.parts if part.content.damage is not None}


def encode(text: msgspec.Struct) -> bytes:
    """The JSON of a header or manifest.

    Raises:
        TooLarge: no reader would take it.
    """
    encoded = msgspec.json.format(msgspec.json.encode(text)) + b"\n"
    if len(encoded) > MAX_JSON_BYTES:
        raise TooLarge(f"the list of what the backup holds passes {MAX_JSON_BYTES} bytes", reason="backup_too_large")
    return encoded


def decode(encoded: bytes, kind: type[_Text]) -> _Text:
    """The header or manifest in `encoded`.

    Raises:
        Unprocessable: it is none.
    """
    try:
        return msgspec.json.decode(encoded, type=kind)
    except msgspec.DecodeError as error:
        raise not_whole(f"its {kind.__name__.lower()} cannot be read: {error}") from error


def check_format(header: Header) -> None:
    """Refuse what this program cannot read.

    Raises:
        Conflict: a newer program wrote it.
    """
    if header.format > FORMAT:
        raise Conflict(
            f"this backup was made by a newer Orama ({header.program}, backup format {header.format}; "
            f"this one reads up to {FORMAT}): use that version",
            reason="backup_too_new",
        )


def not_whole(what: str) -> Unprocessable:
    """The refusal of a file that is no whole backup."""
    return Unprocessable(f"this is no whole backup: {what}", reason="backup_damaged")
