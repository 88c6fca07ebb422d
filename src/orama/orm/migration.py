"""Migrations: SQL files that bring a database's schema to what a program expects, each called ``0001_name.sql``."""

from __future__ import annotations

import hashlib
import re
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

MAX_VERSION: Final = 9_999
"""What four digits hold."""

_NAME: Final = re.compile(r"[a-z0-9_]{1,100}")
_FILE: Final = re.compile(rf"(?P<version>[0-9]{{4}})_(?P<name>{_NAME.pattern})\.sql", re.ASCII)


class Fingerprint(msgspec.Struct, frozen=True):
    """What tells one migration from another without its text. `checksum`: see `checksum_of`."""

    version: int
    name: str
    checksum: str

    @property
    def file(self) -> str:
        """What the file is called."""
        return f"{self.version:04}_{self.name}.sql"


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, its name and its SQL."""

    version: int
    name: str
    sql: str

    @property
    def fingerprint(self) -> Fingerprint:
        """It without its text."""
        return Fingerprint(self.version, self.name, checksum_of(self.sql))


def checksum_of(sql: str) -> str:
    """SHA-256 of the text in UTF-8, in hex.

    Raises:
        UnicodeEncodeError: it holds lone surrogates.
    """
    return hashlib.sha256(sql.encode()).hexdigest()


def is_migration_name(text: str) -> bool:
    """Whether a migration may be called so: 1 to 100 small letters, digits and underscores."""
    return _NAME.fullmatch(text) is not None


def load_migrations(directory: Traversable) -> list[Migration]:
    """The migrations in `directory`, in order of their versions. Line ends count as one character, whatever they are.

    Raises:
        ValueError: an SQL file is not called ``0001_name.sql``, is not UTF-8, or two have one version.
    """
    found: dict[int, Migration] = {}
    for file in directory.iterdir():
        if not file.name.endswith(".sql"):
            continue
        name = _FILE.fullmatch(file.name)
        if name is None:
            raise ValueError(f"{file.name}: a migration is called 0001_name.sql, of small letters, digits and _")
        version = int(name["version"])
        if version in found:
            raise ValueError(f"{file.name}: version {name['version']} is taken by another file")
        try:
            found[version] = Migration(version, name["name"], file.read_text("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file.name}: byte {error.start} is not UTF-8") from error
    return [found[version] for version in sorted(found)]
