"""The load generator: wrk, one thread, closed loop; several at once for a mixed load."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from .exchange import CannotMeasure, Exchange
from .process import pinned

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_MARK: Final = "RESULT "
_END_TIMEOUT_S: Final = 15.0


class Load(msgspec.Struct, frozen=True):
    """What one wrk saw."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    bad_status: int
    lost: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / (self.duration_us / 1e6)


class Target(msgspec.Struct, frozen=True):
    """Where to send what, from how many callers that each wait for their answer."""

    url: str
    exchange: Exchange
    callers: int


def check_wrk() -> None:
    """Make sure that there is a load generator.

    Raises:
        CannotMeasure: there is none.
    """
    if shutil.which("wrk") is None:
        raise CannotMeasure("the load generator is missing: install the package 'wrk' (apt-get install wrk)")


def generate(targets: Sequence[Target], *, seconds: float, core: int | None) -> list[Load]:
    """Load all `targets` at the same time.

    Raises:
        CannotMeasure: a request got no answer, or a bad one.
    """
    with ExitStack() as stack:
        running = [_start(target, seconds, core, stack) for target in targets]
        time.sleep(seconds)
        for process in running:
            process.send_signal(signal.SIGINT)  # ends the load and prints the result; -d knows whole seconds only
        return [_finish(process, target) for process, target in zip(running, targets, strict=True)]


def _start(target: Target, seconds: float, core: int | None, stack: ExitStack) -> subprocess.Popen[str]:
    exchange = target.exchange
    headers = [part for pair in exchange.headers.items() for part in pair]
    command = ["wrk", "-t1", f"-c{target.callers}", f"-d{math.ceil(seconds) + 5}s", "--timeout", "10s", "-s"]
    command += [str(_SCRIPT), target.url + exchange.path, "--", exchange.method, exchange.body.decode(), *headers]
    with pinned(core):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _finish(process: subprocess.Popen[str], target: Target) -> Load:
    said, _ = process.communicate(timeout=_END_TIMEOUT_S)
    load = parse(said)
    if load.bad_status or load.lost or not load.requests:
        raise CannotMeasure(
            f"{target.exchange.method} {target.url}{target.exchange.path}: of {load.requests} requests "
            f"{load.bad_status} were answered with an error and {load.lost} not at all"
        )
    return load


def parse(said: str) -> Load:
    """The line of load.lua in what wrk printed.

    Raises:
        CannotMeasure: it is not there.
    """
    for line in said.splitlines():
        if line.startswith(_MARK):
            return msgspec.json.decode(line.removeprefix(_MARK), type=Load)
    raise CannotMeasure(f"wrk gave no result: {said.strip()[-500:]}")
