"""The settings that the model declares: one flat table, from which loader, renderer and reference work."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import inspect as kinds

from orama.config.model import Config

DERIVED: Final = {
    "auth.development": "node.mode",
    "auth.public_host": "node.public_host",
    "database.sqlite.data_directory": "node.data_dir",
    "database.sqlite.limits": "database.limits",
}
"""Fields of settings structs that nobody sets: each follows the setting named beside it."""


class Setting(msgspec.Struct, frozen=True):
    """One value that can be configured.

    `annotation` is what msgspec converts to, `kind` the same as data. `default` is NODEFAULT where a section that is
    off by default has to be given whole. `secret` values are never shown.
    """

    path: str
    annotation: Any
    kind: kinds.Type
    default: Any
    secret: bool = False


class Section(msgspec.Struct, frozen=True):
    """A struct of settings. `optional`: null turns it off. `default` is its default as a whole."""

    path: str
    struct: type[msgspec.Struct]
    optional: bool
    default: Any


class Schema:
    """All settings and sections by dotted path, in the order of the model."""

    def __init__(self, root: type[msgspec.Struct] = Config) -> None:
        self.settings: dict[str, Setting] = {}
        self.sections: dict[str, Section] = {}
        self._paths: list[str] = []
        self._add("", root, root())

    def children(self, section: str) -> Iterator[str]:
        """The paths directly below a section; the root is the empty path."""
        prefix = f"{section}." if section else ""
        for path in self._paths:
            if path.startswith(prefix) and "." not in path[len(prefix) :]:
                yield path

    def _add(self, path: str, struct: type[msgspec.Struct], default: Any) -> None:
        hints = typing.get_type_hints(struct, include_extras=True)
        description = kinds.type_info(struct)
        assert isinstance(description, kinds.StructType)
        for field in description.fields:
            below = f"{path}.{field.name}" if path else field.name
            if below in DERIVED:
                continue
            self._paths.append(below)
            metadata = (
                cast("dict[str, Any] | None", field.type.extra) if isinstance(field.type, kinds.Metadata) else None
            )
            kind = field.type.type if isinstance(field.type, kinds.Metadata) else field.type
            value = msgspec.NODEFAULT if default is None else getattr(default, field.name)
            nested, optional = _struct_of(kind)
            if nested is None:
                secret = bool(metadata and metadata.get("secret"))
                self.settings[below] = Setting(below, hints[field.name], kind, value, secret)
            else:
                self.sections[below] = Section(below, nested, optional, value)
                self._add(below, nested, value)


def _struct_of(kind: kinds.Type) -> tuple[type[msgspec.Struct] | None, bool]:
    """The struct that a field holds, if it does, and whether null may stand instead."""
    members = kind.types if isinstance(kind, kinds.UnionType) else (kind,)
    for member in members:
        if isinstance(member, kinds.StructType):
            return member.cls, len(members) > 1
    return None, False
