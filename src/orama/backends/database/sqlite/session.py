"""One connection, and the only way by which statements reach it: judged, timed and bounded."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# apsw's stubs name a type (Buffer) that Python has from 3.12 on.

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import apsw

from orama.backends.database.sqlite.functions import BoundedFunctions
from orama.backends.database.sqlite.rules import Action, admits, check_text
from orama.backends.database.sqlite.translate import translate
from orama.domain.sql import Result, Rows, SqlLimits, Statement, Value, answer_too_large
from orama.domain.sql_text import DDL_KEYWORDS, READ_KEYWORDS, first_keyword, is_blank
from orama.errors import InvalidArgument, PermissionDenied, Unprocessable

Interrupt: TypeAlias = Callable[[], Exception | None]
"""Asked again and again while a statement runs: the error to stop it with, or None to let it run."""

_VALUE_OVERHEAD_BYTES: Final = 8
_MAX_NAME_LENGTH: Final = 1_024


class Misplaced(Exception):
    """The statement cannot run to its end on this connection; one of a thread's must run it."""


class Room:
    """What the answers of one call may still hold, all together."""

    __slots__ = ("bytes", "limits", "rows")

    def __init__(self, limits: SqlLimits) -> None:
        self.limits = limits
        self.rows = limits.max_rows
        self.bytes = limits.max_result_bytes

    def take(self, size: int) -> None:
        """Add a row of `size` bytes.

        Raises:
            TooLarge: it does not fit.
        """
        self.rows -= 1
        self.bytes -= size
        if self.rows < 0 or self.bytes < 0:
            raise answer_too_large(self.limits, fitting_rows=self.limits.max_rows - self.rows - 1)


