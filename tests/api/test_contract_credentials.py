"""Where credentials may stand, and what two of them mean together (wire §2, decision 4)."""

from __future__ import annotations

import pytest

from support.caller import Caller, sign_in
from support.examples import fresh_wallet

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMS = {
    "x_api_key": lambda key: {"X-API-Key": key},
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "bearer_lower": lambda key: {"Authorization": f"bearer {key}"},
    "bearer_upper_with_spaces": lambda key: {"Authorization": f"BEARER   {key}"},
    "apikey": lambda key: {"Authorization": f"ApiKey {key}"},
    "apikey_upper": lambda key: {"authorization": f"APIKEY {key}"},
    "bare": lambda key: {"Authorization": key},
}


@pytest.fixture(scope="module")
def whoami():
    async def ask(node, headers):
        reply = await node.client.get("/v1/auth/whoami", headers=headers)
        return reply.status_code, reply.json()

    return ask


@pytest.mark.parametrize("form", FORMS)
async def test_key_is_accepted_in_each_header_form(node, whoami, form):
    status, answer = await whoami(node, FORMS[form](await node.key("demo")))
    assert (status, answer["method"], answer["namespace"]) == (200, "api_key", "demo")


@pytest.mark.parametrize("form", FORMS)
async def test_wrong_key_is_401_in_each_header_form(node, form):
    key = await node.key("demo")
    wrong = key[:30] + ("A" if key[30] != "A" else "B") + key[31:]
    reply = await node.client.get("/v1/auth/whoami", headers=FORMS[form](wrong))
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid API key")
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_token_is_accepted_as_bearer_only(node, whoami, scheme):
    token = (await sign_in(node.client, fresh_wallet(), ""))["token"]
    assert (await whoami(node, {"Authorization": f"{scheme} {token}"}))[1]["method"] == "jwt"
    for headers in ({"Authorization": token}, {"Authorization": f"ApiKey {token}"}, {"X-API-Key": token}):
        assert (await whoami(node, headers))[0] == 401, headers
    assert (await whoami(node, {"Authorization": f"{scheme} {token}"}))[0] == 200, (
        "and the mistake costs the token nothing"
    )


async def test_nothing_at_all_is_401_and_names_the_realm(node):
    for headers in ({}, {"X-API-Key": ""}, {"Authorization": ""}, {"Authorization": "Basic Zm9vOmJhcg=="}):
        reply = await node.client.get("/v1/auth/whoami", headers=headers)
        assert (reply.status_code, reply.json()["error"]) == (401, "missing API key"), headers
        assert reply.headers["www-authenticate"] == 'Bearer realm="gateway", charset="UTF-8"'


@pytest.mark.parametrize("name", ["api_key", "token", "access_token"])
@pytest.mark.parametrize("path", ["/v1/auth/whoami", "/v1/rqlite/schema", "/v1/cache/health"])
async def test_credential_in_the_url_is_401_that_says_so(node, name, path):
    key = await node.key("demo")
    for headers in ({}, {"X-API-Key": key}):
        reply = await node.client.get(path, params={name: key}, headers=headers)
        assert (reply.status_code, reply.json()["reason"]) == (401, "credential_in_url")
        assert "URL" in reply.json()["error"]
        assert key not in reply.text


async def test_key_is_case_sensitive(node, whoami):
    key = await node.key("demo")
    assert (await whoami(node, {"X-API-Key": key.swapcase()}))[0] == 401


async def test_key_is_exactly_one_colon_away_from_its_namespace(node):
    for namespace in ("demo", "a-b_C9", "x" * 64):
        key = await node.key(namespace)
        assert key.startswith("ak_")
        assert key.count(":") == 1
        assert key.partition(":")[2] == namespace


async def test_key_of_one_namespace_does_not_become_one_of_another_by_its_text(node, whoami):
    key = await node.key("demo")
    await node.key("other")
    status, answer = await whoami(node, {"X-API-Key": key.replace(":demo", ":other")})
    assert (status, answer["error"]) == (401, "invalid API key")


async def test_bad_token_leaves_the_decision_to_a_good_key(node, whoami):
    headers = {"X-API-Key": await node.key("demo"), "Authorization": "Bearer a.b.c"}
    assert (await whoami(node, headers))[1]["method"] == "api_key"


async def test_good_token_wins_over_a_bad_key(node, whoami):
    token = (await sign_in(node.client, fresh_wallet(), ""))["token"]
    assert (await whoami(node, {"X-API-Key": "ak_bad:default", "Authorization": f"Bearer {token}"}))[0] == 200


async def test_rights_of_token_and_key_of_one_namespace_add_up(node):
    reading = await node.key("demo", "cache:read")
    writing = await node.key("demo", "cache:write")
    token = (await Caller.with_key(node.client, reading).ok("/v1/auth/token"))["access_token"]
    both = Caller(node.client, {"Authorization": f"Bearer {token}", "X-API-Key": writing})
    await both.ok("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1})
    assert (await both.ok("/v1/cache/get", {"dmap": "m", "key": "k"}))["value"] == 1


async def test_token_decides_when_the_key_is_of_another_namespace_and_the_refusal_says_so(node):
    reading = await node.key("demo", "cache:read")
    elsewhere = await node.key("elsewhere")
    token = (await Caller.with_key(node.client, reading).ok("/v1/auth/token"))["access_token"]
    both = Caller(node.client, {"Authorization": f"Bearer {token}", "X-API-Key": elsewhere})
    assert (await both.get("/v1/auth/whoami")).json()["namespace"] == "demo"
    body = await both.refused("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1}, 403, "another namespace")
    assert "elsewhere" in body["error"]


async def test_bad_credential_is_ignored_where_none_is_needed(node):
    for path in ("/health", "/v1/version", "/v1/auth/jwks"):
        assert (await node.client.get(path, headers={"X-API-Key": "nonsense"})).status_code == 200
    reply = await node.client.post(
        "/v1/auth/challenge", json={"wallet": fresh_wallet().address}, headers={"Authorization": "Bearer a.b.c"}
    )
    assert reply.status_code == 200
