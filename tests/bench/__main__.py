"""The command: measure, print, store.

Exit codes: 0 every row holds, or ``--smoke``; 1 a row missed its target; 2 something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from .exchange import CannotMeasure
from .measurement import MEASUREMENTS, NOTES, Bench
from .process import Cores, choose_cores
from .row import Row
from .table import Run, markdown, store
from .wrk import check_wrk

_RESULTS: Final = Path("bench-results")
_MOST: Final = 600  # rounds, and seconds of a load
_MISSED, _CANNOT_MEASURE, _INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        run = _measure(options)
    except CannotMeasure as error:
        print(f"bench: {error}", file=sys.stderr)
        return _CANNOT_MEASURE
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(f"\n{markdown(run)}\nstored in {store(run, _RESULTS)}")
    missed = any(row.verdict == "FAIL" for row in run.rows)
    return _MISSED if missed and not options.smoke else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure every path of a node beside its floor.")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--rounds", type=_positive(int), default=5, help="how often floor and path take turns (5)")
    parser.add_argument("--seconds", type=_positive(float), default=2.0, help="length of each load (2)")
    parser.add_argument("--smoke", action="store_true", help="one round of 0.3 s: only whether all paths answer")
    return parser


def _positive(number: type[int | float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value <= _MOST:
            raise argparse.ArgumentTypeError(f"give a number above 0, at most {_MOST}")
        return value

    return parse


def _measure(options: argparse.Namespace) -> Run:
    _check_machine()
    cores = choose_cores(os.sched_getaffinity(0))
    machine = _machine(cores)
    rounds, seconds = (1, 0.3) if options.smoke else (options.rounds, options.seconds)
    rows: list[Row] = []
    _RESULTS.mkdir(exist_ok=True)
    with ExitStack() as stack:
        # On the project's own disk: a commit to a file system in memory would cost nothing.
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=_RESULTS))
        bench = Bench(Path(directory).absolute(), cores, rounds=rounds, seconds=seconds, stack=stack)
        for name in options.only or MEASUREMENTS:
            print(f"{name} …", file=sys.stderr, flush=True)
            rows += MEASUREMENTS[name](bench)
    return Run(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), machine, rows, NOTES)


def _check_machine() -> None:
    if not Path("/proc/self/stat").exists():
        raise CannotMeasure("processor time and memory are read from /proc: measure on Linux")
    check_wrk()


def _machine(cores: Cores) -> dict[str, str]:
    """What the figures depend on, the load average among it: other work on the machine spoils them."""
    where = "not pinned" if cores.server is None else f"servers on core {cores.server}, load on core {cores.load}"
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit or "unknown",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": f"{os.cpu_count()} ({where})",
        "load average at start": f"{os.getloadavg()[0]:.2f}",
    }


def _end(_number: int, _frame: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does: with its servers."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
