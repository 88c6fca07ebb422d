"""``/v1/auth`` as handlers answer it: the fields, texts and statuses that existing clients know."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
import pytest

from orama.errors import InvalidArgument, PermissionDenied, Unauthenticated
from orama.gateway.handlers.auth import AuthHandlers
from orama.gateway.kernel.operation import CREDENTIAL, PUBLIC, operations_of
from orama.services.auth.authenticator import credentials_in
from orama.testing.clock import ManualClock
from orama.wire import auth as wire
from support.identity import SHOP, Gateway, platform_database
from support.wallet import Wallet

OWNER = Wallet(1)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def database(tmp_path, clock):
    async with platform_database(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
async def gateway(database, clock):
    return await Gateway.open(database, clock, development=True, open_namespaces=("default",))


def body(reply) -> dict:
    return msgspec.json.decode(msgspec.json.encode(reply))


async def signature(gateway: Gateway, namespace: str = "shop", purpose: str = "") -> dict:
    challenge = await gateway.handlers.challenge(
        gateway.call(), wire.RequestChallenge(OWNER.address, purpose, namespace)
    )
    return {
        "wallet": OWNER.address,
        "nonce": challenge.nonce,
        "signature": OWNER.sign(challenge.nonce),
        "namespace": namespace,
    }


async def verified(gateway: Gateway, namespace: str = "shop") -> wire.SignedIn:
    return await gateway.handlers.verify(gateway.call(), wire.PresentSignature(**await signature(gateway, namespace)))


async def call_with(gateway: Gateway, **headers):
    """A call as it is after the authentication stage."""
    call = gateway.call(**headers)
    call.principal = await gateway.auth.authenticator.authenticate(credentials_in(call.request.headers))
    return call


async def test_challenge_repeats_the_request_and_gives_five_minutes(gateway):
    reply = body(
        await gateway.handlers.challenge(gateway.call(), wire.RequestChallenge(OWNER.subject, "authentication", ""))
    )
    assert reply.pop("nonce").startswith("localhost wants you to sign in with your Ethereum account:\n")
    assert reply == {
        "wallet": OWNER.subject,
        "namespace": "",
        "purpose": "authentication",
        "expires_at": "2027-01-15T08:05:00.000Z",
    }


async def test_verify_gives_every_name_of_the_token(gateway):
    reply = body(await verified(gateway))
    assert set(reply) == {
        *("access_token", "token", "jwt_token", "token_type", "expires_in", "refresh_token"),
        *("subject", "namespace", "api_key", "nonce", "signature_verified"),
    }
    assert reply["access_token"] == reply["token"] == reply["jwt_token"]
    assert (reply["token_type"], reply["expires_in"]) == ("Bearer", 900)
    assert (reply["subject"], reply["namespace"], reply["signature_verified"]) == (OWNER.address, "shop", True)
    assert re.fullmatch(r"ak_[0-9A-Za-z]+_[0-9A-Za-z]{43}:shop", reply["api_key"])


async def test_a_blank_namespace_is_the_default_one(gateway):
    reply = await verified(gateway, "")
    assert reply.namespace == ""
    assert reply.api_key.endswith(":default")
    identity = await gateway.handlers.whoami(await call_with(gateway, authorization=f"Bearer {reply.access_token}"))
    assert identity.namespace == "default"


async def test_api_key_replies_with_the_plan(gateway):
    reply = body(await gateway.handlers.api_key(gateway.call(), wire.CreateApiKey(**await signature(gateway))))
    key = reply.pop("api_key")
    assert reply == {"namespace": "shop", "plan": "free", "wallet": OWNER.bare}
    assert (await gateway.by_key(key)).namespace == SHOP
    request = wire.CreateApiKey(**await signature(gateway), plan="premium")
    assert (await gateway.handlers.api_key(gateway.call(), request)).plan == "premium"


async def test_register_replies_with_the_app(gateway):
    request = wire.RegisterApp(**await signature(gateway), name="My app")
    reply = body(await gateway.handlers.register(gateway.call(), request))
    assert reply == {
        "client_id": reply["app"]["app_id"],
        "app": {"app_id": reply["client_id"], "name": "My app", "namespace": "shop", "wallet": OWNER.subject},
        "signature_verified": True,
    }


async def test_simple_key_in_development(gateway):
    reply = body(await gateway.handlers.simple_key(gateway.call(), wire.CreateSimpleKey(OWNER.address)))
    key = reply.pop("api_key")
    assert datetime.fromisoformat(reply.pop("created")).tzinfo is not None
    assert reply == {"namespace": "default", "wallet": OWNER.bare}
    assert (await gateway.by_key(key)).namespace == "default"


async def test_item_1_simple_key_is_refused_outside_development(database, clock):
    gateway = await Gateway.open(database, clock)
    with pytest.raises(PermissionDenied):
        await gateway.handlers.simple_key(gateway.call(), wire.CreateSimpleKey(OWNER.address))


@pytest.mark.parametrize("wallet", ["", "  "])
async def test_a_wallet_is_required(gateway, wallet):
    for attempt in (
        gateway.handlers.challenge(gateway.call(), wire.RequestChallenge(wallet)),
        gateway.handlers.simple_key(gateway.call(), wire.CreateSimpleKey(wallet)),
    ):
        with pytest.raises(InvalidArgument, match=r"^wallet is required$"):
            await attempt


@pytest.mark.parametrize("missing", ["wallet", "nonce", "signature"])
async def test_wallet_nonce_and_signature_are_required(gateway, missing):
    fields = {**await signature(gateway), missing: ""}
    for attempt in (
        gateway.handlers.verify(gateway.call(), wire.PresentSignature(**fields)),
        gateway.handlers.api_key(gateway.call(), wire.CreateApiKey(**fields)),
        gateway.handlers.register(gateway.call(), wire.RegisterApp(**fields)),
    ):
        with pytest.raises(InvalidArgument, match=r"^wallet, nonce and signature are required$"):
            await attempt


async def test_a_bad_signature_is_401(gateway):
    fields = {**await signature(gateway), "signature": "0x" + "11" * 65}
    with pytest.raises(Unauthenticated, match=r"^signature verification failed$"):
        await gateway.handlers.verify(gateway.call(), wire.PresentSignature(**fields))


async def test_token_for_an_api_key(gateway):
    key = (await verified(gateway)).api_key
    for headers in ({"x_api_key": key}, {"authorization": f"Bearer {key}"}, {"authorization": f"ApiKey {key}"}):
        reply = body(await gateway.handlers.token(await call_with(gateway, **headers)))
        token = reply.pop("access_token")
        assert reply == {"token_type": "Bearer", "expires_in": 900, "namespace": "shop"}
        assert (await gateway.by_token(token)).subject == re.match(r"ak_[0-9A-Za-z]+", key)[0]


async def test_token_needs_the_key_itself(gateway):
    token = (await verified(gateway)).access_token
    with pytest.raises(Unauthenticated, match=r"^missing API key$"):
        await gateway.handlers.token(await call_with(gateway, authorization=f"Bearer {token}"))


async def test_refresh_gives_every_name_of_the_token_and_a_new_refresh_token(gateway):
    signed_in = await verified(gateway)
    reply = body(await gateway.handlers.refresh(gateway.call(), wire.Refresh(signed_in.refresh_token)))
    assert set(reply) == {
        *("access_token", "token", "jwt_token", "token_type", "expires_in", "refresh_token", "subject", "namespace")
    }
    assert reply["access_token"] == reply["token"] == reply["jwt_token"]
    assert reply["refresh_token"] != signed_in.refresh_token
    assert (reply["token_type"], reply["subject"], reply["namespace"]) == ("Bearer", OWNER.subject, "shop")


async def test_refresh_without_a_body_by_a_valid_access_token(gateway):
    signed_in = await verified(gateway)
    call = await call_with(gateway, authorization=f"Bearer {signed_in.access_token}", x_api_key=signed_in.api_key)
    reply = body(await gateway.handlers.refresh(call, wire.Refresh()))
    assert "refresh_token" not in reply
    assert (await gateway.by_token(reply["token"])).subject == OWNER.subject


async def test_refresh_without_anything(gateway):
    with pytest.raises(InvalidArgument, match=r"^refresh_token is required$"):
        await gateway.handlers.refresh(gateway.call(), wire.Refresh())
    with pytest.raises(Unauthenticated, match=r"^invalid or expired refresh token$"):
        await gateway.handlers.refresh(gateway.call(authorization="Bearer a.b.c"), wire.Refresh())
    with pytest.raises(Unauthenticated, match=r"^invalid or expired refresh token$"):
        await gateway.handlers.refresh(gateway.call(), wire.Refresh("wrong"))


async def test_logout_as_the_typescript_client_does_it(gateway):
    signed_in = await verified(gateway)
    call = await call_with(gateway, authorization=f"Bearer {signed_in.access_token}", x_api_key=signed_in.api_key)
    assert body(await gateway.handlers.logout(call, wire.Logout(all=True)))["status"] == "ok"
    for check, text in ((gateway.by_token, signed_in.access_token), (gateway.by_key, signed_in.api_key)):
        with pytest.raises(Unauthenticated):
            await check(text)


async def test_whoami_by_access_token(gateway, clock):
    signed_in = await verified(gateway)
    identity = body(
        await gateway.handlers.whoami(await call_with(gateway, authorization=f"Bearer {signed_in.access_token}"))
    )
    now = int(clock.now())
    assert identity == {
        "authenticated": True,
        "method": "jwt",
        "subject": OWNER.subject,
        "address": OWNER.subject,
        "issuer": "debros-gateway",
        "audience": "gateway",
        "issued_at": now,
        "not_before": now,
        "expires_at": now + 900,
        "namespace": "shop",
        "scopes": ["*"],
    }


async def test_w9_item_10_whoami_never_shows_the_secret(gateway):
    key = (await verified(gateway)).api_key
    secret = key.removeprefix("ak_").split("_")[1].split(":")[0]
    identity = await gateway.handlers.whoami(await call_with(gateway, x_api_key=key))
    assert body(identity) == {
        "authenticated": True,
        "method": "api_key",
        "api_key": key.partition(f"_{secret}")[0],
        "namespace": "shop",
        "scopes": ["*"],
    }
    token = await gateway.handlers.token(await call_with(gateway, x_api_key=key))
    identity = body(
        await gateway.handlers.whoami(await call_with(gateway, authorization=f"Bearer {token.access_token}"))
    )
    assert secret not in str(identity)
    assert "address" not in identity


async def test_the_operations_are_those_of_the_contract():
    table = {(one.method, one.path): one for one in operations_of("auth", AuthHandlers)}
    assert {(path, one.scope, one.status) for (_, path), one in table.items()} == {
        ("/v1/auth/challenge", PUBLIC, 200),
        ("/v1/auth/verify", PUBLIC, 200),
        ("/v1/auth/api-key", PUBLIC, 200),
        ("/v1/auth/simple-key", PUBLIC, 200),
        ("/v1/auth/register", PUBLIC, 201),
        ("/v1/auth/token", CREDENTIAL, 200),
        ("/v1/auth/refresh", PUBLIC, 200),
        ("/v1/auth/logout", PUBLIC, 200),
        ("/v1/auth/whoami", CREDENTIAL, 200),
        ("/v1/auth/jwks", PUBLIC, 200),
        ("/.well-known/jwks.json", PUBLIC, 200),
    }
    assert {path for (_, path), one in table.items() if one.any_method} == {
        "/v1/auth/whoami",
        "/v1/auth/jwks",
        "/.well-known/jwks.json",
    }
    assert {path for (_, path), one in table.items() if one.body_optional} == {"/v1/auth/refresh", "/v1/auth/logout"}
