"""``/v1/db/migrations``: migrations of the caller's own database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orama.domain.migration import Applied, Drift, Fingerprint
from orama.domain.timestamp import rfc3339
from orama.errors import Code
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import RouteClass, operation
from orama.services.database.migration import MigrationService
from orama.services.database.migration_file import MigrationFile
from orama.wire.migration import (
    AppliedMigration,
    ApplyMigrations,
    MigrationDrift,
    MigrationList,
    MigrationPlan,
    MigrationProgress,
    PendingMigration,
    PlanMigrations,
    SentMigration,
)

_READ: Final = "db:read"
_WRITE: Final = "db:write"
_ALWAYS: Final = (Code.BAD_BACKEND, Code.UNAVAILABLE)
_ON_FILES: Final = (*_ALWAYS, Code.INVALID_ARGUMENT, Code.TOO_LARGE)
_ON_APPLY: Final = (
    *_ON_FILES,
    Code.PERMISSION_DENIED,
    Code.CONFLICT,
    Code.UNPROCESSABLE,
    Code.DEADLINE,
    Code.STORAGE_FULL,
)


class MigrationHandlers:
    """The migrations of the caller's own namespace."""

    def __init__(self, migrations: MigrationService) -> None:
        self._migrations = migrations

    @operation("GET", "/v1/db/migrations", scope=_READ, route_class=RouteClass.READ, errors=_ALWAYS)
    async def history(self, call: Call) -> MigrationList:
        """List the migrations that were applied, by version."""
        found = [_applied(one) for one in await self._migrations.history(call.caller.namespace)]
        return MigrationList(found, len(found))

    @operation("POST", "/v1/db/migrations/plan", scope=_READ, route_class=RouteClass.READ, errors=_ON_FILES)
    async def plan(self, call: Call, request: PlanMigrations) -> MigrationPlan:
        """Tell what `apply` would do with these files, and how they differ from those that were applied.

        Nothing is changed.
        """
        plan = await self._migrations.plan(call.caller.namespace, _files(request.migrations))
        return MigrationPlan(
            [_applied(one) for one in plan.applied],
            [_pending(one) for one in plan.pending],
            [_drift(one) for one in plan.drift],
        )

    @operation("POST", "/v1/db/migrations/apply", scope=_WRITE, route_class=RouteClass.WRITE, errors=_ON_APPLY)
    async def apply(self, call: Call, request: ApplyMigrations) -> MigrationProgress:
        """Apply the files that were not applied, in order.

        Each takes effect whole or not at all, and exactly once, whoever else applies at the same time. 409 if the files
        differ from those that were applied. If a file fails, those before it stay applied, and `details` has the file,
        the line, and the versions that were `applied`. Safe to repeat.
        """
        progress = await self._migrations.apply(
            call.caller.namespace, _files(request.migrations), origin=call.request_id
        )
        return MigrationProgress(
            [_applied(one) for one in progress.applied], [_pending(one) for one in progress.pending]
        )


def _files(sent: Iterable[SentMigration]) -> list[MigrationFile]:
    return [MigrationFile(one.version, one.name, one.sql, one.checksum) for one in sent]


def _applied(one: Applied) -> AppliedMigration:
    return AppliedMigration(one.version, one.name, one.checksum, rfc3339(one.applied_at))


def _pending(one: Fingerprint) -> PendingMigration:
    return PendingMigration(one.version, one.name, one.checksum)


def _drift(one: Drift) -> MigrationDrift:
    return MigrationDrift(one.kind.value, one.migration.version, one.migration.name, one.text)
