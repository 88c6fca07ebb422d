"""Several wallets of one account: who agrees to what, and what a wallet opens before, while and after it is linked."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orama.domain.audit import LOCAL
from orama.domain.namespace import Namespace
from orama.domain.sign_in_message import parse_message
from orama.errors import Conflict, InvalidArgument, NotFound, PermissionDenied, RateLimited, Unauthenticated
from orama.services.auth.sign_in import SignedChallenge
from orama.testing.clock import ManualClock
from support.identity import SHOP, Gateway, platform_database
from support.solana import SolanaWallet, malleated
from support.wallet import Wallet

FIRST, SECOND, THIRD = Wallet(1), SolanaWallet(2), Wallet(3)
STRANGER = Wallet(9)


async def caller_of(gateway, wallet, namespace=SHOP):
    """Somebody who has just signed in."""
    return await gateway.by_token((await gateway.sign_in(wallet, namespace)).access_token.text)


async def agreed(gateway, caller, wallet, *, client="192.0.2.1"):
    """The challenge by which `wallet` agrees to act for the caller's account, signed."""
    challenge = await gateway.auth.linking.challenge(caller, wallet.address, origin=None, client=client)
    return SignedChallenge(wallet.address, challenge.text, wallet.sign(challenge.text))


async def link(gateway, caller, wallet):
    return await gateway.auth.linking.link(caller, await agreed(gateway, caller, wallet))


async def unlink(gateway, caller, wallet, *, revoke_keys=False):
    return await gateway.auth.linking.unlink(caller, wallet.address, revoke_keys=revoke_keys)


async def subject_of(gateway, wallet, namespace=SHOP):
    return (await caller_of(gateway, wallet, namespace)).subject


def changed(signed, **fields):
    return msgspec.structs.replace(signed, **fields)


@pytest.mark.parametrize(("first", "second"), [(FIRST, SECOND), (SECOND, FIRST), (FIRST, THIRD)])
async def test_a_linked_wallet_signs_in_as_the_account(gateway, first, second):
    caller = await caller_of(gateway, first)
    wallets = await link(gateway, caller, second)
    assert [one.wallet for one in wallets] == [first.subject, second.subject]
    assert await subject_of(gateway, second) == first.subject
    assert await gateway.rows("SELECT namespace, wallet, role FROM members") == [("shop", first.subject, "owner")]
    key = await gateway.lasting_key(second)
    assert await gateway.rows("SELECT wallet FROM api_keys WHERE id = ?", key.id) == [(first.subject,)]
    app = await gateway.auth.sign_in.register(await gateway.signed(second), "app")
    assert await gateway.rows("SELECT wallet FROM apps WHERE id = ?", app.id) == [(first.subject,)]


async def test_what_the_linked_wallet_claims_is_the_accounts(gateway):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    await gateway.sign_in(SECOND, "bank")
    assert await gateway.rows("SELECT claimed_by FROM namespaces WHERE name = 'bank'") == [(FIRST.subject,)]
    assert await subject_of(gateway, FIRST, "bank") == FIRST.subject


async def test_who_is_granted_or_invited_by_a_linked_wallet_is_the_account(gateway):
    await link(gateway, await caller_of(gateway, FIRST, "home"), SECOND)
    owner = await caller_of(gateway, STRANGER)
    for role in ("member", "reader"):
        await gateway.auth.namespaces.grant(SHOP, SECOND.subject, role)
        assert await gateway.rows(
            "SELECT role FROM members WHERE namespace = 'shop' AND wallet = ?", FIRST.subject
        ) == [(role,)]
    assert await gateway.rows("SELECT count(*) FROM members WHERE wallet = ?", SECOND.subject) == [(0,)]
    await gateway.auth.members.remove(owner, FIRST.subject, LOCAL)
    create, accept = gateway.auth.invitations.create, gateway.auth.invitations.accept
    token = (await create(owner, "reader", LOCAL, invited=SECOND.subject)).token
    with pytest.raises(NotFound):
        await accept(await caller_of(gateway, THIRD, "third"), token, LOCAL)
    await accept(await caller_of(gateway, FIRST, "home"), token, LOCAL)
    assert await subject_of(gateway, SECOND) == FIRST.subject


