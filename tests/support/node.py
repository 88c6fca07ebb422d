"""Whole nodes for tests: in this process through either driver, or as the process a user starts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from orama.config.loader import load
from orama.domain.namespace import parse_namespace
from orama.errors import Conflict
from orama.node.assembly import Node, assemble
from orama.node.data_directory import DataDirectory
from orama.node.listener import Listener, bind, url_of

ORAMA = Path(sys.executable).with_name("orama")


@dataclass
class RunningNode:
    """A node in this process. `client` speaks to it anonymously."""

    node: Node
    client: httpx2.AsyncClient
    url: str
    data_dir: Path

    async def key(self, namespace: str = "demo", *scopes: str, expires_at: int | None = None) -> str:
        """An API key by the operator, whose namespace is made if need be."""
        place = parse_namespace(namespace)
        with suppress(Conflict):
            await self.node.auth.namespaces.create(place)
        key = await self.node.auth.api_keys.create(place, scopes=scopes or ("*",), expires_at=expires_at)
        return key.text


@asynccontextmanager
async def running_node(data_dir: Path, *, driver: str = "http1", **flags: object) -> AsyncIterator[RunningNode]:
    """An assembled node on `data_dir`; `flags` are settings with ``__`` for dots.

    `driver` is ``http1`` (a real listener on a free port) or ``asgi`` (no socket at all).
    """
    settings = {"node.data_dir": str(data_dir), **{name.replace("__", "."): value for name, value in flags.items()}}
    config = load(environment={"ORAMA_HOME": str(data_dir)}, flags=settings).config
    async with AsyncExitStack() as stack:
        data = DataDirectory(config.node.data_dir)
        stack.enter_context(data.lock())
        node = await assemble(config, data, stack)
        if driver == "asgi":
            url, over = "http://node", {"transport": httpx2.ASGITransport(node.asgi)}
        else:
            listening = bind("127.0.0.1:0")
            url, over = url_of(listening), {}
            listener = Listener(node.http1, node.asgi, shutdown_grace_s=5)
            serving = asyncio.create_task(listener.serve(sockets=[listening]))

            async def stop() -> None:
                listener.should_exit = True
                await serving

            stack.push_async_callback(stop)
            await listener.listening.wait()
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=60, **over))
        yield RunningNode(node, client, url, config.node.data_dir)


class NodeProcess:
    """`orama run` as a user starts it, in a process of its own."""

    def __init__(self, data_dir: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORAMA_")}
        self.environment = {**inherited, "ORAMA_HOME": str(data_dir.parent), **(environment or {})}
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._log = (data_dir.parent / f"{data_dir.name}.log").open("ab")
        self.process = subprocess.Popen(
            [ORAMA, "run", "--data-dir", data_dir, "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self.environment,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().removeprefix("Orama listens on ")
        if not self.url.startswith("http"):
            self.process.wait(timeout=30)
            raise AssertionError(f"the node did not start: {self.log()}")

    def log(self) -> str:
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text()

    def log_records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def admin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ORAMA, "admin", *arguments, "--data-dir", self.data_dir],
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def key(self, namespace: str = "demo", *arguments: str) -> str:
        made = self.admin("keys", "create", "--namespace", namespace, "--json", *arguments)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)["api_key"]

    def stop(self, number: signal.Signals = signal.SIGTERM, *, timeout_s: float = 60) -> int:
        """Send a signal and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=timeout_s)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code


@contextmanager
def node_process(data_dir: Path, *arguments: str, **options: dict[str, str]) -> Iterator[NodeProcess]:
    node = NodeProcess(data_dir, *arguments, **options)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.stop(signal.SIGKILL)


def wait_until(condition: object, *, timeout_s: float = 10) -> None:
    """Wait for something that happens soon; fail if it does not."""
    end = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
