"""A pool around a database keeps the database's contract."""

from __future__ import annotations

import pytest

from conformance.test_database_sqlite import SqliteHarness
from orama.backends.clock import SystemClock
from orama.orm import PooledDatabase, PoolSettings
from orama.testing.conformance.database import *  # noqa: F403  the suite is a module of tests


class PooledHarness(SqliteHarness):
    async def open(self):
        # Reads of an engine that is away are tried again at once, to keep the suite short.
        return PooledDatabase(await super().open(), SystemClock(), PoolSettings(backoff_s=0.001))

    def fresh(self):
        return PooledHarness(super().fresh()._directory)


@pytest.fixture
def harness(tmp_path):
    return PooledHarness(tmp_path)
