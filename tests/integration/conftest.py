"""The real backends that tests compare with."""

from __future__ import annotations

import pytest

from support.kubo import Kubo


@pytest.fixture(scope="session")
def kubo(tmp_path_factory):
    """A repository of the real Kubo, once for the whole run."""
    return Kubo(tmp_path_factory.mktemp("kubo") / "repository")
