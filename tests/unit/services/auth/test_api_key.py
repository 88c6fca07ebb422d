"""API keys: of sign-ins, of members, of the operator, of nobody; and namespaces."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from support.identity import SHOP
from support.wallet import Wallet

OWNER, STRANGER = Wallet(1), Wallet(2)


async def assert_dead(gateway, key) -> None:
    with pytest.raises(Unauthenticated, match="invalid API key"):
        await gateway.by_key(key.text)


async def test_each_key_is_a_new_one(gateway):
    keys = [await gateway.lasting_key(OWNER) for _ in range(3)]
    assert len({key.id for key in keys}) == len({key.secret for key in keys}) == 3
    for key in keys:
        assert (await gateway.by_key(key.text)).key_id == key.id


async def test_a_lasting_key_survives_logout_and_time(gateway, clock):
    key = await gateway.lasting_key(OWNER)
    signed_in = await gateway.sign_in(OWNER)
    caller = await gateway.by_token(signed_in.access_token.text)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=True)
    clock.advance(365 * 24 * 3600)
    assert (await gateway.by_key(key.text)).namespace == SHOP


async def test_a_wallet_has_twenty_lasting_keys_per_namespace_even_at_once(gateway):
    signed = [await gateway.signed(OWNER, client=str(number)) for number in range(30)]
    outcomes = await asyncio.gather(*map(gateway.auth.sign_in.create_api_key, signed), return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(lost) == 10, outcomes
    assert {failure.reason for failure in lost} == {"too_many_keys"}
    made = [outcome for outcome in outcomes if not isinstance(outcome, Conflict)]
    await gateway.auth.api_keys.revoke(SHOP, made[0].key.id)
    assert await gateway.lasting_key(OWNER)
    assert await gateway.lasting_key(OWNER, "bank")
    assert await gateway.sign_in(OWNER)


async def test_a_changed_key_is_no_key(gateway):
    key = await gateway.lasting_key(OWNER)
    await gateway.lasting_key(STRANGER, "bank")
    for text in (
        key.text.replace(":shop", ":bank"),
        key.text.replace(key.secret, key.secret[::-1]),
        key.text.replace(key.id, key.id[::-1]),
        key.text.swapcase(),
        key.text + " ",
    ):
        with pytest.raises(Unauthenticated, match="invalid API key"):
            await gateway.by_key(text)


async def test_a_revoked_key_is_dead_at_once_and_stays_so(gateway):
    key = await gateway.lasting_key(OWNER)
    token, _ = await gateway.auth.sessions.exchange(key.text)
    assert await gateway.by_key(key.text)
    assert (await gateway.by_token(token.text)).subject == f"ak_{key.id}"
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    await assert_dead(gateway, key)
    with pytest.raises(Unauthenticated):
        await gateway.by_token(token.text)
    with pytest.raises(Unauthenticated, match="invalid API key"):
        await gateway.auth.sessions.exchange(key.text)


async def test_one_namespace_cannot_revoke_anothers_keys(gateway):
    key = await gateway.lasting_key(OWNER)
    with pytest.raises(NotFound):
        await gateway.auth.api_keys.revoke(Namespace("bank"), key.id)
    assert await gateway.by_key(key.text)


async def test_an_operators_key_has_scopes_and_an_end(gateway, clock):
    await gateway.auth.namespaces.create(SHOP)
    ends_at = round(clock.now() * 1000) + 60_000
    key = await gateway.auth.api_keys.create(SHOP, name="ci", scopes=["cache:read", "db:*"], expires_at=ends_at)
    caller = await gateway.by_key(key.text)
    assert caller.scopes == {"cache:read", "db:*"}
    assert caller.allows("db:write")
    assert not caller.allows("cache:write")
    clock.advance(60)
    await assert_dead(gateway, key)
    (record,) = await gateway.auth.api_keys.list(SHOP)
    assert (record.id, record.name, record.expires_at, record.wallet) == (key.id, "ci", ends_at, None)
    assert key.secret not in repr(record)


async def test_a_key_with_a_bad_scope_end_or_namespace_is_not_made(gateway, clock):
    create = gateway.auth.api_keys.create
    with pytest.raises(NotFound):
        await create(SHOP)
    await gateway.auth.namespaces.create(SHOP)
    with pytest.raises(InvalidArgument):
        await create(SHOP, scopes=["cache read"])
    with pytest.raises(InvalidArgument):
        await create(SHOP, expires_at=round(clock.now() * 1000))
    assert await gateway.auth.api_keys.list(SHOP) == []


async def test_an_operators_namespace_is_never_claimable(gateway):
    await gateway.auth.namespaces.create(SHOP)
    with pytest.raises(PermissionDenied):
        await gateway.sign_in(OWNER)
    with pytest.raises(Conflict):
        await gateway.auth.namespaces.create(SHOP)
    await gateway.auth.namespaces.grant(SHOP, OWNER.subject, "owner")
    assert await gateway.sign_in(OWNER)
    with pytest.raises(PermissionDenied):
        await gateway.sign_in(STRANGER)


async def test_an_open_namespace_admits_any_wallet_as_a_member(another_gateway):
    gateway = await another_gateway(open_namespaces=("default",))
    for wallet in (OWNER, STRANGER):
        signed_in = await gateway.auth.sign_in.verify(await gateway.signed(wallet, ""))
        assert (await gateway.by_token(signed_in.access_token.text)).namespace == "default"
    assert await gateway.rows("SELECT kind, claimed_by FROM namespaces") == [("open", None)]
    assert await gateway.rows("SELECT DISTINCT role FROM members") == [("member",)]


async def test_a_withdrawn_member_loses_every_credential_at_once(gateway):
    await gateway.sign_in(OWNER)
    await gateway.auth.namespaces.grant(SHOP, STRANGER.subject, "member")
    signed_in, key = await gateway.sign_in(STRANGER), await gateway.lasting_key(STRANGER)
    assert await gateway.by_key(key.text)
    assert await gateway.by_token(signed_in.access_token.text)
    await gateway.auth.namespaces.withdraw(SHOP, STRANGER.subject)
    await assert_dead(gateway, key)
    await assert_dead(gateway, signed_in.api_key)
    with pytest.raises(Unauthenticated):
        await gateway.by_token(signed_in.access_token.text)
    with pytest.raises(Unauthenticated):
        await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    with pytest.raises(PermissionDenied):
        await gateway.sign_in(STRANGER)
    with pytest.raises(NotFound):
        await gateway.auth.namespaces.grant(Namespace("nowhere"), STRANGER.subject, "member")


async def test_w1_without_a_signature_there_are_no_keys_outside_development(gateway):
    await gateway.sign_in(OWNER)
    for namespace in ("shop", "", "new"):
        with pytest.raises(PermissionDenied) as failure:
            await gateway.auth.sign_in.create_unclaimed_key(OWNER.address, namespace)
        assert failure.value.reason == "simple_key_disabled"


async def test_w1_in_development_only_for_namespaces_that_nobody_has(another_gateway):
    gateway = await another_gateway(development=True, open_namespaces=("default",))
    simple_key = gateway.auth.sign_in.create_unclaimed_key
    first, second = await simple_key(OWNER.address, ""), await simple_key(OWNER.address, "")
    assert first.key.id != second.key.id
    assert (await gateway.by_key(first.key.text)).namespace == "default"
    await gateway.sign_in(OWNER)
    await gateway.auth.namespaces.create(Namespace("made"))
    for namespace in ("shop", "made"):
        for wallet in (OWNER, STRANGER):
            with pytest.raises(Conflict):
                await simple_key(wallet.address, namespace)
    assert [key.wallet for key in await gateway.auth.api_keys.list(Namespace("default"))] == [None, None]


async def test_w1_a_key_of_nobodys_namespace_dies_when_the_namespace_is_claimed(another_gateway, clock):
    gateway = await another_gateway(development=True)
    made = await gateway.auth.sign_in.create_unclaimed_key(STRANGER.address, "shop")
    assert (await gateway.by_key(made.key.text)).namespace == "shop"
    owners = (await gateway.sign_in(OWNER)).api_key
    clock.advance(5)
    await assert_dead(gateway, made.key)
    assert await gateway.by_key(owners.text)


async def test_w1_a_key_of_nobodys_namespace_dies_when_the_operator_makes_the_namespace(another_gateway, clock):
    gateway = await another_gateway(development=True)
    made = await gateway.auth.sign_in.create_unclaimed_key(STRANGER.address, "shop")
    await gateway.auth.namespaces.create(Namespace("shop"))
    clock.advance(5)
    await assert_dead(gateway, made.key)
