"""The embedded content store keeps the contract of content."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import pytest

from orama.backends.blobs.local.blobs import LocalBlobs
from orama.backends.blobs.local.settings import LocalBlobsSettings
from orama.contracts.blobs import BlobsGuarantees
from orama.testing.conformance.blobs import *  # noqa: F403  the suite is a module of tests


class LocalBlobsHarness:
    guarantees = BlobsGuarantees(survives_restart=True, verifies_reads=True, collects_at_once=True)

    def __init__(self, directory):
        self._directory = directory
        self._numbers = itertools.count()

    async def open(self):
        return await LocalBlobs.open(LocalBlobsSettings(data_directory=self._directory))

    def outage(self):
        return self._directory_gone()

    def fresh(self):
        return LocalBlobsHarness(self._directory / f"fresh-{next(self._numbers)}")

    @asynccontextmanager
    async def _directory_gone(self):
        """The disk is not mounted."""
        elsewhere = self._directory.with_name("elsewhere")
        self._directory.rename(elsewhere)
        self._directory.touch()
        try:
            yield
        finally:
            self._directory.unlink()
            elsewhere.rename(self._directory)


@pytest.fixture
def harness(tmp_path):
    return LocalBlobsHarness(tmp_path / "blobs")
