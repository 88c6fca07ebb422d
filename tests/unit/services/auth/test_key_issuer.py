"""Keys that callers manage themselves: never more than they have, and seen by those who may."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.audit import LOCAL
from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from orama.services.auth.authenticator import Credentials
from support.identity import SHOP, Gateway
from support.wallet import Wallet

OWNER, ADMIN, MEMBER, READER, STRANGER = (Wallet(number) for number in range(1, 6))
HOUR_S = 3600


@pytest.fixture
async def team(gateway):
    """The callers, by role, of the namespace `shop`."""
    await gateway.sign_in(OWNER)
    roles = {OWNER: "owner", ADMIN: "admin", MEMBER: "member", READER: "reader"}
    return {role: await gateway.member(wallet, role) for wallet, role in roles.items()}


async def create(gateway: Gateway, caller, *scopes, lifetime_s=None, name=""):
    return await gateway.auth.keys.create(caller, name=name, scopes=scopes, lifetime_s=lifetime_s, provenance=LOCAL)


async def rotate(gateway: Gateway, caller, key_id, overlap_s=None, lifetime_s=None):
    return await gateway.auth.keys.rotate(caller, key_id, overlap_s=overlap_s, lifetime_s=lifetime_s, provenance=LOCAL)


async def by_key(gateway: Gateway, *scopes, **options):
    """Who calls with a key of the operator's."""
    return await gateway.by_key((await gateway.auth.api_keys.create(SHOP, scopes=scopes, **options)).text)


async def reason(kind, attempt):
    with pytest.raises(kind) as failure:
        await attempt
    return failure.value.reason


async def ids(gateway: Gateway, caller, **options):
    return [one.id for one in await gateway.auth.keys.page(caller, limit=100, **options)]


async def assert_dead(gateway: Gateway, key):
    with pytest.raises(Unauthenticated, match="invalid API key"):
        await gateway.by_key(key.text)


async def test_new_key_reaches_what_was_asked_for_and_is_the_wallets(gateway, team):
    made = await create(gateway, team["member"], "db:read", "cache:*", name="till")
    caller = await gateway.by_key(made.key.text)
    assert (caller.scopes, caller.wallet, caller.namespace) == ({"db:read", "cache:*"}, MEMBER.subject, SHOP)
    record = await gateway.auth.keys.get(team["member"], made.key.id)
    assert (record.name, record.created_by, record.expires_at, record.family) == ("till", MEMBER.subject, None, None)


@pytest.mark.parametrize(
    ("role", "scopes", "missing"),
    [
        ("reader", ["db:write"], ["db:write"]),
        ("reader", ["db:read", "cache:*", "*"], ["*", "cache:*"]),
        ("reader", ["db"], ["db"]),
        ("member", ["members:read"], ["members:read"]),
        ("member", ["keys:write"], ["keys:write"]),
        ("member", ["*"], ["*"]),
        ("admin", ["*"], ["*"]),
        ("admin", ["audit:*"], ["audit:*"]),
    ],
)
async def test_key_never_reaches_further_than_its_maker(gateway, team, role, scopes, missing):
    before = await ids(gateway, team["owner"])
    with pytest.raises(PermissionDenied) as failure:
        await create(gateway, team[role], *scopes)
    assert (failure.value.reason, failure.value.details) == ("beyond_caller", {"missing": missing})
    assert await ids(gateway, team["owner"]) == before


async def test_key_makes_keys_within_its_own_scopes_and_time(gateway, team, clock):
    now_ms = round(clock.now() * 1000)
    maker = await by_key(gateway, "keys:write:own", "db:*", expires_at=now_ms + HOUR_S * 1000)
    assert await reason(PermissionDenied, create(gateway, maker, "cache:read")) == "beyond_caller"
    made = await create(gateway, maker, "db:read")
    assert made.expires_at == now_ms + HOUR_S * 1000, "it ends with its maker, unless sooner"
    assert (await create(gateway, maker, "db:read", lifetime_s=60)).expires_at == now_ms + 60_000
    assert await reason(InvalidArgument, create(gateway, maker, "db:read", lifetime_s=HOUR_S + 1)) == "invalid_expiry"
    caller = await gateway.by_key(made.key.text)
    assert (caller.wallet, caller.scopes) == (None, {"db:read"})
    assert {one.id: one.created_by for one in await gateway.auth.api_keys.list(SHOP)}[made.key.id] == maker.subject


