"""Members: what each role may do to whom, and that it counts at once."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.audit import LOCAL
from orama.domain.namespace import Namespace
from orama.domain.role import ROLE_SCOPES
from orama.errors import Conflict, NotFound, PermissionDenied, Unauthenticated, Unavailable
from orama.services.auth.authenticator import Credentials
from support.identity import SHOP
from support.wallet import Wallet

OWNER, ADMIN, MEMBER, READER, STRANGER = (Wallet(number) for number in range(1, 6))
ROLES = {OWNER: "owner", ADMIN: "admin", MEMBER: "member", READER: "reader"}
BANK = Namespace("bank")


@pytest.fixture
async def team(gateway):
    """The callers, by role, of the namespace `shop`."""
    await gateway.sign_in(OWNER)
    return {role: await gateway.member(wallet, role) for wallet, role in ROLES.items()}


async def roles(gateway, namespace=SHOP):
    return {one.wallet: one.role for one in await gateway.auth.members.page(namespace, limit=100)}


async def reason(kind, attempt):
    with pytest.raises(kind) as failure:
        await attempt
    return failure.value.reason


@pytest.mark.parametrize("wallet", ROLES, ids=ROLES.values())
async def test_scopes_of_tokens_and_keys_are_those_of_the_role(gateway, team, wallet):
    role = ROLES[wallet]
    signed_in, lasting = await gateway.sign_in(wallet), await gateway.lasting_key(wallet)
    token, _ = await gateway.auth.sessions.exchange(lasting.text)
    for caller in (
        await gateway.by_token(signed_in.access_token.text),
        await gateway.by_key(signed_in.api_key.text),
        await gateway.by_key(lasting.text),
        await gateway.by_token(token.text),
        await gateway.auth.authenticator.authenticate(Credentials(signed_in.access_token.text, signed_in.api_key.text)),
    ):
        assert caller.scopes == ROLE_SCOPES[role]
        assert caller.wallet == wallet.subject


async def test_key_of_nobody_keeps_its_scopes(gateway, team):
    key = await gateway.auth.api_keys.create(SHOP, scopes=["db:*"])
    caller = await gateway.by_key(key.text)
    assert (caller.scopes, caller.wallet) == ({"db:*"}, None)


async def test_role_change_counts_at_once_for_what_there_is(gateway, team):
    signed_in, lasting = await gateway.sign_in(MEMBER), await gateway.lasting_key(MEMBER)
    token, _ = await gateway.auth.sessions.exchange(lasting.text)

    async def now():
        callers = [
            await gateway.by_token(signed_in.access_token.text),
            await gateway.by_token(token.text),
            await gateway.by_key(lasting.text),
            await gateway.by_key(signed_in.api_key.text),
        ]
        (scopes,) = {caller.scopes for caller in callers}
        return scopes

    assert await now() == ROLE_SCOPES["member"]
    for role in ("reader", "owner", "admin", "member"):
        await gateway.auth.members.set_role(team["owner"], MEMBER.subject, role, LOCAL)
        assert await now() == ROLE_SCOPES[role]


async def test_role_change_counts_elsewhere_within_five_seconds(gateway, another_gateway, team, clock):
    other = await another_gateway()
    token = (await gateway.sign_in(MEMBER)).access_token.text
    assert (await other.by_token(token)).scopes == ROLE_SCOPES["member"]
    await gateway.auth.members.set_role(team["owner"], MEMBER.subject, "reader", LOCAL)
    clock.advance(5)
    assert (await other.by_token(token)).scopes == ROLE_SCOPES["reader"]


async def test_key_with_few_scopes_is_narrowed_not_widened(gateway, team):
    made = await gateway.auth.keys.create(
        team["member"], name="", scopes=["db:write", "cache:read"], lifetime_s=None, provenance=LOCAL
    )
    assert (await gateway.by_key(made.key.text)).scopes == {"db:write", "cache:read"}
    await gateway.auth.members.set_role(team["owner"], MEMBER.subject, "reader", LOCAL)
    assert (await gateway.by_key(made.key.text)).scopes == {"cache:read"}
    await gateway.auth.members.set_role(team["owner"], MEMBER.subject, "owner", LOCAL)
    assert (await gateway.by_key(made.key.text)).scopes == {"db:write", "cache:read"}


@pytest.mark.parametrize("role", ["member", "reader"])
async def test_those_without_the_scope_manage_nobody(gateway, team, role):
    members, invitations = gateway.auth.members, gateway.auth.invitations
    for attempt in (
        members.set_role(team[role], READER.subject, "reader", LOCAL),
        members.remove(team[role], READER.subject, LOCAL),
        members.set_role(team[role], STRANGER.subject, "reader", LOCAL),
        invitations.create(team[role], "reader", LOCAL),
        invitations.revoke(team[role], "none", LOCAL),
    ):
        assert await reason(PermissionDenied, attempt) == "scope_missing"
    assert await reason(PermissionDenied, gateway.auth.own_namespaces.transfer(team[role], OWNER.subject, LOCAL)) == (
        "not_an_owner"
    )
    assert await roles(gateway) == {wallet.subject: role for wallet, role in ROLES.items()}


async def test_admin_reaches_up_to_admins_and_no_owner(gateway, team):
    members = gateway.auth.members
    for attempt in (
        members.set_role(team["admin"], OWNER.subject, "reader", LOCAL),
        members.remove(team["admin"], OWNER.subject, LOCAL),
        members.set_role(team["admin"], MEMBER.subject, "owner", LOCAL),
        members.set_role(team["admin"], ADMIN.subject, "owner", LOCAL),
    ):
        assert await reason(PermissionDenied, attempt) == "beyond_caller"
    assert await reason(
        PermissionDenied, gateway.auth.own_namespaces.transfer(team["admin"], ADMIN.subject, LOCAL)
    ) == ("not_an_owner")
    await members.set_role(team["admin"], READER.subject, "admin", LOCAL)
    await members.set_role(team["admin"], READER.subject, "member", LOCAL)
    await members.remove(team["admin"], READER.subject, LOCAL)
    await members.set_role(team["admin"], ADMIN.subject, "member", LOCAL)
    assert await roles(gateway) == {OWNER.subject: "owner", ADMIN.subject: "member", MEMBER.subject: "member"}


async def test_key_manages_members_within_its_own_scopes(gateway, team):
    managing = await gateway.by_key((await gateway.auth.api_keys.create(SHOP, scopes=["members:*"])).text)
    members = gateway.auth.members
    assert await reason(PermissionDenied, members.remove(managing, READER.subject, LOCAL)) == "beyond_caller"
    assert await reason(PermissionDenied, gateway.auth.invitations.create(managing, "reader", LOCAL)) == "beyond_caller"
    scopes = ["members:*", *ROLE_SCOPES["reader"]]
    reading = await gateway.by_key((await gateway.auth.api_keys.create(SHOP, scopes=scopes)).text)
    assert await gateway.auth.invitations.create(reading, "reader", LOCAL)
    assert await reason(PermissionDenied, gateway.auth.invitations.create(reading, "member", LOCAL)) == "beyond_caller"
    await members.remove(reading, READER.subject, LOCAL)


async def test_last_owner_stays(gateway, team):
    members, own = gateway.auth.members, gateway.auth.own_namespaces
    for attempt in (
        own.leave(team["owner"], LOCAL),
        members.remove(team["owner"], OWNER.subject, LOCAL),
        members.set_role(team["owner"], OWNER.subject, "admin", LOCAL),
        gateway.auth.namespaces.grant(SHOP, OWNER.subject, "reader"),
        gateway.auth.namespaces.withdraw(SHOP, OWNER.subject),
    ):
        assert await reason(Conflict, attempt) == "last_owner"
    await members.set_role(team["owner"], OWNER.subject, "owner", LOCAL)
    await members.set_role(team["owner"], ADMIN.subject, "owner", LOCAL)
    await own.leave(team["owner"], LOCAL)
    assert OWNER.subject not in await roles(gateway)


async def test_of_two_owners_who_leave_at_once_one_stays(gateway, another_gateway, team):
    other = await another_gateway()
    await gateway.auth.members.set_role(team["owner"], ADMIN.subject, "owner", LOCAL)
    outcomes = await asyncio.gather(
        gateway.auth.own_namespaces.leave(team["owner"], LOCAL),
        other.auth.own_namespaces.leave(team["admin"], LOCAL),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict", "NoneType"]
    assert list((await roles(gateway)).values()).count("owner") == 1


async def test_who_leaves_or_is_removed_loses_every_credential_at_once(gateway, team, clock):
    for wallet, end in (
        (MEMBER, lambda: gateway.auth.own_namespaces.leave(team["member"], LOCAL)),
        (READER, lambda: gateway.auth.members.remove(team["admin"], READER.subject, LOCAL)),
    ):
        signed_in, lasting = await gateway.sign_in(wallet), await gateway.lasting_key(wallet)
        token, _ = await gateway.auth.sessions.exchange(lasting.text)
        checks = (
            (gateway.by_token, signed_in.access_token.text),
            (gateway.by_token, token.text),
            (gateway.by_key, lasting.text),
            (gateway.by_key, signed_in.api_key.text),
        )
        for check, text in checks:
            assert await check(text)
        await end()
        for check, text in checks:
            with pytest.raises(Unauthenticated):
                await check(text)
        with pytest.raises(Unauthenticated):
            await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
        with pytest.raises(PermissionDenied):
            await gateway.sign_in(wallet)
        await gateway.auth.namespaces.grant(SHOP, wallet.subject, "member")
        clock.advance(gateway.auth.settings.decision_s + 1)  # nothing is remembered of the refusals
        for check, text in checks:  # who comes back gets new ones: the old ones stay dead
            with pytest.raises(Unauthenticated):
                await check(text)


async def test_member_of_two_namespaces_leaves_one(gateway, team):
    at_home = (await gateway.sign_in(MEMBER, "home")).access_token.text
    await gateway.auth.members.remove(team["owner"], MEMBER.subject, LOCAL)
    assert (await gateway.by_token(at_home)).namespace == "home"


async def test_transfer_makes_another_an_owner_and_the_caller_an_admin(gateway, team):
    own = gateway.auth.own_namespaces
    assert await reason(NotFound, own.transfer(team["owner"], STRANGER.subject, LOCAL)) == "unknown_member"
    assert await reason(Conflict, own.transfer(team["owner"], OWNER.subject, LOCAL)) == "already_owner"
    await own.transfer(team["owner"], READER.subject, LOCAL)
    held = await roles(gateway)
    assert (held[OWNER.subject], held[READER.subject]) == ("admin", "owner")
    assert (await gateway.caller(OWNER)).scopes == ROLE_SCOPES["admin"]
    assert await reason(PermissionDenied, own.transfer(team["owner"], MEMBER.subject, LOCAL)) == "not_an_owner"


async def test_transfer_to_another_owner_only_steps_down(gateway, team):
    await gateway.auth.members.set_role(team["owner"], ADMIN.subject, "owner", LOCAL)
    await gateway.auth.own_namespaces.transfer(team["owner"], ADMIN.subject, LOCAL)
    assert (await roles(gateway))[OWNER.subject] == "admin"


async def test_one_who_was_removed_elsewhere_cannot_act_on_what_a_gateway_remembers(gateway, another_gateway, team):
    """The decision of the other gateway is seconds old; the acts that would outlive the removal ask anew."""
    other = await another_gateway()
    admin = team["admin"]
    key = await gateway.auth.keys.create(admin, name="", scopes=["members:*"], lifetime_s=None, provenance=LOCAL)
    stale_key = await other.by_key(key.key.text)
    await gateway.auth.members.remove(team["owner"], ADMIN.subject, LOCAL)
    auth = other.auth
    for caller in (admin, stale_key):
        for attempt in (
            auth.members.set_role(caller, READER.subject, "admin", LOCAL),
            auth.members.remove(caller, READER.subject, LOCAL),
            auth.invitations.create(caller, "admin", LOCAL),
            auth.keys.create(caller, name="", scopes=["db:read"], lifetime_s=None, provenance=LOCAL),
            auth.keys.rotate(caller, key.key.id, overlap_s=0, lifetime_s=None, provenance=LOCAL),
            auth.keys.revoke(caller, key.key.id, LOCAL),
        ):
            with pytest.raises(Unauthenticated):
                await attempt
    assert (await roles(gateway))[READER.subject] == "reader"


async def test_one_who_was_demoted_elsewhere_acts_in_the_new_role(gateway, another_gateway, team):
    other = await another_gateway()
    await gateway.auth.members.set_role(team["owner"], ADMIN.subject, "reader", LOCAL)
    attempt = other.auth.members.set_role(team["admin"], READER.subject, "admin", LOCAL)
    assert await reason(PermissionDenied, attempt) == "scope_missing"


@pytest.mark.parametrize("when", [1, 2, 3])
async def test_demotion_between_reading_and_writing_wins(gateway, team, when):
    questions = 0

    async def demote():
        nonlocal questions
        questions += 1
        if questions == when:
            await gateway.auth.namespaces.grant(SHOP, ADMIN.subject, "reader")

    gateway.database.after_query = demote
    attempt = gateway.auth.members.set_role(team["admin"], READER.subject, "admin", LOCAL)
    if when <= 2:  # It reads the caller's standing, then the member.
        assert await reason(PermissionDenied, attempt) == "scope_missing"
        gateway.database.after_query = None
        assert (await roles(gateway))[READER.subject] == "reader"
    else:
        await attempt


def after_query_number(gateway, when, act):
    """Have `act` happen once, after so many queries of the database."""
    questions = 0

    async def count():
        nonlocal questions
        questions += 1
        if questions == when:
            gateway.database.after_query = None
            await act()

    gateway.database.after_query = count


@pytest.mark.parametrize("when", [1, 2])
@pytest.mark.parametrize("credential", ["token", "key of the sign-in", "lasting key"])
@pytest.mark.parametrize("loss", ["revoked", "demoted"])
async def test_credential_that_is_lost_between_reading_and_writing_does_nothing(gateway, team, credential, loss, when):
    signed_in, lasting = await gateway.sign_in(ADMIN), await gateway.lasting_key(ADMIN)
    caller = await {
        "token": lambda: gateway.by_token(signed_in.access_token.text),
        "key of the sign-in": lambda: gateway.by_key(signed_in.api_key.text),
        "lasting key": lambda: gateway.by_key(lasting.text),
    }[credential]()

    async def lose():
        if loss == "demoted":
            await gateway.auth.namespaces.grant(SHOP, ADMIN.subject, "reader")
        elif credential == "lasting key":
            await gateway.auth.api_keys.revoke(SHOP, lasting.id)
        else:
            await gateway.auth.sessions.logout(
                None, refresh_token=signed_in.refresh_token, namespace=None, everywhere=False
            )

    after_query_number(gateway, when, lose)
    with pytest.raises(Unauthenticated if loss == "revoked" else PermissionDenied):
        await gateway.auth.members.set_role(caller, READER.subject, "member", LOCAL)
    assert (await roles(gateway))[READER.subject] == "reader"


async def test_of_two_owners_who_step_down_at_once_one_stays(gateway, team):
    await gateway.auth.members.set_role(team["owner"], ADMIN.subject, "owner", LOCAL)

    async def other_steps_down():
        await gateway.auth.namespaces.grant(SHOP, ADMIN.subject, "member")

    after_query_number(gateway, 2, other_steps_down)
    attempt = gateway.auth.members.set_role(team["owner"], OWNER.subject, "member", LOCAL)
    assert await reason(Conflict, attempt) == "last_owner"
    assert (await roles(gateway))[OWNER.subject] == "owner"


async def test_world_that_never_rests_is_503_and_nothing_is_done(gateway, team):
    order = ["member", "reader"] * 3

    async def change():
        if order:
            await gateway.auth.namespaces.grant(SHOP, READER.subject, order.pop(0))

    busy = False

    async def once():
        nonlocal busy
        if not busy:
            busy = True
            await change()
            busy = False

    gateway.database.after_query = once
    with pytest.raises(Unavailable) as failure:
        await gateway.auth.members.set_role(team["owner"], READER.subject, "admin", LOCAL)
    gateway.database.after_query = None
    assert failure.value.retry_after_s == 1
    assert (await roles(gateway))[READER.subject] in ("member", "reader")


async def test_foreign_members_do_not_exist(gateway, team):
    banker = await gateway.caller(STRANGER, BANK)
    members = gateway.auth.members
    for wallet in (MEMBER.subject, "0x" + "9" * 40):
        for attempt in (
            members.set_role(banker, wallet, "reader", LOCAL),
            members.remove(banker, wallet, LOCAL),
            gateway.auth.own_namespaces.transfer(banker, wallet, LOCAL),
        ):
            with pytest.raises(NotFound, match=f"^{wallet} is no member here$"):
                await attempt
    assert await roles(gateway) == {wallet.subject: role for wallet, role in ROLES.items()}


async def test_members_come_in_pages_by_wallet(gateway, team):
    page = gateway.auth.members.page
    first = await page(SHOP, limit=3)
    rest = await page(SHOP, limit=3, after=first[-1].wallet)
    assert [one.wallet for one in (*first, *rest)] == sorted(wallet.subject for wallet in ROLES)
    assert len(rest) == 1


async def test_wallet_lists_its_own_namespaces_in_pages(gateway, team):
    await gateway.sign_in(MEMBER, "home")
    page = gateway.auth.own_namespaces.page
    assert [(one.name, one.role) for one in await page(MEMBER.subject, limit=10)] == [
        ("home", "owner"),
        ("shop", "member"),
    ]
    assert [one.name for one in await page(MEMBER.subject, limit=10, after="home")] == ["shop"]
    assert [one.name for one in await page(MEMBER.subject, limit=1)] == ["home"]
    assert await page(STRANGER.subject, limit=10) == []


async def test_wallet_makes_namespaces_up_to_its_limit(another_gateway):
    gateway = await another_gateway(max_namespaces_per_wallet=3, open_namespaces=("default",))
    caller = await gateway.caller(OWNER)
    claim = gateway.auth.own_namespaces.claim
    made = await claim(caller, Namespace("second"), LOCAL)
    assert (made.name, made.role) == ("second", "owner")
    assert (await gateway.caller(OWNER, "second")).scopes == {"*"}
    for taken in ("second", "shop", "default"):
        assert await reason(Conflict, claim(caller, Namespace(taken), LOCAL)) == "namespace_exists"
    await gateway.auth.namespaces.create(Namespace("operators"))
    assert await reason(Conflict, claim(caller, Namespace("operators"), LOCAL)) == "namespace_exists"
    outcomes = await asyncio.gather(
        *(claim(caller, Namespace(f"n{number}"), LOCAL) for number in range(5)), return_exceptions=True
    )
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (4, {"too_many_namespaces"})


async def test_operators_grant_makes_and_changes_members(gateway):
    await gateway.auth.namespaces.create(SHOP)
    assert await roles(gateway) == {}
    for role in ("reader", "owner"):
        await gateway.auth.namespaces.grant(SHOP, OWNER.subject, role)
        assert await roles(gateway) == {OWNER.subject: role}
    with pytest.raises(NotFound, match="no namespace 'nowhere'"):
        await gateway.auth.namespaces.grant(Namespace("nowhere"), OWNER.subject, "owner")
    with pytest.raises(NotFound, match="is no member here"):
        await gateway.auth.namespaces.withdraw(SHOP, STRANGER.subject)


async def test_operator_sees_all_namespaces_in_pages(gateway, team):
    await gateway.auth.namespaces.create(Namespace("made"))
    page = gateway.auth.namespaces.page
    seen = await page(limit=10)
    assert [(one.name, one.kind, one.members, one.owners) for one in seen] == [
        ("made", "operator", 0, 0),
        ("shop", "claimed", 4, 1),
    ]
    assert [one.name for one in await page(limit=1, after="made")] == ["shop"]


async def test_role_that_the_operator_gave_in_an_open_namespace_stays(another_gateway):
    gateway = await another_gateway(open_namespaces=("default",))
    assert (await gateway.caller(MEMBER, "default")).scopes == ROLE_SCOPES["member"]
    await gateway.auth.namespaces.grant(Namespace("default"), MEMBER.subject, "reader")
    assert (await gateway.caller(MEMBER, "default")).scopes == ROLE_SCOPES["reader"]


async def test_open_namespace_admits_a_wallet_that_signs_in_twice_at_once(another_gateway):
    gateway = await another_gateway(open_namespaces=("default",))
    signed = [await gateway.signed(MEMBER, "default", client=str(number)) for number in range(5)]
    assert len(await asyncio.gather(*map(gateway.auth.sign_in.verify, signed))) == 5
    assert await roles(gateway, Namespace("default")) == {MEMBER.subject: "member"}
