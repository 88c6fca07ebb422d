"""Migrations: SQL files that bring a database's schema to what a program expects, each called ``0001_name.sql``."""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from typing import Final

from orama.domain.migration import NAME_PATTERN, Migration

_FILE: Final = re.compile(rf"(?P<version>[0-9]{{4}})_(?P<name>{NAME_PATTERN})\.sql", re.ASCII)


def load_migrations(directory: Traversable) -> list[Migration]:
    """The migrations in `directory`, in order of their versions.

    Line ends count as one character, whatever they are, and a mark of byte order as none.

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
            found[version] = Migration(version, name["name"], file.read_text("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file.name}: byte {error.start} is not UTF-8") from error
    return [found[version] for version in sorted(found)]
