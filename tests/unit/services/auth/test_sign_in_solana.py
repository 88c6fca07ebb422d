"""Sign-in with a Solana wallet: the same promises and the same attacks as with an Ethereum one."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest

from orama.domain.base58 import base58
from orama.domain.sign_in_message import parse_message
from orama.domain.wallet import Chain
from orama.errors import InvalidArgument, PermissionDenied, RateLimited, Unauthenticated
from support.identity import SHOP, Gateway
from support.solana import SolanaWallet, malleated
from support.wallet import Wallet

OWNER, STRANGER = SolanaWallet(1), SolanaWallet(2)


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


@pytest.mark.parametrize("chain_type", ["SOL", " sol ", ""])
async def test_a_signed_challenge_gives_credentials_that_work(gateway, chain_type):
    signed_in = await gateway.auth.sign_in.verify(changed(await gateway.signed(OWNER), chain_type=chain_type))
    by_token = await gateway.by_token(signed_in.access_token.text)
    by_key = await gateway.by_key(signed_in.api_key.text)
    assert (by_token.subject, by_token.namespace) == (OWNER.address, SHOP)
    assert by_token.family == by_key.family
    assert await gateway.rows("SELECT wallet, role FROM members") == [(OWNER.address, "owner")]


async def test_the_text_names_everything_the_signature_is_bound_to(another_gateway):
    gateway = await another_gateway(solana_chain="devnet")
    message = parse_message((await gateway.signed(OWNER, "shop", "api_key_generation")).text)
    assert (message.chain, message.address, message.chain_id) == (Chain.SOLANA, OWNER.address, "devnet")
    assert message.statement == "Create an API key for the namespace shop."
    assert (message.domain, message.uri) == ("localhost", "https://localhost")


async def test_w14_another_letter_case_is_another_wallet_or_none(gateway):
    signed = await gateway.signed(OWNER)
    for address in (OWNER.address.lower(), OWNER.address.upper(), OWNER.address.swapcase()):
        with pytest.raises((Unauthenticated, InvalidArgument)):
            await gateway.auth.sign_in.verify(changed(signed, wallet=address))
    assert await gateway.auth.sign_in.verify(signed)


@pytest.mark.parametrize(
    ("wallet", "chain_type"), [(OWNER, "ETH"), (OWNER, "eth"), (Wallet(1), "SOL"), (Wallet(1), "sol")]
)
async def test_a_chain_type_that_is_not_the_wallets_is_the_callers_mistake(gateway, wallet, chain_type):
    signed = await gateway.signed(wallet)
    for use in ("verify", "api-key", "register"):
        with pytest.raises(InvalidArgument) as failure:
            await present(gateway, changed(signed, chain_type=chain_type), use)
        assert failure.value.reason == "chain_mismatch"
    assert await refused(gateway, changed(signed, chain_type="DOGE")) == "unknown_chain_type"
    assert await gateway.auth.sign_in.verify(signed)


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
        ("uri", "https://evil.example"),
        ("chain_id", "devnet"),
        ("chain_id", "solana:mainnet"),
        ("address", STRANGER.address),
        ("issued_at", "2027-01-15T07:50:00Z"),
        ("issued_at", "2027-01-15T08:02:00Z"),
        ("expiration_time", "2027-01-15T07:59:59Z"),
        ("expiration_time", None),
        ("not_before", "2027-01-15T08:00:01Z"),
        ("statement", "Sign in to the namespace sh\u043ep."),
        ("statement", "Sign in to the namespace shop.\nURI: https://evil.example"),
    ],
)
async def test_a_changed_field_is_refused_before_the_database_is_asked(gateway, field, value):
    signed = await gateway.signed(OWNER)
    text = msgspec.structs.replace(parse_message(signed.text), **{field: value}).text
    before = gateway.database.calls
    assert await refused(gateway, changed(signed, text=text, signature=OWNER.sign(text))) == "invalid_message"
    assert gateway.database.calls == before


async def test_the_text_of_one_chain_is_nothing_for_a_wallet_of_the_other(gateway):
    ethereum, solana = Wallet(1), OWNER
    theirs, ours = await gateway.signed(ethereum), await gateway.signed(solana)
    for signed, presenter in ((theirs, solana), (ours, ethereum)):
        borrowed = changed(signed, wallet=presenter.address, signature=presenter.sign(signed.text), chain_type="")
        assert await refused(gateway, borrowed) == "invalid_message"
    crossed = changed(ours, signature=ethereum.sign(ours.text))
    assert await refused(gateway, crossed) == "invalid_signature"


async def test_a_challenge_for_another_network_does_not_count(another_gateway):
    devnet, mainnet = await another_gateway(solana_chain="devnet"), await another_gateway()
    signed = await devnet.signed(OWNER)
    assert await refused(mainnet, signed) == "invalid_message"
    assert await devnet.auth.sign_in.verify(signed)


async def test_a_challenge_is_bound_to_its_namespace_and_wallet(gateway):
    signed = await gateway.signed(OWNER, "shop")
    for namespace in ("bank", "", "SHOP"):
        assert await refused(gateway, changed(signed, namespace=namespace)) == "challenge_for_another_use"
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


async def test_w20_no_twin_and_no_other_spelling_of_a_signature_counts_or_uses_anything_up(gateway):
    signed = await gateway.signed(OWNER)
    raw = base64.b64decode(signed.signature)
    for signature in (
        malleated(signed.signature),
        signed.signature.rstrip("="),
        signed.signature + "\n",
        base58(raw),
        raw.hex(),
        "0x" + raw.hex(),
        base64.b64encode(raw + b"\0").decode(),
        "A" * 86 + "==",
        "x",
        "a" * 100_000,
        "\ud800",
    ):
        assert await refused(gateway, changed(signed, signature=signature)) == "invalid_signature"
    assert await gateway.auth.sign_in.verify(signed)


async def test_a_challenge_ends_after_five_minutes(gateway, clock):
    signed, late = await gateway.signed(OWNER), await gateway.signed(OWNER)
    clock.advance(299.999)
    assert await gateway.auth.sign_in.verify(signed)
    clock.advance(0.001)
    assert await refused(gateway, late) == "invalid_message"


async def test_two_racing_verifies_have_one_winner_200_times(gateway, another_gateway):
    other = await another_gateway()
    for _ in range(200):
        signed = await gateway.signed(OWNER)
        outcomes = await asyncio.gather(
            gateway.auth.sign_in.verify(signed), other.auth.sign_in.verify(signed), return_exceptions=True
        )
        assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 1, outcomes
    assert await gateway.rows("SELECT count(*) FROM families") == [(200,)]


async def test_ten_challenges_may_wait_per_wallet_and_address(gateway):
    for _ in range(10):
        await gateway.signed(OWNER)
    with pytest.raises(RateLimited):
        await gateway.signed(OWNER)
    await gateway.signed(STRANGER)


async def test_w4_a_claimed_namespace_admits_nobody_else_of_either_chain(gateway):
    await gateway.sign_in(OWNER)
    for stranger in (STRANGER, Wallet(1)):
        with pytest.raises(PermissionDenied):
            await gateway.sign_in(stranger)
    assert await gateway.rows("SELECT wallet FROM members") == [(OWNER.address,)]


@pytest.mark.parametrize("wallet", ["11111111111111111111111111111111", "z" * 44, "1" * 43, OWNER.address + "1"])
async def test_an_address_that_no_wallet_can_have_is_refused_before_anything_is_signed(gateway, wallet):
    with pytest.raises(InvalidArgument) as failure:
        await gateway.auth.sign_in.challenge(wallet, "shop", "", origin=None, client="192.0.2.1")
    assert failure.value.reason == "invalid_wallet"


@pytest.mark.parametrize("wallet", [OWNER, Wallet(1)])
@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("http://localhost:3000", "localhost:3000"),
        ("http://127.0.0.1:6001", "127.0.0.1:6001"),
        ("http://[::1]:6001", "[::1]:6001"),
        ("https://localhost", "localhost"),
        ("http://localhost.evil.example", "api.example"),
        ("http://127.0.0.1.evil.example", "api.example"),
        ("http://127.0.0.2", "api.example"),
        ("http://user@localhost", "api.example"),
    ],
)
async def test_in_development_any_page_of_this_machine_is_the_domain(another_gateway, wallet, origin, domain):
    development = await another_gateway(public_host="api.example", development=True)
    production = await another_gateway(public_host="api.example")
    signed = await development.signed(wallet, origin=origin)
    assert parse_message(signed.text).domain == domain
    if domain != "api.example":
        assert await refused(production, signed) == "invalid_message"
        assert parse_message((await production.signed(wallet, origin=origin)).text).domain == "api.example"
    assert await development.auth.sign_in.verify(signed)
