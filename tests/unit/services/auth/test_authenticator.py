"""From headers to callers, and how long a decision is remembered."""

from __future__ import annotations

import asyncio
import time

import pytest

from orama.domain.identity import Method
from orama.errors import Unauthenticated, Unavailable
from orama.services.auth.authenticator import Credentials, credentials_in, credentials_of
from support.identity import SHOP, Gateway
from support.wallet import Wallet

OWNER = Wallet(1)


@pytest.mark.parametrize(
    ("headers", "jwt", "api_key"),
    [
        ({}, None, None),
        ({"x-api-key": "k"}, None, "k"),
        ({"x-api-key": "  k "}, None, "k"),
        ({"x-api-key": " "}, None, None),
        ({"authorization": "Bearer k"}, None, "k"),
        ({"authorization": "bearer  k "}, None, "k"),
        ({"authorization": "ApiKey k"}, None, "k"),
        ({"authorization": "APIKEY k"}, None, "k"),
        ({"authorization": "k"}, None, "k"),
        ({"authorization": "Bearer a.b.c"}, "a.b.c", None),
        ({"authorization": "BEARER a.b.c"}, "a.b.c", None),
        ({"authorization": "Bearer a.b"}, None, "a.b"),
        ({"authorization": "Bearer a.b.c.d"}, None, "a.b.c.d"),
        ({"authorization": "ApiKey a.b.c"}, None, "a.b.c"),
        ({"authorization": "a.b.c"}, None, None),
        ({"authorization": "Basic eDp5"}, None, None),
        ({"authorization": ""}, None, None),
        ({"x-api-key": "k", "authorization": "Bearer other"}, None, "k"),
        ({"x-api-key": "k", "authorization": "ApiKey other"}, None, "k"),
        ({"x-api-key": "k", "authorization": "Bearer a.b.c"}, "a.b.c", "k"),
        ({"x-wallet": "0xabc"}, None, None),
    ],
)
def test_the_four_header_forms(headers, jwt, api_key):
    assert credentials_in(headers) == Credentials(jwt, api_key)


def test_a_credential_in_a_url_is_told_by_its_dots():
    assert credentials_of("a.b.c") == Credentials(jwt="a.b.c")
    assert credentials_of("ak_a_b:shop") == Credentials(api_key="ak_a_b:shop")


async def test_no_credential_is_no_caller(gateway):
    assert await gateway.auth.authenticator.authenticate(Credentials()) is None


async def test_a_warm_call_asks_the_database_nothing(gateway):
    signed_in = await gateway.sign_in(OWNER)
    both = Credentials(signed_in.access_token.text, signed_in.api_key.text)
    for credentials in (both, Credentials(jwt=both.jwt), Credentials(api_key=both.api_key)):
        cold = await gateway.auth.authenticator.authenticate(credentials)
        before = gateway.database.calls
        warm = gateway.auth.authenticator.authenticate(credentials)
        with pytest.raises(StopIteration) as done:  # It ends without having waited for anything.
            warm.send(None)
        assert done.value.value == cold
        assert gateway.database.calls == before


async def test_a_warm_call_takes_microseconds(gateway):
    key = (await gateway.sign_in(OWNER)).api_key.text
    await gateway.by_key(key)
    authenticate, headers = gateway.auth.authenticator.authenticate, {"x-api-key": key}
    started = time.perf_counter()
    for _ in range(10_000):
        await authenticate(credentials_in(headers))
    assert (time.perf_counter() - started) / 10_000 < 25e-6


async def test_a_thousand_cold_requests_at_once_ask_once(gateway):
    key = (await gateway.sign_in(OWNER)).api_key.text
    before = gateway.database.calls
    callers = await asyncio.gather(*(gateway.by_key(key) for _ in range(1_000)))
    assert gateway.database.calls - before == 1
    assert len(set(map(id, callers))) == 1


async def test_a_caller_who_goes_away_fails_nobody_else(gateway):
    key = (await gateway.sign_in(OWNER)).api_key.text
    gateway.database.open.clear()
    first, second = asyncio.ensure_future(gateway.by_key(key)), asyncio.ensure_future(gateway.by_key(key))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gateway.database.open.set()
    assert (await second).namespace == SHOP
    assert first.cancelled()