async def test_wallet_that_is_nobodys_is_not_granted_and_accepts_nothing(gateway):
    account = await caller_of(gateway, FIRST, "home")
    await link(gateway, account, SECOND)
    await unlink(gateway, await caller_of(gateway, SECOND, "home"), FIRST)
    owner = await caller_of(gateway, STRANGER)
    with pytest.raises(PermissionDenied) as failure:
        await gateway.auth.namespaces.grant(SHOP, FIRST.subject, "reader")
    assert failure.value.reason == "wallet_unlinked"
    token = (await gateway.auth.invitations.create(owner, "reader", LOCAL, invited=FIRST.subject)).token
    with pytest.raises(NotFound):
        await gateway.auth.invitations.accept(await caller_of(gateway, THIRD, "third"), token, LOCAL)
    assert (
        await gateway.auth.invitations.accept(await caller_of(gateway, SECOND, "home"), token, LOCAL)
    ).role == "reader"


async def test_limits_of_a_wallet_are_those_of_its_account(another_gateway):
    gateway = await another_gateway(max_namespaces_per_wallet=2, max_keys_per_wallet=1)
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    await gateway.sign_in(SECOND, "bank")
    with pytest.raises(Conflict) as failure:
        await gateway.sign_in(SECOND, "cafe")
    assert failure.value.reason == "too_many_namespaces"
    await gateway.lasting_key(FIRST)
    with pytest.raises(Conflict) as failure:
        await gateway.lasting_key(SECOND)
    assert failure.value.reason == "too_many_keys"


async def test_refreshed_and_renewed_tokens_stay_the_accounts(gateway):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    signed_in = await gateway.sign_in(SECOND)
    refreshed = await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    assert refreshed.subject == FIRST.subject
    assert (await gateway.by_token(refreshed.access_token.text)).subject == FIRST.subject
    renewed = await gateway.auth.sessions.renew(await gateway.by_token(signed_in.access_token.text))
    assert (await gateway.by_token(renewed.access_token.text)).subject == FIRST.subject


async def test_the_text_names_the_account_and_says_what_follows(gateway):
    caller = await caller_of(gateway, FIRST)
    message = parse_message((await agreed(gateway, caller, SECOND)).text)
    assert message.address == SECOND.address
    assert message.statement == f"Link this wallet to the account {FIRST.subject}, which it will sign in as."


async def test_another_account_cannot_present_what_was_signed_for_this_one(gateway):
    caller = await caller_of(gateway, FIRST)
    await gateway.auth.namespaces.grant(SHOP, STRANGER.subject, "member")
    thief = await caller_of(gateway, STRANGER)
    signed = await agreed(gateway, caller, SECOND)
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.linking.link(thief, signed)
    assert failure.value.reason == "challenge_for_another_use"
    assert await gateway.auth.linking.link(caller, signed)


async def test_only_a_signed_link_challenge_links_and_it_does_nothing_else(gateway):
    caller = await caller_of(gateway, FIRST)
    for purpose in ("", "authentication", "api_key_generation", "register", "login"):
        signed = await gateway.signed(SECOND, SHOP, purpose)
        with pytest.raises(Unauthenticated) as failure:
            await gateway.auth.linking.link(caller, signed)
        assert failure.value.reason == "challenge_for_another_use"
    signed = await agreed(gateway, caller, SECOND)
    for present in (
        gateway.auth.sign_in.verify,
        gateway.auth.sign_in.create_api_key,
        lambda one: gateway.auth.sign_in.register(one, "app"),
    ):
        with pytest.raises(Unauthenticated) as failure:
            await present(changed(signed, namespace=SHOP))
        assert failure.value.reason == "challenge_for_another_use"
    assert await gateway.auth.linking.link(caller, signed)


