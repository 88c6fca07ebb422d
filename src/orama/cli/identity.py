"""What the operator's commands have in common: the identity services on the node's database, and how moments look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from orama.cli.options import load_config
from orama.services.auth.assembly import Auth

NamespaceName = Annotated[str, typer.Option("--namespace", metavar="NS", help="The namespace.")]

_Answer = TypeVar("_Answer")


def with_identity(file: Path | None, data_dir: Path | None, work: Callable[[Auth], Awaitable[_Answer]]) -> _Answer:
    """Do `work` with the identity services on the node's database."""
    config = load_config(file, node__data_dir=data_dir).config
    from orama.node.assembly import operator_identity

    async def go() -> _Answer:
        async with operator_identity(config) as auth:
            return await work(auth)

    return asyncio.run(go())


def moment(unix_s: float) -> str:
    """Unix seconds for people: RFC 3339 to the second, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")
