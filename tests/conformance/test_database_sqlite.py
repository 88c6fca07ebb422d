"""The embedded database keeps the database's contract."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import apsw
import pytest

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.files import database_path
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.contracts.database import DatabaseGuarantees
from orama.domain.namespace import PLATFORM
from orama.domain.sql import SqlLimits
from orama.testing.conformance.database import *  # noqa: F403  the suite is a module of tests
from orama.testing.conformance.database import SHOP


class SqliteHarness:
    guarantees = DatabaseGuarantees(
        linearizable_reads=True, enforces_foreign_keys=True, survives_restart=True, keeps_results=True
    )
    limits = SqlLimits(statement_timeout_s=0.3, max_value_bytes=64 * 1024, max_result_bytes=256 * 1024)

    def __init__(self, directory):
        self._directory = directory
        self._numbers = itertools.count()

    async def open(self):
        settings = SqliteSettings(data_directory=self._directory, limits=self.limits, busy_timeout_s=0.05)
        return await SqliteDatabase.open(settings, SystemClock())

    def outage(self):
        return self._files_locked()

    def fresh(self):
        return SqliteHarness(self._directory / f"fresh-{next(self._numbers)}")

    @asynccontextmanager
    async def _files_locked(self):
        """Another process holds the files for itself alone."""
        holders = [apsw.Connection(str(database_path(self._directory, one))) for one in (SHOP, PLATFORM)]
        for holder in holders:
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            for holder in holders:
                holder.close()


@pytest.fixture
def harness(tmp_path):
    return SqliteHarness(tmp_path)
