"""`orama config`: what the node would run with."""

from __future__ import annotations

import typer

from orama.cli.options import ConfigFile, DataDir, load_config
from orama.config.render import render

app = typer.Typer(no_args_is_help=True, help="The effective configuration.")


@app.command("show")
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Print the effective configuration as YAML, with where each value comes from."""
    print(render(load_config(config, node__data_dir=data_dir)), end="")


@app.command("check")
def check(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Check the configuration; every fault is listed with its path and a hint, and the exit code is 2."""
    load_config(config, node__data_dir=data_dir)
    print("The configuration holds.")
