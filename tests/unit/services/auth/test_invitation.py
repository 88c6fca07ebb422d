"""Invitations: good once, for a time, for whom they are meant, and no longer than their maker may invite."""

from __future__ import annotations

import asyncio
import hashlib
import re

import pytest

from orama.domain.audit import LOCAL
from orama.domain.namespace import Namespace
from orama.domain.role import ROLE_SCOPES
from orama.errors import Conflict, InvalidArgument, NotFound, PermissionDenied
from support.identity import SHOP, Gateway
from support.wallet import Wallet

OWNER, ADMIN, GUEST, STRANGER = (Wallet(number) for number in range(1, 5))
HOME = Namespace("home")
DAY_S = 24 * 3600


@pytest.fixture
async def owner(gateway):
    return await gateway.caller(OWNER)


@pytest.fixture
async def guest(gateway):
    """Somebody with a namespace of her own."""
    return await gateway.caller(GUEST, HOME)


async def invite(gateway: Gateway, caller, role="member", **options) -> str:
    return (await gateway.auth.invitations.create(caller, role, LOCAL, **options)).token


async def accept(gateway: Gateway, caller, token):
    return await gateway.auth.invitations.accept(caller, token, LOCAL)


async def is_refused(gateway: Gateway, caller, token) -> bool:
    """Whether the token is nothing to the caller, by the one answer for all reasons."""
    with pytest.raises(NotFound) as failure:
        await accept(gateway, caller, token)
    assert failure.value.text == "there is no such invitation, or it has ended"
    return failure.value.reason == "unknown_invitation"


@pytest.mark.parametrize("role", ["admin", "member", "reader"])
async def test_who_accepts_is_a_member_in_that_role(gateway, owner, guest, role):
    made = await gateway.auth.invitations.create(owner, role, LOCAL)
    token = made.token
    assert re.fullmatch(r"inv_[0-9A-Za-z]{43}", token)
    with pytest.raises(PermissionDenied):
        await gateway.sign_in(GUEST)
    accepted = await accept(gateway, guest, token)
    assert (accepted.id, accepted.namespace, accepted.role) == (made.invitation.id, SHOP, role)
    assert (await gateway.caller(GUEST)).scopes == ROLE_SCOPES[role]


async def test_only_the_hash_of_the_token_is_stored(gateway, owner):
    token = await invite(gateway, owner)
    (row,) = await gateway.rows("SELECT * FROM invitations")
    assert token not in repr(row)
    assert token.removeprefix("inv_") not in repr(row)
    assert hashlib.sha256(token.encode()).digest() in row