async def test_revocation_elsewhere_takes_effect_within_five_seconds(gateway, another_gateway, clock):
    other = await another_gateway()
    key = await gateway.lasting_key(OWNER)
    token, _ = await gateway.auth.sessions.exchange(key.text)
    signed_in = await gateway.sign_in(OWNER)
    checks = [
        (other.by_key, key.text),
        (other.by_token, token.text),
        (other.by_key, signed_in.api_key.text),
        (other.by_token, signed_in.access_token.text),
    ]
    for check, text in checks:
        assert await check(text)
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    caller = await gateway.by_token(signed_in.access_token.text)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=False)
    for check, text in ((gateway.by_key, key.text), (gateway.by_token, token.text)):
        with pytest.raises(Unauthenticated):
            await check(text)
    clock.advance(5)
    for check, text in checks:
        with pytest.raises(Unauthenticated):
            await check(text)


async def test_a_revocation_during_a_question_is_not_answered_from_before_it(gateway):
    key = await gateway.lasting_key(OWNER)

    async def revoke():
        await gateway.auth.api_keys.revoke(SHOP, key.id)

    gateway.database.after_query = revoke
    await gateway.by_key(key.text)  # Overtaken by the revocation: this caller may pass, the answer is not kept.
    gateway.database.after_query = None
    with pytest.raises(Unauthenticated):
        await gateway.by_key(key.text)


async def test_a_slow_answer_is_remembered_for_less(gateway, another_gateway, clock):
    other = await another_gateway()
    key = await gateway.lasting_key(OWNER)

    async def wait():
        gateway.database.after_query = None
        clock.advance(3)
        await gateway.auth.api_keys.revoke(SHOP, key.id)

    gateway.database.after_query = wait
    assert await other.by_key(key.text)
    clock.advance(2)
    with pytest.raises(Unauthenticated):
        await other.by_key(key.text)


async def test_a_revocation_heard_from_another_gateway_takes_effect_at_once(gateway, another_gateway):
    other = await another_gateway()
    key = await gateway.lasting_key(OWNER)
    assert await other.by_key(key.text)
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    other.auth.decisions.forget(key_ids={key.id})
    with pytest.raises(Unauthenticated):
        await other.by_key(key.text)


