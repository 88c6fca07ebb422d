"""The page about scopes says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from orama.domain.role import ROLE_SCOPES
from orama.domain.scope import RESOURCES, SCOPES

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "scopes.md").read_text("utf-8")


def test_page_lists_every_scope_with_its_meaning_and_resource():
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)` \| (.+?) \| *([a-z]*) *\|$", PAGE, re.MULTILINE)
    assert rows == [(scope, meaning, RESOURCES.get(scope, "")) for scope, meaning in SCOPES.items()]


def test_page_lists_every_role_with_its_scopes():
    rows = re.findall(r"^\| `([a-z]+)` \| ((?:`[a-z:*]+` ?)+) \|$", PAGE, re.MULTILINE)
    assert {role: set(re.findall(r"`([^`]+)`", scopes)) for role, scopes in rows} == ROLE_SCOPES
