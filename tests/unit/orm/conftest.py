"""The shop, opened."""

from __future__ import annotations

import pytest

from support.shop import open_shop


@pytest.fixture
async def opened(tmp_path):
    async with open_shop(tmp_path) as pair:
        yield pair


@pytest.fixture
def orm(opened):
    return opened[0]


@pytest.fixture
def database(opened):
    return opened[1]
