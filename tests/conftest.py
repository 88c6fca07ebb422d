"""What every test shares: the event loop of production, and hypothesis profiles."""

from __future__ import annotations

import os

import uvloop
from hypothesis import HealthCheck, settings

settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("audit", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("ORAMA_TEST_PROFILE", "ci"))


def pytest_asyncio_loop_factories(config, item):
    """All tests run on the event loop that production runs on."""
    return {"uvloop": uvloop.new_event_loop}
