"""The processes of a run: started on a chosen core, read from /proc, ended by their own handle."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from .exchange import CannotMeasure, Exchange, probe

_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
_URL: Final = re.compile(r"http://\S+")


class Cores(msgspec.Struct, frozen=True):
    """Where servers run and where the load comes from; None: wherever the system puts them."""

    server: int | None
    load: int | None


def choose_cores(available: set[int]) -> Cores:
    """Servers on the last core and the load on the first, if there are two."""
    if len(available) < 2:
        return Cores(None, None)
    return Cores(server=max(available), load=min(available))


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started inside runs on `core`, with all its threads."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A server in a process of its own that prints its URL once it listens. What it logs is thrown away."""

    def __init__(self, command: Sequence[str], core: int | None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORAMA_")}
        self._began = time.monotonic()
        with pinned(core):
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
            )
        try:
            self.url = self._read_url()
        except BaseException:
            self.stop()
            raise

    def _read_url(self) -> str:
        said = self._process.stdout
        assert said is not None
        ready, _, _ = select.select([said], [], [], _START_TIMEOUT_S)
        line = said.readline() if ready else ""
        found = _URL.search(line)
        if found is None:
            raise CannotMeasure(f"did not start: {' '.join(map(str, self._process.args))}")
        return found[0]

    def wait_for(self, exchange: Exchange) -> float:
        """Seconds from the start of the process until `exchange` was answered."""
        while True:
            try:
                probe(self.url, exchange)
            except OSError as error:
                if time.monotonic() - self._began > _START_TIMEOUT_S:
                    raise CannotMeasure(f"{self.url} does not answer") from error
                time.sleep(0.002)
            else:
                return time.monotonic() - self._began

    def cpu_s(self) -> float:
        """Processor time of all its threads until now, in seconds."""
        with open(f"/proc/{self._process.pid}/stat") as stat:
            return cpu_ticks(stat.read()) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory now, in MiB."""
        with open(f"/proc/{self._process.pid}/status") as status:
            return resident_kb(status.read()) / 1024

    def stop(self) -> None:
        """Ask it to end; insist if it does not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def cpu_ticks(stat: str) -> int:
    """User and system time in ``/proc/<pid>/stat`` (proc_pid_stat(5)), whose second field may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_kb(status: str) -> int:
    """``VmRSS`` in ``/proc/<pid>/status``."""
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