async def test_a_link_challenge_that_was_asked_for_without_an_account_does_not_link(gateway):
    """The purpose alone is not enough: the text has to name the account."""
    caller = await caller_of(gateway, FIRST)
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.linking.link(caller, await gateway.signed(SECOND, SHOP, "link"))
    assert failure.value.reason == "challenge_for_another_use"


async def test_bad_signatures_link_nothing_and_use_nothing_up(gateway):
    caller = await caller_of(gateway, FIRST)
    signed = await agreed(gateway, caller, SECOND)
    for wrong in (
        {"signature": malleated(signed.signature)},
        {"signature": SolanaWallet(8).sign(signed.text)},
        {"signature": FIRST.sign(signed.text)},
        {"wallet": SolanaWallet(8).address},
        {"wallet": FIRST.address, "signature": FIRST.sign(signed.text)},
        {"text": signed.text + " "},
    ):
        with pytest.raises(Unauthenticated):
            await gateway.auth.linking.link(caller, changed(signed, **wrong))
    with pytest.raises(InvalidArgument):
        await gateway.auth.linking.link(caller, changed(signed, chain_type="ETH"))
    assert await gateway.auth.linking.link(caller, signed)


async def test_a_signature_links_once(gateway):
    caller = await caller_of(gateway, FIRST)
    signed = await agreed(gateway, caller, SECOND)
    await gateway.auth.linking.link(caller, signed)
    await unlink(gateway, caller, SECOND)
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.linking.link(caller, signed)
    assert failure.value.reason == "challenge_unknown_or_used"


async def test_challenges_to_link_are_bounded_as_all_are(gateway):
    caller = await caller_of(gateway, FIRST)
    for _ in range(10):
        await agreed(gateway, caller, SECOND)
    with pytest.raises(RateLimited):
        await agreed(gateway, caller, SECOND)


async def test_keys_may_neither_see_nor_change_wallets(gateway):
    signed_in = await gateway.sign_in(FIRST)
    lasting = await gateway.lasting_key(FIRST)
    token, _ = await gateway.auth.sessions.exchange(lasting.text)
    family_token, _ = await gateway.auth.sessions.exchange(signed_in.api_key.text)
    owner = await gateway.by_token(signed_in.access_token.text)
    signed = await agreed(gateway, owner, SECOND)
    for caller in (
        await gateway.by_key(lasting.text),
        await gateway.by_key(signed_in.api_key.text),
        await gateway.by_token(token.text),
        await gateway.by_token(family_token.text),
    ):
        for attempt in (
            gateway.auth.linking.wallets(caller),
            gateway.auth.linking.challenge(caller, SECOND.address, origin=None, client="192.0.2.1"),
            gateway.auth.linking.link(caller, signed),
            gateway.auth.linking.unlink(caller, FIRST.address, revoke_keys=False),
        ):
            with pytest.raises(PermissionDenied) as failure:
                await attempt
            assert failure.value.reason == "wallet_required"
    with pytest.raises(Unauthenticated):
        await gateway.auth.linking.challenge(None, SECOND.address, origin=None, client="192.0.2.1")


async def test_a_sign_in_older_than_a_quarter_of_an_hour_changes_nothing(gateway, clock):
    signed_in = await gateway.sign_in(FIRST)
    clock.advance(890)
    caller = await gateway.by_token(signed_in.access_token.text)
    await link(gateway, caller, SECOND)
    signed = await agreed(gateway, caller, THIRD)
    clock.advance(11)
    renewed = (await gateway.auth.sessions.refresh(signed_in.refresh_token, None)).access_token
    for old in (caller, await gateway.by_token(renewed.text)):
        for attempt in (
            gateway.auth.linking.link(old, signed),
            gateway.auth.linking.unlink(old, SECOND.address, revoke_keys=False),
        ):
            with pytest.raises(Unauthenticated) as failure:
                await attempt
            assert failure.value.reason == "sign_in_again"
        assert len(await gateway.auth.linking.wallets(old)) == 2
    assert await gateway.auth.linking.link(await caller_of(gateway, SECOND), signed)


