"""The audit log: every act with who, what, on what, when and from where; with the act or not at all; no secret."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from orama.domain.audit import ANYONE, OPERATOR, Action, Provenance
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.errors import Conflict, OramaError, PermissionDenied, Unauthenticated
from orama.services.auth.sign_in import SignedChallenge
from support.identity import SHOP
from support.sqlite import on_disk
from support.wallet import Wallet

OWNER, GUEST, MEMBER = Wallet(1), Wallet(2), Wallet(3)
HERE = Provenance("request-1", "192.0.2.1")
HOME = Namespace("home")
DAY_S = 24 * 3600


async def entries(gateway, namespace=SHOP, **options):
    return await gateway.auth.audit.page(namespace, limit=100, **options)


async def added(gateway, attempt, namespace=SHOP):
    """What the log gained by `attempt`, as actor, action and target, and the outcome."""
    before = {one.id for one in await entries(gateway, namespace)}
    outcome = await attempt
    return [one for one in await entries(gateway, namespace) if one.id not in before], outcome


async def assert_one(gateway, attempt, actor, action, target, namespace=SHOP, **details):
    """`attempt` leaves exactly this entry; returns its outcome."""
    (entry,), outcome = await added(gateway, attempt, namespace)
    assert (entry.actor, entry.action) == (actor, action.value)
    assert entry.target == (target(outcome) if callable(target) else target)
    assert entry.details == details
    assert (entry.request_id, entry.client) == ("request-1", "192.0.2.1")
    assert entry.at == round(gateway.clock.now() * 1000)
    return outcome


async def test_claim_and_sign_in_are_told(gateway):
    signed = await gateway.signed(OWNER)
    new, signed_in = await added(gateway, gateway.auth.sign_in.verify(signed, HERE))
    told = {(one.actor, one.action, one.target) for one in new}
    family = (await gateway.by_token(signed_in.access_token.text)).family
    assert told == {
        (OWNER.subject, "namespace.create", "shop"),
        (OWNER.subject, "session.sign_in", family),
    }
    assert {one.request_id for one in new} == {"request-1"}


async def test_acts_on_members_are_told(gateway):
    owner = await gateway.caller(OWNER)
    guest = await gateway.caller(GUEST, HOME)
    auth, who = gateway.auth, OWNER.subject
    made = await assert_one(
        gateway, auth.invitations.create(owner, "reader", HERE, invited=GUEST.subject),
        who, Action.INVITATION_CREATE, lambda made: made.invitation.id, role="reader", invited=GUEST.subject,
    )  # fmt: skip
    await assert_one(
        gateway, auth.invitations.accept(guest, made.token, HERE),
        GUEST.subject, Action.INVITATION_ACCEPT, made.invitation.id, role="reader",
    )  # fmt: skip
    await assert_one(
        gateway, auth.members.set_role(owner, GUEST.subject, "admin", HERE),
        who, Action.MEMBER_ROLE, GUEST.subject, role="admin", before="reader",
    )  # fmt: skip
    another = (await auth.invitations.create(owner, "reader", HERE)).invitation
    await assert_one(
        gateway, auth.invitations.revoke(owner, another.id, HERE), who, Action.INVITATION_REVOKE, another.id
    )
    await assert_one(
        gateway, auth.own_namespaces.transfer(owner, GUEST.subject, HERE), who, Action.NAMESPACE_TRANSFER, GUEST.subject
    )
    await assert_one(gateway, auth.own_namespaces.leave(owner, HERE), who, Action.MEMBER_LEAVE, who)
    await gateway.member(MEMBER, "member")
    guest = await gateway.caller(GUEST)
    await assert_one(
        gateway, auth.members.remove(guest, MEMBER.subject, HERE),
        GUEST.subject, Action.MEMBER_REMOVE, MEMBER.subject, role="member",
    )  # fmt: skip
    await assert_one(
        gateway, auth.own_namespaces.claim(guest, Namespace("third"), HERE),
        GUEST.subject, Action.NAMESPACE_CREATE, "third", namespace=Namespace("third"),
    )  # fmt: skip


async def test_acts_on_keys_are_told(gateway):
    owner, keys = await gateway.caller(OWNER), gateway.auth.keys
    made = await assert_one(
        gateway, keys.create(owner, name="till", scopes=["db:read", "cache:*"], lifetime_s=None, provenance=HERE),
        OWNER.subject, Action.KEY_CREATE, lambda made: f"ak_{made.key.id}", name="till", scopes="cache:* db:read",
    )  # fmt: skip
    new, rotated = await added(gateway, keys.rotate(owner, made.key.id, overlap_s=0, lifetime_s=None, provenance=HERE))
    assert [(one.action, one.target) for one in new] == [
        ("key.rotate", f"ak_{made.key.id}"),
        ("key.create", f"ak_{rotated.key.id}"),
    ], "the last comes first, also within one millisecond"
    by_key = await gateway.by_key((await gateway.lasting_key(OWNER)).text)
    target = f"ak_{rotated.key.id}"
    await assert_one(gateway, keys.revoke(by_key, rotated.key.id, HERE), by_key.subject, Action.KEY_REVOKE, target)
    assert (await added(gateway, keys.revoke(by_key, rotated.key.id, HERE)))[0] == [], "it changed nothing"
    signed = await gateway.signed(OWNER)
    await assert_one(
        gateway, gateway.auth.sign_in.create_api_key(signed, HERE),
        OWNER.subject, Action.KEY_CREATE, lambda made: f"ak_{made.key.id}", name="signed", scopes="*",
    )  # fmt: skip


async def test_ends_of_sign_ins_are_told(gateway, clock):
    sessions = gateway.auth.sessions
    signed_in = [await gateway.sign_in(OWNER) for _ in range(4)]
    families = [(await gateway.by_token(one.access_token.text)).family for one in signed_in]
    by_token = {"refresh_token": signed_in[0].refresh_token, "namespace": None, "everywhere": False}
    who = OWNER.subject
    await assert_one(
        gateway, sessions.logout(None, **by_token, provenance=HERE),
        who, Action.SESSION_LOGOUT, families[0], sign_ins=1,
    )  # fmt: skip
    assert (await added(gateway, sessions.logout(None, **by_token, provenance=HERE)))[0] == []
    await sessions.refresh(signed_in[1].refresh_token, None, HERE)
    clock.advance(11)

    async def reuse():
        with pytest.raises(Unauthenticated):
            await sessions.refresh(signed_in[1].refresh_token, None, HERE)

    await assert_one(gateway, reuse(), who, Action.SESSION_REUSE, families[1], sign_ins=1)
    assert (await added(gateway, reuse()))[0] == [], "the sign-in has ended"
    caller = await gateway.by_token(signed_in[2].access_token.text)
    everywhere = {"refresh_token": "", "namespace": None, "everywhere": True}
    await assert_one(
        gateway, sessions.logout(caller, **everywhere, provenance=HERE),
        who, Action.SESSION_LOGOUT_ALL, None, sign_ins=2,
    )  # fmt: skip


async def test_logins_by_the_page_and_reuse_of_their_codes_are_told(gateway):
    await gateway.sign_in(OWNER)
    logins, verifier, callback = gateway.auth.logins, "v" * 64, "http://127.0.0.1:51234/callback"
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = logins.request(
        callback=callback, namespace=SHOP, code_challenge=digest, code_challenge_method="S256", state=""
    )
    challenge = await gateway.auth.sign_in.challenge(
        OWNER.address, SHOP, asked.purpose, origin=None, client="192.0.2.1"
    )
    signed = SignedChallenge(OWNER.address, challenge.text, OWNER.sign(challenge.text))
    address = await logins.finish(asked, signed, HERE)
    (code,) = parse_qs(urlsplit(address).query)["code"]
    (new,), login = await added(gateway, logins.exchange(code, verifier, callback, HERE))
    family = (await gateway.by_token(login.credentials.access_token.text)).family
    assert (new.actor, new.action, new.target, new.request_id) == (
        OWNER.subject, "session.sign_in", family, "request-1",
    )  # fmt: skip

    async def reuse():
        with pytest.raises(Unauthenticated):
            await logins.exchange(code, verifier, callback, HERE)

    await assert_one(gateway, reuse(), OWNER.subject, Action.SESSION_CODE_REUSE, family, sign_ins=1)
    assert code not in str(await entries(gateway))


async def test_wallets_of_an_account_are_told_in_each_of_its_namespaces(gateway):
    await gateway.sign_in(OWNER, "home")
    owner, linking = await gateway.caller(OWNER), gateway.auth.linking
    challenge = await linking.challenge(owner, MEMBER.address, origin=None, client="192.0.2.1")
    signed = SignedChallenge(MEMBER.address, challenge.text, MEMBER.sign(challenge.text))
    await assert_one(gateway, linking.link(owner, signed, HERE), OWNER.subject, Action.WALLET_LINK, MEMBER.subject)
    (elsewhere,) = await entries(gateway, HOME, action="wallet.link")
    assert (elsewhere.actor, elsewhere.target) == (OWNER.subject, MEMBER.subject)
    (new, *others), _ = await added(gateway, gateway.sign_in(MEMBER))
    assert (others, new.actor, new.action, new.details) == (
        [], OWNER.subject, "session.sign_in", {"signer": MEMBER.subject},
    )  # fmt: skip
    await assert_one(
        gateway, linking.unlink(owner, MEMBER.address, revoke_keys=False, provenance=HERE),
        OWNER.subject, Action.WALLET_UNLINK, MEMBER.subject, revoke_keys=False,
    )  # fmt: skip


async def test_apps_and_keys_without_a_signature_are_told(another_gateway):
    gateway = await another_gateway(development=True, open_namespaces=("default",))
    await assert_one(
        gateway, gateway.auth.sign_in.create_unclaimed_key(OWNER.address, "shop", HERE),
        ANYONE, Action.KEY_CREATE, lambda made: f"ak_{made.key.id}", name=f"simple key of {OWNER.subject}", scopes="*",
    )  # fmt: skip
    await gateway.sign_in(OWNER)
    signed = await gateway.signed(OWNER)
    await assert_one(
        gateway, gateway.auth.sign_in.register(signed, "app", HERE), OWNER.subject, Action.APP_REGISTER,
        lambda app: app.id,
    )  # fmt: skip
    await gateway.sign_in(OWNER, "default")
    (joined,) = await entries(gateway, Namespace("default"), action="member.join")
    assert (joined.actor, joined.target, joined.details) == (OWNER.subject, OWNER.subject, {"role": "member"})


async def test_acts_of_the_operator_are_told(gateway):
    auth = gateway.auth
    await auth.namespaces.create(SHOP)
    await auth.namespaces.grant(SHOP, OWNER.subject, "reader")
    await auth.namespaces.grant(SHOP, OWNER.subject, "member")
    key = await auth.api_keys.create(SHOP, name="ci", scopes=["db:read"])
    await auth.api_keys.revoke(SHOP, key.id)
    await auth.namespaces.withdraw(SHOP, OWNER.subject)
    told = await entries(gateway)
    assert {(one.actor, one.request_id, one.client) for one in told} == {(OPERATOR, "", "")}
    assert sorted((one.action, one.target) for one in told) == sorted(
        [
            ("namespace.create", "shop"),
            ("member.join", OWNER.subject),
            ("member.role", OWNER.subject),
            ("member.remove", OWNER.subject),
            ("key.create", f"ak_{key.id}"),
            ("key.revoke", f"ak_{key.id}"),
        ]
    )


async def test_every_kind_of_act_has_a_test_here():
    """Whoever adds a kind of act adds its test; these are the ones above."""
    source = Path(__file__).read_text()
    for action in Action:
        assert f"Action.{action.name}" in source or f'"{action.value}"' in source, action


async def test_act_that_is_refused_leaves_no_entry(gateway):
    owner, member = await gateway.caller(OWNER), await gateway.member(MEMBER, "member")
    before = await entries(gateway)
    for kind, attempt in (
        (Conflict, gateway.auth.own_namespaces.leave(owner, HERE)),
        (PermissionDenied, gateway.auth.members.remove(member, OWNER.subject, HERE)),
        (PermissionDenied, gateway.auth.keys.create(member, name="", scopes=["*"], lifetime_s=None, provenance=HERE)),
    ):
        with pytest.raises(kind):
            await attempt
    assert await entries(gateway) == before


async def test_act_whose_entry_cannot_be_written_does_not_happen(gateway):
    owner = await gateway.caller(OWNER)
    await gateway.member(MEMBER, "member")
    key = await gateway.lasting_key(MEMBER)
    made = await gateway.auth.invitations.create(owner, "reader", HERE)
    invitation, token = made.invitation, made.token
    guest = await gateway.caller(GUEST, HOME)
    signed = [await gateway.signed(OWNER, client=str(number)) for number in range(3)]
    await gateway.database.execute(PLATFORM, [Statement("ALTER TABLE audit RENAME TO audit_away")])
    tables = ("members", "api_keys", "invitations", "families", "namespaces", "apps")
    before = [await gateway.rows(f"SELECT * FROM {table}") for table in tables]
    auth = gateway.auth
    for attempt in (
        auth.members.set_role(owner, MEMBER.subject, "reader", HERE),
        auth.members.remove(owner, MEMBER.subject, HERE),
        auth.invitations.create(owner, "reader", HERE),
        auth.invitations.revoke(owner, invitation.id, HERE),
        auth.invitations.accept(guest, token, HERE),
        auth.own_namespaces.claim(owner, Namespace("third"), HERE),
        auth.own_namespaces.transfer(owner, MEMBER.subject, HERE),
        auth.keys.create(owner, name="", scopes=["*"], lifetime_s=None, provenance=HERE),
        auth.keys.revoke(owner, key.id, HERE),
        auth.sessions.logout(owner, refresh_token="", namespace=None, everywhere=True, provenance=HERE),
        auth.sign_in.verify(signed[0], HERE),
        auth.sign_in.create_api_key(signed[1], HERE),
        auth.sign_in.register(signed[2], "app", HERE),
        auth.namespaces.create(Namespace("fourth")),
        auth.namespaces.grant(SHOP, GUEST.subject, "reader"),
        auth.namespaces.withdraw(SHOP, MEMBER.subject),
        auth.api_keys.create(SHOP),
        auth.api_keys.revoke(SHOP, key.id),
    ):
        with pytest.raises(OramaError, match="no such table: audit"):
            await attempt
    assert [await gateway.rows(f"SELECT * FROM {table}") for table in tables] == before


async def test_no_secret_stands_in_the_log(gateway):
    signed_in, lasting = await gateway.sign_in(OWNER), await gateway.lasting_key(OWNER)
    owner = await gateway.by_token(signed_in.access_token.text)
    token = (await gateway.auth.invitations.create(owner, "reader", HERE)).token
    new = await gateway.auth.keys.rotate(owner, lasting.id, overlap_s=0, lifetime_s=None, provenance=HERE)
    await gateway.auth.sessions.logout(owner, refresh_token="", namespace=None, everywhere=True, provenance=HERE)
    log = msgspec.json.encode(await entries(gateway)).decode()
    for secret in (
        *(signed_in.refresh_token, signed_in.api_key.secret, lasting.secret, new.key.secret),
        *(signed_in.access_token.text, token, token.removeprefix("inv_")),
    ):
        assert secret not in log
    assert lasting.id in log


async def test_log_comes_in_pages_newest_first(gateway, clock):
    owner = await gateway.caller(OWNER)
    for _ in range(7):
        clock.advance(1)
        await gateway.auth.invitations.create(owner, "reader", HERE)
    everything = await entries(gateway)
    assert [one.at for one in everything] == sorted((one.at for one in everything), reverse=True)
    seen, before = [], None
    while page := await gateway.auth.audit.page(SHOP, limit=2, before=before):
        seen += page
        before = (page[-1].at, page[-1].id)
    assert seen == everything


async def test_log_is_asked_for_by_actor_and_by_action(gateway):
    owner = await gateway.caller(OWNER)
    await gateway.member(MEMBER, "member")
    await gateway.auth.invitations.create(owner, "reader", HERE)
    assert {one.actor for one in await entries(gateway, actor=MEMBER.subject)} == {MEMBER.subject}
    assert [one.action for one in await entries(gateway, action="invitation.create")] == ["invitation.create"]
    assert await entries(gateway, action="invitation.create", actor=MEMBER.subject) == []
    assert await entries(gateway, action="nonsense' OR 1") == []


async def test_log_of_another_namespace_is_not_seen(gateway):
    await gateway.sign_in(OWNER)
    await gateway.sign_in(GUEST, "home")
    assert {one.namespace for one in await entries(gateway)} == {SHOP}
    assert {one.actor for one in await entries(gateway, HOME)} == {GUEST.subject}
    assert await entries(gateway, HOME, actor=OWNER.subject) == []


@pytest.mark.parametrize(
    "options", [{}, {"actor": "a"}, {"action": "b"}, {"before": (1, "x")}, {"actor": "a", "before": (1, "x")}]
)
async def test_pages_are_read_from_an_index_without_sorting(gateway, database, tmp_path, options):
    seen = []
    query = database.query

    async def watched(namespace, statement, **consistency):
        seen.append(statement)
        return await query(namespace, statement, **consistency)

    database.query = watched
    await gateway.auth.audit.page(SHOP, limit=10, **options)
    (statement,) = seen
    file = on_disk(tmp_path, PLATFORM)
    steps = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.args)]
    file.close()
    (step,) = steps
    assert step.startswith("SEARCH audit USING")


async def test_old_entries_are_swept(another_gateway, clock):
    gateway = await another_gateway(audit_retention_s=10 * DAY_S)
    await gateway.sign_in(OWNER)
    clock.advance(DAY_S)
    await gateway.sign_in(OWNER)
    (sweep,) = [one for one in gateway.auth.sweeps if one.name == "audit"]
    clock.advance(9 * DAY_S)
    assert await sweep.remove(10) == 0
    clock.advance(0.001)
    assert [await sweep.remove(1) for _ in range(3)] == [1, 1, 0]
    assert [one.action for one in await entries(gateway)] == ["session.sign_in"]