async def test_wallet_that_joins_a_key_is_bound_by_that_keys_time_for_what_the_key_adds(gateway, team, clock):
    now_ms = round(clock.now() * 1000)
    token = (await gateway.sign_in(READER)).access_token.text
    key = await gateway.auth.api_keys.create(SHOP, scopes=["db:write"], expires_at=now_ms + 60_000)
    both = await gateway.auth.authenticator.authenticate(Credentials(token, key.text))
    assert (await create(gateway, both, "db:read")).expires_at is None
    made = await create(gateway, both, "db:read", "db:write")
    assert made.expires_at == now_ms + 60_000
    assert (await gateway.by_key(made.key.text)).scopes == {"db:read"}, "it is the reader's all the same"


async def test_key_without_the_scope_makes_none(gateway, team):
    for scopes in (["db:*"], ["keys:read"], ["keys:read:own"]):
        assert await reason(PermissionDenied, create(gateway, await by_key(gateway, *scopes), "db:read")) == (
            "scope_missing"
        )


@pytest.mark.parametrize(
    ("scopes", "refusal"),
    [
        ([], "missing_field"),
        (["db:raed"], "unknown_scope"),
        (["shop:read"], "unknown_scope"),
        (["db read"], "invalid_scope"),
    ],
)
async def test_scopes_that_mean_nothing_are_told(gateway, team, scopes, refusal):
    assert await reason(InvalidArgument, create(gateway, team["owner"], *scopes)) == refusal


async def test_name_has_an_end(gateway, team):
    assert (await create(gateway, team["owner"], "db:read", name="x" * 128)).name == "x" * 128
    assert await reason(InvalidArgument, create(gateway, team["owner"], "db:read", name="x" * 129)) == "invalid_name"


async def test_expiring_key_ends(gateway, team, clock):
    made = await create(gateway, team["owner"], "db:read", lifetime_s=60)
    assert await gateway.by_key(made.key.text)
    clock.advance(60)
    await assert_dead(gateway, made.key)