async def test_a_sign_in_that_ended_changes_nothing(gateway):
    caller = await caller_of(gateway, FIRST)
    signed = await agreed(gateway, caller, SECOND)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=False)
    with pytest.raises(Unauthenticated):
        await gateway.auth.linking.link(caller, signed)
    with pytest.raises(Unauthenticated):
        await unlink(gateway, caller, FIRST)


async def test_a_wallet_that_has_something_of_its_own_is_not_linked_and_told_what_to_do(gateway):
    caller = await caller_of(gateway, FIRST)
    await gateway.sign_in(SECOND, "cafe")
    await gateway.sign_in(SECOND, "bank")
    signed = await agreed(gateway, caller, SECOND)
    with pytest.raises(Conflict, match="bank, cafe.*leave or transfer") as failure:
        await gateway.auth.linking.link(caller, signed)
    assert failure.value.reason == "wallet_has_memberships"
    assert failure.value.details == {"namespaces": ["bank", "cafe"]}
    assert await subject_of(gateway, SECOND, "cafe") == SECOND.subject
    for namespace in ("bank", "cafe"):
        await gateway.rows_changed("DELETE FROM members WHERE namespace = ? AND wallet = ?", namespace, SECOND.subject)
    assert await gateway.auth.linking.link(caller, signed), "the challenge was not used up"


async def test_a_member_of_an_open_namespace_only_is_not_linked_either(another_gateway):
    gateway = await another_gateway(open_namespaces=("default",))
    caller = await caller_of(gateway, FIRST)
    await gateway.sign_in(SECOND, "default")
    with pytest.raises(Conflict) as failure:
        await link(gateway, caller, SECOND)
    assert failure.value.reason == "wallet_has_memberships"


async def test_a_wallet_acts_for_one_account(gateway):
    caller, other = await caller_of(gateway, FIRST), await caller_of(gateway, STRANGER, "bank")
    await link(gateway, caller, SECOND)
    for taken in (SECOND, FIRST):
        with pytest.raises(Conflict) as failure:
            await link(gateway, other, taken)
        assert failure.value.reason == "linked_elsewhere"
    for mine in (SECOND, FIRST):
        with pytest.raises(Conflict) as failure:
            await link(gateway, caller, mine)
        assert failure.value.reason == "already_linked"
    with pytest.raises(Conflict) as failure:
        await link(gateway, other, STRANGER)
    assert failure.value.reason == "already_linked"


