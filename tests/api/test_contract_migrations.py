"""``/v1/db/migrations`` over HTTP: planned, applied, told."""

from __future__ import annotations

import asyncio
import hashlib
import itertools

import pytest
import pytest_asyncio

from support.caller import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"database__limits__max_migrations": 20, "database__limits__max_migration_bytes": 10_000}

_numbers = itertools.count()

USERS = {"version": 1, "name": "users", "sql": "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)"}
AGES = {"version": 2, "name": "ages", "sql": "ALTER TABLE users ADD COLUMN age INTEGER;\nUPDATE users SET age = 0"}


@pytest_asyncio.fixture(loop_scope="module")
async def tenant(node):
    """Somebody with a namespace of their own."""
    return Caller.with_key(node.client, await node.key(f"migrating{next(_numbers)}"))


def checksum(file):
    return hashlib.sha256(file["sql"].encode()).hexdigest()


def known(file):
    return {"version": file["version"], "name": file["name"], "checksum": checksum(file)}


async def history(caller):
    return (await caller.get("/v1/db/migrations")).json()


async def test_plan_apply_and_history(tenant):
    assert await history(tenant) == {"migrations": [], "count": 0}
    plan = await tenant.ok("/v1/db/migrations/plan", {"migrations": [USERS, known(AGES)]})
    assert plan == {"applied": [], "pending": [known(USERS), known(AGES)], "drift": []}
    assert (await tenant.get("/v1/rqlite/schema")).json()["count"] == 0
    first = await tenant.ok("/v1/db/migrations/apply", {"migrations": [USERS, known(AGES)]})
    assert first["pending"] == [known(AGES)]
    second = await tenant.ok("/v1/db/migrations/apply", {"migrations": [known(USERS), AGES]})
    assert (second["pending"], len(second["applied"])) == ([], 1)
    applied = [*first["applied"], *second["applied"]]
    assert [one["applied_at"][-1] for one in applied] == ["Z", "Z"]
    assert await history(tenant) == {"migrations": applied, "count": 2}
    assert await tenant.rows("SELECT name, age FROM users") == []
    assert (await tenant.ok("/v1/db/migrations/plan", {"migrations": [USERS, AGES]}))["applied"] == applied
    assert await tenant.ok("/v1/db/migrations/apply", {"migrations": [USERS, AGES]}) == {"applied": [], "pending": []}


async def test_drift_is_a_conflict_that_says_what_to_do(tenant):
    await tenant.ok("/v1/db/migrations/apply", {"migrations": [USERS, AGES]})
    changed = {**USERS, "sql": USERS["sql"] + " -- harmless?"}
    early = {"version": 0, "name": "early", "sql": "SELECT 1"}
    plan = await tenant.ok("/v1/db/migrations/plan", {"migrations": [early, changed]})
    assert [(one["kind"], one["version"]) for one in plan["drift"]] == [
        ("out_of_order", 0),
        ("changed", 1),
        ("missing", 2),
    ]
    refusal = await tenant.refused(
        "/v1/db/migrations/apply", {"migrations": [changed, AGES]}, 409, "0001_users.sql was"
    )
    assert (refusal["code"], refusal["reason"], refusal["retryable"]) == ("CONFLICT", "migration_drift", False)
    assert refusal["details"]["drift"] == [{"kind": "changed", "version": 1, "file": "0001_users.sql"}]


async def test_failing_file_is_told_with_its_line_and_what_stays(tenant):
    broken = {"version": 3, "name": "broken", "sql": "CREATE TABLE b (x);\n\nINSERT INTO nowhere VALUES ('canary')"}
    refusal = await tenant.refused("/v1/db/migrations/apply", {"migrations": [USERS, AGES, broken]}, 422, "nowhere")
    assert refusal["error"].startswith("0003_broken.sql line 3: ")
    assert "canary" not in refusal["error"]
    assert refusal["details"] == {"file": "0003_broken.sql", "line": 3, "statement": 2, "applied": [1, 2]}
    forbidden = {**broken, "sql": "PRAGMA user_version = 9"}
    refusal = await tenant.refused("/v1/db/migrations/apply", {"migrations": [USERS, AGES, forbidden]}, 403)
    assert refusal["reason"] == "statement_not_allowed"
    assert (await history(tenant))["count"] == 2


@pytest.mark.parametrize("path", ["plan", "apply"])
async def test_limits_and_malformed_sets_are_the_callers_fault(tenant, path):
    for files, status, reason in (
        ([{"version": number, "name": "n", "sql": "SELECT 1"} for number in range(21)], 413, "sql_limit"),
        ([{"version": 1, "name": "n", "sql": "SELECT 1 --" + "x" * 10_000}], 413, "sql_limit"),
        ([{"version": 1, "name": "n", "sql": "SELECT 1 --" + "x" * 1_100_000}], 413, "body_too_large"),
        ([{"version": 1, "name": "n"}], 400, "missing_field"),
        ([{"version": 1, "name": "n", "sql": "SELECT 'open"}], 400, "migration_syntax"),
        ([{"version": 1.5, "name": "n", "sql": "SELECT 1"}], 400, "invalid_body"),
        ([{"name": "n", "sql": "SELECT 1"}], 400, "invalid_body"),
        (None, 400, "invalid_body"),
        ([USERS, USERS], 400, "migration_version"),
    ):
        refusal = await tenant.refused(f"/v1/db/migrations/{path}", {"migrations": files}, status)
        assert refusal["reason"] == reason, refusal
    assert (await history(tenant))["count"] == 0


async def test_many_who_apply_at_once_share_the_work(tenant):
    files = [
        {"version": n, "name": "n", "sql": f"CREATE TABLE t{n} (x); INSERT INTO t{n} VALUES (1)"} for n in range(10)
    ]
    replies = await asyncio.gather(
        *(tenant.ok("/v1/db/migrations/apply", {"migrations": files}) for _ in range(8)),
    )
    assert sorted(one["version"] for reply in replies for one in reply["applied"]) == list(range(10))
    assert {len(reply["pending"]) for reply in replies} == {0}
    assert await tenant.rows(" UNION ALL ".join(f"SELECT count(*) FROM t{n}" for n in range(10))) == [[1]] * 10


async def test_history_of_another_namespace_is_not_seen(node, tenant):
    await tenant.ok("/v1/db/migrations/apply", {"migrations": [USERS]})
    other = Caller.with_key(node.client, await node.key("elsewhere"))
    assert await history(other) == {"migrations": [], "count": 0}
    plan = await other.ok("/v1/db/migrations/plan", {"migrations": [known(USERS)]})
    assert (plan["applied"], plan["pending"]) == ([], [known(USERS)])
    for sql in ("SELECT * FROM _orama_migrations", "DROP TABLE _orama_migrations"):
        await tenant.refused("/v1/rqlite/exec", {"sql": sql}, 403)
    assert [one["name"] for one in (await tenant.get("/v1/rqlite/schema")).json()["tables"]] == ["users"]
