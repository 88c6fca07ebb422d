"""A migrated platform database, a clock moved by hand, and gateways over both."""

from __future__ import annotations

import pytest

from orama.testing.clock import ManualClock
from support.identity import Gateway, platform_database


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def database(tmp_path, clock):
    async with platform_database(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
async def gateway(database, clock):
    return await Gateway.open(database, clock)


@pytest.fixture
def another_gateway(database, clock):
    """Opens further gateways over the same database."""

    async def open_gateway(**settings):
        return await Gateway.open(database, clock, **settings)

    return open_gateway
