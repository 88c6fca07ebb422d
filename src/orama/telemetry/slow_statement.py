"""Slow SQL in the log: what kind of statement it was, whose, and how slow; never what it said."""

from __future__ import annotations

import structlog

from orama.domain.sql import SlowStatement
from orama.domain.sql_text import shape


class SlowStatementLog:
    """Writes an event for each slow statement. What of a text reaches the log is decided by `shape`."""

    def __init__(self, events: structlog.stdlib.BoundLogger) -> None:
        self._events = events

    def write(self, slow: SlowStatement) -> None:
        """Log it. Safe from any thread; never waits."""
        self._events.warning(
            "slow statement",
            request_id=slow.statement.origin,
            namespace=slow.namespace,
            shape=shape(slow.statement.sql),
            duration_ms=round(slow.duration_s * 1000),
            rows=slow.rows,
            failed=slow.failed,
        )
