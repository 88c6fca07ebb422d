"""The table of keys has one form wherever it is made."""

from __future__ import annotations

import sqlite3

from orama.domain.once import CREATE
from orama.services.migrations import platform_migrations


def test_platforms_table_is_that_of_tenants():
    platform, tenant = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    for migration in platform_migrations():
        platform.executescript(migration.sql)
    for statement in (*CREATE, *CREATE):
        tenant.execute(statement.sql)
    described = "SELECT * FROM pragma_table_xinfo('_orama_idempotency')"
    indexed = "SELECT name, \"unique\" FROM pragma_index_list('_orama_idempotency') ORDER BY name"
    of_index = "SELECT * FROM pragma_index_xinfo('_orama_idempotency_by_expiry')"
    for question in (described, indexed, of_index):
        answer = platform.execute(question).fetchall()
        assert answer
        assert answer == tenant.execute(question).fetchall()
    platform.close()
    tenant.close()
