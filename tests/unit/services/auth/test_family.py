"""Refresh families: one successor, a moment of grace, and the end of the family on reuse."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from orama.domain.namespace import Namespace
from orama.errors import InvalidArgument, PermissionDenied, Unauthenticated
from orama.testing.clock import ManualClock
from support.identity import SHOP, Gateway, platform_database
from support.wallet import Wallet

OWNER = Wallet(1)
DAY_S = 24 * 3600


async def refused(gateway: Gateway, token: str, namespace=None) -> str | None:
    with pytest.raises(Unauthenticated) as failure:
        await gateway.auth.sessions.refresh(token, namespace)
    assert failure.value.text == "invalid or expired refresh token"
    return failure.value.reason


async def is_dead(gateway: Gateway, signed_in) -> bool:
    """Whether access token and API key are both refused; never one without the other."""
    dead = []
    for check, text in ((gateway.by_token, signed_in.access_token.text), (gateway.by_key, signed_in.api_key.text)):
        try:
            await check(text)
            dead.append(False)
        except Unauthenticated:
            dead.append(True)
    assert len(set(dead)) == 1
    return dead[0]


async def test_w10_a_refresh_token_is_replaced(gateway):
    signed_in = await gateway.sign_in(OWNER)
    refreshed = await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    assert refreshed.refresh_token not in {None, signed_in.refresh_token}
    assert (refreshed.subject, refreshed.namespace) == (OWNER.subject, SHOP)
    caller = await gateway.by_token(refreshed.access_token.text)
    assert (caller.subject, caller.namespace) == (OWNER.subject, SHOP)
    assert (await gateway.auth.sessions.refresh(refreshed.refresh_token, SHOP)).refresh_token != refreshed.refresh_token


async def test_a_lost_reply_is_told_again_for_ten_seconds(gateway, clock):
    first = (await gateway.sign_in(OWNER)).refresh_token
    second = (await gateway.auth.sessions.refresh(first, None)).refresh_token
    clock.advance(10)
    assert (await gateway.auth.sessions.refresh(first, None)).refresh_token == second
    third = (await gateway.auth.sessions.refresh(second, None)).refresh_token
    assert (await gateway.auth.sessions.refresh(first, None)).refresh_token == second
    assert (await gateway.auth.sessions.refresh(second, None)).refresh_token == third


async def test_w10_a_later_reuse_ends_the_family_with_all_its_credentials(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    refreshed = await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    assert not await is_dead(gateway, signed_in)
    clock.advance(10.001)
    assert await refused(gateway, signed_in.refresh_token) == "refresh_token_reused"
    assert await is_dead(gateway, signed_in)
    assert await refused(gateway, refreshed.refresh_token) == "invalid_refresh_token"
    with pytest.raises(Unauthenticated):
        await gateway.by_token(refreshed.access_token.text)


async def test_50_refreshes_at_once_have_one_successor(gateway, another_gateway):
    other = await another_gateway()
    token = (await gateway.sign_in(OWNER)).refresh_token
    refreshed = await asyncio.gather(
        *((gateway, other)[number % 2].auth.sessions.refresh(token, None) for number in range(50))
    )
    assert len({one.refresh_token for one in refreshed}) == 1
    assert await gateway.rows("SELECT count(*) FROM refresh_tokens") == [(2,)]


async def test_refresh_against_logout_at_once_leaves_nothing_alive(gateway, another_gateway):
    other = await another_gateway(decision_s=0)
    for _ in range(30):
        signed_in = await gateway.sign_in(OWNER)
        refreshed, _ = await asyncio.gather(
            gateway.auth.sessions.refresh(signed_in.refresh_token, None),
            other.auth.sessions.logout(None, refresh_token=signed_in.refresh_token, namespace=None, everywhere=False),
            return_exceptions=True,
        )
        assert await is_dead(other, signed_in)
        if not isinstance(refreshed, Unauthenticated):
            await refused(gateway, refreshed.refresh_token)


async def test_a_logout_between_reading_and_writing_wins(gateway):
    token = (await gateway.sign_in(OWNER)).refresh_token

    async def logout():
        gateway.database.after_query = None
        await gateway.auth.sessions.logout(None, refresh_token=token, namespace=None, everywhere=False)

    gateway.database.after_query = logout
    assert await refused(gateway, token) == "invalid_refresh_token"


async def test_a_family_ends_after_thirty_days_however_often_refreshed(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    token = signed_in.refresh_token
    for _ in range(29):
        clock.advance(DAY_S)
        token = (await gateway.auth.sessions.refresh(token, None)).refresh_token
    assert await gateway.by_key(signed_in.api_key.text)
    clock.advance(DAY_S)
    assert await refused(gateway, token) == "invalid_refresh_token"
    with pytest.raises(Unauthenticated):
        await gateway.by_key(signed_in.api_key.text)


async def test_a_refresh_token_is_bound_to_its_namespace_and_a_mismatch_uses_nothing_up(gateway):
    token = (await gateway.sign_in(OWNER)).refresh_token
    assert await refused(gateway, token, Namespace("bank")) == "invalid_refresh_token"
    assert await gateway.auth.sessions.refresh(token, SHOP)


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 100_000, "' OR 1=1 --", "\ud800", "\0"])
async def test_unknown_refresh_tokens_are_refused(gateway, token):
    await gateway.sign_in(OWNER)
    assert await refused(gateway, token) == "invalid_refresh_token"


async def test_w9_no_secret_stands_in_the_database_in_clear(gateway, tmp_path):
    signed_in = await gateway.sign_in(OWNER)
    refreshed = await gateway.auth.sessions.refresh(signed_in.refresh_token, None)
    key = await gateway.lasting_key(OWNER)
    await gateway.database.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert OWNER.subject.encode() in stored
    for secret in (
        signed_in.refresh_token,
        refreshed.refresh_token,
        signed_in.api_key.secret,
        key.secret,
        signed_in.access_token.text,
    ):
        assert secret.encode() not in stored


async def test_renewal_without_a_refresh_token_works_while_the_family_lives(gateway, clock):
    signed_in = await gateway.sign_in(OWNER)
    caller = await gateway.by_token(signed_in.access_token.text)
    clock.advance(800)
    renewed = await gateway.auth.sessions.renew(caller)
    assert renewed.refresh_token is None
    clock.advance(800)
    caller = await gateway.by_token(renewed.access_token.text)
    assert (caller.subject, caller.namespace) == (OWNER.subject, SHOP)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=False)
    with pytest.raises(Unauthenticated):
        await gateway.auth.sessions.renew(caller)


async def test_an_api_key_renews_nothing(gateway):
    caller = await gateway.by_key((await gateway.sign_in(OWNER)).api_key.text)
    with pytest.raises(Unauthenticated):
        await gateway.auth.sessions.renew(caller)


async def test_logout_by_refresh_token_ends_that_family_only(gateway):
    one, other = await gateway.sign_in(OWNER), await gateway.sign_in(OWNER)
    await gateway.auth.sessions.logout(None, refresh_token=one.refresh_token, namespace=None, everywhere=False)
    assert await is_dead(gateway, one)
    assert not await is_dead(gateway, other)


async def test_logout_by_access_token_ends_its_family_only(gateway):
    one, other = await gateway.sign_in(OWNER), await gateway.sign_in(OWNER)
    caller = await gateway.by_token(one.access_token.text)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=False)
    assert await is_dead(gateway, one)
    assert not await is_dead(gateway, other)


async def test_w19_logout_everywhere_means_the_tokens_own_namespace(gateway):
    here, also_here = await gateway.sign_in(OWNER), await gateway.sign_in(OWNER)
    elsewhere = await gateway.sign_in(OWNER, "bank")
    lasting = await gateway.lasting_key(OWNER)
    for signed_in in (here, also_here, elsewhere):
        assert not await is_dead(gateway, signed_in)
    caller = await gateway.by_token(here.access_token.text)
    with pytest.raises(PermissionDenied):
        await gateway.auth.sessions.logout(caller, refresh_token="", namespace=Namespace("bank"), everywhere=True)
    await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=True)
    assert await is_dead(gateway, here)
    assert await is_dead(gateway, also_here)
    assert not await is_dead(gateway, elsewhere)
    assert (await gateway.by_key(lasting.text)).namespace == SHOP


async def test_w19_nothing_to_end_is_no_failure_for_a_known_caller(gateway):
    caller = await gateway.by_key((await gateway.lasting_key(OWNER)).text)
    logout = gateway.auth.sessions.logout
    await logout(caller, refresh_token="", namespace=None, everywhere=False)
    await logout(None, refresh_token="unknown", namespace=None, everywhere=False)
    with pytest.raises(InvalidArgument, match="nothing to revoke"):
        await logout(None, refresh_token="", namespace=None, everywhere=False)
    for anonymous_or_key in (None, caller):
        with pytest.raises(Unauthenticated, match="jwt required for all=true"):
            await logout(anonymous_or_key, refresh_token="", namespace=None, everywhere=True)


@dataclass
class ModelFamily:
    """What a family should do. `tokens`: each with the moment of its first use."""

    tokens: dict[str, float | None]
    key: str
    access_token: str
    ends_at: float
    revoked: bool = False


class Sessions(RuleBasedStateMachine):
    """Any order of sign-in, refresh, reuse, logout and time, over two gateways that share a database."""

    families = Bundle("families")

    @initialize()
    def open(self):
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.resources = AsyncExitStack()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.all: list[ModelFamily] = []
        self.gateways = self.runner.run(self._open())

    async def _open(self):
        database = await self.resources.enter_async_context(platform_database(Path(self.directory.name), self.clock))
        short = {"decision_s": 0, "refresh_s": 3600, "access_token_s": 3600}
        return [await Gateway.open(database, self.clock, **short) for _ in range(2)]

    def teardown(self):
        if hasattr(self, "runner"):
            self.runner.run(self.resources.aclose())
            self.runner.close()
            self.directory.cleanup()

    def lives(self, family: ModelFamily) -> bool:
        return not family.revoked and self.clock.now() < family.ends_at

    @rule(target=families, gateway=st.integers(0, 1))
    def sign_in(self, gateway):
        signed_in = self.runner.run(self.gateways[gateway].sign_in(OWNER))
        family = ModelFamily(
            {signed_in.refresh_token: None},
            signed_in.api_key.text,
            signed_in.access_token.text,
            ends_at=self.clock.now() + 3600,
        )
        self.all.append(family)
        return family

    @rule(family=families, gateway=st.integers(0, 1), choice=st.integers(0, 3))
    def refresh(self, family, gateway, choice):
        token = list(family.tokens)[-1 - choice % len(family.tokens)]
        used_at = family.tokens[token]
        now = self.clock.now()
        works = self.lives(family) and (used_at is None or now - used_at <= 10)
        try:
            refreshed = self.runner.run(self.gateways[gateway].auth.sessions.refresh(token, None))
        except Unauthenticated:
            assert not works
            family.revoked = family.revoked or self.lives(family)
            return
        assert works
        if used_at is None:
            assert refreshed.refresh_token not in family.tokens
            family.tokens[token] = now
            family.tokens[refreshed.refresh_token] = None
        else:
            order = list(family.tokens)
            assert refreshed.refresh_token == order[order.index(token) + 1]

    @rule(family=families, gateway=st.integers(0, 1), choice=st.integers(0, 3))
    def logout(self, family, gateway, choice):
        token = list(family.tokens)[-1 - choice % len(family.tokens)]
        sessions = self.gateways[gateway].auth.sessions
        self.runner.run(sessions.logout(None, refresh_token=token, namespace=None, everywhere=False))
        family.revoked = True

    @precondition(lambda self: any(self.lives(family) for family in self.all))
    @rule(gateway=st.integers(0, 1))
    def logout_everywhere(self, gateway):
        one = next(family for family in self.all if self.lives(family))
        self.runner.run(self._logout_everywhere(self.gateways[gateway], one.access_token))
        for family in self.all:
            family.revoked = True

    async def _logout_everywhere(self, gateway, access_token):
        caller = await gateway.by_token(access_token)
        await gateway.auth.sessions.logout(caller, refresh_token="", namespace=None, everywhere=True)

    @rule(seconds=st.sampled_from([1, 5, 9, 11, 300, 1800]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule(family=consumes(families))
    def forget(self, family):
        """Stop touching a family: what it was must stay true (the invariant goes on checking it)."""

    @invariant()
    def a_key_lives_exactly_as_long_as_its_family(self):
        for family in getattr(self, "all", []):
            for gateway in self.gateways:
                try:
                    self.runner.run(gateway.by_key(family.key))
                except Unauthenticated:
                    assert not self.lives(family)
                else:
                    assert self.lives(family)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=40, stateful_step_count=25)
