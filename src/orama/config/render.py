"""The effective configuration as YAML, with where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import yaml

from orama.config.loader import LoadedConfig
from orama.config.schema import Schema

_REDACTED = "(secret)"
_WIDTH = 56


def render(loaded: LoadedConfig) -> str:
    """YAML that `load` reads back, each value with its origin in a comment. Secrets are left out."""
    lines: list[str] = []
    _render_section(Schema(type(loaded.config)), "", loaded.config, loaded.origins, lines)
    return "\n".join(lines) + "\n"


def _render_section(
    schema: Schema, section: str, struct: msgspec.Struct, origins: dict[str, str], lines: list[str]
) -> None:
    indent = "  " * (section.count(".") + 1 if section else 0)
    for path in schema.children(section):
        name = path.rpartition(".")[2]
        value = getattr(struct, name)
        if isinstance(value, msgspec.Struct):
            lines.append(f"{indent}{name}:")
            _render_section(schema, path, value, origins, lines)
            continue
        secret = path in schema.settings and schema.settings[path].secret
        text = f"{indent}{name}: {_REDACTED if secret and value is not None else scalar(value)}"
        lines.append(f"{text:<{_WIDTH}}  # {origins.get(path, 'default')}")


def scalar(value: Any) -> str:
    """A value in YAML's one-line form."""
    if isinstance(value, tuple):
        value = list(cast("tuple[str, ...]", value))
    elif isinstance(value, Path):
        value = str(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...").strip()
