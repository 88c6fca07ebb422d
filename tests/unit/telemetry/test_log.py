from __future__ import annotations

import io
import json
import threading

from orama.telemetry.log import LogWriter, make_logger
from orama.testing.clock import ManualClock


def logged(level: str, log_format: str) -> str:
    stream = io.BytesIO()
    writer = LogWriter(stream)
    writer.start()
    events = make_logger(writer, ManualClock(), level=level, log_format=log_format)
    events.debug("small thing")
    events.info("started", port=6001, text='quo"te\nline')
    try:
        raise ValueError("boom")
    except ValueError:
        events.exception("failed")
    writer.close()
    return stream.getvalue().decode()


def test_events_are_one_json_object_a_line_with_time_and_level():
    started, failed = (json.loads(line) for line in logged("info", "json").splitlines())
    assert started == {
        "timestamp": "2027-01-15T08:00:00.000Z", "level": "info", "event": "started", "port": 6001, "text": 'quo"te\nline',
    }  # fmt: skip
    assert failed["level"] == "error"
    assert "ValueError: boom" in failed["exception"]


def test_levels_below_the_configured_one_are_left_out():
    assert "small thing" in logged("debug", "json")
    assert "started" not in logged("warning", "json")


def test_console_form_is_for_people():
    text = logged("info", "console")
    assert "started" in text
    assert "port=6001" in text


class Stuck(io.RawIOBase):
    """A pipe that nobody reads."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def write(self, data: bytes) -> int:
        self.release.wait()
        return len(data)


def test_lines_are_dropped_and_counted_when_nobody_reads():
    stream = Stuck()
    writer = LogWriter(stream, max_buffered=10)
    writer.start()
    for _ in range(100):
        writer.write(b"line\n")
    assert writer.dropped >= 80
    stream.release.set()
    writer.close()


class Broken(io.RawIOBase):
    def write(self, data: bytes) -> int:
        raise BrokenPipeError


def test_a_broken_pipe_costs_lines_and_nothing_else():
    writer = LogWriter(Broken())
    writer.start()
    writer.write(b"line\n")
    writer.close()
    assert writer.dropped == 1
