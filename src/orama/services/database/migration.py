"""Migrations of a tenant's database: what is planned, applied, and how far the two have drifted apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.migration import Applied, Drift, Fingerprint, compare
from orama.domain.namespace import Namespace
from orama.domain.sql import SqlLimits, Statement
from orama.errors import Conflict, Deadline, Internal, OramaError
from orama.orm.migration_history import History
from orama.orm.script import ScriptStatement
from orama.services.database.migration_file import MigrationFile, read_scripts, read_submission

_TABLE: Final = "_orama_migrations"
_TURN_S: Final = 10.0
"""No file is begun later than this after its request: the reply must come before the request's deadline. A file takes
at most `SqlLimits.statement_timeout_s`, and its time in the queue of writers."""
_MAX_TOLD: Final = 3
"""Differences that the text of an error lists; its details have all."""


class Plan(msgspec.Struct, frozen=True):
    """Where a set of files stands. `pending`: what `apply` would apply, in this order, if there is no drift."""

    applied: Sequence[Applied]
    pending: Sequence[Fingerprint]
    drift: Sequence[Drift]


class Progress(msgspec.Struct, frozen=True):
    """What one call of `apply` came to. `pending`: what still waits; see there for why."""

    applied: Sequence[Applied]
    pending: Sequence[Fingerprint]


class MigrationService:
    """Migrations of a namespace. Their history is kept in a reserved table of the namespace's own database.

    A statement of a migration is a tenant's statement like any other: it is judged in the same way.

    Common to all methods, beside what `contracts.Database` says:

    Raises:
        InvalidArgument: a set of files that does not hold together; says which file, and what was expected.
        TooLarge: it passes a bound of `SqlLimits`; names the bound and the value.
    """

    def __init__(self, database: Database, limits: SqlLimits, clock: Clock) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    async def history(self, namespace: Namespace) -> Sequence[Applied]:
        """What was applied, by version."""
        return await self._history(namespace).read()

    async def plan(self, namespace: Namespace, files: Sequence[MigrationFile]) -> Plan:
        """Hold `files` against what was applied. Changes nothing."""
        given = await asyncio.to_thread(read_submission, files, self._limits)
        history = await self._history(namespace).read()
        comparison = compare(history, given.fingerprints)
        await asyncio.to_thread(read_scripts, given, comparison.pending, self._limits)
        return Plan(history, comparison.pending, comparison.drift)

    async def apply(self, namespace: Namespace, files: Sequence[MigrationFile], *, origin: str = "") -> Progress:
        """Apply the files that were not applied, in order, each as one atomic unit together with its row of history.

        Of several calls at once, from wherever, exactly one applies a file. A call stops before a file whose SQL was
        not sent, and before any file after some seconds: then something is still pending, and one calls again. A file
        that fails leaves nothing of itself; those before it stay applied.

        Args:
            namespace: whose database.
            files: the whole set, those that were applied included.
            origin: the id of the request that asks, for logs alone.

        Raises:
            Conflict: the files and the history differ (reason ``migration_drift``); nothing more was applied.
            OramaError: a statement failed: the error is that of the statement, its text begins with file and line, and
                its details have `file`, `line`, `statement` (from 1) and the versions that this call has `applied`.
        """
        turn_ends = self._clock.monotonic() + _TURN_S
        given = await asyncio.to_thread(read_submission, files, self._limits)
        history = self._history(namespace)
        done: list[Applied] = []
        scripts: dict[int, list[ScriptStatement]] | None = None
        while True:
            applied = await history.read()
            comparison = compare(applied, given.fingerprints)
            if comparison.drift:
                raise _drifted(comparison.drift, done)
            if scripts is None:  # every file that this call may apply is looked at before the first is applied
                scripts = await asyncio.to_thread(read_scripts, given, comparison.pending, self._limits)
            for number, waiting in enumerate(comparison.pending):
                script = scripts.get(waiting.version)
                if script is None or (done and self._clock.monotonic() > turn_ends):
                    return Progress(done, comparison.pending[number:])
                statements = [Statement(one.sql, origin=origin) for one in script]
                try:
                    made = await history.apply(waiting, statements, history_length=len(applied) + number)
                except OramaError as error:
                    raise _failed(error, waiting, script, done) from error
                if made is None:
                    break  # somebody else has applied something: look again
                done.append(made)
            else:
                return Progress(done, ())

    def _history(self, namespace: Namespace) -> History:
        return History(self._database, namespace, self._clock, table=_TABLE, privileged=True)


def _drifted(drift: Sequence[Drift], done: Iterable[Applied]) -> Conflict:
    texts = [one.text for one in drift[:_MAX_TOLD]]
    if len(drift) > _MAX_TOLD:
        texts.append(f"and {len(drift) - _MAX_TOLD} more")
    return Conflict(
        "the files are not those that were applied: " + "; ".join(texts),
        reason="migration_drift",
        details={
            "drift": [
                {"kind": one.kind.value, "version": one.migration.version, "file": one.migration.file} for one in drift
            ],
            "applied": [one.version for one in done],
        },
    )


def _failed(
    error: OramaError, waiting: Fingerprint, script: Sequence[ScriptStatement], done: Iterable[Applied]
) -> OramaError:
    """The same error, told as one of the file."""
    place = waiting.file
    details: dict[str, Any] = {**(error.details or {}), "file": place, "applied": [one.version for one in done]}
    number: int | None = details.get("statement")
    if number is not None:
        line = script[number].line
        details |= {"statement": number + 1, "line": line}
        place += f" line {line}"
    known = not isinstance(error, Deadline | Internal)
    return type(error)(
        f"{place}: {error.text}" + ("; nothing of this file was applied" if known else ""),
        reason=error.reason,
        details=details,
        retry_after_s=error.retry_after_s,
        http_status=error.http_status,
    )