async def test_an_account_has_ten_wallets_at_most_even_at_once(another_gateway):
    gateway = await another_gateway()
    caller = await caller_of(gateway, FIRST)
    signed = [await agreed(gateway, caller, SolanaWallet(number), client=str(number)) for number in range(20, 34)]
    outcomes = await asyncio.gather(*(gateway.auth.linking.link(caller, one) for one in signed), return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(lost) == 5, outcomes
    assert {getattr(failure, "reason", None) for failure in lost} == {"too_many_wallets"}
    assert len(await gateway.auth.linking.wallets(caller)) == 10


async def test_the_limit_of_wallets_is_a_setting(another_gateway):
    gateway = await another_gateway(max_wallets_per_account=2)
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    with pytest.raises(Conflict, match="2 wallets") as failure:
        await link(gateway, caller, THIRD)
    assert failure.value.reason == "too_many_wallets"


async def test_unlinking_ends_the_sign_ins_of_that_wallet_and_of_no_other(gateway):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    theirs, lasting = await gateway.sign_in(SECOND), await gateway.lasting_key(SECOND)
    for text in (theirs.api_key.text, lasting.text):
        assert await gateway.by_key(text)
    left = await unlink(gateway, caller, SECOND)
    assert [one.wallet for one in left] == [FIRST.subject]
    with pytest.raises(Unauthenticated):
        await gateway.by_token(theirs.access_token.text)
    with pytest.raises(Unauthenticated):
        await gateway.by_key(theirs.api_key.text)
    with pytest.raises(Unauthenticated):
        await gateway.auth.sessions.refresh(theirs.refresh_token, None)
    assert await gateway.by_key(lasting.text), "what lasts is the account's, not the wallet's"
    assert await gateway.auth.sessions.renew(caller)
    with pytest.raises(PermissionDenied) as failure:
        await gateway.sign_in(SECOND)
    assert failure.value.reason == "not_a_member"
    assert await subject_of(gateway, SECOND, "bank") == SECOND.subject, "it is an account of its own again"


async def test_unlinking_a_stolen_wallet_can_end_all_lasting_keys(gateway):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    await gateway.sign_in(SECOND, "bank")
    keys = [
        await gateway.lasting_key(SECOND, "bank"),
        await gateway.lasting_key(FIRST),
        await gateway.lasting_key(SECOND),
    ]
    operators = await gateway.auth.api_keys.create(SHOP)
    for key in keys:
        assert await gateway.by_key(key.text)
    await unlink(gateway, caller, SECOND, revoke_keys=True)
    for key in keys:
        with pytest.raises(Unauthenticated):
            await gateway.by_key(key.text)
    assert await gateway.by_key(operators.text)
    assert await gateway.auth.sessions.renew(caller)


async def test_the_first_wallet_may_go_and_never_comes_back_by_itself(gateway):
    old = await gateway.sign_in(FIRST)
    caller = await gateway.by_token(old.access_token.text)
    await link(gateway, caller, SECOND)
    successor = await caller_of(gateway, SECOND)
    left = await unlink(gateway, successor, FIRST)
    assert [one.wallet for one in left] == [SECOND.subject]
    with pytest.raises(Unauthenticated):
        await gateway.by_token(old.access_token.text)
    for namespace in (SHOP, "anywhere"):
        for present in (
            gateway.auth.sign_in.verify,
            gateway.auth.sign_in.create_api_key,
            lambda one: gateway.auth.sign_in.register(one, "app"),
        ):
            with pytest.raises(PermissionDenied, match="link it again") as failure:
                await present(await gateway.signed(FIRST, namespace))
            assert failure.value.reason == "wallet_unlinked"
    assert await subject_of(gateway, SECOND) == FIRST.subject, "the account keeps its name"
    await link(gateway, successor, FIRST)
    assert await subject_of(gateway, FIRST) == FIRST.subject


async def test_the_first_wallet_may_join_another_account_and_leave_it_without_a_way_back(gateway):
    await link(gateway, await caller_of(gateway, FIRST), SECOND)
    await unlink(gateway, await caller_of(gateway, SECOND), FIRST)
    other = await caller_of(gateway, STRANGER, "bank")
    await link(gateway, other, FIRST)
    assert await subject_of(gateway, FIRST, "bank") == STRANGER.subject
    await unlink(gateway, other, FIRST)
    with pytest.raises(PermissionDenied) as failure:
        await gateway.sign_in(FIRST)
    assert failure.value.reason == "wallet_unlinked"
    assert await subject_of(gateway, SECOND) == FIRST.subject


async def test_the_last_wallet_stays(gateway):
    caller = await caller_of(gateway, FIRST)
    with pytest.raises(Conflict) as failure:
        await unlink(gateway, caller, FIRST)
    assert failure.value.reason == "last_wallet"
    await link(gateway, caller, SECOND)
    successor = await caller_of(gateway, SECOND)
    await unlink(gateway, successor, FIRST)
    with pytest.raises(Conflict):
        await unlink(gateway, successor, SECOND)
    assert await subject_of(gateway, SECOND) == FIRST.subject


@pytest.mark.parametrize("each_unlinks", ["itself", "the other"])
async def test_racing_unlinks_leave_one_wallet(gateway, another_gateway, each_unlinks):
    other = await another_gateway()
    for number in range(20):
        pair = Wallet(100 + number), SolanaWallet(200 + number)
        first = await caller_of(gateway, pair[0], f"race{number}")
        await link(gateway, first, pair[1])
        second = await caller_of(other, pair[1], f"race{number}")
        gone = pair if each_unlinks == "itself" else pair[::-1]
        outcomes = await asyncio.gather(
            unlink(gateway, first, gone[0]), unlink(other, second, gone[1]), return_exceptions=True
        )
        assert sum(isinstance(outcome, list) for outcome in outcomes) == 1, outcomes
        assert len(await gateway.auth.linking._accounts.wallets(pair[0].subject)) == 1
        left = await gateway.rows("SELECT wallet FROM account_wallets WHERE account = ?", pair[0].subject)
        assert left in ([], [(pair[1].subject,)])


async def test_a_wallet_that_is_none_of_the_accounts_is_not_found(gateway):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    other = await caller_of(gateway, STRANGER, "bank")
    for asker, wallet in ((caller, THIRD), (other, SECOND), (other, FIRST)):
        with pytest.raises(NotFound) as failure:
            await unlink(gateway, asker, wallet)
        assert failure.value.reason == "unknown_wallet"
    with pytest.raises(InvalidArgument):
        await gateway.auth.linking.unlink(caller, "nobody", revoke_keys=False)


@pytest.mark.parametrize("use", ["verify", "api-key"])
async def test_a_sign_in_that_races_an_unlinking_is_never_the_accounts_afterwards(gateway, use):
    caller = await caller_of(gateway, FIRST)
    await link(gateway, caller, SECOND)
    signed = await gateway.signed(SECOND)
    questions = 0

    async def unlink_meanwhile():
        nonlocal questions
        questions += 1
        if questions == 3:  # The challenge has been found, the account, and its membership.
            gateway.database.after_query = None
            await unlink(gateway, caller, SECOND)

    gateway.database.after_query = unlink_meanwhile
    present = gateway.auth.sign_in.verify if use == "verify" else gateway.auth.sign_in.create_api_key
    with pytest.raises(PermissionDenied):
        await present(signed)
    assert questions == 3
    alive = "SELECT count(*) FROM families WHERE signer = ? AND revoked_at IS NULL"
    assert await gateway.rows(alive, SECOND.subject) == [(0,)]
    assert await gateway.rows("SELECT count(*) FROM api_keys WHERE family IS NULL") == [(0,)]


async def test_a_wallet_that_claims_something_while_it_is_being_linked_is_not_linked(gateway):
    caller = await caller_of(gateway, FIRST)
    signed = await agreed(gateway, caller, SECOND)
    questions = 0

    async def claim_meanwhile():
        nonlocal questions
        questions += 1
        if questions == 5:  # All that could stand against it has been looked for.
            gateway.database.after_query = None
            await gateway.sign_in(SECOND, "cafe")

    gateway.database.after_query = claim_meanwhile
    with pytest.raises(Conflict) as failure:
        await gateway.auth.linking.link(caller, signed)
    assert questions == 5
    assert failure.value.reason == "wallet_has_memberships"
    assert await subject_of(gateway, SECOND, "cafe") == SECOND.subject


async def test_racing_links_of_one_wallet_have_one_account(gateway, another_gateway):
    other = await another_gateway()
    for number in range(20):
        first = await caller_of(gateway, Wallet(100 + number), f"a{number}")
        second = await caller_of(other, Wallet(200 + number), f"b{number}")
        wanted = SolanaWallet(300 + number)
        signed = await agreed(gateway, first, wanted), await agreed(other, second, wanted)
        outcomes = await asyncio.gather(
            gateway.auth.linking.link(first, signed[0]),
            other.auth.linking.link(second, signed[1]),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, list) for outcome in outcomes) == 1, outcomes
        assert len(await gateway.rows("SELECT 1 FROM account_wallets WHERE wallet = ?", wanted.subject)) == 1


