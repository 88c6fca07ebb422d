"""`orama backends`: the programs beside which a distributed node runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from orama.config.loader import orama_home
from orama.errors import Unavailable
from orama.node.programs import BUILT, PROGRAMS, Found, Program, build, find, is_recent, named

app = typer.Typer(no_args_is_help=True, help="The programs that a distributed node works with.")
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help=f"Which: {', '.join(PROGRAMS)}.")]


@app.command("install")
def install(names: Names = None) -> None:
    """Build what is missing of Kubo and Olric from source, into $ORAMA_HOME/bin. Needs Go; takes minutes."""
    for program in named(names or (), BUILT):
        found = find(program, _bin_directory())
        if found is None or not is_recent(program, found):
            print(f"building {program.name} {program.wanted}")
            found = build(program, _bin_directory())
        print(f"{program.name} {found.version}: {found.path}")


@app.command("check")
def check(names: Names = None) -> None:
    """Say of each program whether it is here and recent enough; the exit code is 1 if one is not."""
    wanted = named(names or (), tuple(PROGRAMS))
    table = Table("name", "program", "state", "tested with", "at least", "get it")
    missing: list[str] = []
    for program in wanted:
        found = find(program, _bin_directory())
        if found is None or not is_recent(program, found):
            missing.append(program.name)
        how = f"orama backends install {program.name}" if program.recipe else program.page
        table.add_row(program.name, program.executable, _state(program, found), program.wanted, program.least, how)
    Console(width=200, soft_wrap=True).print(table)
    print(f"looked on PATH and in {_bin_directory()}")
    if missing:
        raise Unavailable(f"missing or too old: {', '.join(missing)}")


def _state(program: Program, found: Found | None) -> str:
    if found is None:
        return "missing"
    if found.version is None:
        return f"{found.path} does not tell its version"
    return f"{found.version} in {found.path}" + ("" if is_recent(program, found) else ", which is too old")


def _bin_directory() -> Path:
    return orama_home().expanduser() / "bin"
