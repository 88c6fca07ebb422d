"""Migrations as values: files with a number, what was applied of them, and how the two differ."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

MAX_VERSION: Final = 9_999
"""What four digits hold."""

NAME_PATTERN: Final = "[a-z0-9_]{1,100}"
"""What a migration may be called."""

_NAME: Final = re.compile(NAME_PATTERN)


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
    """Whether a migration may be called so."""
    return _NAME.fullmatch(text) is not None


class Applied(Fingerprint, frozen=True):
    """A migration that was applied. `applied_at`: unix milliseconds."""

    applied_at: int


class DriftKind(Enum):
    """How a history and a set of files can differ, beside files that still wait."""

    CHANGED = "changed"
    """The file has another text than was applied."""
    MISSING = "missing"
    """It was applied, and there is no such file."""
    OUT_OF_ORDER = "out_of_order"
    """It waits, although later ones were applied."""


class Drift(msgspec.Struct, frozen=True):
    """One difference. `migration`: the file, or for `DriftKind.MISSING` what was applied."""

    kind: DriftKind
    migration: Fingerprint

    @property
    def text(self) -> str:
        """What is wrong and what to do, for people."""
        match self.kind:
            case DriftKind.CHANGED:
                says = "was changed after it was applied: restore it, and write what is new into a new file"
            case DriftKind.MISSING:
                says = "was applied, but there is no such file: restore it"
            case DriftKind.OUT_OF_ORDER:
                says = "comes before files that were applied: give it a number after theirs"
        return f"{self.migration.file} {says}"


class Comparison(msgspec.Struct, frozen=True):
    """`pending`: the files that were not applied, by version, those out of order included."""

    pending: tuple[Fingerprint, ...]
    drift: tuple[Drift, ...]


def compare(history: Iterable[Applied], files: Iterable[Fingerprint]) -> Comparison:
    """Hold a set of files, one a version, against a history."""
    applied = {one.version: one for one in history}
    given = {one.version: one for one in files}
    newest = max(applied, default=-1)
    pending = tuple(given[version] for version in sorted(given.keys() - applied.keys()))
    drift = [Drift(DriftKind.OUT_OF_ORDER, one) for one in pending if one.version < newest]
    for version, one in applied.items():
        if version not in given:
            drift.append(Drift(DriftKind.MISSING, one))
        elif given[version].checksum != one.checksum:
            drift.append(Drift(DriftKind.CHANGED, given[version]))
    return Comparison(pending, tuple(sorted(drift, key=lambda one: one.migration.version)))
