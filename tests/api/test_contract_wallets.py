"""``/v1/auth/wallets``: linking as a client does it over HTTP, fields, statuses and reasons."""

from __future__ import annotations

import pytest

from support.caller import Caller, sign_in, signed
from support.examples import fresh_wallet
from support.solana import SolanaWallet

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def signed_in(node, wallet, namespace):
    return Caller.with_token(node.client, (await sign_in(node.client, wallet, namespace))["token"])


async def agreed(caller, wallet):
    """The body by which `wallet` agrees to act for the account of `caller`."""
    challenge = await caller.ok("/v1/auth/challenge", {"wallet": wallet.address, "purpose": "link"})
    assert (challenge["purpose"], challenge["namespace"], challenge["wallet"]) == ("link", "", wallet.address)
    return {"wallet": wallet.address, "nonce": challenge["nonce"], "signature": wallet.sign(challenge["nonce"])}


async def test_wallets_of_both_chains_act_for_one_account(node):
    first = fresh_wallet()
    second = SolanaWallet(int(first.bare[:8], 16))
    place = f"linked{first.bare[:8]}"
    caller = await signed_in(node, first, place)
    alone = (await caller.get("/v1/auth/wallets")).json()
    assert alone == {"account": first.subject, "wallets": [{"wallet": first.subject, "chain_type": "ETH"}], "count": 1}
    linked = await caller.ok("/v1/auth/wallets/link", {**await agreed(caller, second), "chain_type": "SOL"})
    assert [(one["wallet"], one["chain_type"]) for one in linked["wallets"]] == [
        (first.subject, "ETH"),
        (second.address, "SOL"),
    ]
    assert all(one["linked_at"].endswith("Z") for one in linked["wallets"])
    assert (await caller.get("/v1/auth/wallets")).json() == linked

    answer = await sign_in(node.client, second, place)
    assert answer["subject"] == second.address, "the reply repeats what was sent"
    other = Caller.with_token(node.client, answer["token"])
    who = (await other.get("/v1/auth/whoami")).json()
    assert (who["subject"], who["address"]) == (first.subject, first.subject)
    assert (await Caller(node.client).ok("/v1/auth/refresh", {"refresh_token": answer["refresh_token"]}))[
        "subject"
    ] == first.subject
    made = await Caller(node.client).ok("/v1/auth/api-key", await signed(node.client, second, place))
    assert made["wallet"] == second.address

    left = await caller.ok("/v1/auth/wallets/unlink", {"wallet": second.address})
    assert left == alone
    assert (await other.get("/v1/auth/whoami")).status_code == 401
    assert (await Caller.with_key(node.client, answer["api_key"]).get("/v1/auth/whoami")).status_code == 401
    assert (await Caller.with_key(node.client, made["api_key"]).get("/v1/auth/whoami")).status_code == 200
    await caller.refused("/v1/auth/wallets/unlink", {"wallet": first.address}, 409, "link another one first")


async def test_stolen_wallet_takes_the_lasting_keys_along(node):
    first, second = fresh_wallet(), fresh_wallet()
    place = f"stolen{first.bare[:8]}"
    caller = await signed_in(node, first, place)
    await caller.ok("/v1/auth/wallets/link", await agreed(caller, second))
    made = await Caller(node.client).ok("/v1/auth/api-key", await signed(node.client, second, place))
    key = Caller.with_key(node.client, made["api_key"])
    assert (await key.get("/v1/auth/whoami")).status_code == 200
    await caller.ok("/v1/auth/wallets/unlink", {"wallet": second.address, "revoke_keys": True})
    assert (await key.get("/v1/auth/whoami")).status_code == 401


async def test_challenge_to_link_wants_the_token_of_an_account(node, anonymous, owner):
    asked = {"wallet": fresh_wallet().address, "purpose": "link"}
    assert (await anonymous.refused("/v1/auth/challenge", asked, 401))["reason"] == "missing_credential"
    assert (await owner.refused("/v1/auth/challenge", asked, 403))["reason"] == "wallet_required"


async def test_link_says_what_stands_against_it(node):
    first, second = fresh_wallet(), fresh_wallet()
    caller = await signed_in(node, first, f"against{first.bare[:8]}")
    await sign_in(node.client, second, f"against{second.bare[:8]}")
    body = await caller.refused("/v1/auth/wallets/link", await agreed(caller, second), 409, "leave or transfer")
    assert body["reason"] == "wallet_has_memberships"
    assert body["details"] == {"namespaces": [f"against{second.bare[:8]}"]}
    for missing in ("wallet", "nonce", "signature"):
        incomplete = {**await agreed(caller, second), missing: ""}
        await caller.refused("/v1/auth/wallets/link", incomplete, 400, "wallet, nonce and signature are required")
    other = {**await agreed(caller, second), "chain_type": "SOL"}
    assert (await caller.refused("/v1/auth/wallets/link", other, 400))["reason"] == "chain_mismatch"
    forged = {**await agreed(caller, second), "signature": first.sign("x")}
    await caller.refused("/v1/auth/wallets/link", forged, 401, "signature verification failed")


async def test_unlink_says_what_stands_against_it(node):
    caller = await signed_in(node, wallet := fresh_wallet(), f"not{wallet.bare[:8]}")
    await caller.refused("/v1/auth/wallets/unlink", {}, 400, "wallet is required")
    await caller.refused("/v1/auth/wallets/unlink", {"wallet": "nobody"}, 400, "invalid wallet")
    body = await caller.refused("/v1/auth/wallets/unlink", {"wallet": fresh_wallet().address}, 404)
    assert body["reason"] == "unknown_wallet"
