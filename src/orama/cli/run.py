"""`orama run`: start a node."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer
import uvloop

from orama.cli.options import ConfigFile, DataDir, load_config
from orama.config.model import Config


def run(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to listen.")] = None,
    log_format: Annotated[str | None, typer.Option(metavar="json|console", help="The form of the log.")] = None,
) -> None:
    """Start a node and keep it running until SIGTERM or Ctrl-C."""
    loaded = load_config(config, node__data_dir=data_dir, server__listen=listen, log__format=log_format)
    from orama.node.lifecycle import run_node

    uvloop.run(run_node(loaded.config, lambda url: print(_next_steps(url, loaded.config), flush=True)))


def _next_steps(url: str, config: Config) -> str:
    """Three commands that work when pasted into another shell."""
    program = shlex.quote(os.path.abspath(sys.argv[0]))  # noqa: PTH100  not resolved: a symlink is how it was called
    directory = shlex.quote(str(config.node.data_dir.expanduser().absolute()))
    return f"""Orama listens on {url}

Next steps, in another terminal:

  curl {url}/v1/status
  export ORAMA_API_KEY=$({program} admin keys create --namespace demo --data-dir {directory})
  curl -H "X-API-Key: $ORAMA_API_KEY" {url}/v1/rqlite/query -d '{{"sql": "SELECT 1 + 1 AS two"}}'
"""
