"""``/v1/auth`` as existing clients use it: fields, statuses and texts (wire §6, decisions 5 to 8 and 19)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import jwt
import pytest

from support.caller import Caller, sign_in, signed
from support.examples import fresh_wallet

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = re.compile(r"ak_[0-9A-Za-z]+_[0-9A-Za-z]+:([^:]+)")


def seconds_from_now(rfc3339: str) -> float:
    return (datetime.fromisoformat(rfc3339) - datetime.now(UTC)).total_seconds()


async def test_challenge_echoes_the_request_and_gives_a_text_to_sign(anonymous):
    wallet = fresh_wallet()
    asked = {"wallet": wallet.address.lower(), "purpose": "authentication", "namespace": "default"}
    answer = await anonymous.ok("/v1/auth/challenge", asked)
    assert {name: answer[name] for name in asked} == asked
    assert set(answer) == {"wallet", "namespace", "nonce", "purpose", "expires_at"}
    assert wallet.address in answer["nonce"], "the text names the wallet in its EIP-55 form"
    assert 290 < seconds_from_now(answer["expires_at"]) <= 300


async def test_challenge_echoes_an_empty_namespace_that_stands_for_the_default_one(anonymous, node):
    wallet = fresh_wallet()
    assert (await anonymous.ok("/v1/auth/challenge", {"wallet": wallet.address}))["namespace"] == ""
    signed_in = await sign_in(node.client, wallet)
    assert signed_in["namespace"] == ""
    assert KEY.fullmatch(signed_in["api_key"])[1] == "default"
    assert jwt.decode(signed_in["access_token"], options={"verify_signature": False})["namespace"] == "default"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "invalid json body"),
        (b"{", "invalid json body"),
        ({}, "wallet is required"),
        ({"wallet": "  "}, "wallet is required"),
        ({"wallet": "nobody"}, "invalid wallet"),
        ({"wallet": "0x" + "1" * 40, "namespace": "a:b"}, "invalid namespace"),
    ],
)
async def test_challenge_refuses_what_names_no_wallet(anonymous, body, text):
    await anonymous.refused("/v1/auth/challenge", body, 400, text)


async def test_verify_answers_with_every_field_that_clients_store(node):
    wallet = fresh_wallet()
    body = await signed(node.client, wallet, f"shop{wallet.bare[:6]}", "authentication")
    answer = await Caller(node.client).ok("/v1/auth/verify", body)
    assert set(answer) == {
        *("access_token", "token", "jwt_token", "token_type", "expires_in", "refresh_token"),
        *("subject", "namespace", "api_key", "nonce", "signature_verified"),
    }
    assert answer["token"] == answer["jwt_token"] == answer["access_token"]
    assert (answer["token_type"], answer["expires_in"], answer["signature_verified"]) == ("Bearer", 900, True)
    assert (answer["subject"], answer["namespace"]) == (wallet.address, body["namespace"])
    assert answer["nonce"] == body["nonce"]
    assert KEY.fullmatch(answer["api_key"])[1] == body["namespace"]
    assert len(answer["refresh_token"]) == 43


@pytest.mark.parametrize("path", ["verify", "api-key", "register"])
@pytest.mark.parametrize("missing", ["wallet", "nonce", "signature"])
async def test_signature_routes_name_the_fields_that_are_required(anonymous, path, missing):
    body = {"wallet": "0x" + "1" * 40, "nonce": "n", "signature": "s"}
    del body[missing]
    await anonymous.refused(f"/v1/auth/{path}", body, 400, "wallet, nonce and signature are required")


@pytest.mark.parametrize("path", ["verify", "api-key", "register"])
async def test_wrong_signature_and_unknown_chain_are_401(anonymous, node, path):
    mine, other = fresh_wallet(), fresh_wallet()
    body = await signed(node.client, mine, "elsewhere")
    for wrong in ({"signature": other.sign(body["nonce"])}, {"chain_type": "BTC"}, {"nonce": body["nonce"] + " "}):
        await anonymous.refused(f"/v1/auth/{path}", {**body, **wrong}, 401, "signature verification failed")


async def test_api_key_answers_with_a_new_key_each_time(anonymous, node):
    wallet = fresh_wallet()
    place = f"keys{wallet.bare[:6]}"
    first = await anonymous.ok(
        "/v1/auth/api-key", await signed(node.client, wallet, place, "api_key_generation", plan="pro")
    )
    second = await anonymous.ok("/v1/auth/api-key", await signed(node.client, wallet, place))
    assert set(first) == {"api_key", "namespace", "plan", "wallet"}
    assert (first["namespace"], first["plan"], first["wallet"]) == (place, "pro", wallet.bare)
    assert second["plan"] == "free"
    assert first["api_key"] != second["api_key"]
    for key in (first["api_key"], second["api_key"]):
        assert (await Caller.with_key(node.client, key).get("/v1/auth/whoami")).json()["namespace"] == place


async def test_register_answers_201_with_the_application(anonymous, node):
    wallet = fresh_wallet()
    place = f"apps{wallet.bare[:6]}"
    answer = await anonymous.ok("/v1/auth/register", await signed(node.client, wallet, place, name="Shop"), status=201)
    app = answer["app"]
    assert set(answer) == {"client_id", "app", "signature_verified"}
    assert set(app) == {"app_id", "name", "namespace", "wallet"}
    assert (answer["client_id"], answer["signature_verified"]) == (app["app_id"], True)
    assert re.fullmatch(r"app_[0-9A-Za-z]{16,17}", app["app_id"])
    assert (app["name"], app["namespace"], app["wallet"]) == ("Shop", place, wallet.address.lower())


async def test_simple_key_gives_a_new_key_for_what_nobody_has(anonymous, node):
    wallet = fresh_wallet()
    body = {"wallet": wallet.address, "namespace": f"nobody{wallet.bare[:6]}"}
    first, second = [await anonymous.ok("/v1/auth/simple-key", body) for _ in range(2)]
    assert set(first) == {"api_key", "namespace", "wallet", "created"}
    assert (first["namespace"], first["wallet"]) == (body["namespace"], wallet.bare)
    assert -60 < seconds_from_now(first["created"]) <= 0
    assert first["api_key"] != second["api_key"]
    await anonymous.refused("/v1/auth/simple-key", {}, 400, "wallet is required")


async def test_simple_key_dies_when_a_wallet_claims_the_namespace(anonymous, node):
    place, owner = "squatted", fresh_wallet()
    early = await anonymous.ok("/v1/auth/simple-key", {"wallet": fresh_wallet().address, "namespace": place})
    caller = Caller.with_key(node.client, early["api_key"])
    await sign_in(node.client, owner, place)
    # What was never asked before is decided by the database, and at once.
    assert (await caller.get("/v1/auth/whoami")).status_code == 401
    await anonymous.refused("/v1/auth/simple-key", {"wallet": owner.address, "namespace": place}, 409, "has an owner")


async def test_token_exchanges_a_key_in_any_of_its_places(node):
    key = await node.key("demo")
    for headers in (
        {"X-API-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"ApiKey {key}"},
        {"Authorization": key},
    ):
        reply = await node.client.post("/v1/auth/token", headers=headers)
        answer = reply.json()
        assert (reply.status_code, set(answer)) == (200, {"access_token", "token_type", "expires_in", "namespace"})
        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        assert claims["sub"] == key.split("_")[0] + "_" + key.split("_")[1], "the id, never the secret"
        assert (claims["namespace"], answer["namespace"], answer["token_type"]) == ("demo", "demo", "Bearer")


async def test_token_wants_a_key_not_a_token(node):
    signed_in = await sign_in(node.client, fresh_wallet(), "")
    await Caller.with_token(node.client, signed_in["access_token"]).refused(
        "/v1/auth/token", None, 401, "missing API key"
    )
    await Caller(node.client).refused("/v1/auth/token", None, 401, "missing API key")
    await Caller.with_key(node.client, "ak_wrong:demo").refused("/v1/auth/token", None, 401, "invalid API key")


async def test_refresh_rotates_and_repeats_the_successor_within_the_grace(anonymous, node):
    wallet = fresh_wallet()
    place = f"rotate{wallet.bare[:6]}"
    first = (await sign_in(node.client, wallet, place))["refresh_token"]
    answer = await anonymous.ok("/v1/auth/refresh", {"refresh_token": first, "namespace": place})
    assert set(answer) == {
        *("access_token", "token", "jwt_token", "token_type", "expires_in", "refresh_token", "subject", "namespace"),
    }
    assert answer["token"] == answer["access_token"]
    assert (answer["subject"], answer["namespace"]) == (wallet.subject, place)
    assert answer["refresh_token"] != first
    repeated = await anonymous.ok("/v1/auth/refresh", {"refresh_token": first})
    assert repeated["refresh_token"] == answer["refresh_token"], "the reply may have been lost"
    assert (await Caller.with_token(node.client, answer["token"]).get("/v1/auth/whoami")).status_code == 200


async def test_refresh_says_what_is_wrong(anonymous, node):
    token = (await sign_in(node.client, fresh_wallet(), ""))["refresh_token"]
    await anonymous.refused("/v1/auth/refresh", {}, 400, "refresh_token is required")
    await anonymous.refused("/v1/auth/refresh", None, 400, "refresh_token is required")
    for wrong in ({"refresh_token": "A" * 43}, {"refresh_token": token, "namespace": "another"}):
        await anonymous.refused("/v1/auth/refresh", wrong, 401, "invalid or expired refresh token")


async def test_refresh_without_body_lives_as_long_as_the_sign_in(node):
    signed_in = await sign_in(node.client, fresh_wallet(), "")
    caller = Caller.with_token(node.client, signed_in["access_token"])
    renewed = await caller.ok("/v1/auth/refresh")
    assert "refresh_token" not in renewed
    again = Caller.with_token(node.client, renewed["token"])
    assert (await again.get("/v1/auth/whoami")).status_code == 200
    await again.ok("/v1/auth/logout", {"refresh_token": signed_in["refresh_token"]})
    await caller.refused("/v1/auth/refresh", None, 401, "invalid or expired refresh token")


async def test_logout_ends_the_sign_in_with_all_that_came_of_it(anonymous, node):
    wallet = fresh_wallet()
    signed_in = await sign_in(node.client, wallet, f"out{wallet.bare[:6]}")
    key = Caller.with_key(node.client, signed_in["api_key"])
    token = Caller.with_token(node.client, signed_in["access_token"])
    for caller in (key, token):
        assert (await caller.get("/v1/auth/whoami")).status_code == 200
    answer = await anonymous.ok("/v1/auth/logout", {"refresh_token": signed_in["refresh_token"]})
    assert (answer["status"], set(answer)) == ("ok", {"status", "message"})
    for caller in (key, token):
        assert (await caller.get("/v1/auth/whoami")).status_code == 401
    await anonymous.refused("/v1/auth/refresh", {"refresh_token": signed_in["refresh_token"]}, 401)
    assert await anonymous.ok("/v1/auth/logout", {"refresh_token": signed_in["refresh_token"]}) == answer


async def test_logout_of_all_takes_the_namespace_of_the_token(node):
    wallet = fresh_wallet()
    place = f"all{wallet.bare[:6]}"
    here, there = [await sign_in(node.client, wallet, place) for _ in range(2)]
    elsewhere = await sign_in(node.client, wallet, f"{place}2")
    await Caller.with_token(node.client, here["token"]).ok("/v1/auth/logout", {"all": True})
    for signed_in, status in ((here, 401), (there, 401), (elsewhere, 200)):
        caller = Caller.with_token(node.client, signed_in["token"])
        assert (await caller.get("/v1/auth/whoami")).status_code == status


async def test_logout_refuses_what_nobody_asks_for(anonymous, owner, node):
    await anonymous.refused("/v1/auth/logout", {"all": True}, 401, "jwt required for all=true")
    await anonymous.refused("/v1/auth/logout", {}, 400, "nothing to revoke")
    await owner.ok("/v1/auth/logout", {})
    assert (await owner.get("/v1/auth/whoami")).status_code == 200, "a lasting key is not a sign-in"


async def test_whoami_of_a_token_tells_its_claims(node):
    wallet = fresh_wallet()
    signed_in = await sign_in(node.client, wallet, f"who{wallet.bare[:6]}")
    answer = (await Caller.with_token(node.client, signed_in["token"]).get("/v1/auth/whoami")).json()
    assert set(answer) == {
        *("authenticated", "method", "namespace", "subject", "address", "issuer", "audience"),
        *("issued_at", "not_before", "expires_at", "scopes"),
    }
    assert (answer["authenticated"], answer["method"], answer["address"]) == (True, "jwt", wallet.subject)
    assert (answer["issuer"], answer["audience"]) == ("debros-gateway", "gateway")
    assert answer["expires_at"] - answer["issued_at"] == 900
    assert answer["not_before"] == answer["issued_at"]


async def test_whoami_of_a_key_never_shows_its_secret(node):
    key = await node.key("demo")
    reply = await Caller.with_key(node.client, key).get("/v1/auth/whoami")
    assert reply.json() == {
        "authenticated": True,
        "method": "api_key",
        "namespace": "demo",
        "api_key": "_".join(key.split("_")[:2]),
        "scopes": ["*"],
    }
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/v1/auth/jwks", "/.well-known/jwks.json"])
async def test_token_verifies_with_the_published_keys_and_nothing_else(anonymous, node, path):
    wallet = fresh_wallet()
    token = (await sign_in(node.client, wallet, f"jwks{wallet.bare[:6]}"))["token"]
    header = jwt.get_unverified_header(token)
    keys = {key["kid"]: key for key in (await anonymous.get(path)).json()["keys"]}
    published = keys[header["kid"]]
    assert (header["alg"], header["typ"]) == ("EdDSA", "JWT")
    assert published.items() >= {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA"}.items()
    assert "d" not in published
    claims = jwt.decode(
        token, jwt.PyJWK(published).key, algorithms=["EdDSA"], issuer="debros-gateway", audience="gateway"
    )
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (wallet.subject, 900)
    assert set(claims) == {"iss", "aud", "sub", "namespace", "iat", "nbf", "exp", "sid"}
