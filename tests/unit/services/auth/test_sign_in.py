"""Sign-in with a wallet: what counts, and every attack of the threat model that does not."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest

from orama.domain.sign_in_message import parse_message
from orama.errors import Conflict, InvalidArgument, PermissionDenied, RateLimited, Unauthenticated
from support.identity import SHOP, Gateway
from support.wallet import Wallet, malleated, with_v

OWNER, STRANGER = Wallet(1), Wallet(2)


def changed(signed, **fields):
    return msgspec.structs.replace(signed, **fields)


async def refused(gateway: Gateway, signed, use="verify") -> str | None:
    """The reason of the refusal, which must be the one text for all."""
    with pytest.raises(Unauthenticated) as failure:
        await present(gateway, signed, use)
    assert failure.value.text == "signature verification failed"
    return failure.value.reason


async def present(gateway: Gateway, signed, use):
    sign_in = gateway.auth.sign_in
    match use:
        case "verify":
            return await sign_in.verify(signed)
        case "api-key":
            return await sign_in.create_api_key(signed)
        case "register":
            return await sign_in.register(signed, "app")


async def test_a_signed_challenge_gives_credentials_that_work(gateway):
    signed_in = await gateway.sign_in(OWNER)
    by_token = await gateway.by_token(signed_in.access_token.text)
    by_key = await gateway.by_key(signed_in.api_key.text)
    assert (by_token.subject, by_token.namespace) == (OWNER.subject, SHOP)
    assert (by_key.subject, by_key.namespace) == (f"ak_{signed_in.api_key.id}", SHOP)
    assert by_token.family == by_key.family
    assert signed_in.access_token.expires_in == 900


async def test_item_3_the_text_names_everything_the_signature_is_bound_to(gateway):
    signed = await gateway.signed(OWNER, "shop", "api_key_generation")
    message = parse_message(signed.text)
    assert message.domain == "localhost"
    assert message.address == OWNER.address
    assert message.statement == "Create an API key for the namespace shop."
    assert message.chain_id == "1"
    assert re.fullmatch(r"[0-9A-Za-z]{22}", message.nonce)
    assert message.expiration_time == "2027-01-15T08:05:00.000Z"


async def test_only_the_hash_of_the_text_is_stored(gateway):
    signed = await gateway.signed(OWNER)
    nonce = parse_message(signed.text).nonce
    (row,) = await gateway.rows("SELECT * FROM challenges")
    assert nonce not in repr(row)


@pytest.mark.parametrize("spelling", ["checksum", "lower", "upper", "bare", "bare upper"])
async def test_w14_letter_case_never_makes_a_second_wallet(gateway, spelling):
    await gateway.sign_in(OWNER)
    address = {
        "checksum": OWNER.address,
        "lower": OWNER.subject,
        "upper": "0x" + OWNER.bare.upper(),
        "bare": OWNER.bare,
        "bare upper": OWNER.bare.upper(),
    }[spelling]
    signed_in = await gateway.auth.sign_in.verify(changed(await gateway.signed(OWNER), wallet=address))
    assert (await gateway.by_token(signed_in.access_token.text)).subject == OWNER.subject
    assert await gateway.rows("SELECT wallet, role FROM members") == [(OWNER.subject, "owner")]


async def test_w2_a_signature_counts_once(gateway):
    signed = await gateway.signed(OWNER)
    await gateway.auth.sign_in.verify(signed)
    for use in ("verify", "api-key", "register"):
        assert await refused(gateway, signed, use) == "challenge_unknown_or_used"


async def test_w2_a_text_that_the_gateway_did_not_write_never_counts(gateway):
    signed = await gateway.signed(OWNER)
    own = parse_message(signed.text)
    text = msgspec.structs.replace(own, nonce="0" * 22).text
    assert await refused(gateway, changed(signed, text=text, signature=OWNER.sign(text))) == "challenge_unknown_or_used"
    for text in ("", "nonce", own.nonce, signed.text + "\n", signed.text + " and more", "\n" + signed.text):
        assert await refused(gateway, changed(signed, text=text, signature=OWNER.sign(text))) == "invalid_message"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "evil.example"),
        ("domain", "localhost.evil.example"),
        ("uri", "https://evil.example"),
        ("chain_id", "137"),
        ("address", STRANGER.address),
        ("issued_at", "2027-01-15T07:50:00Z"),
        ("issued_at", "2027-01-15T08:02:00Z"),
        ("expiration_time", "2027-01-15T07:59:59Z"),
        ("expiration_time", None),
        ("not_before", "2027-01-15T08:00:01Z"),
    ],
)
async def test_a_changed_field_is_refused_before_the_database_is_asked(gateway, field, value):
    signed = await gateway.signed(OWNER)
    text = msgspec.structs.replace(parse_message(signed.text), **{field: value}).text
    before = gateway.database.calls
    assert await refused(gateway, changed(signed, text=text, signature=OWNER.sign(text))) == "invalid_message"
    assert gateway.database.calls == before


async def test_a_challenge_for_another_domain_of_the_cluster_does_not_count(database, clock):
    theirs = await Gateway.open(database, clock, public_host="theirs.example")
    ours = await Gateway.open(database, clock, public_host="ours.example")
    signed = await theirs.signed(OWNER)
    assert await refused(ours, signed) == "invalid_message"
    assert await theirs.auth.sign_in.verify(signed)


async def test_a_challenge_for_another_chain_does_not_count(database, clock):
    polygon = await Gateway.open(database, clock, chain_id=137)
    mainnet = await Gateway.open(database, clock, chain_id=1)
    signed = await polygon.signed(OWNER)
    assert await refused(mainnet, signed) == "invalid_message"
    assert await polygon.auth.sign_in.verify(signed)


async def test_a_challenge_is_bound_to_its_namespace(gateway):
    signed = await gateway.signed(OWNER, "shop")
    assert await refused(gateway, changed(signed, namespace="bank")) == "challenge_for_another_use"
    assert await refused(gateway, changed(signed, namespace="")) == "challenge_for_another_use"
    assert await refused(gateway, changed(signed, namespace="SHOP")) == "challenge_for_another_use"


async def test_a_challenge_is_bound_to_its_wallet(gateway):
    signed = await gateway.signed(OWNER)
    assert await refused(gateway, changed(signed, wallet=STRANGER.address)) == "invalid_message"
    assert await refused(gateway, changed(signed, signature=STRANGER.sign(signed.text))) == "invalid_signature"


@pytest.mark.parametrize(
    ("purpose", "uses"),
    [
        ("", {"verify", "api-key", "register"}),
        ("authentication", {"verify", "api-key"}),
        ("login", {"verify"}),
        ("api_key_generation", {"api-key"}),
        ("register", {"register"}),
    ],
)
async def test_a_challenge_is_bound_to_its_purpose(gateway, purpose, uses):
    for use in ("verify", "api-key", "register"):
        signed = await gateway.signed(OWNER, purpose=purpose)
        if use in uses:
            assert await present(gateway, signed, use)
        else:
            assert await refused(gateway, signed, use) == "challenge_for_another_use"


async def test_w20_the_malleated_twin_does_not_count_and_uses_nothing_up(gateway):
    signed = await gateway.signed(OWNER)
    assert await refused(gateway, changed(signed, signature=malleated(signed.signature))) == "invalid_signature"
    assert await gateway.auth.sign_in.verify(signed)


@pytest.mark.parametrize("v", [0, 1])
async def test_both_spellings_of_v_count(gateway, v):
    signed = await gateway.signed(OWNER)
    parity = int(signed.signature[-2:], 16) - 27
    respelled = changed(signed, signature=with_v(signed.signature, v))
    if v == parity:
        assert await gateway.auth.sign_in.verify(respelled)
    else:
        assert await refused(gateway, respelled) == "invalid_signature"


@pytest.mark.parametrize(
    "signature",
    ["0x", "x", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "zz" * 65, "0x" + "11" * 64, "a" * 100_000, "\ud800"],
)
async def test_a_bad_signature_uses_nothing_up(gateway, signature):
    signed = await gateway.signed(OWNER)
    assert await refused(gateway, changed(signed, signature=signature)) == "invalid_signature"
    assert await gateway.auth.sign_in.verify(signed)


async def test_a_challenge_ends_after_five_minutes(gateway, clock):
    signed, late = await gateway.signed(OWNER), await gateway.signed(OWNER)
    clock.advance(299.999)
    assert await gateway.auth.sign_in.verify(signed)
    clock.advance(0.001)
    assert await refused(gateway, late) == "invalid_message"


async def test_a_clock_that_jumps_back_gives_no_second_use(gateway, clock):
    signed = await gateway.signed(OWNER)
    await gateway.auth.sign_in.verify(signed)
    clock.set_wall(clock.now() - 30)
    assert await refused(gateway, signed) == "challenge_unknown_or_used"


@pytest.mark.parametrize(
    "statement", ["Sign in to the namespace shop.\nURI: https://evil.example", "Sign in to the namespace sh\u043ep."]
)
async def test_a_statement_cannot_carry_lines_or_foreign_letters(gateway, statement):
    signed = await gateway.signed(OWNER)
    text = msgspec.structs.replace(parse_message(signed.text), statement=statement).text
    assert await refused(gateway, changed(signed, text=text, signature=OWNER.sign(text))) == "invalid_message"


@pytest.mark.parametrize(
    "namespace", ["a\nURI: https://evil.example", "a b", "_platform", "a:b", "\u0430", "a" * 65, "a.b"]
)
async def test_no_line_can_be_injected_by_the_namespace(gateway, namespace):
    with pytest.raises(InvalidArgument) as failure:
        await gateway.signed(OWNER, namespace)
    assert failure.value.reason == "invalid_namespace"


async def test_the_purpose_never_reaches_the_text(gateway):
    signed = await gateway.signed(OWNER, purpose="x\nURI: https://evil.example")
    assert "evil" not in signed.text
    with pytest.raises(InvalidArgument):
        await gateway.signed(OWNER, purpose="x" * 129)


async def test_two_racing_verifies_have_one_winner_200_times(gateway, another_gateway):
    other = await another_gateway()
    for _ in range(200):
        signed = await gateway.signed(OWNER)
        outcomes = await asyncio.gather(
            gateway.auth.sign_in.verify(signed), other.auth.sign_in.verify(signed), return_exceptions=True
        )
        losers = [outcome for outcome in outcomes if isinstance(outcome, Unauthenticated)]
        assert len(losers) == 1, outcomes
    assert await gateway.rows("SELECT count(*) FROM families") == [(200,)]


async def test_racing_uses_of_one_challenge_have_one_winner(gateway):
    signed = await gateway.signed(OWNER)
    uses = ["verify", "api-key", "register"] * 10
    outcomes = await asyncio.gather(*(present(gateway, signed, use) for use in uses), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert all(isinstance(outcome, Unauthenticated) for outcome in outcomes if isinstance(outcome, BaseException))


async def test_ten_challenges_may_wait_per_wallet_and_address(gateway, clock):
    first = await gateway.signed(OWNER)
    clock.advance(60)
    for _ in range(9):
        await gateway.signed(OWNER)
    with pytest.raises(RateLimited) as failure:
        await gateway.signed(OWNER)
    assert failure.value.retry_after_s == 240
    await gateway.signed(OWNER, client="198.51.100.7")
    await gateway.signed(STRANGER)
    await gateway.auth.sign_in.verify(first)
    await gateway.signed(OWNER)
    with pytest.raises(RateLimited):
        await gateway.signed(OWNER)
    clock.advance(301)
    await gateway.signed(OWNER)


async def test_racing_challenges_do_not_pass_the_limit(gateway):
    outcomes = await asyncio.gather(*(gateway.signed(OWNER) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 20


@pytest.mark.parametrize(
    ("origin", "domain", "uri"),
    [
        (None, "api.example", "https://api.example"),
        ("https://app.example", "app.example", "https://app.example"),
        ("https://APP.example", "app.example", "https://app.example"),
        ("http://localhost:3000", "localhost:3000", "http://localhost:3000"),
        ("https://evil.example", "api.example", "https://api.example"),
        ("https://app.example.evil.example", "api.example", "https://api.example"),
        ("https://app.example@evil.example", "api.example", "https://api.example"),
        ("https://evil.example@app.example", "api.example", "https://api.example"),
        ("https://\u0430pp.example", "api.example", "https://api.example"),
        ("https://app.example:8443", "api.example", "https://api.example"),
        ("javascript://app.example", "api.example", "https://api.example"),
        ("https://[", "api.example", "https://api.example"),
        ("null", "api.example", "https://api.example"),
        ("", "api.example", "https://api.example"),
    ],
)
async def test_the_domain_is_an_allowed_origins_else_our_own(another_gateway, origin, domain, uri):
    gateway = await another_gateway(public_host="api.example", allowed_domains=("app.example", "localhost:3000"))
    signed = await gateway.signed(OWNER, origin=origin)
    message = parse_message(signed.text)
    assert (message.domain, message.uri) == (domain, uri)
    assert await gateway.auth.sign_in.verify(signed)


async def test_the_chain_type_must_be_that_of_the_wallet(gateway):
    signed = await gateway.signed(OWNER)
    with pytest.raises(InvalidArgument, match="chain_type 'ETH'") as failure:
        await gateway.auth.sign_in.verify(changed(signed, chain_type="sol"))
    assert failure.value.reason == "chain_mismatch"
    assert await refused(gateway, changed(signed, chain_type="BTC")) == "unknown_chain_type"
    assert await gateway.auth.sign_in.verify(changed(signed, chain_type=" eth "))


async def test_apps_are_recorded(gateway):
    app = await gateway.auth.sign_in.register(await gateway.signed(OWNER), "My app")
    assert re.fullmatch(r"app_[0-9A-Za-z]{17}", app.id)
    assert await gateway.rows("SELECT id, namespace, name, wallet FROM apps") == [
        (app.id, "shop", "My app", OWNER.subject)
    ]
    with pytest.raises(InvalidArgument):
        await gateway.auth.sign_in.register(await gateway.signed(OWNER), "x" * 129)


async def test_w4_a_claimed_namespace_admits_nobody_else(gateway):
    await gateway.sign_in(OWNER)
    for use in ("verify", "api-key", "register"):
        signed = await gateway.signed(STRANGER)
        with pytest.raises(PermissionDenied):
            await present(gateway, signed, use)
    assert await gateway.rows("SELECT wallet FROM members") == [(OWNER.subject,)]
    assert await gateway.rows("SELECT count(*) FROM api_keys WHERE wallet = ?", STRANGER.subject) == [(0,)]


async def test_a_challenge_makes_no_namespace(gateway):
    await gateway.signed(OWNER, "anything")
    assert await gateway.rows("SELECT count(*) FROM namespaces") == [(0,)]


async def test_racing_claims_have_one_owner(gateway, another_gateway):
    other = await another_gateway()
    for number in range(20):
        namespace = f"race-{number}"
        pair = (Wallet(100 + number), Wallet(200 + number))
        signed = [await gateway.signed(wallet, namespace) for wallet in pair]
        outcomes = await asyncio.gather(
            gateway.auth.sign_in.verify(signed[0]), other.auth.sign_in.verify(signed[1]), return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PermissionDenied", "SignedIn"]
        assert len(await gateway.rows("SELECT 1 FROM members WHERE namespace = ?", namespace)) == 1


async def test_a_wallet_claims_ten_namespaces_at_most_even_at_once(gateway):
    signed = [await gateway.signed(OWNER, f"n{number}", client=str(number)) for number in range(15)]
    outcomes = await asyncio.gather(*map(gateway.auth.sign_in.verify, signed), return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(lost) == 5, outcomes
    assert {failure.reason for failure in lost} == {"too_many_namespaces"}
    ((mine,), *_) = await gateway.rows("SELECT name FROM namespaces")
    assert await gateway.sign_in(OWNER, mine)


async def test_a_refusal_by_the_namespace_leaves_the_challenge_unused(gateway):
    await gateway.sign_in(OWNER)
    signed = await gateway.signed(STRANGER)
    with pytest.raises(PermissionDenied):
        await gateway.auth.sign_in.verify(signed)
    await gateway.auth.namespaces.grant(SHOP, STRANGER.subject, "member")
    assert await gateway.auth.sign_in.verify(signed)


@pytest.mark.parametrize("use", ["verify", "api-key"])
async def test_a_membership_that_ends_between_reading_and_writing_gives_nothing(gateway, use):
    await gateway.sign_in(OWNER)
    await gateway.auth.namespaces.grant(SHOP, STRANGER.subject, "member")
    signed = await gateway.signed(STRANGER)
    questions = 0

    async def withdraw():
        nonlocal questions
        questions += 1
        if questions == 2:  # The challenge has been found, and the membership.
            await gateway.auth.namespaces.withdraw(SHOP, STRANGER.subject)

    gateway.database.after_query = withdraw
    with pytest.raises(PermissionDenied):
        await present(gateway, signed, use)
    gateway.database.after_query = None
    assert await gateway.rows("SELECT count(*) FROM families WHERE wallet = ?", STRANGER.subject) == [(0,)]
    assert await gateway.rows("SELECT count(*) FROM api_keys WHERE wallet = ?", STRANGER.subject) == [(0,)]
