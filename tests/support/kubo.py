"""The real Kubo as the oracle: a repository of its own, offline, under the profile that we keep to."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def find_ipfs() -> str:
    """The program on `PATH` or in `$ORAMA_HOME/bin`; without it the test is skipped, and the run's last lines say so."""
    home = Path(os.environ.get("ORAMA_HOME") or Path.home() / ".orama")
    found = shutil.which("ipfs", path=f"{os.environ['PATH']}:{home / 'bin'}")
    if found is None:
        pytest.skip("the real Kubo is missing: `make backends` builds it")
    return found


class Kubo:
    """Runs `ipfs` on one repository, without a daemon and without a network."""

    def __init__(self, repository: Path) -> None:
        self._program = find_ipfs()
        self._environment = {**os.environ, "IPFS_PATH": str(repository), "HOME": str(repository)}
        self.run("init", "--profile=unixfs-v1-2025")

    def run(self, *arguments: str | Path, stdin: bytes | None = None) -> bytes:
        done = subprocess.run(
            [self._program, "--offline", *arguments],
            env=self._environment, input=stdin, capture_output=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def hash_of(self, path: Path, *arguments: str) -> str:
        """The identifier that Kubo would give to a file or directory."""
        return self.run("add", "-Q", "--only-hash", "-r", *arguments, path).decode().strip()

    def add(self, path: Path) -> str:
        return self.run("add", "-Q", "-r", path).decode().strip()