async def test_token_is_good_once_even_at_once(gateway, another_gateway, owner):
    other = await another_gateway()
    token = await invite(gateway, owner)
    wallets = [Wallet(number) for number in range(20, 26)]
    callers = [await gateway.caller(wallet, f"home{number}") for number, wallet in enumerate(wallets)]
    outcomes = await asyncio.gather(
        *(accept((gateway, other)[number % 2], caller, token) for number, caller in enumerate(callers)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Invitation", *["NotFound"] * 5]
    assert len(await gateway.auth.members.page(SHOP, limit=10)) == 2


async def test_token_ends_with_its_time(gateway, owner, guest, clock):
    short, long = await invite(gateway, owner, lifetime_s=60), await invite(gateway, owner)
    clock.advance(60)
    guest = await gateway.caller(GUEST, HOME)
    assert await is_refused(gateway, guest, short)
    clock.advance(7 * DAY_S - 60)
    owner = await gateway.caller(OWNER)
    assert await is_refused(gateway, await gateway.caller(GUEST, HOME), long)
    assert await gateway.auth.invitations.waiting(SHOP) == []
    assert await invite(gateway, owner, lifetime_s=30 * DAY_S)
    with pytest.raises(InvalidArgument, match="at most 2592000 seconds"):
        await invite(gateway, owner, lifetime_s=30 * DAY_S + 1)


async def test_invitation_for_one_wallet_is_nothing_to_another(gateway, owner, guest):
    token = await invite(gateway, owner, invited=GUEST.subject)
    stranger = await gateway.caller(STRANGER, "elsewhere")
    assert await is_refused(gateway, stranger, token)
    assert (await accept(gateway, guest, token)).invited == GUEST.subject


@pytest.mark.parametrize("token", ["", "inv_", "inv_" + "a" * 43, "inv_" + "a" * 44, "x" * 5000, "inv_" + "é" * 43])
async def test_made_up_token_is_nothing(gateway, owner, guest, token):
    await invite(gateway, owner)
    assert await is_refused(gateway, guest, token)


async def test_revoked_invitation_is_nothing(gateway, owner, guest):
    created = await gateway.auth.invitations.create(owner, "reader", LOCAL)
    made, token = created.invitation, created.token
    revoke = gateway.auth.invitations.revoke
    with pytest.raises(NotFound):
        await revoke(guest, made.id, LOCAL)
    await revoke(owner, made.id, LOCAL)
    assert await is_refused(gateway, guest, token)
    for gone in (made.id, "nonsense"):
        with pytest.raises(NotFound, match="there is no such invitation, or it has ended"):
            await revoke(owner, gone, LOCAL)


async def test_member_keeps_its_role_and_the_token_stays_unused(gateway, owner, guest):
    token = await invite(gateway, owner, "reader")
    with pytest.raises(Conflict) as failure:
        await accept(gateway, owner, token)
    assert failure.value.reason == "already_member"
    assert (await gateway.caller(OWNER)).scopes == {"*"}
    assert await accept(gateway, guest, token)


@pytest.mark.parametrize("end", ["removed", "left", "demoted"])
async def test_invitation_ends_with_the_membership_of_its_maker(gateway, owner, guest, end):
    admin = await gateway.member(ADMIN, "admin")
    token = await invite(gateway, admin, "admin")
    match end:
        case "removed":
            await gateway.auth.members.remove(owner, ADMIN.subject, LOCAL)
        case "left":
            await gateway.auth.own_namespaces.leave(admin, LOCAL)
        case "demoted":
            await gateway.auth.members.set_role(owner, ADMIN.subject, "member", LOCAL)
    assert await gateway.auth.invitations.waiting(SHOP) == []
    assert await is_refused(gateway, guest, token)
    if end != "demoted":
        await gateway.auth.namespaces.grant(SHOP, ADMIN.subject, "admin")
        assert await is_refused(gateway, guest, token), "who comes back does not bring old invitations along"


@pytest.mark.parametrize("whose", ["nobody's", "a wallet's"])
async def test_invitation_ends_with_the_lasting_key_that_made_it(gateway, owner, guest, whose):
    key = await gateway.auth.api_keys.create(SHOP) if whose == "nobody's" else await gateway.lasting_key(OWNER)
    token = await invite(gateway, await gateway.by_key(key.text))
    assert len(await gateway.auth.invitations.waiting(SHOP)) == 1
    await gateway.auth.api_keys.revoke(SHOP, key.id)
    assert await gateway.auth.invitations.waiting(SHOP) == []
    assert await is_refused(gateway, guest, token)


async def test_invitation_outlives_the_sign_in_that_made_it(gateway, guest):
    signed_in = await gateway.sign_in(OWNER)
    tokens = [
        await invite(gateway, await gateway.by_key(signed_in.api_key.text)),
        await invite(gateway, await gateway.by_token(signed_in.access_token.text)),
    ]
    await gateway.auth.sessions.logout(None, refresh_token=signed_in.refresh_token, namespace=None, everywhere=False)
    assert len(await gateway.auth.invitations.waiting(SHOP)) == 2
    assert await accept(gateway, guest, tokens[0])


async def test_acceptance_between_reading_and_writing_of_a_revocation_loses(gateway, owner, guest):
    created = await gateway.auth.invitations.create(owner, "reader", LOCAL)
    made, token = created.invitation, created.token
    questions = 0

    async def revoke():
        nonlocal questions
        questions += 1
        if questions == 2:  # The guest's standing has been read, and the invitation.
            await gateway.auth.invitations.revoke(owner, made.id, LOCAL)

    gateway.database.after_query = revoke
    assert await is_refused(gateway, guest, token)
    gateway.database.after_query = None
    assert len(await gateway.auth.members.page(SHOP, limit=10)) == 1


async def test_so_many_wait_and_no_more_even_at_once(another_gateway):
    gateway = await another_gateway(max_invitations_per_namespace=3)
    owner = await gateway.caller(OWNER)
    outcomes = await asyncio.gather(*(invite(gateway, owner) for _ in range(8)), return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (5, {"too_many_invitations"})
    (first, *_) = await gateway.auth.invitations.waiting(SHOP)
    await gateway.auth.invitations.revoke(owner, first.id, LOCAL)
    assert await invite(gateway, owner)


async def test_namespace_has_so_many_members_and_no_more_even_at_once(another_gateway):
    gateway = await another_gateway(max_members_per_namespace=3)
    owner = await gateway.caller(OWNER)
    tokens = [await invite(gateway, owner) for _ in range(5)]
    callers = [await gateway.caller(Wallet(20 + number), f"home{number}") for number in range(5)]
    outcomes = await asyncio.gather(
        *(accept(gateway, caller, token) for caller, token in zip(callers, tokens, strict=True)),
        return_exceptions=True,
    )
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (3, {"too_many_members"})
    assert len(await gateway.auth.invitations.waiting(SHOP)) == 3, "their tokens are still good"


async def test_wallet_is_in_so_many_namespaces_and_no_more_even_at_once(another_gateway):
    gateway = await another_gateway(max_memberships_per_wallet=3)
    tokens = []
    for number in range(4):
        owner = await gateway.caller(Wallet(20 + number), f"shop{number}")
        tokens.append(await invite(gateway, owner))
    guest = await gateway.caller(GUEST, HOME)
    outcomes = await asyncio.gather(*(accept(gateway, guest, token) for token in tokens), return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (2, {"too_many_memberships"})


async def test_expired_invitations_are_swept(gateway, owner, clock):
    await invite(gateway, owner, lifetime_s=60)
    await invite(gateway, owner)
    (sweep,) = [one for one in gateway.auth.sweeps if one.name == "invitations"]
    clock.advance(59)
    assert await sweep.remove(10) == 0
    clock.advance(1)
    assert await sweep.remove(10) == 1
    assert len(await gateway.auth.invitations.waiting(SHOP)) == 1
