"""The embedded pins keep the contract of pins."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import apsw
import pytest

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.files import database_path
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.pins.local import LocalPins
from orama.contracts.pins import PinsGuarantees
from orama.domain.namespace import PLATFORM
from orama.services.migrations import migrate_platform
from orama.testing.conformance.pins import *  # noqa: F403  the suite is a module of tests
from orama.testing.conformance.pins import cid_of


class _PinsWithTheirDatabase(LocalPins):
    """Closes its database, too, which elsewhere is the node's."""

    async def close(self):
        await super().close()
        await self._database.close()


class LocalPinsHarness:
    guarantees = PinsGuarantees(immediate=True, survives_restart=True, max_name_bytes=255)

    def __init__(self, directory):
        self._directory = directory
        self._numbers = itertools.count()

    async def open(self):
        database = await self._open_database()
        await migrate_platform(database, SystemClock())
        self._opened = _PinsWithTheirDatabase(database, SystemClock(), peer="this-node")
        return self._opened

    async def _open_database(self):
        settings = SqliteSettings(data_directory=self._directory, busy_timeout_s=0.05)
        return await SqliteDatabase.open(settings, SystemClock())

    async def content(self, data):
        return cid_of(data)

    def outage(self):
        return self._file_locked()

    def fresh(self):
        return LocalPinsHarness(self._directory / f"fresh-{next(self._numbers)}")

    @asynccontextmanager
    async def _file_locked(self):
        """Another process took the database for itself alone, between two uses of it."""
        await self._opened._database.close()
        holder = apsw.Connection(str(database_path(self._directory, PLATFORM)))
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        self._opened._database = await self._open_database()
        try:
            yield
        finally:
            holder.close()


@pytest.fixture
def harness(tmp_path):
    return LocalPinsHarness(tmp_path)