async def test_wallet_has_so_many_keys_however_they_are_made_even_at_once(another_gateway):
    gateway = await another_gateway(max_keys_per_wallet=4)
    owner = await gateway.caller(OWNER)
    await gateway.lasting_key(OWNER)
    outcomes = await asyncio.gather(*(create(gateway, owner, "db:read") for _ in range(6)), return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (3, {"too_many_keys"})
    with pytest.raises(Conflict):
        await gateway.lasting_key(OWNER)
    made = next(one for one in outcomes if not isinstance(one, Conflict))
    assert await rotate(gateway, owner, made.key.id), "a key that was replaced does not count"
    assert await reason(Conflict, create(gateway, owner, "db:read")) == "too_many_keys"


async def test_keys_make_so_many_keys_in_a_namespace_and_the_operator_more(another_gateway):
    gateway = await another_gateway(max_keys_without_wallet=3)
    await gateway.auth.namespaces.create(SHOP)
    maker = await by_key(gateway, "*")
    outcomes = await asyncio.gather(*(create(gateway, maker, "db:read") for _ in range(5)), return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (2, {"too_many_keys"})
    assert await by_key(gateway, "db:read")


async def test_each_sees_the_keys_it_may(gateway, team):
    mine = await create(gateway, team["member"], "db:read")
    readers = await create(gateway, team["reader"], "db:read")
    sees = {role: set(await ids(gateway, caller)) for role, caller in team.items()}
    assert {mine.key.id, readers.key.id} <= sees["admin"] == sees["owner"]
    assert mine.key.id in sees["member"]
    assert readers.key.id not in sees["member"]
    assert {one.wallet for one in await gateway.auth.keys.page(team["member"], limit=100)} == {MEMBER.subject}
    get = gateway.auth.keys.get
    assert (await get(team["admin"], readers.key.id)).wallet == READER.subject
    for unknown in (readers.key.id, "none"):
        assert await reason(NotFound, get(team["member"], unknown)) == "unknown_key"


async def test_key_of_nobody_with_own_scopes_sees_itself_alone(gateway, team):
    itself = await by_key(gateway, "keys:read:own", "keys:write:own", "db:read")
    assert await ids(gateway, itself) == [itself.key_id]
    other = await by_key(gateway, "db:read")
    assert await reason(NotFound, gateway.auth.keys.revoke(itself, other.key_id, LOCAL)) == "unknown_key"
    assert await reason(NotFound, rotate(gateway, itself, other.key_id)) == "unknown_key"
    made = await rotate(gateway, itself, itself.key_id, overlap_s=0)
    assert (await gateway.by_key(made.key.text)).scopes == itself.scopes


async def test_keys_of_another_namespace_do_not_exist(gateway, team):
    made = await create(gateway, team["owner"], "db:read")
    stranger = await gateway.caller(STRANGER, "bank")
    for key_id in (made.key.id, "a" * 17):
        texts = set()
        for attempt in (
            gateway.auth.keys.get(stranger, key_id),
            gateway.auth.keys.revoke(stranger, key_id, LOCAL),
            rotate(gateway, stranger, key_id),
        ):
            with pytest.raises(NotFound) as failure:
                await attempt
            texts.add(failure.value.text.replace(key_id, "ID"))
        assert texts == {"there is no API key 'ak_ID' here"}
    assert made.key.id not in await ids(gateway, stranger, ended=True)
    assert await gateway.by_key(made.key.text)


async def test_keys_come_in_pages_oldest_first_and_ended_ones_on_demand(gateway, team, clock):
    made = []
    for _ in range(5):
        clock.advance(1)
        made.append((await create(gateway, team["member"], "db:read")).key.id)
    await gateway.auth.keys.revoke(team["member"], made[1], LOCAL)
    page = gateway.auth.keys.page
    first = await page(team["member"], limit=3)
    rest = await page(team["member"], limit=10, after=(first[-1].created_at, first[-1].id))
    (sign_in, *_) = first
    assert sign_in.family is not None
    assert [one.id for one in (*first, *rest)] == [sign_in.id, made[0], *made[2:]]
    assert await ids(gateway, team["member"], ended=True) == [sign_in.id, *made]


async def test_key_of_an_ended_sign_in_counts_as_ended(gateway, team):
    signed_in = await gateway.sign_in(MEMBER)
    assert signed_in.api_key.id in await ids(gateway, team["member"])
    await gateway.auth.sessions.logout(None, refresh_token=signed_in.refresh_token, namespace=None, everywhere=False)
    assert signed_in.api_key.id not in await ids(gateway, team["member"])
    assert signed_in.api_key.id in await ids(gateway, team["member"], ended=True)


async def test_revoked_key_is_dead_at_once_and_twice_does_nothing(gateway, team):
    made = await create(gateway, team["member"], "db:read")
    assert await gateway.by_key(made.key.text)
    for _ in range(2):
        await gateway.auth.keys.revoke(team["member"], made.key.id, LOCAL)
        await assert_dead(gateway, made.key)


async def test_admin_revokes_keys_of_others_up_to_its_own_reach(gateway, team):
    revoke = gateway.auth.keys.revoke
    for wallet in (MEMBER, READER):
        key = await gateway.lasting_key(wallet)
        await revoke(team["admin"], key.id, LOCAL)
        await assert_dead(gateway, key)
    owners, operators = await gateway.lasting_key(OWNER), await gateway.auth.api_keys.create(SHOP)
    for key in (owners, operators):
        assert await reason(PermissionDenied, revoke(team["admin"], key.id, LOCAL)) == "beyond_caller"
        assert await gateway.by_key(key.text)
        await revoke(team["owner"], key.id, LOCAL)
        await assert_dead(gateway, key)


async def test_member_revokes_its_own_keys_whatever_they_reach(gateway, team):
    key = await gateway.lasting_key(READER)
    await gateway.auth.keys.revoke(team["reader"], key.id, LOCAL)
    await assert_dead(gateway, key)


async def test_rotated_key_works_until_the_overlap_ends(gateway, team, clock):
    old = await create(gateway, team["member"], "db:read", "cache:*", name="till")
    assert await gateway.by_key(old.key.text)
    new = await rotate(gateway, team["member"], old.key.id, overlap_s=HOUR_S)
    assert (new.name, new.scopes, new.expires_at) == ("till", {"db:read", "cache:*"}, None)
    assert (new.replaces, new.replaced_until) == (old.key.id, round(clock.now() * 1000) + HOUR_S * 1000)
    assert (await gateway.by_key(new.key.text)).scopes == (await gateway.by_key(old.key.text)).scopes
    assert (await gateway.auth.keys.get(team["owner"], old.key.id)).replaced_by == new.key.id
    clock.advance(HOUR_S)
    await assert_dead(gateway, old.key)
    assert (await gateway.by_key(new.key.text)).wallet == MEMBER.subject


async def test_overlap_has_a_default_and_a_limit_and_may_be_nothing(gateway, team, clock):
    now_ms = round(clock.now() * 1000)
    old = await create(gateway, team["member"], "db:read")
    assert await reason(
        InvalidArgument, rotate(gateway, team["member"], old.key.id, overlap_s=7 * 24 * HOUR_S + 1)
    ) == ("invalid_overlap")
    second = await rotate(gateway, team["member"], old.key.id)
    assert second.replaced_until == now_ms + 24 * HOUR_S * 1000
    await gateway.auth.keys.revoke(team["member"], old.key.id, LOCAL)
    assert await gateway.by_key(second.key.text)
    third = await rotate(gateway, team["member"], second.key.id, overlap_s=0)
    await assert_dead(gateway, second.key)
    assert await gateway.by_key(third.key.text)


async def test_rotation_keeps_the_end_unless_another_is_asked_for(gateway, team, clock):
    now_ms = round(clock.now() * 1000)
    old = await create(gateway, team["member"], "db:read", lifetime_s=HOUR_S)
    second = await rotate(gateway, team["member"], old.key.id, overlap_s=2 * HOUR_S)
    assert (second.expires_at, second.replaced_until) == (now_ms + HOUR_S * 1000, now_ms + HOUR_S * 1000)
    await gateway.auth.keys.revoke(team["member"], old.key.id, LOCAL)
    third = await rotate(gateway, team["member"], second.key.id, lifetime_s=10 * HOUR_S)
    assert third.expires_at == now_ms + 10 * HOUR_S * 1000


async def test_key_cannot_rotate_itself_beyond_its_own_end(gateway, team, clock):
    now_ms = round(clock.now() * 1000)
    itself = await by_key(gateway, "keys:write:own", "db:read", expires_at=now_ms + HOUR_S * 1000)
    attempt = rotate(gateway, itself, itself.key_id, lifetime_s=HOUR_S + 1)
    assert await reason(InvalidArgument, attempt) == "invalid_expiry"
    assert (await rotate(gateway, itself, itself.key_id)).expires_at == now_ms + HOUR_S * 1000


async def test_key_is_rotated_once_and_a_line_has_two_good_keys_at_most(gateway, team, clock):
    member = team["member"]
    old = await create(gateway, member, "db:read")
    outcomes = await asyncio.gather(*(rotate(gateway, member, old.key.id) for _ in range(4)), return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert (len(lost), {one.reason for one in lost}) == (3, {"already_rotated"})
    (new,) = [one for one in outcomes if not isinstance(one, Conflict)]
    assert await reason(Conflict, rotate(gateway, member, new.key.id)) == "rotation_under_way"
    clock.advance(24 * HOUR_S)
    assert await rotate(gateway, await gateway.caller(MEMBER), new.key.id)
    assert await reason(NotFound, rotate(gateway, await gateway.caller(MEMBER), old.key.id)) == "unknown_key"


async def test_secret_of_a_key_is_renewed_by_those_alone_whose_it_is(gateway, team):
    """Whoever rotates a key learns its new secret: that must never be a way to more."""
    members, operators = await gateway.lasting_key(MEMBER), await gateway.auth.api_keys.create(SHOP)
    few = await gateway.auth.api_keys.create(SHOP, scopes=["db:read"])
    for role in ("admin", "owner"):
        assert await reason(PermissionDenied, rotate(gateway, team[role], members.id)) == "anothers_key"
    assert await reason(PermissionDenied, rotate(gateway, team["admin"], operators.id)) == "beyond_caller"
    assert await rotate(gateway, team["admin"], few.id)
    assert await rotate(gateway, team["owner"], operators.id)
    assert await reason(NotFound, rotate(gateway, team["member"], few.id)) == "unknown_key"


async def test_key_of_a_sign_in_is_not_rotated(gateway, team):
    signed_in = await gateway.sign_in(MEMBER)
    assert await reason(Conflict, rotate(gateway, team["member"], signed_in.api_key.id)) == "sign_in_key"


async def test_member_loses_with_the_role_what_its_keys_would_reach(gateway, team):
    made = await create(gateway, team["admin"], "members:*", "db:*")
    await gateway.auth.members.set_role(team["owner"], ADMIN.subject, "reader", LOCAL)
    assert (await gateway.by_key(made.key.text)).scopes == {"db:read"}
    record = await gateway.auth.keys.get(await gateway.caller(ADMIN), made.key.id)
    assert (record.scopes, record.effective_scopes) == ({"members:*", "db:*"}, {"db:read"})


async def test_keys_of_other_namespaces_with_the_same_wallet_are_apart(gateway, team):
    at_home = await gateway.caller(MEMBER, "home")
    made = await create(gateway, team["member"], "db:read")
    assert made.key.id not in await ids(gateway, at_home, ended=True)
    assert Namespace("home") == at_home.namespace
