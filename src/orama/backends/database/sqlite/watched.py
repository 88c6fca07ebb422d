"""A session that tells of statements that ran for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import apsw

from orama.backends.database.sqlite.session import Interrupt, Room, Session
from orama.contracts.clock import Clock
from orama.domain.namespace import Namespace
from orama.domain.sql import Result, SlowStatement, SqlLimits, Statement

ReportSlow: TypeAlias = Callable[[SlowStatement], None]
"""Takes note of a slow statement, in the thread that ran it. Must not raise and must not wait."""


class WatchedSession(Session):
    """A session of a thread. On the event loop nothing is slow by itself: what a statement may do there is bounded."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        namespace: Namespace,
        limits: SqlLimits,
        judges: bool,
        read_only: bool,
        steps: int,
        clock: Clock,
        report_slow: ReportSlow,
    ) -> None:
        super().__init__(connection, limits=limits, judges=judges, read_only=read_only, steps=steps)
        self._namespace = namespace
        self._slow_s = limits.slow_statement_s
        self._monotonic = clock.monotonic
        self._report_slow = report_slow

    def run(self, statement: Statement, interrupt: Interrupt, room: Room | None = None) -> Result:
        """See `Session.run`."""
        began = self._monotonic()
        try:
            result = super().run(statement, interrupt, room)
        except Exception:
            self._look(statement, began, None)
            raise
        self._look(statement, began, result)
        return result

    def _look(self, statement: Statement, began: float, result: Result | None) -> None:
        took_s = self._monotonic() - began
        if took_s > self._slow_s and self.compiled:
            rows = None if result is None else result.rows_affected if result.rows is None else len(result.rows.rows)
            self._report_slow(SlowStatement(self._namespace, statement, took_s, rows))
