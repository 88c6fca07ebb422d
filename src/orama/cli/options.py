"""Options that several commands share, and how they become a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orama.config.loader import LoadedConfig, load

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file; without it ~/.orama/orama.yaml, if it is there.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the node keeps its data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_config(file: Path | None, **flags: Any) -> LoadedConfig:
    """The configuration with the flags given; those that are None were not. Double underscores stand for dots."""
    given = {name.replace("__", "."): value for name, value in flags.items() if value is not None}
    return load(file, flags={path: str(value) if isinstance(value, Path) else value for path, value in given.items()})
