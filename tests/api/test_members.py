"""Sharing a namespace over HTTP: invitations, roles, leaving; what counts at once, and what strangers learn: nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_asyncio

from orama.domain.namespace import Namespace
from support.caller import Caller, sign_in
from support.examples import fresh_wallet

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSERT = {"sql": "INSERT INTO shared (text) VALUES ('x')"}
SELECT = {"sql": "SELECT count(*) FROM shared"}


class Person:
    """A wallet with its credentials for one namespace."""

    def __init__(self, node, wallet, signed_in):
        self.node = node
        self.wallet = wallet
        self.signed_in = signed_in
        self.token = Caller.with_token(node.client, signed_in["access_token"])
        self.key = Caller.with_key(node.client, signed_in["api_key"])

    @classmethod
    async def in_(cls, node, namespace, wallet=None):
        wallet = wallet or fresh_wallet()
        return cls(node, wallet, await sign_in(node.client, wallet, namespace))

    async def role_in(self, namespace):
        found = await self.token.get("/v1/namespaces", params={"limit": 500})
        return {one["name"]: one["role"] for one in found.json()["namespaces"]}.get(namespace)


@pytest_asyncio.fixture(loop_scope="module")
async def place():
    return f"shop-{fresh_wallet().bare[:12]}"


@pytest_asyncio.fixture(loop_scope="module")
async def owner(node, place):
    person = await Person.in_(node, place)
    await person.token.ok("/v1/rqlite/create-table", {"schema": "CREATE TABLE shared (text)"}, status=201)
    return person


async def invite(person, role, **fields):
    return await person.token.ok("/v1/namespace/invitations", {"role": role, **fields}, status=201)


async def join(node, owner, place, role):
    """Somebody new who accepted an invitation to `place`."""
    stranger = await Person.in_(node, f"home-{fresh_wallet().bare[:12]}")
    invitation = await invite(owner, role)
    accepted = await stranger.token.ok("/v1/invitations/accept", {"token": invitation["token"]})
    assert accepted == {"namespace": place, "role": role}
    return await Person.in_(node, place, stranger.wallet)


async def set_role(caller, wallet, role):
    return await caller.send("PUT", f"/v1/namespace/members/{wallet}", {"role": role})


async def test_invited_wallet_comes_in_with_its_role(node, owner, place):
    stranger = fresh_wallet()
    at_home = await Person.in_(node, f"home-{stranger.bare[:12]}", stranger)
    await Caller(node.client).refused(
        "/v1/auth/challenge", {"wallet": "nobody", "namespace": place}, 400, "invalid wallet"
    )
    invitation = await invite(owner, "reader", wallet=stranger.address, expires_in="2h")
    assert set(invitation) == {
        *("id", "namespace", "role", "wallet", "created_by", "created_at", "expires_at", "token")
    }
    assert (invitation["namespace"], invitation["role"], invitation["wallet"]) == (place, "reader", stranger.subject)
    lasts_s = (datetime.fromisoformat(invitation["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert 7100 < lasts_s <= 7200
    waiting = (await owner.token.get("/v1/namespace/invitations")).json()
    assert waiting == {
        "invitations": [{name: value for name, value in invitation.items() if name != "token"}],
        "count": 1,
    }
    other = await Person.in_(node, f"home-{fresh_wallet().bare[:12]}")
    await other.token.refused("/v1/invitations/accept", {"token": invitation["token"]}, 404, "no such invitation")
    await at_home.token.ok("/v1/invitations/accept", {"token": invitation["token"]})
    await at_home.token.refused("/v1/invitations/accept", {"token": invitation["token"]}, 404, "no such invitation")
    assert await at_home.role_in(place) == "reader"
    here = await Person.in_(node, place, stranger)
    for credential in (here.token, here.key):
        await credential.ok("/v1/rqlite/query", SELECT)
        await credential.refused("/v1/rqlite/exec", INSERT, 403, "db:write")


async def test_role_change_counts_at_once_for_every_credential(node, owner, place):
    member = await join(node, owner, place, "member")
    lasting = Caller.with_key(
        node.client, (await member.token.ok("/v1/keys", {"scopes": ["db:*"]}, status=201))["api_key"]
    )
    credentials = (member.token, member.key, lasting)
    for credential in credentials:
        await credential.ok("/v1/rqlite/exec", INSERT)
    assert (await set_role(owner.token, member.wallet.address, "reader")).json() == {
        "wallet": member.wallet.subject,
        "role": "reader",
    }
    for credential in credentials:
        await credential.refused("/v1/rqlite/exec", INSERT, 403, "db:write")
        await credential.ok("/v1/rqlite/query", SELECT)
    assert (await lasting.get("/v1/auth/whoami")).json()["scopes"] == ["db:read"]
    await set_role(owner.token, member.wallet.address, "member")
    for credential in credentials:
        await credential.ok("/v1/rqlite/exec", INSERT)


async def test_removed_member_is_out_at_once(node, owner, place):
    member = await join(node, owner, place, "admin")
    invitation = await invite(member, "reader")
    lasting = (await member.token.ok("/v1/keys", {"scopes": ["db:*"]}, status=201))["api_key"]
    credentials = (member.token, member.key, Caller.with_key(node.client, lasting))
    for credential in credentials:
        await credential.ok("/v1/rqlite/query", SELECT)
    reply = await owner.token.send("DELETE", f"/v1/namespace/members/{member.wallet.address}")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok", "namespace": place})
    for credential in credentials:
        assert (await credential.post("/v1/rqlite/query", SELECT)).status_code == 401
    anonymous = Caller(node.client)
    await anonymous.refused("/v1/auth/refresh", {"refresh_token": member.signed_in["refresh_token"]}, 401)
    stranger = await Person.in_(node, f"home-{fresh_wallet().bare[:12]}")
    await stranger.token.refused("/v1/invitations/accept", {"token": invitation["token"]}, 404)
    assert (await owner.token.send("DELETE", f"/v1/namespace/members/{member.wallet.address}")).status_code == 404


async def test_leaving_ends_the_token_it_was_said_with(node, owner, place):
    member = await join(node, owner, place, "reader")
    assert (await member.token.ok("/v1/namespace/leave"))["namespace"] == place
    assert (await member.token.get("/v1/auth/whoami")).status_code == 401
    body = await owner.token.refused("/v1/namespace/leave", None, 409, "last owner")
    assert body["reason"] == "last_owner"


async def test_namespace_is_handed_on(node, owner, place):
    member = await join(node, owner, place, "member")
    await member.token.refused("/v1/namespace/transfer", {"wallet": owner.wallet.address}, 403, "only an owner")
    await owner.token.ok("/v1/namespace/transfer", {"wallet": member.wallet.address})
    assert (await owner.role_in(place), await member.role_in(place)) == ("admin", "owner")
    assert (await set_role(owner.token, owner.wallet.address, "owner")).json()["reason"] == "beyond_caller"
    await owner.token.ok("/v1/namespace/leave")
    found = (await member.token.get("/v1/namespace/members")).json()
    assert [one["wallet"] for one in found["members"]] == [member.wallet.subject]


async def test_wallet_makes_and_lists_namespaces(node):
    person = await Person.in_(node, f"first-{fresh_wallet().bare[:12]}")
    name = f"second-{person.wallet.bare[:12]}"
    made = await person.token.ok("/v1/namespaces", {"name": name}, status=201)
    assert (made["name"], made["role"]) == (name, "owner")
    assert (await person.token.refused("/v1/namespaces", {"name": name}, 409))["reason"] == "namespace_exists"
    page = (await person.token.get("/v1/namespaces", params={"limit": 1})).json()
    assert (page["count"], page["next"]) == (1, page["namespaces"][0]["name"])
    rest = (await person.token.get("/v1/namespaces", params={"after": page["next"]})).json()
    assert {one["name"] for one in (*page["namespaces"], *rest["namespaces"])} == {
        f"first-{person.signed_in['namespace'].partition('-')[2]}",
        name,
    }
    assert "next" not in rest
    assert (await Person.in_(node, name, person.wallet)).signed_in["namespace"] == name


async def test_members_come_in_pages(node, owner, place):
    wallets = {owner.wallet.subject}
    for _ in range(3):
        wallet = fresh_wallet()
        await node.node.auth.namespaces.grant(Namespace(place), wallet.subject, "reader")
        wallets.add(wallet.subject)
    seen, after = [], ""
    while True:
        page = (await owner.key.get("/v1/namespace/members", params={"limit": 2, "after": after})).json()
        seen += page["members"]
        if "next" not in page:
            break
        after = page["next"]
    assert {one["wallet"] for one in seen} == wallets
    assert len(seen) == 4
    for limit in (0, 501, -1):
        reply = await owner.key.get("/v1/namespace/members", params={"limit": limit})
        assert (reply.status_code, reply.json()["reason"]) == (400, "invalid_limit")


async def test_open_namespace_admits_anybody_as_a_member_as_before(node):
    person = await Person.in_(node, "default")
    assert await person.role_in("default") == "member"
    for credential in (person.token, person.key):
        await credential.ok("/v1/cache/put", {"dmap": "m", "key": person.wallet.bare, "value": 1})
        await credential.ok("/v1/rqlite/query", {"sql": "SELECT 1"})
        assert (await credential.get("/v1/namespace/members")).status_code == 403


async def test_key_of_the_operator_manages_members_of_its_own_namespace(node):
    operator = Caller.with_key(node.client, await node.key("operated"))
    guest = await Person.in_(node, f"home-{fresh_wallet().bare[:12]}")
    made = await operator.ok("/v1/namespace/invitations", {"role": "admin"}, status=201)
    await guest.token.ok("/v1/invitations/accept", {"token": made["token"]})
    assert (await set_role(operator, guest.wallet.address, "owner")).status_code == 200
    assert (await set_role(operator, guest.wallet.address, "reader")).json()["reason"] == "last_owner"


@pytest.mark.parametrize("role", ["owner", "admin", "member", "reader"])
async def test_nothing_of_a_namespace_is_seen_or_changed_from_another(node, owner, place, role):
    """Broken object level authorisation: whatever a stranger is elsewhere, foreign things look like absent ones."""
    mine = await join(node, owner, place, "member")
    key = (await mine.token.ok("/v1/keys", {"scopes": ["db:read"], "name": "till"}, status=201))["id"]
    invitation = await invite(owner, "reader")
    elsewhere = await Person.in_(node, f"bank-{fresh_wallet().bare[:12]}")
    stranger = elsewhere
    if role != "owner":
        stranger = await join(node, elsewhere, elsewhere.signed_in["namespace"], role)
    absent = {"wallet": fresh_wallet().address, "key": "ak_" + "a" * 17, "invitation": "a" * 17}
    present = {"wallet": mine.wallet.address, "key": key, "invitation": invitation["id"]}
    for method, path, body in (
        ("PUT", "/v1/namespace/members/{wallet}", {"role": "reader"}),
        ("DELETE", "/v1/namespace/members/{wallet}", None),
        ("POST", "/v1/namespace/transfer", {"wallet": "{wallet}"}),
        ("DELETE", "/v1/namespace/invitations/{invitation}", None),
        ("GET", "/v1/keys/{key}", None),
        ("DELETE", "/v1/keys/{key}", None),
        ("POST", "/v1/keys/{key}/rotate", None),
        ("GET", "/v1/namespace/audit?actor={wallet}", None),
        ("GET", "/v1/namespace/members?after=", None),
    ):
        for credential in (stranger.token, stranger.key):
            shapes = []
            for names in (present, absent):
                sent = {field: value.format(**names) for field, value in body.items()} if body else None
                reply = await credential.send(method, path.format(**names), sent)
                text = reply.text.replace(reply.headers["x-request-id"], "id")
                for kind, name in names.items():
                    text = text.replace(name, kind).replace(name.lower(), kind)
                shapes.append((reply.status_code, text))
            assert shapes[0] == shapes[1], path
            assert shapes[0][0] in (200, 403, 404)
            assert mine.wallet.subject not in shapes[0][1]
    for listing in ("/v1/keys?all=true", "/v1/namespace/invitations", "/v1/namespace/members", "/v1/namespace/audit"):
        text = (await stranger.token.get(listing)).text
        for trace in (place, mine.wallet.subject, owner.wallet.subject, key, invitation["id"], "till"):
            assert trace not in text, listing
    assert await mine.role_in(place) == "member"
    assert (await mine.token.get(f"/v1/keys/{key}")).json()["name"] == "till"
    assert invitation["id"] in (await owner.token.get("/v1/namespace/invitations")).text


async def test_namespace_in_the_request_changes_nothing(node, owner, place):
    stranger = await Person.in_(node, f"bank-{fresh_wallet().bare[:12]}")
    hints = {"X-Namespace": place, "Namespace": place}
    reply = await stranger.token.send(
        "PUT", f"/v1/namespace/members/{owner.wallet.address}?namespace={place}",
        {"role": "reader", "namespace": place}, headers=hints,
    )  # fmt: skip
    assert reply.status_code == 404
    found = await stranger.token.get("/v1/namespace/members", params={"namespace": place}, headers=hints)
    assert [one["wallet"] for one in found.json()["members"]] == [stranger.wallet.subject]
    made = await stranger.token.post("/v1/namespace/invitations", {"role": "reader", "namespace": place}, headers=hints)
    assert made.json()["namespace"] == stranger.signed_in["namespace"]
