"""The `orama` command: one file per group of commands."""

from __future__ import annotations

import sys

import typer

import orama
from orama.cli import admin, backends, backup, config, db, run, wallet
from orama.config.fault import ConfigError
from orama.errors import OramaError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A decentralised backend behind one gateway.",
)
app.command("run")(run.run)
app.add_typer(admin.app, name="admin")
app.add_typer(backends.app, name="backends")
app.add_typer(backup.app, name="backup")
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.add_typer(wallet.app, name="wallet")


@app.command("version")
def version() -> None:
    """Print the version."""
    print(orama.__version__)


def main() -> None:
    """Run the command; a failure that has a text is printed without a traceback."""
    try:
        app()
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OramaError as error:
        request = "" if error.request_id is None else f" (request {error.request_id})"
        print(f"error: {error.text}{request}", file=sys.stderr)
        sys.exit(1)
