"""`orama db`: a namespace's database, through its gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from orama.cli.options import AsJson
from orama.config.client import gateway_key, gateway_url
from orama.domain.migration import Migration
from orama.errors import InvalidArgument, OramaError
from orama.orm.migration import load_migrations
from orama.wire.migration import MigrationPlan

app = typer.Typer(no_args_is_help=True, help="A namespace's database, through its gateway.")

_UNFINISHED: Final = 3
"""Exit code of a look at what is not as the files want it."""


@app.callback()
def _group() -> None:
    """Makes `db` a group although it has one command so far."""


@app.command("migrate")
def migrate(
    directory: Annotated[
        Path, typer.Option("--dir", exists=True, file_okay=False, help="Where the files 0001_name.sql are.")
    ] = Path("migrations"),
    url: Annotated[str | None, typer.Option(help="The gateway; else ORAMA_URL, else a node on this machine.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="Whose namespace; better given as ORAMA_API_KEY, which no list of processes shows."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only tell what would be applied, and what differs.")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell of every file, and of all that was applied.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a namespace's schema up to date: apply the files that were not applied, each whole or not at all.

    Exit codes: 0 done, 1 refused, 2 used wrongly; with --plan and --status 3 if files wait or differ from what was
    applied.
    """
    if plan and status:
        raise typer.BadParameter("choose one of --plan and --status")
    try:
        files, key = load_migrations(directory), gateway_key(api_key)
    except (ValueError, InvalidArgument) as error:
        raise typer.BadParameter(str(error)) from None
    report = _Report(as_json=as_json)
    try:
        asyncio.run(_run(gateway_url(url), key, files, report, plan=plan, status=status))
    except OramaError as error:
        report.failed(error)
        raise
    raise typer.Exit(report.code)


async def _run(
    url: str, api_key: str, files: Sequence[Migration], report: _Report, *, plan: bool, status: bool
) -> None:
    from orama.client import Client

    async with Client(url, api_key=api_key) as client:
        if plan or status:
            report.planned(await client.migrations.plan(files), everything=status)
            return
        try:
            async for one in client.migrations.apply(files):
                report.applied(_file(one.version, one.name))
        except OramaError as error:
            # Of the request that failed the reply is the error: what it applied before stands there.
            versions: list[int] = (error.details or {}).get("applied", [])
            for one in files:
                if one.version in versions:
                    report.applied(_file(one.version, one.name))
            raise
        report.finished(len(files))


class _Report:
    """What the user is told, as text or as one JSON object, and the exit code."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(markup=False, highlight=False)
        self._applied: list[str] = []
        self.code = 0

    def planned(self, plan: MigrationPlan, *, everything: bool) -> None:
        """Tell of a plan."""
        self.code = _UNFINISHED if plan.pending or plan.drift else 0
        if self._as_json:
            self._print_json(plan)
            return
        drift = {(one.version, one.name): one for one in plan.drift}
        rows = [
            (one.version, one.name, one.kind.replace("_", " "), one.message.removeprefix(_file(one.version, one.name)))
            for one in plan.drift
        ]
        rows += [(one.version, one.name, "waits", "") for one in plan.pending if (one.version, one.name) not in drift]
        if everything:
            rows += [
                (one.version, one.name, "applied", one.applied_at)
                for one in plan.applied
                if (one.version, one.name) not in drift
            ]
        if rows:
            table = Table("file", "state", "", box=None, pad_edge=False)
            for version, name, state, text in sorted(rows):
                table.add_row(_file(version, name), state, text.strip())
            self._console.print(table)
        else:
            self._nothing_waits(len(plan.applied))

    def applied(self, file: str) -> None:
        """Tell that a file was applied, as soon as it was."""
        self._applied.append(file)
        if not self._as_json:
            self._console.print(f"applied {file}")

    def finished(self, count: int) -> None:
        """Tell that nothing waits any more."""
        if self._as_json:
            self._print_json({"applied": self._applied})
        elif not self._applied:
            self._nothing_waits(count)

    def failed(self, error: OramaError) -> None:
        """Tell a program of a failure; people are told on standard error."""
        if self._as_json:
            self._print_json(
                {
                    "applied": self._applied,
                    "error": error.text,
                    "code": error.code.label,
                    "reason": error.reason,
                    "details": error.details,
                    "request_id": error.request_id,
                }
            )

    def _nothing_waits(self, count: int) -> None:
        self._console.print(f"Nothing waits: all {count} files are applied." if count else "Nothing waits: no files.")

    def _print_json(self, answer: Any) -> None:
        print(msgspec.json.encode(answer).decode())


def _file(version: int, name: str) -> str:
    return f"{version:04}_{name}.sql"
