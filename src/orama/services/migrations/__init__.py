"""The platform's own schema: the SQL files beside this one, and how to apply them."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.migration import Applied, DriftKind, Fingerprint, Migration, compare
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.errors import Conflict
from orama.orm.migration import load_migrations
from orama.orm.migration_history import History
from orama.orm.script import split_statements

_TABLE: Final = "schema_migrations"


def platform_migrations() -> list[Migration]:
    """The platform's migrations, in order."""
    return load_migrations(importlib.resources.files(__name__))


async def migrate_platform(
    database: Database, clock: Clock, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """Bring the platform's schema up to date before anything else uses it; returns what this call applied.

    Safe to run at once from many processes and nodes: see `History`.

    Args:
        database: where the platform's tables are.
        clock: tells when something was applied.
        migrations: by default the platform's own.

    Raises:
        Conflict: a migration was changed after it was applied (reason ``migration_changed``), or the database was
            written by a newer program (reason ``schema_too_new``). Nothing was applied.
    """
    ours = {one.version: one for one in (platform_migrations() if migrations is None else migrations)}
    history = History(database, PLATFORM, clock, table=_TABLE, privileged=False)
    await history.prepare()
    done: list[Migration] = []
    while True:
        applied = await history.read()
        for length, waiting in enumerate(_pending(applied, ours), start=len(applied)):
            statements = [Statement(one.sql) for one in split_statements(ours[waiting.version].sql)]
            if await history.apply(waiting, statements, history_length=length) is None:
                break  # another process was faster; what it applied must be what we would have
            done.append(ours[waiting.version])
        else:
            return done


def _pending(applied: Sequence[Applied], ours: dict[int, Migration]) -> Sequence[Fingerprint]:
    comparison = compare(applied, [one.fingerprint for one in ours.values()])
    for drift in comparison.drift:
        if drift.kind is DriftKind.MISSING:
            raise Conflict(
                f"the database has migration {drift.migration.version}, which this program does not know: "
                "run a newer one",
                reason="schema_too_new",
            )
        if drift.kind is DriftKind.CHANGED:
            raise Conflict(
                f"migration {drift.migration.file} was changed after it was applied: "
                "restore the file and write a new migration",
                reason="migration_changed",
            )
    return comparison.pending
