"""Rotations, restarts, changes of algorithm and sweeps in any order: a token holds until its end, and not longer."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import jwt
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orama.domain.namespace import Namespace
from orama.errors import Unauthenticated
from orama.services.auth.access_token import AccessTokens
from orama.services.auth.settings import AuthSettings
from orama.testing.clock import ManualClock
from support.identity import Gateway, platform_database

GATEWAYS = 3
# An hour of RSA keys would be an hour of searching for primes: one gateway in eight is configured for them.
_algorithms = st.sampled_from(["EdDSA"] * 7 + ["RS256"])
# Around the times at which something changes: the next reading and the new key's turn, a token's end, and the skew.
_waits = st.sampled_from([1, 59, 60, 61, 839, 840, 899, 900, 901, 958, 959])
_gateways = st.integers(0, GATEWAYS - 1)


class SigningKeyMachine(RuleBasedStateMachine):
    """Gateways over one database, of any configuration; every token that was issued, and when it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.clock = ManualClock()
        self.directory = tempfile.TemporaryDirectory()
        self.opened = platform_database(Path(self.directory.name), self.clock)
        self.database = self.run(self.opened.__aenter__())
        self.gateways: list[Gateway] = []
        self.tokens: dict[str, int] = {}

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.directory.cleanup()

    def _open(self, algorithm: str) -> Gateway:
        return self.run(Gateway.open(self.database, self.clock, jwt_algorithm=algorithm, signing_key_pause_s=0))

    @initialize(algorithms=st.lists(_algorithms, min_size=GATEWAYS, max_size=GATEWAYS))
    def start(self, algorithms: list[str]) -> None:
        self.gateways = [self._open(algorithm) for algorithm in algorithms]

    @rule(which=_gateways, algorithm=_algorithms)
    def restart(self, which: int, algorithm: str) -> None:
        self.gateways[which] = self._open(algorithm)

    @rule(which=_gateways)
    def issue(self, which: int) -> None:
        tokens = AccessTokens(self.gateways[which].auth.signing_keys, self.clock, self.gateways[which].auth.settings)
        issued = self.run(tokens.issue("wallet", Namespace("shop"), None))
        assert jwt.get_unverified_header(issued.text)["alg"] == self.gateways[which].auth.settings.jwt_algorithm
        self.tokens[issued.text] = int(self.clock.now()) + issued.expires_in

    @rule(which=_gateways)
    def rotate(self, which: int) -> None:
        self.run(self.gateways[which].auth.signing_keys.rotate())

    @rule(which=_gateways, other=_gateways)
    def sign_with_the_old_key_at_its_last_moment(self, which: int, other: int) -> None:
        self.rotate(which)
        self.clock.advance(59)
        self.issue(other)

    @rule(first=_gateways, second=_gateways)
    def rotate_at_once(self, first: int, second: int) -> None:
        async def both() -> None:
            await asyncio.gather(*(self.gateways[one].auth.signing_keys.rotate() for one in (first, second)))

        self.run(both())

    @rule(which=_gateways, limit=st.integers(1, 3))
    def sweep(self, which: int, limit: int) -> None:
        self.run(self.gateways[which].auth.signing_keys.sweep().remove(limit))

    @rule(seconds=_waits)
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def every_token_holds_everywhere_until_its_end_and_no_longer(self) -> None:
        for gateway in self.gateways:
            # Without the memory of tokens once verified: it is the keys that are asked here.
            tokens = AccessTokens(gateway.auth.signing_keys, self.clock, AuthSettings())
            for text, end in self.tokens.items():
                assert self.run(self._holds(tokens, text)) == (self.clock.now() < end + 60)

    @invariant()
    def one_key_of_an_algorithm_has_no_end(self) -> None:
        if self.gateways:
            endless = "SELECT algorithm, count(*) FROM signing_keys WHERE retired_at IS NULL GROUP BY algorithm"
            assert {number for _, number in self.run(self.gateways[0].rows(endless))} == {1}

    @staticmethod
    async def _holds(tokens: AccessTokens, text: str) -> bool:
        try:
            await tokens.verify(text)
        except Unauthenticated:
            return False
        return True


def test_tokens_hold_until_their_end_whatever_becomes_of_the_keys():
    run_state_machine_as_test(SigningKeyMachine, settings=settings(max_examples=20, stateful_step_count=25))
