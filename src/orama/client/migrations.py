"""Migrations of a namespace's database, from files on this side."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final

from orama.client.transport import Transport
from orama.domain.migration import Migration
from orama.errors import BadBackend
from orama.wire.migration import (
    AppliedMigration,
    ApplyMigrations,
    MigrationList,
    MigrationPlan,
    MigrationProgress,
    PendingMigration,
    PlanMigrations,
    SentMigration,
)

_PATH: Final = "/v1/db/migrations"
_MAX_SENT_CHARACTERS: Final = 256 * 1024
"""SQL of one request, unless a single file is longer: well within a gateway's limit on bodies."""


class Migrations:
    """What a gateway does with migrations. Every method may raise what `Transport` says."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def history(self) -> list[AppliedMigration]:
        """What was applied, by version."""
        return (await self._transport.read("GET", _PATH, MigrationList)).migrations

    async def plan(self, files: Iterable[Migration]) -> MigrationPlan:
        """Hold `files`, a whole set, against what was applied. No SQL is sent."""
        request = PlanMigrations([_without_sql(one) for one in files])
        return await self._transport.read("POST", f"{_PATH}/plan", MigrationPlan, request)

    async def apply(self, files: Sequence[Migration]) -> AsyncGenerator[AppliedMigration]:
        """Apply those of `files`, a whole set, that were not applied; yields each once it was.

        Others may do the same at once: together they apply each file once, and this yields the ones of its own. Safe to
        repeat after any failure.

        Raises:
            Conflict: the files differ from those that were applied (reason ``migration_drift``).
            OramaError: a file failed; its text says where, and ``details["applied"]`` which versions were applied by
                the last request, before it.
        """
        plan = await self.plan(files)
        pending = plan.pending
        while pending or plan.drift:
            request = ApplyMigrations(_with_sql_of(files, pending))
            progress = await self._transport.write("POST", f"{_PATH}/apply", MigrationProgress, request)
            for one in progress.applied:
                yield one
            if progress.pending and len(progress.pending) >= len(pending):
                raise BadBackend("the gateway applied nothing, and said no reason", reason="no_progress")
            pending = progress.pending
            if not pending:
                return


def _with_sql_of(files: Iterable[Migration], pending: Iterable[PendingMigration]) -> list[SentMigration]:
    """All of `files`, with the SQL of as many of `pending` as one request may hold; of one in any case."""
    texts = {one.version: one.sql for one in files}
    chosen: set[int] = set()
    room = _MAX_SENT_CHARACTERS
    for waiting in pending:
        room -= len(texts.get(waiting.version, ""))
        if room < 0 and chosen:
            break
        chosen.add(waiting.version)
    return [
        SentMigration(one.version, one.name, one.sql) if one.version in chosen else _without_sql(one) for one in files
    ]


def _without_sql(one: Migration) -> SentMigration:
    return SentMigration(one.version, one.name, checksum=one.fingerprint.checksum)
