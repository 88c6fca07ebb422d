"""``/v1/keys`` over HTTP: made within what the caller has, shown once, rotated without a gap, revoked at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from orama.domain.namespace import Namespace
from support.caller import Caller, sign_in
from support.examples import fresh_wallet
from support.node import running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


def seconds_from_now(rfc3339: str) -> float:
    return (datetime.fromisoformat(rfc3339) - datetime.now(UTC)).total_seconds()


@pytest_asyncio.fixture(loop_scope="module")
async def place():
    return f"shop-{fresh_wallet().bare[:12]}"


@pytest_asyncio.fixture(loop_scope="module")
async def alice(node, place):
    """An owner's access token."""
    return Caller.with_token(node.client, (await sign_in(node.client, fresh_wallet(), place))["token"])


async def make(caller, *scopes, **fields):
    return await caller.ok("/v1/keys", {"scopes": scopes, **fields}, status=201)


def by(caller, made):
    return Caller.with_key(caller.client, made["api_key"])


async def test_key_is_shown_once_and_listed_without_its_secret(alice, place):
    made = await make(alice, "db:read", "cache:*", name="till", expires_in="720h")
    assert set(made) == {"api_key", "id", "name", "scopes", "namespace", "created_at", "expires_at"}
    assert made["api_key"].startswith(f"{made['id']}_")
    assert (made["name"], made["scopes"], made["namespace"]) == ("till", ["cache:*", "db:read"], place)
    assert 720 * 3600 - 60 < seconds_from_now(made["expires_at"]) <= 720 * 3600
    secret = made["api_key"].split("_")[2].partition(":")[0]
    for path in ("/v1/keys", f"/v1/keys/{made['id']}", f"/v1/keys/{made['id'].removeprefix('ak_')}"):
        reply = await alice.get(path)
        assert reply.status_code == 200
        assert secret not in reply.text
        assert made["id"] in reply.text
        assert reply.headers["cache-control"] == "no-store"
    await by(alice, made).ok("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1})
    await by(alice, made).refused("/v1/rqlite/exec", {"sql": "CREATE TABLE t (x)"}, 403, "db:write")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "invalid_body"),
        ({"scopes": []}, "missing_field"),
        ({"scopes": "db:read"}, "invalid_body"),
        ({"scopes": ["db:raed"]}, "unknown_scope"),
        ({"scopes": ["shop:read"]}, "unknown_scope"),
        ({"scopes": ["db read"]}, "invalid_scope"),
        ({"scopes": ["db:read"], "name": "x" * 129}, "invalid_name"),
        ({"scopes": ["db:read"], "expires_in": 0}, "invalid_duration"),
        ({"scopes": ["db:read"], "expires_in": "soon"}, "invalid_duration"),
        ({"scopes": ["db:read"], "expires_in": -5}, "invalid_duration"),
        ({"scopes": ["db:read"], "expires_in": 2**62}, "invalid_duration"),
        ({"scopes": ["db:read"], "expires_in": 1.5}, "invalid_body"),
    ],
)
async def test_key_that_cannot_be_is_400(alice, body, reason):
    assert (await alice.refused("/v1/keys", body, 400))["reason"] == reason


async def test_unknown_scope_is_told_with_those_that_there_are(alice):
    body = await alice.refused("/v1/keys", {"scopes": ["shop:read"]}, 400, "the areas are db, cache, storage")
    assert "shop:read" in body["error"]


async def test_member_makes_lists_and_ends_its_own_keys_only(node, alice, place):
    bob = fresh_wallet()
    await node.node.auth.namespaces.grant(Namespace(place), bob.subject, "reader")
    reader = Caller.with_token(node.client, (await sign_in(node.client, bob, place))["token"])
    owners, readers = await make(alice, "db:read", name="owners"), await make(reader, "db:read", name="readers")
    body = await reader.refused("/v1/keys", {"scopes": ["db:write", "db:read"]}, 403, "db:write")
    assert (body["reason"], body["details"]) == ("beyond_caller", {"missing": ["db:write"]})
    listed = (await reader.get("/v1/keys")).json()["keys"]
    assert {one["wallet"] for one in listed} == {bob.subject}
    assert [one["name"] for one in listed if not one["sign_in"]] == ["readers"]
    everything = (await alice.get("/v1/keys")).json()["keys"]
    assert {"owners", "readers"} <= {one["name"] for one in everything}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        assert (await reader.send(method, f"/v1/keys/{owners['id']}{path}")).status_code == 404
    assert (await alice.send("POST", f"/v1/keys/{readers['id']}/rotate")).json()["reason"] == "anothers_key"
    assert (await alice.send("DELETE", f"/v1/keys/{readers['id']}")).status_code == 200
    assert (await by(alice, readers).get("/v1/auth/whoami")).status_code == 401


async def test_key_makes_keys_but_never_more_than_itself(alice):
    maker = by(alice, await make(alice, "keys:write:own", "db:read", expires_in=3600))
    child = await make(maker, "db:read")
    assert 3500 < seconds_from_now(child["expires_at"]) <= 3600
    assert (await maker.refused("/v1/keys", {"scopes": ["db:*"]}, 403))["reason"] == "beyond_caller"
    body = {"scopes": ["db:read"], "expires_in": 7200}
    assert (await maker.refused("/v1/keys", body, 400))["reason"] == "invalid_expiry"