async def test_w12_an_outage_is_503_and_never_401(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    gateway.database.away = True
    key = signed_in.api_key.text
    for check, text in ((gateway.by_key, key), (gateway.by_token, signed_in.access_token.text)):
        with pytest.raises(Unavailable):
            await check(text)
    with pytest.raises(Unauthenticated):
        await gateway.by_key("ak_wrong")  # Not of our form: known to be wrong without asking.
    gateway.database.away = False
    assert (await gateway.by_key(key)).namespace == SHOP


async def test_in_an_outage_known_callers_stay_for_a_minute(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    checks = ((gateway.by_key, signed_in.api_key.text), (gateway.by_token, signed_in.access_token.text))
    for check, text in checks:
        await check(text)
    gateway.database.away = True
    for _ in range(59):
        clock.advance(1)
        for check, text in checks:
            assert (await check(text)).namespace == SHOP
    clock.advance(1)
    for check, text in checks:
        with pytest.raises(Unavailable):
            await check(text)
    gateway.database.away = False
    for check, text in checks:
        assert (await check(text)).namespace == SHOP


async def test_in_an_outage_the_database_is_asked_once_a_second_for_a_caller(gateway, clock):
    key = (await gateway.sign_in(OWNER)).api_key.text
    await gateway.by_key(key)
    gateway.database.away = True
    clock.advance(5)
    before = gateway.database.calls
    for _ in range(100):
        await gateway.by_key(key)
    assert gateway.database.calls - before == 1


async def test_in_an_outage_a_token_still_ends_with_its_time(another_gateway, clock):
    gateway = await another_gateway(access_token_s=10, clock_skew_s=0)
    token = (await gateway.sign_in(OWNER)).access_token.text
    await gateway.by_token(token)
    gateway.database.away = True
    clock.advance(9)
    assert await gateway.by_token(token)
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        await gateway.by_token(token)


async def test_in_an_outage_a_key_still_ends_with_its_time(gateway, clock):
    await gateway.sign_in(OWNER)
    ends_at = round(clock.now() * 1000) + 20_000
    key = (await gateway.auth.api_keys.create(SHOP, expires_at=ends_at)).text
    await gateway.by_key(key)
    gateway.database.away = True
    clock.advance(19)
    assert await gateway.by_key(key)
    clock.advance(1)
    with pytest.raises(Unavailable):
        await gateway.by_key(key)


async def test_in_an_outage_nobody_refused_comes_back(gateway, another_gateway, clock):
    other = await another_gateway()
    key = await gateway.lasting_key(OWNER)
    assert await other.by_key(key.text)
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    clock.advance(5)
    with pytest.raises(Unauthenticated):
        await other.by_key(key.text)
    gateway.database.away = True
    clock.advance(5)
    with pytest.raises(Unavailable):
        await other.by_key(key.text)


async def test_guessing_reaches_the_database_once_per_guess_and_pushes_nobody_out(another_gateway):
    gateway = await another_gateway(max_decisions=10)
    key = (await gateway.sign_in(OWNER)).api_key
    await gateway.by_key(key.text)
    guesses = [key.text.replace(key.secret, f"{number:043}") for number in range(50)]
    before = gateway.database.calls
    for guess in guesses:
        for _ in range(3):
            with pytest.raises(Unauthenticated, match="invalid API key"):
                await gateway.by_key(guess)
    assert gateway.database.calls - before == 50
    await gateway.by_key(key.text)
    assert gateway.database.calls - before == 50
    decisions = gateway.auth.decisions
    assert len(decisions._accepted) <= 10 >= len(decisions._refused)


async def test_remembered_callers_are_bounded(another_gateway):
    gateway = await another_gateway(max_decisions=5)
    keys = [(await gateway.sign_in(OWNER)).api_key.text for _ in range(12)]
    for key in keys:
        await gateway.by_key(key)
    assert len(gateway.auth.decisions._accepted) == 5
    before = gateway.database.calls
    await gateway.by_key(keys[-1])
    assert gateway.database.calls == before
    await gateway.by_key(keys[0])
    assert gateway.database.calls == before + 1


async def key_with(gateway: Gateway, *scopes: str, namespace=SHOP) -> str:
    return (await gateway.auth.api_keys.create(namespace, scopes=scopes)).text


async def test_w13_the_rights_of_token_and_key_for_one_namespace_add_up(gateway):
    await gateway.sign_in(OWNER)
    reader, writer = await key_with(gateway, "cache:read"), await key_with(gateway, "cache:write")
    token, _ = await gateway.auth.sessions.exchange(reader)
    caller = await gateway.auth.authenticator.authenticate(Credentials(token.text, writer))
    assert caller.method is Method.JWT
    assert caller.scopes == {"cache:read", "cache:write"}
    assert caller.allows("cache:read")
    assert caller.allows("cache:write")
    assert not caller.allows("db:read")


async def test_w13_for_different_namespaces_the_token_decides_and_the_caller_can_say_so(gateway):
    signed_in = await gateway.sign_in(OWNER)
    elsewhere = (await gateway.sign_in(Wallet(2), "bank")).api_key.text
    caller = await gateway.auth.authenticator.authenticate(Credentials(signed_in.access_token.text, elsewhere))
    assert (caller.namespace, caller.subject, caller.disregarded) == (SHOP, OWNER.subject, "bank")


async def test_w13_a_token_that_does_not_hold_leaves_the_decision_to_the_key(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    clock.advance(2000)
    caller = await gateway.auth.authenticator.authenticate(
        Credentials(signed_in.access_token.text, signed_in.api_key.text)
    )
    assert caller.method is Method.API_KEY


@pytest.mark.parametrize("wrong", ["nonsense", "ak_" + "a" * 17 + "_" + "b" * 43 + ":shop"])
async def test_a_key_that_does_not_hold_takes_nothing_from_the_token(gateway, wrong):
    await gateway.sign_in(OWNER)
    token, _ = await gateway.auth.sessions.exchange(await key_with(gateway, "cache:read"))
    caller = await gateway.auth.authenticator.authenticate(Credentials(token.text, wrong))
    assert caller.scopes == {"cache:read"}


async def test_two_wrong_credentials_are_refused(gateway):
    with pytest.raises(Unauthenticated):
        await gateway.auth.authenticator.authenticate(Credentials("a.b.c", "ak_x"))
