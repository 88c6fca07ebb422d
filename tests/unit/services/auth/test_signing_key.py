"""Signing keys: one for all gateways, kept over restarts, sealed at rest, replaced without a gap."""

from __future__ import annotations

import asyncio
import json

import jwt
import pytest

from orama.domain.namespace import PLATFORM
from orama.domain.sql import Statement
from orama.errors import Internal, Unauthenticated, Unavailable
from support.identity import Gateway
from support.wallet import Wallet

OWNER = Wallet(1)


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


async def kids(gateway: Gateway) -> list[str]:
    return [key["kid"] for key in json.loads((await gateway.handlers.jwks(gateway.call())).body)["keys"]]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_w11_keys_survive_a_restart(another_gateway, algorithm):
    before = await another_gateway(jwt_algorithm=algorithm)
    token = (await before.sign_in(OWNER)).access_token.text
    after = await another_gateway(jwt_algorithm=algorithm)
    assert (await after.by_token(token)).subject == OWNER.subject
    assert await kids(after) == await kids(before)


async def test_gateways_that_start_at_once_agree_on_one_key(another_gateway):
    gateways = await asyncio.gather(*(another_gateway() for _ in range(8)))
    assert len({(await kids(gateway))[0] for gateway in gateways}) == 1
    assert await gateways[0].rows("SELECT count(*) FROM signing_keys") == [(1,)]
    token = (await gateways[0].sign_in(OWNER)).access_token.text
    for gateway in gateways:
        assert (await gateway.by_token(token)).subject == OWNER.subject


async def test_w9_private_keys_are_sealed(gateway):
    key = await gateway.auth.signing_keys.current()
    ((sealed,),) = await gateway.rows("SELECT sealed FROM signing_keys")
    assert key.private.private_bytes_raw() not in sealed


async def test_another_root_secret_is_told_at_the_start(gateway, database, clock):
    with pytest.raises(Internal, match="root secret") as failure:
        await Gateway.open(database, clock, root_secret=bytes(32))
    assert failure.value.reason == "root_secret_mismatch"


async def test_a_sealed_key_does_not_open_under_another_name(gateway, another_gateway):
    await gateway.database.execute(PLATFORM, [Statement("UPDATE signing_keys SET kid = '0000000000000000'")])
    with pytest.raises(Internal):
        await another_gateway()


async def test_a_new_key_is_published_before_it_signs_and_old_tokens_hold(gateway, another_gateway, clock):
    other = await another_gateway()
    old = (await gateway.sign_in(OWNER)).access_token.text
    clock.advance(1)
    await gateway.auth.signing_keys.rotate()
    published, _ = await kids(gateway)
    for _ in range(59):
        clock.advance(1)
        for one in (gateway, other):
            assert kid_of((await one.sign_in(OWNER)).access_token.text) == kid_of(old)
    clock.advance(1)
    new = [(await one.sign_in(OWNER)).access_token.text for one in (gateway, other)]
    assert {kid_of(token) for token in new} == {published} != {kid_of(old)}
    for one in (gateway, other):
        for token in (old, *new):
            assert await one.by_token(token)
        assert await kids(one) == [published, kid_of(old)]


async def test_rotations_at_once_leave_one_key_without_an_end(gateway, another_gateway, clock):
    other = await another_gateway()
    clock.advance(1)
    await asyncio.gather(gateway.auth.signing_keys.rotate(), other.auth.signing_keys.rotate())
    assert await gateway.rows("SELECT count(*) FROM signing_keys WHERE retired_at IS NULL") == [(1,)]
    clock.advance(60)
    tokens = [(await one.sign_in(OWNER)).access_token.text for one in (gateway, other)]
    assert len(set(map(kid_of, tokens))) == 1


async def test_a_retired_key_is_forgotten_once_its_tokens_have_ended(gateway, another_gateway, clock):
    old = await kids(gateway)
    await gateway.auth.signing_keys.rotate()
    clock.advance(60 + 900 + 60 + 60)
    fresh = await another_gateway()
    assert len(await kids(fresh)) == 1
    assert set(await kids(fresh)).isdisjoint(old)


async def test_changing_the_algorithm_keeps_the_tokens_of_the_old_one(another_gateway):
    before = await another_gateway(jwt_algorithm="EdDSA")
    token = (await before.sign_in(OWNER)).access_token.text
    after = await another_gateway(jwt_algorithm="RS256")
    assert (await after.by_token(token)).subject == OWNER.subject
    assert jwt.get_unverified_header((await after.sign_in(OWNER)).access_token.text)["alg"] == "RS256"
    assert sorted(key["alg"] for key in after.auth.signing_keys.public) == ["EdDSA", "RS256"]


async def test_the_key_set_shows_nothing_private(another_gateway):
    for algorithm, members in (("EdDSA", {"crv", "x"}), ("RS256", {"n", "e"})):
        gateway = await another_gateway(jwt_algorithm=algorithm)
        key = next(key for key in gateway.auth.signing_keys.public if key["alg"] == algorithm)
        assert set(key) == {"kty", "use", "alg", "kid"} | members


async def test_made_up_kids_do_not_reach_the_database_each_time(gateway, clock):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    payload = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    clock.advance(5)
    before = gateway.database.calls
    for number in range(100):
        forged = jwt.api_jws.encode(payload, key.private, "EdDSA", {"kid": f"{number:016x}"})
        with pytest.raises(Unauthenticated):
            await gateway.by_token(forged)
    assert gateway.database.calls - before == 1


async def test_an_unknown_kid_in_an_outage_is_503(gateway, clock):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    payload = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    clock.advance(5)
    gateway.database.away = True
    with pytest.raises(Unavailable):
        await gateway.by_token(jwt.api_jws.encode(payload, key.private, "EdDSA", {"kid": "0" * 16}))


async def test_in_an_outage_the_known_key_still_signs(gateway, clock):
    before = await gateway.auth.signing_keys.current()
    gateway.database.away = True
    clock.advance(3600)
    assert await gateway.auth.signing_keys.current() == before