class Session:
    """Runs statements on a connection that it alone uses, one at a time, in whatever thread calls.

    Judging. While a tenant's statement runs, SQLite's authorizer answers by `rules.admits`, both when SQLite compiles
    and when it compiles again by itself after the schema changed. A refused statement is therefore never compiled, so
    it can never wait in apsw's cache of compiled statements for a second try; and no control statement (BEGIN …) can
    be taken from there, because its first keyword is refused before the cache is asked.

    One text, one statement. apsw would run what follows a semicolon; its execution tracer, called between compiling
    and the first step, refuses the text instead. It is also where the columns of an empty answer can be learned.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        limits: SqlLimits,
        judges: bool,
        read_only: bool,
        steps: int,
        functions: frozenset[str] | None = None,
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._judges = judges
        self._read_only = read_only
        self._functions = functions
        self._sql = self._keyword = ""
        self._description: tuple[tuple[str, str | None], ...] = ()
        self._interrupt: Interrupt | None = None
        self._stop: Exception | None = None
        # What is known of the statement at hand: between `run`'s begin and end, after its first compilation, and so on.
        self._running = self._started = self._judging = False
        self._refused = self._recompiled = self._writes = False
        BoundedFunctions(connection, self._check_time)
        connection.authorizer = self._authorize
        connection.exec_trace = self._before_first_step
        connection.set_progress_handler(self._on_progress, steps)

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction that `control` began still lives."""
        return self._connection.in_transaction

    @property
    def compiled(self) -> bool:
        """Whether the last statement of `run` was compiled, and admitted, however it ended."""
        return self._started

    def control(self, sql: str) -> list[tuple[Value, ...]]:
        """Run a statement of the adapter's own.

        Raises:
            apsw.Error: it failed.
        """
        return self._connection.execute(sql).fetchall()

    def room(self) -> Room:
        """Room for the answers of one call."""
        return Room(self._limits)

    def run(self, statement: Statement, interrupt: Interrupt, room: Room | None = None) -> Result:
        """Run one statement of a caller's to its end. `room`: if its answer shares it with others.

        Raises:
            OramaError: see `contracts.Database`; or what `interrupt` answered.
            Misplaced: it calls something else than `functions`, whoever wrote it.
        """
        self._stop, self._refused = None, False
        try:
            result = self._run(statement, interrupt, room or self.room(), can_cache=True)
            if self._recompiled and self._read_only:
                # The columns were learned from what the cache held, before SQLite saw that the schema had changed.
                result = self._run(statement, interrupt, self.room(), can_cache=False)
        except Exception as error:
            if self._stop is not None:
                raise self._stop from error
            if self._refused:
                raise PermissionDenied(f"statement not allowed: {error}", reason="statement_not_allowed") from error
            if isinstance(error, apsw.NoMemError) and not self._started:
                # So SQLite says that the compiled statement passes SQLITE_LIMIT_VDBE_OP: it would again.
                raise Unprocessable(
                    "the statement is too large once its views are put in", reason="sql_error"
                ) from error
            raise translate(error) from error
        return result

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _run(self, statement: Statement, interrupt: Interrupt, room: Room, *, can_cache: bool) -> Result:
        sql = statement.sql
        keyword = self._prepare_to_judge(statement)
        connection = self._connection
        if not self._read_only:
            # SQLite keeps the last rowid of the connection; ours is that of the statement.
            connection.set_last_insert_rowid(0)
            # A cached statement learns of a changed schema only as it steps, too late for the names of its columns.
            can_cache = keyword not in READ_KEYWORDS and "returning" not in sql.lower()
        # A privileged text must never lie where a tenant's equal text would find it.
        can_cache = can_cache and self._judging == self._judges
        self._interrupt = interrupt
        try:
            cursor = connection.execute(sql, statement.args, can_cache=can_cache)
            try:
                rows = self._fetch(cursor, room)
            except BaseException:
                # An error's traceback would keep the statement open: its snapshot stays old, no savepoint is released.
                cursor.close(True)
                raise
        finally:
            self._interrupt, self._running = None, False
        if self._read_only:
            return Result(0, 0, rows)
        changed = self._writes and keyword not in DDL_KEYWORDS
        return Result(connection.changes() if changed else 0, connection.last_insert_rowid(), rows)

    def _prepare_to_judge(self, statement: Statement) -> str:
        sql = statement.sql
        if "\0" in sql:
            raise InvalidArgument("a statement holds no NUL character", reason="nul_in_sql")
        self._sql, self._keyword = sql, first_keyword(sql)
        if not self._keyword and is_blank(sql):
            raise InvalidArgument("there is no statement in the text", reason="one_statement")
        self._judging = self._judges and not statement.privileged
        if self._judging:
            check_text(self._keyword, sql)
        self._recompiled = self._started = False
        self._running = True
        return self._keyword

    def _fetch(self, cursor: apsw.Cursor, room: Room) -> Rows | None:
        rows: list[tuple[Value, ...]] = []
        # Answers in the form of objects repeat the names in each row.
        fixed = sum(_VALUE_OVERHEAD_BYTES + len(name) for name, _ in self._description)
        for row in cursor:
            rows.append(row)
            size = fixed
            for value in row:
                if value.__class__ is str or value.__class__ is bytes:
                    size += len(value)
            room.take(size)
        if not self._description:
            return None
        names, declared = zip(*self._description, strict=True)
        return Rows(names, declared, rows)

    def _authorize(
        self, code: int, first: str | None, second: str | None, schema: str | None, _inner: str | None
    ) -> int:
        if not self._running:
            return apsw.SQLITE_OK
        self._recompiled |= self._started
        if self._functions is not None and code == apsw.SQLITE_FUNCTION and second not in self._functions:
            self._stop = Misplaced()
            return apsw.SQLITE_DENY
        if not self._judging or admits(self._keyword, self._sql, Action(code, first, second, schema)):
            return apsw.SQLITE_OK
        self._refused = True
        return apsw.SQLITE_DENY

    def _before_first_step(self, cursor: apsw.Cursor, sql: str, _arguments: object) -> bool:
        if not self._running or (self._started and not cursor.has_vdbe):
            return True  # apsw calls again for a comment after the statement
        if self._started or not is_blank(self._sql[len(sql) :]):
            raise InvalidArgument("give one statement at a time", reason="one_statement")
        self._writes = not cursor.is_readonly
        if self._writes and self._read_only:
            raise InvalidArgument("this route only reads: the statement would write", reason="read_only")
        self._description = cursor.get_description()
        if any(len(name) > _MAX_NAME_LENGTH for name, _ in self._description):
            raise InvalidArgument(
                f"the name of a column passes {_MAX_NAME_LENGTH} characters: give it a short one with AS",
                reason="column_name",
            )
        self._started = True
        return True

    def _check_time(self) -> None:
        if self._on_progress() and self._stop is not None:
            raise self._stop

    def _on_progress(self) -> bool:
        if self._interrupt is None:
            return False
        self._stop = self._interrupt()
        return self._stop is not None
