"""Logins by way of a browser: keys for programs on the same computer, one-time codes for all others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from urllib.parse import parse_qsl, urlsplit

import pytest

from orama.errors import Conflict, InvalidArgument, PermissionDenied, Unauthenticated
from orama.services.auth.sign_in import SignedChallenge
from support.identity import SHOP, Gateway
from support.solana import SolanaWallet
from support.wallet import Wallet

OWNER, STRANGER = Wallet(1), Wallet(2)
APP = "https://app.example/auth/cb"
LOCAL = "http://127.0.0.1:51234/callback"
VERIFIER = "v" * 64


def challenge_of(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def gateway(database, clock):
    return await Gateway.open(database, clock, login_callbacks=("https://app.example/auth/",))


def request(gateway, callback=APP, *, namespace="shop", verifier=VERIFIER, method="S256", state=""):
    return gateway.auth.logins.request(
        callback=callback,
        namespace=namespace,
        code_challenge="" if verifier is None else challenge_of(verifier),
        code_challenge_method=method,
        state=state,
    )


async def signed(gateway, asked, wallet=OWNER, purpose=None):
    challenge = await gateway.auth.sign_in.challenge(
        wallet.address, asked.namespace, asked.purpose if purpose is None else purpose, origin=None, client="192.0.2.1"
    )
    return SignedChallenge(wallet.address, challenge.text, wallet.sign(challenge.text), chain_type=wallet.chain_type)


async def finished(gateway, asked, wallet=OWNER):
    """What the program is handed."""
    address = await gateway.auth.logins.finish(asked, await signed(gateway, asked, wallet))
    assert address.startswith(asked.callback.url + "?")
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


async def code_for(gateway, wallet=OWNER, **asked):
    return (await finished(gateway, request(gateway, **asked), wallet))["code"]


async def refused(gateway, code, verifier=VERIFIER, callback=APP):
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.logins.exchange(code, verifier, callback)
    assert failure.value.text == "invalid or expired code: begin the login again"
    return failure.value.reason


@pytest.mark.parametrize("wallet", [OWNER, SolanaWallet(1)])
async def test_a_program_on_this_computer_is_handed_a_key(gateway, wallet):
    handed = await finished(gateway, request(gateway, LOCAL, verifier=None), wallet)
    assert list(handed) == ["api_key", "namespace", "wallet", "plan"]
    assert (handed["namespace"], handed["wallet"], handed["plan"]) == ("shop", wallet.bare, "free")
    assert (await gateway.by_key(handed["api_key"])).namespace == SHOP


async def test_all_others_are_handed_a_code_and_nothing_else(gateway):
    handed = await finished(gateway, request(gateway, state="x y&z=1"))
    assert set(handed) == {"code", "state"}
    assert handed["state"] == "x y&z=1"
    assert await gateway.rows("SELECT count(*) FROM families") == [(0,)], "nothing is opened before the exchange"
    assert await gateway.rows("SELECT count(*) FROM api_keys") == [(0,)]


@pytest.mark.parametrize("callback", [APP, LOCAL])
async def test_a_code_becomes_a_sign_in(gateway, callback):
    code = await code_for(gateway, callback=callback)
    login = await gateway.auth.logins.exchange(code, VERIFIER, callback)
    assert (login.wallet.subject, login.account) == (OWNER.subject, OWNER.subject)
    caller = await gateway.by_token(login.credentials.access_token.text)
    assert (caller.subject, caller.namespace) == (OWNER.subject, SHOP)
    assert (await gateway.by_key(login.credentials.api_key.text)).family == caller.family
    assert await gateway.auth.sessions.refresh(login.credentials.refresh_token, None)


async def test_only_the_hash_of_a_code_is_stored(gateway):
    code = await code_for(gateway)
    (row,) = await gateway.rows("SELECT * FROM login_codes")
    assert code not in repr(row)
    assert VERIFIER not in repr(row)


async def test_a_stolen_code_is_worth_nothing_and_the_rightful_exchange_still_works(gateway):
    code = await code_for(gateway)
    for verifier in ("w" * 64, "", challenge_of(VERIFIER), VERIFIER + "v", "\ud800"):
        assert await refused(gateway, code, verifier) == "invalid_code"
    for callback in (LOCAL, "https://app.example/auth/other", APP + "/", ""):
        assert await refused(gateway, code, callback=callback) == "invalid_code"
    assert await gateway.auth.logins.exchange(code, VERIFIER, APP)


@pytest.mark.parametrize("code", ["", "x", "0" * 43, "0" * 42, "0" * 44, "é" * 43, "\ud800", "0" * 100_000])
async def test_a_code_that_was_never_given_out_is_refused(gateway, code):
    assert await refused(gateway, code) == "invalid_code"


async def test_a_code_is_good_for_a_minute(gateway, clock):
    code, late = await code_for(gateway), await code_for(gateway)
    clock.advance(59.999)
    assert await gateway.auth.logins.exchange(code, VERIFIER, APP)
    clock.advance(0.001)
    assert await refused(gateway, late) == "invalid_code"


async def test_how_long_a_code_is_good_is_a_setting(database, clock):
    gateway = await Gateway.open(database, clock, login_callbacks=(APP,), login_code_s=5)
    code = await code_for(gateway)
    clock.advance(5)
    assert await refused(gateway, code) == "invalid_code"


@pytest.mark.parametrize("seconds", [0, 90])
async def test_a_code_is_good_once_and_its_replay_ends_what_it_became(gateway, clock, seconds):
    code = await code_for(gateway)
    login = await gateway.auth.logins.exchange(code, VERIFIER, APP)
    assert await gateway.by_token(login.credentials.access_token.text)
    assert await refused(gateway, code, "w" * 64) == "invalid_code"
    clock.advance(seconds)
    assert await gateway.by_token(login.credentials.access_token.text), "a thief without the verifier ends nothing"
    assert await refused(gateway, code) == "code_reused"
    with pytest.raises(Unauthenticated):
        await gateway.by_token(login.credentials.access_token.text)
    with pytest.raises(Unauthenticated):
        await gateway.by_key(login.credentials.api_key.text)
    assert await refused(gateway, code) == "code_reused"


async def test_racing_exchanges_have_one_winner_at_most(gateway, another_gateway):
    other = await another_gateway(login_callbacks=("https://app.example/auth/",))
    for _ in range(50):
        code = await code_for(gateway)
        outcomes = await asyncio.gather(
            *(one.auth.logins.exchange(code, VERIFIER, APP) for one in (gateway, other, gateway)),
            return_exceptions=True,
        )
        assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) <= 1, outcomes
        assert all(isinstance(one, Unauthenticated) for one in outcomes if isinstance(one, BaseException))
    assert await gateway.rows("SELECT count(*) FROM families") == [(50,)]


@pytest.mark.parametrize("purpose", ["", "authentication", "login", "api_key_generation", "register", "link"])
async def test_only_a_challenge_of_the_page_becomes_a_code(gateway, purpose):
    asked = request(gateway)
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.logins.finish(asked, await signed(gateway, asked, purpose=purpose))
    assert failure.value.reason == "challenge_for_another_use"


async def test_a_challenge_of_the_page_is_good_for_nothing_else(gateway):
    asked = request(gateway)
    one = await signed(gateway, asked)
    body = SignedChallenge(one.wallet, one.text, one.signature, "shop", one.chain_type)
    for present in (
        gateway.auth.sign_in.verify,
        gateway.auth.sign_in.create_api_key,
        lambda given: gateway.auth.sign_in.register(given, "app"),
    ):
        with pytest.raises(Unauthenticated) as failure:
            await present(body)
        assert failure.value.reason == "challenge_for_another_use"
    with pytest.raises(Unauthenticated):
        await gateway.auth.logins.finish(request(gateway, LOCAL, verifier=None), one)
    assert await gateway.auth.logins.finish(asked, one)


async def test_a_signature_finishes_one_login(gateway):
    asked = request(gateway)
    one = await signed(gateway, asked)
    await gateway.auth.logins.finish(asked, one)
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.logins.finish(asked, one)
    assert failure.value.reason == "challenge_unknown_or_used"


async def test_the_namespace_is_the_one_that_was_signed_for(gateway):
    one = await signed(gateway, request(gateway, namespace="shop"))
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.logins.finish(request(gateway, namespace="bank"), one)
    assert failure.value.reason == "challenge_for_another_use"
    assert request(gateway, namespace="").namespace == "default"


async def test_a_namespace_of_another_is_refused_on_the_page(gateway):
    await gateway.sign_in(OWNER)
    for callback, verifier in ((APP, VERIFIER), (LOCAL, None)):
        asked = request(gateway, callback, verifier=verifier)
        with pytest.raises(PermissionDenied):
            await gateway.auth.logins.finish(asked, await signed(gateway, asked, STRANGER))
    assert await gateway.rows("SELECT count(*) FROM login_codes") == [(0,)]


async def test_too_many_keys_are_refused_on_the_page(another_gateway):
    gateway = await another_gateway(max_keys_per_wallet=1)
    asked = request(gateway, LOCAL, verifier=None)
    await finished(gateway, asked)
    with pytest.raises(Conflict, match="revoke one first"):
        await finished(gateway, asked)


async def test_a_membership_that_ends_before_the_exchange_opens_nothing(gateway):
    await gateway.sign_in(OWNER)
    await gateway.auth.namespaces.grant(SHOP, STRANGER.subject, "member")
    code = await code_for(gateway, STRANGER)
    await gateway.auth.namespaces.withdraw(SHOP, STRANGER.subject)
    assert await refused(gateway, code) == "invalid_code"
    assert await gateway.rows("SELECT count(*) FROM families WHERE wallet = ?", STRANGER.subject) == [(0,)]


async def linked(gateway):
    """Signs the owner in with a second wallet linked; both."""
    second = SolanaWallet(5)
    caller = await gateway.by_token((await gateway.sign_in(OWNER)).access_token.text)
    challenge = await gateway.auth.linking.challenge(caller, second.address, origin=None, client="192.0.2.1")
    await gateway.auth.linking.link(
        caller, SignedChallenge(second.address, challenge.text, second.sign(challenge.text))
    )
    return caller, second


async def test_a_linked_wallet_logs_in_as_its_account_and_its_unlinking_ends_that(gateway):
    caller, second = await linked(gateway)
    login = await gateway.auth.logins.exchange(await code_for(gateway, second), VERIFIER, APP)
    assert (login.wallet.address, login.account) == (second.address, OWNER.subject)
    assert (await gateway.by_token(login.credentials.access_token.text)).subject == OWNER.subject
    await gateway.auth.linking.unlink(caller, second.address, revoke_keys=False)
    with pytest.raises(Unauthenticated):
        await gateway.by_token(login.credentials.access_token.text)


async def test_a_code_dies_with_the_link_of_the_wallet_that_signed_for_it(gateway):
    caller, second = await linked(gateway)
    code = await code_for(gateway, second)
    await gateway.auth.linking.unlink(caller, second.address, revoke_keys=False)
    assert await refused(gateway, code) == "invalid_code"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"callback": ""}, "missing_field"),
        ({"callback": "https://evil.example/"}, "invalid_callback"),
        ({"callback": "http://localhost@evil.example/"}, "invalid_callback"),
        ({"verifier": None}, "missing_field"),
        ({"method": "plain"}, "invalid_code_challenge"),
        ({"method": ""}, "invalid_code_challenge"),
        ({"namespace": "a b"}, "invalid_namespace"),
        ({"state": "x" * 513}, "invalid_state"),
        ({"state": "é"}, "invalid_state"),
        ({"state": "a\nb"}, "invalid_state"),
    ],
)
async def test_what_may_not_be_asked_is_refused_at_once(gateway, asked, reason):
    with pytest.raises(InvalidArgument) as failure:
        request(gateway, **asked)
    assert failure.value.reason == reason


async def test_codes_whose_time_is_over_are_removed(gateway, clock):
    old = [await code_for(gateway) for _ in range(3)]
    clock.advance(119)
    sweep = gateway.auth.logins.sweep()
    assert sweep.name == "login_codes"
    assert await sweep.remove(9) == 0, "another gateway's clock may be a minute behind"
    clock.advance(1)
    young = await code_for(gateway)
    assert [await sweep.remove(2), await sweep.remove(2), await sweep.remove(2)] == [2, 1, 0]
    assert await refused(gateway, old[0]) == "invalid_code"
    assert await gateway.auth.logins.exchange(young, VERIFIER, APP)
