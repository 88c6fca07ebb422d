"""Keyed requests over a real database, on a clock moved by hand."""

from __future__ import annotations

import pytest

from orama.domain.identity import Method, Principal
from orama.services.auth.keyring import Keyring
from orama.services.idempotency.service import Idempotency
from orama.services.idempotency.settings import IdempotencySettings
from orama.testing.clock import ManualClock
from support.identity import ROOT_SECRET, SHOP, platform_database


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def database(tmp_path, clock):
    async with platform_database(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def gateway_of(database, clock):
    """Makes the service as another gateway, or another life of one, has it."""

    def make(root_secret=ROOT_SECRET, **settings):
        sealer = Keyring(root_secret).sealer("idempotency")
        return Idempotency(database, clock, sealer, IdempotencySettings(**settings), in_use_s=30)

    return make


@pytest.fixture
def idempotency(gateway_of):
    return gateway_of()


@pytest.fixture
def caller():
    return Principal(Method.JWT, "0x" + "1" * 40, SHOP, frozenset({"*"}))