WALLETS = [Wallet(number) if number % 2 else SolanaWallet(number) for number in range(1, 6)]
_index = st.integers(0, len(WALLETS) - 1)


class Linkage(RuleBasedStateMachine):
    """Wallets linked and unlinked in every order, against a plain table of who acts for whom."""

    @initialize()
    def open(self):
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.resources = AsyncExitStack()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.account = {wallet.subject: wallet.subject for wallet in WALLETS}
        self.claimed: set[str] = set()
        self.gateway = self.runner.run(self._open())

    async def _open(self):
        database = await self.resources.enter_async_context(platform_database(Path(self.directory.name), self.clock))
        return await Gateway.open(database, self.clock, max_wallets_per_account=3)

    def teardown(self):
        if hasattr(self, "runner"):
            self.runner.run(self.resources.aclose())
            self.runner.close()
            self.directory.cleanup()

    def acting_for(self, account):
        return [wallet for wallet, mine in self.account.items() if mine == account]

    async def sign_in(self, wallet):
        """Signs in for the namespace of the wallet's account, which is claimed by it."""
        account = self.account[wallet.subject]
        namespace = Namespace(f"n{[one.subject for one in WALLETS].index(account)}")
        self.claimed.add(account)
        return await caller_of(self.gateway, wallet, namespace)

    @rule(number=_index)
    def signs_in(self, number):
        wallet = WALLETS[number]
        if self.account[wallet.subject] is None:
            with pytest.raises(PermissionDenied):
                self.runner.run(caller_of(self.gateway, wallet, f"n{number}"))
            return
        assert self.runner.run(self.sign_in(wallet)).subject == self.account[wallet.subject]

    @rule(number=_index, other=_index)
    def links(self, number, other):
        wallet, wanted = WALLETS[number], WALLETS[other]
        account = self.account[wallet.subject]
        if account is None:
            return
        caller = self.runner.run(self.sign_in(wallet))
        theirs = self.account[wanted.subject]
        alone = theirs == wanted.subject and self.acting_for(theirs) == [theirs] and theirs not in self.claimed
        if len(self.acting_for(account)) < 3 and (theirs is None or (alone and theirs != account)):
            self.runner.run(link(self.gateway, caller, wanted))
            self.account[wanted.subject] = account
        else:
            with pytest.raises(Conflict):
                self.runner.run(link(self.gateway, caller, wanted))

    @rule(number=_index, other=_index)
    def unlinks(self, number, other):
        wallet, gone = WALLETS[number], WALLETS[other]
        account = self.account[wallet.subject]
        if account is None:
            return
        caller = self.runner.run(self.sign_in(wallet))
        if self.account[gone.subject] != account:
            with pytest.raises(NotFound):
                self.runner.run(unlink(self.gateway, caller, gone))
        elif self.acting_for(account) == [gone.subject]:
            with pytest.raises(Conflict):
                self.runner.run(unlink(self.gateway, caller, gone))
        else:
            self.runner.run(unlink(self.gateway, caller, gone))
            self.account[gone.subject] = None
            if not self.acting_for(gone.subject):
                self.account[gone.subject] = gone.subject

    @invariant()
    def each_account_has_the_wallets_of_the_table(self):
        for account in {mine for mine in self.account.values() if mine is not None}:
            wallets = self.runner.run(self.gateway.auth.linking._accounts.wallets(account))
            assert sorted(one.wallet for one in wallets) == sorted(self.acting_for(account))


TestLinkage = Linkage.TestCase
TestLinkage.settings = settings(max_examples=30, stateful_step_count=25)
