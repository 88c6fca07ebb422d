"""Any order of joining, promoting, demoting, leaving and key-making, against a plain model of it all."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orama.domain.audit import LOCAL
from orama.domain.role import ROLE_SCOPES
from orama.domain.scope import SCOPES, allows
from orama.errors import OramaError, PermissionDenied, Unauthenticated
from orama.testing.clock import ManualClock
from support.identity import SHOP, Gateway, platform_database
from support.wallet import Wallet

WALLETS = [Wallet(number) for number in range(1, 5)]
RANK = {"reader": 0, "member": 1, "admin": 2, "owner": 3}
SETS = [("*",), ("db:*",), ("db:read", "cache:write"), ("members:*", "db:read"), ("keys:write:own", "pubsub:publish")]

who = st.integers(0, len(WALLETS) - 1)
roles = st.sampled_from(list(RANK))


@dataclass
class Person:
    """What a wallet should be: its role, if any, and what it signed in with while it was a member."""

    role: str | None = None
    tokens: list[str] = field(default_factory=list)
    keys: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)
    """Id, text and stored scopes."""


class Memberships(RuleBasedStateMachine):
    """One gateway does everything and must know at once; another, which remembers nothing, must agree."""

    @initialize()
    def open(self):
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.resources = AsyncExitStack()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.people = [Person() for _ in WALLETS]
        self.runner.run(self._open())

    async def _open(self):
        database = await self.resources.enter_async_context(platform_database(Path(self.directory.name), self.clock))
        long = {"access_token_s": 3600 * 24, "max_keys_per_wallet": 3}
        self.gateway = await Gateway.open(database, self.clock, **long)
        self.witness = await Gateway.open(database, self.clock, **long, decision_s=0)
        for wallet in WALLETS:
            await self.gateway.sign_in(wallet, f"home{wallet.bare[:6]}")
        self.people[0].role = "owner"
        await self.gateway.sign_in(WALLETS[0])
        await self._sign_in(0)

    def teardown(self):
        if hasattr(self, "runner"):
            self.runner.run(self.resources.aclose())
            self.runner.close()
            self.directory.cleanup()

    async def _sign_in(self, number):
        signed_in = await self.gateway.sign_in(WALLETS[number])
        self.people[number].tokens.append(signed_in.access_token.text)

    def caller(self, number):
        """Who calls with the latest token; None if there is none (then nothing can be asked)."""
        tokens = self.people[number].tokens
        return self.runner.run(self.gateway.by_token(tokens[-1])) if tokens and self.people[number].role else None

    def attempt(self, coroutine, expected):
        """Run it; it must be refused for the reason `expected`, or succeed if that is None."""
        outcome, refusal = None, None
        try:
            outcome = self.runner.run(coroutine)
        except OramaError as error:
            refusal = error
        assert (refusal and refusal.reason) == expected, refusal and refusal.text
        return outcome

    def owners(self):
        return sum(person.role == "owner" for person in self.people)

    def is_last_owner(self, number):
        return self.people[number].role == "owner" and self.owners() == 1

    def gone(self, number):
        self.people[number] = Person()

    @rule(number=who)
    def sign_in(self, number):
        if self.people[number].role is None:
            try:
                self.runner.run(self.gateway.sign_in(WALLETS[number]))
            except PermissionDenied:
                return
            raise AssertionError("a stranger came in")
        self.runner.run(self._sign_in(number))

    @rule(actor=who, other=who, role=roles)
    def change_role(self, actor, other, role):
        caller = self.caller(actor)
        if caller is None:
            return
        mine, theirs = self.people[actor].role, self.people[other].role
        expected = None
        if RANK[mine] < RANK["admin"]:
            expected = "scope_missing"
        elif theirs is None:
            expected = "unknown_member"
        elif mine == "admin" and "owner" in {theirs, role}:
            expected = "beyond_caller"
        elif self.is_last_owner(other) and role != "owner":
            expected = "last_owner"
        self.attempt(self.gateway.auth.members.set_role(caller, WALLETS[other].subject, role, LOCAL), expected)
        if expected is None:
            self.people[other].role = role

    @rule(actor=who, other=who)
    def remove(self, actor, other):
        caller = self.caller(actor)
        if caller is None:
            return
        mine, theirs = self.people[actor].role, self.people[other].role
        expected = None
        if RANK[mine] < RANK["admin"]:
            expected = "scope_missing"
        elif theirs is None:
            expected = "unknown_member"
        elif mine == "admin" and theirs == "owner":
            expected = "beyond_caller"
        elif self.is_last_owner(other):
            expected = "last_owner"
        self.attempt(self.gateway.auth.members.remove(caller, WALLETS[other].subject, LOCAL), expected)
        if expected is None:
            self.forget_credentials(other)

    @rule(number=who)
    def leave(self, number):
        caller = self.caller(number)
        if caller is not None:
            expected = "last_owner" if self.is_last_owner(number) else None
            self.attempt(self.gateway.auth.own_namespaces.leave(caller, LOCAL), expected)
            if expected is None:
                self.forget_credentials(number)

    @rule(actor=who, other=who)
    def transfer(self, actor, other):
        caller = self.caller(actor)
        if caller is None:
            return
        expected = None
        if self.people[actor].role != "owner":
            expected = "not_an_owner"
        elif actor == other:
            expected = "already_owner"
        elif self.people[other].role is None:
            expected = "unknown_member"
        self.attempt(self.gateway.auth.own_namespaces.transfer(caller, WALLETS[other].subject, LOCAL), expected)
        if expected is None:
            self.people[other].role, self.people[actor].role = "owner", "admin"

    @rule(actor=who, other=who, role=st.sampled_from(["admin", "member", "reader"]))
    def invite_and_accept(self, actor, other, role):
        caller = self.caller(actor)
        if caller is None:
            return
        expected = "scope_missing" if RANK[self.people[actor].role] < RANK["admin"] else None
        made = self.attempt(self.gateway.auth.invitations.create(caller, role, LOCAL), expected)
        if made is None:
            return
        home = self.runner.run(self.gateway.caller(WALLETS[other], f"home{WALLETS[other].bare[:6]}"))
        expected = "already_member" if self.people[other].role else None
        self.attempt(self.gateway.auth.invitations.accept(home, made.token, LOCAL), expected)
        if expected is None:
            self.people[other].role = role
            self.runner.run(self._sign_in(other))

    @rule(number=who, scopes=st.sampled_from(SETS))
    def make_key(self, number, scopes):
        caller = self.caller(number)
        if caller is None:
            return
        person = self.people[number]
        expected = None
        if any(not allows(ROLE_SCOPES[person.role], scope) for scope in scopes):
            expected = "beyond_caller"
        elif len(person.keys) == 3:
            expected = "too_many_keys"
        made = self.attempt(
            self.gateway.auth.keys.create(caller, name="", scopes=scopes, lifetime_s=None, provenance=LOCAL), expected
        )
        if made is not None:
            person.keys.append((made.key.id, made.key.text, frozenset(scopes)))

    @rule(actor=who, owner=who, choice=st.integers(0, 2))
    def revoke_key(self, actor, owner, choice):
        caller = self.caller(actor)
        keys = self.people[owner].keys
        if caller is None or not keys:
            return
        key_id, _, stored = keys[choice % len(keys)]
        expected = None
        if actor != owner and RANK[self.people[actor].role] < RANK["admin"]:
            expected = "unknown_key"
        elif actor != owner and self.people[actor].role == "admin" and "*" in stored:
            expected = "beyond_caller" if self.people[owner].role == "owner" else None
        self.attempt(self.gateway.auth.keys.revoke(caller, key_id, LOCAL), expected)
        if expected is None:
            _, text, _ = keys.pop(choice % len(keys))
            for gateway in (self.gateway, self.witness):
                self.assert_dead(gateway.by_key(text))

    def forget_credentials(self, number):
        """The member has gone: what it held is dead, and the model looks once more."""
        person = self.people[number]
        self.people[number] = Person()
        for gateway in (self.gateway, self.witness):
            for token in person.tokens[-3:]:
                self.assert_dead(gateway.by_token(token))
            for _, text, _ in person.keys:
                self.assert_dead(gateway.by_key(text))

    def assert_dead(self, coroutine):
        try:
            self.runner.run(coroutine)
        except Unauthenticated:
            return
        raise AssertionError("a credential outlived its membership")

    @invariant()
    def there_is_an_owner(self):
        if hasattr(self, "people"):
            assert self.owners() >= 1
            members = self.runner.run(self.gateway.auth.members.page(SHOP, limit=10))
            assert {one.wallet: one.role for one in members} == {
                wallet.subject: person.role for wallet, person in zip(WALLETS, self.people, strict=True) if person.role
            }

    @invariant()
    def scopes_are_those_of_credential_and_role_together(self):
        for person in getattr(self, "people", []):
            if person.role is None:
                continue
            role = ROLE_SCOPES[person.role]
            for gateway in (self.gateway, self.witness):
                for token in person.tokens[-2:]:
                    self.assert_reach(self.runner.run(gateway.by_token(token)), (role,))
                for _, text, stored in person.keys:
                    self.assert_reach(self.runner.run(gateway.by_key(text)), (role, stored))

    def assert_reach(self, caller, sets):
        for scope in (*SCOPES, "keys:write:own", "pubsub:publish:news", "*", "later:added"):
            assert caller.allows(scope) is all(allows(one, scope) for one in sets), (scope, caller.scopes, sets)


TestMemberships = Memberships.TestCase
TestMemberships.settings = settings(max_examples=20, stateful_step_count=25)
