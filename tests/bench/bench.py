"""A run's servers, and how a figure is taken of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from .exchange import CannotMeasure, Exchange, probe
from .node import HEALTH, Node
from .process import Cores, Server, pinned
from .row import Goal, Row, Sample, ratio_row
from .wrk import Target, generate

CALLERS: Final = 32
GET_ECHO: Final = Exchange("GET", "/", b'"ok"')
_PROGRAM_TIMEOUT_S: Final = 600


class Bench:
    """The servers of a run, made in `directory`, and how long each figure is taken. They end with `stack`."""

    def __init__(self, directory: Path, cores: Cores, *, rounds: int, seconds: float, stack: ExitStack) -> None:
        self.directory = directory
        self.cores = cores
        self.rounds = rounds
        self.seconds = seconds
        self._stack = stack
        self._pair: tuple[Server, Server, dict[str, str]] | None = None

    def servers(self) -> tuple[Server, Server, dict[str, str]]:
        """The node, the floor, and the headers of a caller; started when first asked for."""
        if self._pair is None:
            node = Node(self.directory / "node", self.cores.server)
            self._stack.callback(node.server.stop)
            floor = Server(self.program("echo", self.directory / "floor.db"), self.cores.server)
            self._stack.callback(floor.stop)
            node.server.wait_for(HEALTH)
            floor.wait_for(GET_ECHO)
            headers = {"X-API-Key": node.key()}
            node.seed(headers)
            self._pair = node.server, floor, headers
        return self._pair

    @staticmethod
    def program(name: str, *arguments: object) -> list[str]:
        """The command of a program of this package."""
        return [sys.executable, "-m", f"{__package__}.{name}", *map(str, arguments)]

    @property
    def smoke(self) -> bool:
        """Whether only to see that everything answers."""
        return self.seconds < 1

    def start(self, command: list[str]) -> Server:
        """A further server of the run, beside node and floor."""
        server = Server(command, self.cores.server)
        self._stack.callback(server.stop)
        return server

    def run_program(self, name: str, *arguments: object, core: int | None = None) -> bytes:
        """What a program of this package prints, run to its end on `core`, if given, else the servers'."""
        with pinned(self.cores.server if core is None else core):
            done = subprocess.run(self.program(name, *arguments), stdout=subprocess.PIPE, timeout=_PROGRAM_TIMEOUT_S)
        if done.returncode:
            raise CannotMeasure(f"{name} failed")
        return done.stdout

    def sample(self, server: Server, exchange: Exchange) -> Sample:
        """Load `server` once. The answer is looked at before and after; wrk looks at every status between."""
        probe(server.url, exchange)
        (sample,) = self.samples(server, [exchange], CALLERS)
        probe(server.url, exchange)
        return sample

    def samples(self, server: Server, exchanges: Sequence[Exchange], callers: int) -> list[Sample]:
        """Load `server` with all `exchanges` at once, each from so many callers. They share the processor time."""
        targets = [Target(server.url, exchange, callers) for exchange in exchanges]
        before = server.cpu_s()
        loads = generate(targets, seconds=self.seconds, core=self.cores.load)
        cpu_us = (server.cpu_s() - before) / sum(load.requests for load in loads) * 1e6
        rss_mb = server.rss_mb()
        return [Sample(load.per_second, load.p50_us / 1000, load.p99_us / 1000, cpu_us, rss_mb) for load in loads]

    def against_floor(self, name: str, exchange: Exchange, floor: Exchange, at_least: float) -> Row:
        """Floor and path by turns, so that a slow moment of the machine meets both."""
        node, echo, _ = self.servers()
        floors: list[Sample] = []
        samples: list[Sample] = []
        for _ in range(self.rounds):
            floors.append(self.sample(echo, floor))
            samples.append(self.sample(node, exchange))
        return ratio_row(name, Goal(at_least), samples, floors)
