"""The node's log: one line per event and per request, written off the event loop.

Records are encoded and written by one thread, so that a slow terminal or a full pipe never delays a request, and many
are encoded in one go, which costs a third of encoding each between other work. The buffer is bounded: what does not fit
is dropped and counted.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, BinaryIO, Final, Literal, TextIO, TypeVar

import msgspec
import structlog

from orama.contracts.clock import Clock
from orama.domain.timestamp import rfc3339, to_ms

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

LEVELS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FLUSH_INTERVAL_S: Final = 0.05
_MAX_BUFFERED: Final = 20_000
_LINES_AT_ONCE: Final = 500
"""Some 1 ms of encoding: for so long the thread keeps the interpreter's lock before it lets the event loop have it."""

_Record = TypeVar("_Record")


class LogWriter:
    """A bounded buffer of lines to be, and the thread that makes and writes them to `stream`."""

    def __init__(self, stream: BinaryIO, *, max_buffered: int = _MAX_BUFFERED) -> None:
        self._stream = stream
        self._lines: deque[tuple[Callable[[Any], bytes], Any]] = deque()
        self._max_buffered = max_buffered
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self.dropped = 0
        """Lines lost because the stream did not keep up."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one line with its newline. Never waits."""
        self.write_later(bytes, line)

    def write_later(self, render: Callable[[_Record], bytes], record: _Record) -> None:
        """Take a record, which nobody changes any more; the thread has `render` make a line of it. Never waits."""
        if len(self._lines) < self._max_buffered:
            self._lines.append((render, record))
        else:
            self.dropped += 1

    def close(self) -> None:
        """Write what is buffered and stop. A stream that hangs is given up after five seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_FLUSH_INTERVAL_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        waiting = len(self._lines)
        while waiting > 0:
            count = min(waiting, _LINES_AT_ONCE)
            waiting -= count
            taken = [self._lines.popleft() for _ in range(count)]
            block = b"".join([render(record) for render, record in taken])
            try:
                self._stream.write(block)
                self._stream.flush()
            except OSError:
                self.dropped += count  # the reader of our log is gone; the node lives on and the metric tells


def make_logger(writer: LogWriter, clock: Clock, *, level: Level, log_format: Format) -> structlog.stdlib.BoundLogger:
    """The node's logger for events: ``logger.info("opened", port=6001)``."""
    render: Any = _render_json if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)

    def stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"timestamp": rfc3339(to_ms(clock.now())), **event}

    return structlog.wrap_logger(
        _WriterLogger(writer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            stamp,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )


def resolve_format(wanted: Literal["json", "console", "auto"], stream: TextIO = sys.stderr) -> Format:
    """``auto`` is console for a person at a terminal and json for everything else."""
    if wanted != "auto":
        return wanted
    return "console" if stream.isatty() else "json"


class _WriterLogger:
    """What structlog calls with a rendered line, under the name of the level."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        self._writer.write(line.encode() + b"\n")

    debug = info = warning = error = critical = exception = msg


def _render_json(_logger: Any, _method: str, event: dict[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
