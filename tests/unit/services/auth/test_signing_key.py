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


def forged(token: str, private: object, kid: str) -> str:
    """The claims of `token` under another key's name, with a signature that is right for `private`."""
    payload = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    return jwt.api_jws.encode(payload, private, "EdDSA", {"kid": kid})


async def refused(gateway: Gateway, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await gateway.by_token(token)


async def test_made_up_kids_at_once_share_one_reading(gateway):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    before = gateway.database.calls
    await asyncio.gather(*(refused(gateway, forged(token, key.private, f"{number:016x}")) for number in range(100)))
    assert gateway.database.calls - before == 1


async def test_made_up_kids_one_after_the_other_wait_for_a_pause(another_gateway, clock):
    gateway = await another_gateway(signing_key_pause_s=0.5)
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    await refused(gateway, forged(token, key.private, "0" * 16))
    before = gateway.database.calls
    asking = [
        asyncio.ensure_future(refused(gateway, forged(token, key.private, f"{number:016x}"))) for number in range(1, 50)
    ]
    await asyncio.sleep(0.05)
    clock.advance(0.49)
    await asyncio.sleep(0.05)
    assert gateway.database.calls == before
    clock.advance(0.02)
    await asyncio.gather(*asking)
    assert gateway.database.calls - before == 1


async def test_texts_that_are_no_kid_of_ours_are_refused_without_a_question(gateway):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    before = gateway.database.calls
    for kid in ("", "0" * 15, "0" * 17, "A" * 16, "../../etc/passwd", "' OR 1=1 --", "٠" * 16, "0" * 15 + "\n"):
        await refused(gateway, forged(token, key.private, kid))
    assert gateway.database.calls == before


async def test_known_kids_ask_nothing_while_made_up_ones_wait(gateway, clock):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    await refused(gateway, forged(token, key.private, "0" * 16))
    waiting = asyncio.ensure_future(refused(gateway, forged(token, key.private, "1" * 16)))
    await asyncio.sleep(0)
    assert (await gateway.by_token(token)).subject == OWNER.subject
    assert not waiting.done()
    clock.advance(1)
    await waiting


async def test_caller_who_leaves_does_not_take_the_reading_from_others(gateway, database):
    token = (await gateway.sign_in(OWNER)).access_token.text
    key = await gateway.auth.signing_keys.current()
    database.open.clear()
    leaving, staying = (asyncio.ensure_future(gateway.auth.signing_keys.find(kid)) for kid in ("0" * 16, key.kid[::-1]))
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.sleep(0.01)
    database.open.set()
    assert await staying is None
    assert leaving.cancelled()
    assert (await gateway.by_token(token)).subject == OWNER.subject


async def test_token_of_a_key_made_elsewhere_a_moment_ago_is_good_at_once(gateway, another_gateway):
    """Both have just read the set; another algorithm's key signs from the start."""
    other = await another_gateway(jwt_algorithm="RS256")
    token = (await other.sign_in(OWNER)).access_token.text
    assert kid_of(token) not in await kids(gateway)
    assert (await gateway.by_token(token)).subject == OWNER.subject
    assert kid_of(token) in await kids(gateway)


async def test_key_made_while_a_reading_runs_is_found_by_the_next(gateway, another_gateway, clock):
    """A reading that began before a key was stored must not count as an answer about that key."""
    reading = asyncio.Event()
    go_on = asyncio.Event()

    async def hold():
        gateway.database.after_query = None
        reading.set()
        await go_on.wait()

    gateway.database.after_query = hold
    early = asyncio.ensure_future(gateway.auth.signing_keys.find("0" * 16))
    await reading.wait()
    other = await another_gateway(jwt_algorithm="RS256")
    late = asyncio.ensure_future(gateway.auth.signing_keys.find((await other.auth.signing_keys.current()).kid))
    await asyncio.sleep(0.01)
    go_on.set()
    assert await early is None
    clock.advance(0.1)
    assert (await late).algorithm == "RS256"


async def test_key_set_shows_a_rotation_elsewhere_within_the_refresh(gateway, another_gateway, clock):
    other = await another_gateway()
    await other.auth.signing_keys.rotate()
    clock.advance(59)
    assert len(await kids(gateway)) == 1
    clock.advance(1)
    assert await kids(gateway) == await kids(other)
    assert len(await kids(gateway)) == 2


async def test_key_set_is_the_last_known_one_in_an_outage(gateway, clock):
    before = await kids(gateway)
    gateway.database.away = True
    clock.advance(3600)
    assert await kids(gateway) == before


async def test_rotation_tells_when_it_takes_effect(gateway, clock):
    clock.advance(1)
    done = await gateway.auth.signing_keys.rotate()
    assert done.kid == (await kids(gateway))[0]
    assert done.algorithm == "EdDSA"
    assert done.signs_from == clock.now() + 60
    assert done.old_verify_until == done.signs_from + 900 + 60 + 60


async def test_rotation_after_a_change_of_algorithm_ends_the_old_algorithms_key(another_gateway, clock):
    await another_gateway(jwt_algorithm="EdDSA")
    after = await another_gateway(jwt_algorithm="RS256")
    await after.auth.signing_keys.rotate()
    assert sorted(key["alg"] for key in await after.auth.signing_keys.published()) == ["EdDSA", "RS256", "RS256"]
    clock.advance(60 + 900 + 60 + 60)
    assert [key["alg"] for key in await after.auth.signing_keys.published()] == ["RS256"]


async def test_gateway_of_another_algorithm_than_the_rotations_makes_its_successor_itself(another_gateway, clock):
    eddsa = await another_gateway(jwt_algorithm="EdDSA")
    rsa = await another_gateway(jwt_algorithm="RS256")
    first = (await rsa.sign_in(OWNER)).access_token.text
    clock.advance(1)
    await eddsa.auth.signing_keys.rotate()
    clock.advance(60)
    second = (await rsa.sign_in(OWNER)).access_token.text
    assert kid_of(first) != kid_of(second)
    for gateway in (eddsa, rsa):
        for token in (first, second):
            assert (await gateway.by_token(token)).subject == OWNER.subject


async def test_ended_keys_are_deleted_in_batches_and_no_others(gateway, clock):
    for _ in range(4):
        clock.advance(1)
        await gateway.auth.signing_keys.rotate()
    clock.advance(1076)
    assert await gateway.auth.signing_keys.sweep().remove(100) == 0, "the first one's last token may live a second yet"
    clock.advance(2)
    assert await gateway.auth.signing_keys.sweep().remove(100) == 2
    clock.advance(3600)
    assert [await gateway.auth.signing_keys.sweep().remove(2) for _ in range(2)] == [2, 0]
    assert len(await kids(gateway)) == 1
    assert await gateway.rows("SELECT count(*) FROM signing_keys") == [(1,)]


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
