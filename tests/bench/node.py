"""The node that is measured: as a user starts it, with rate limits on but out of reach, and something to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from .exchange import CannotMeasure, Exchange, post, probe
from .process import Server

_ORAMA: Final = Path(sys.executable).with_name("orama")
HEALTH: Final = Exchange("GET", "/health", b'"status":"ok"')

_RATE: Final = {"rate_per_s": 1e9, "burst": 1_000_000_000}
_CLASS: Final = {"key": _RATE, "namespace": _RATE, "address": _RATE}
SETTINGS: Final[dict[str, Any]] = {
    "limits": {"read": _CLASS, "write": _CLASS},
    "log": {"format": "json", "level": "info"},
    "server": {"shutdown_notice_s": 0},
}


class Node:
    """A node on a new data directory inside `home`."""

    def __init__(self, home: Path, core: int | None) -> None:
        home.mkdir()
        write_settings(home)
        self._home = home
        self._options = [f"--data-dir={home / 'data'}", f"--config={home / 'orama.yaml'}"]
        self.server = Server([str(_ORAMA), "run", *self._options, "--listen=127.0.0.1:0"], core)

    def key(self) -> str:
        """An API key with all scopes, made by the operator's command."""
        command = [_ORAMA, "admin", "keys", "create", "--namespace=bench", "--json", *self._options]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if made.returncode:
            raise CannotMeasure(f"no API key: {made.stderr.strip()}")
        return json.loads(made.stdout)["api_key"]

    def seed(self, headers: dict[str, str]) -> None:
        """Make the tables, the rows and the cached value that the exchanges ask for."""
        for sql in (
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
            "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
            "INSERT INTO items WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 1000) SELECT id, 'item ' || id FROM n",
        ):
            probe(self.server.url, post("/v1/rqlite/exec", {"sql": sql}, b"rows_affected", headers))
        probe(self.server.url, put_exchange(headers))


def write_settings(home: Path) -> None:
    """`SETTINGS` as the configuration file that a node with this ``ORAMA_HOME`` reads."""
    (home / "orama.yaml").write_bytes(msgspec.json.encode(SETTINGS))  # JSON is YAML


def put_exchange(headers: dict[str, str]) -> Exchange:
    """Store a small value."""
    body = {"dmap": "sessions", "key": "user:42", "value": {"name": "Ada", "roles": ["reader", "writer"], "age": 36}}
    return post("/v1/cache/put", body, b'"user:42"', headers)


def get_exchange(headers: dict[str, str]) -> Exchange:
    """Read it."""
    return post("/v1/cache/get", {"dmap": "sessions", "key": "user:42"}, b'"Ada"', headers)


def query_exchange(headers: dict[str, str]) -> Exchange:
    """Read one row by its primary key."""
    return post(
        "/v1/rqlite/query", {"sql": "SELECT id, name FROM items WHERE id = ?", "args": [500]}, b"item 500", headers
    )


def exec_exchange(headers: dict[str, str]) -> Exchange:
    """Store one row."""
    text = "a note of some length, so that there is something to write"
    return post(
        "/v1/rqlite/exec", {"sql": "INSERT INTO notes (text) VALUES (?)", "args": [text]}, b"rows_affected", headers
    )
