"""A running node against requests that schemathesis makes from its document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.node import node_process

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = 20261124


def test_running_node_keeps_to_the_document_when_fuzzed(tmp_path):
    """All checks of schemathesis: statuses, media types, schemas, headers, methods, authentication, bad and good data."""
    with node_process(tmp_path / "data", environment={"ORAMA_LIMITS__ENABLED": "false"}) as node:
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "--config-file", Path(__file__).with_name("schemathesis.toml")),
                *("run", f"{node.url}/v1/openapi.json", "--header", f"X-API-Key: {node.key()}"),
                *("--checks", "all", "--max-examples", "15", "--seed", str(SEED), "--no-color"),
                *("--warnings", "off", "--continue-on-failure"),
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"seed {SEED}\n{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
        assert f"Seed: {SEED}" in done.stdout
        assert not [record for record in node.log_records() if record["level"] == "error"]
