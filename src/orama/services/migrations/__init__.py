"""The platform's own schema: the SQL files beside this one, and how to apply them."""

from __future__ import annotations

import importlib.resources

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.orm.migration import Migration, apply_migrations, load_migrations


def platform_migrations() -> list[Migration]:
    """The platform's migrations, in order."""
    return load_migrations(importlib.resources.files(__name__))


async def migrate_platform(database: Database, clock: Clock) -> list[Migration]:
    """Bring the platform's schema up to date before anything else uses it; returns what was applied.

    Raises:
        Conflict: the database does not fit this program; the text says why.
    """
    return await apply_migrations(database, PLATFORM, platform_migrations(), clock)