async def test_rotation_leaves_no_gap(alice):
    old = await make(alice, "cache:*", name="till")
    put = {"dmap": "m", "key": "k", "value": 1}
    await by(alice, old).ok("/v1/cache/put", put)
    new = await alice.ok(f"/v1/keys/{old['id']}/rotate", {"overlap": 2}, status=201)
    assert (new["replaces"], new["name"], new["scopes"]) == (old["id"], "till", ["cache:*"])
    assert 0 < seconds_from_now(new["replaced_until"]) <= 2
    for made in (old, new):
        await by(alice, made).ok("/v1/cache/put", put)
    shown = (await alice.get(f"/v1/keys/{old['id']}")).json()
    assert shown["replaced_by"] == new["id"]
    assert shown["expires_at"] == new["replaced_until"]
    await asyncio.sleep(2)
    await by(alice, old).refused("/v1/cache/put", put, 401)
    await by(alice, new).ok("/v1/cache/put", put)
    body = await alice.refused(f"/v1/keys/{new['id']}/rotate", {"overlap": "169h"}, 400, "at most 604800 seconds")
    assert body["reason"] == "invalid_overlap"
    await alice.ok(f"/v1/keys/{new['id']}/rotate", {"overlap": 0}, status=201)
    await by(alice, new).refused("/v1/cache/put", put, 401)


async def test_rotation_without_a_body_takes_the_defaults(alice):
    made = await make(alice, "db:read")
    new = await alice.ok(f"/v1/keys/{made['id']}/rotate", None, status=201)
    assert 24 * 3600 - 60 < seconds_from_now(new["replaced_until"]) <= 24 * 3600
    await alice.refused(f"/v1/keys/{made['id']}/rotate", None, 409, "was rotated to")


async def test_revoked_key_is_dead_at_once(alice):
    made = await make(alice, "db:read")
    key = by(alice, made)
    token = (await key.ok("/v1/auth/token"))["access_token"]
    assert (await key.get("/v1/auth/whoami")).status_code == 200
    for _ in range(2):
        reply = await alice.send("DELETE", f"/v1/keys/{made['id']}")
        assert (reply.status_code, reply.json()) == (200, {"status": "ok", "id": made["id"]})
    assert (await key.get("/v1/auth/whoami")).status_code == 401
    assert (await Caller.with_token(alice.client, token).get("/v1/auth/whoami")).status_code == 401
    assert made["id"] not in (await alice.get("/v1/keys")).text
    shown = [one for one in (await alice.get("/v1/keys?all=true")).json()["keys"] if one["id"] == made["id"]]
    assert -60 < seconds_from_now(shown[0]["revoked_at"]) <= 0


async def test_keys_come_in_pages(alice):
    made = [(await make(alice, "db:read"))["id"] for _ in range(5)]
    seen, after = [], ""
    while True:
        page = (await alice.get("/v1/keys", params={"limit": 2, "after": after})).json()
        assert page["count"] == len(page["keys"]) <= 2
        seen += [one["id"] for one in page["keys"]]
        if "next" not in page:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == 6, "the sign-in's key, too"
    assert set(made) < set(seen)
    assert (await alice.get("/v1/keys?after=nonsense")).json()["reason"] == "invalid_cursor"


async def test_twentieth_key_is_the_last(alice):
    for _ in range(20):
        await make(alice, "db:read")
    body = await alice.refused("/v1/keys", {"scopes": ["db:read"]}, 409, "20 API keys")
    assert body["reason"] == "too_many_keys"


async def test_last_use_is_shown_to_the_hour_after_the_node_wrote_it(tmp_path):
    async with running_node(tmp_path, auth__key_use_write_s=0.1) as node:
        alice = Caller.with_token(node.client, (await sign_in(node.client, fresh_wallet(), "shop"))["token"])
        made = await make(alice, "db:read")
        assert "last_used_at" not in (await alice.get(f"/v1/keys/{made['id']}")).json()
        await by(alice, made).ok("/v1/rqlite/query", {"sql": "SELECT 1"})
        async with asyncio.timeout(10):
            while "last_used_at" not in (shown := (await alice.get(f"/v1/keys/{made['id']}")).json()):
                await asyncio.sleep(0.05)
        moment = datetime.fromisoformat(shown["last_used_at"])
        assert (moment.minute, moment.second) == (0, 0)
        assert -3600 <= seconds_from_now(shown["last_used_at"]) <= 0


async def test_last_use_before_the_end_of_a_node_is_known_after_it(tmp_path):
    async with running_node(tmp_path, auth__key_use_write_s=3600) as node:
        wallet = fresh_wallet()
        alice = Caller.with_token(node.client, (await sign_in(node.client, wallet, "shop"))["token"])
        made = await make(alice, "db:read")
        await by(alice, made).ok("/v1/rqlite/query", {"sql": "SELECT 1"})
    async with running_node(tmp_path) as node:
        records = await node.node.auth.api_keys.list(Namespace("shop"))
        assert {f"ak_{one.id}": one.last_used_at is not None for one in records}[made["id"]]
