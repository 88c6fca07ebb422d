"""The embedded broker keeps the broker's contract."""

from __future__ import annotations

import pytest

from orama.backends.broker.local import LocalBroker
from orama.contracts.broker import BrokerGuarantees
from orama.testing.conformance.broker import *  # noqa: F403  the suite is a module of tests


class LocalBrokerHarness:
    guarantees = BrokerGuarantees(reaches_other_nodes=False, lossless=True, max_payload_bytes=1024 * 1024)

    async def open(self):
        return LocalBroker()

    def outage(self):
        return None


@pytest.fixture
def harness():
    return LocalBrokerHarness()
