"""``/v1/namespace/audit`` over HTTP: who may read it, what stands in it, page by page."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.namespace import Namespace
from support.caller import Caller, sign_in
from support.examples import fresh_wallet
from support.node import running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_acts_are_told_with_who_what_when_and_from_where(node):
    wallet = fresh_wallet()
    place = f"shop-{wallet.bare[:12]}"
    alice = Caller.with_token(node.client, (await sign_in(node.client, wallet, place))["token"])
    headers = {"X-Request-ID": "make-a-key"}
    made = (await alice.post("/v1/keys", {"scopes": ["db:read"], "name": "till"}, headers=headers)).json()
    entry = (await alice.get("/v1/namespace/audit", params={"limit": 1})).json()["entries"][0]
    assert {name: value for name, value in entry.items() if name not in ("id", "at")} == {
        "actor": wallet.subject,
        "action": "key.create",
        "target": made["id"],
        "details": {"name": "till", "scopes": "db:read"},
        "request_id": "make-a-key",
        "client": "127.0.0.1",
    }
    found = (await alice.get("/v1/namespace/audit")).json()
    assert {one["action"] for one in found["entries"]} == {"namespace.create", "session.sign_in", "key.create"}
    assert found["count"] == 3
    assert made["api_key"].split("_")[2].partition(":")[0] not in str(found)


async def test_pages_lead_to_the_first_entry(node):
    wallet = fresh_wallet()
    alice = Caller.with_token(node.client, (await sign_in(node.client, wallet, f"shop-{wallet.bare[:12]}"))["token"])
    for _ in range(5):
        await alice.ok("/v1/keys", {"scopes": ["db:read"]}, status=201)
    seen, before = [], ""
    while True:
        page = (await alice.get("/v1/namespace/audit", params={"limit": 3, "before": before})).json()
        seen += [one["id"] for one in page["entries"]]
        if "next" not in page:
            break
        before = page["next"]
    assert len(seen) == len(set(seen)) == 7
    only = (await alice.get("/v1/namespace/audit", params={"action": "key.create"})).json()
    assert only["count"] == 5
    by_nobody = (await alice.get("/v1/namespace/audit", params={"actor": fresh_wallet().subject})).json()
    assert (by_nobody["count"], by_nobody["entries"]) == (0, [])


async def test_log_is_for_owners_admins_and_keys_with_its_scope(node):
    wallet = fresh_wallet()
    place = f"shop-{wallet.bare[:12]}"
    await sign_in(node.client, wallet, place)
    for role, status in (("owner", 200), ("admin", 200), ("member", 403), ("reader", 403)):
        other = fresh_wallet()
        await node.node.auth.namespaces.grant(Namespace(place), other.subject, role)
        caller = Caller.with_token(node.client, (await sign_in(node.client, other, place))["token"])
        assert (await caller.get("/v1/namespace/audit")).status_code == status
    for scope, status in (("audit:read", 200), ("audit:*", 200), ("members:read", 403)):
        caller = Caller.with_key(node.client, await node.key(place, scope))
        assert (await caller.get("/v1/namespace/audit")).status_code == status


async def test_stolen_refresh_token_leaves_a_trace(tmp_path):
    async with running_node(tmp_path, auth__refresh_grace_s=0) as node:
        wallet, anonymous = fresh_wallet(), Caller(node.client)
        victim = await sign_in(node.client, wallet, "shop")
        await anonymous.ok("/v1/auth/refresh", {"refresh_token": victim["refresh_token"]})
        await asyncio.sleep(0.01)
        await anonymous.refused("/v1/auth/refresh", {"refresh_token": victim["refresh_token"]}, 401)
        alice = Caller.with_token(node.client, (await sign_in(node.client, wallet, "shop"))["token"])
        found = (await alice.get("/v1/namespace/audit", params={"action": "session.refresh_reuse"})).json()
        (entry,) = found["entries"]
        assert (entry["actor"], entry["client"], entry["details"]) == (wallet.subject, "127.0.0.1", {"sign_ins": 1})


async def test_ends_of_sign_ins_are_told(node):
    wallet = fresh_wallet()
    place = f"shop-{wallet.bare[:12]}"
    first, second = [await sign_in(node.client, wallet, place) for _ in range(2)]
    await Caller(node.client).ok("/v1/auth/logout", {"refresh_token": first["refresh_token"]})
    await Caller.with_token(node.client, second["token"]).ok("/v1/auth/logout", {"all": True})
    last = Caller.with_token(node.client, (await sign_in(node.client, wallet, place))["token"])
    actions = [one["action"] for one in (await last.get("/v1/namespace/audit")).json()["entries"]]
    assert {"session.logout", "session.logout_all", "session.sign_in"} <= set(actions)
