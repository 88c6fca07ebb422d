"""Challenges: texts that a wallet signs to show that it is there, each good once and for one purpose."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final
from urllib.parse import urlsplit

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.base62 import base62
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.purpose import Use, uses_of
from orama.domain.sign_in_message import SignInMessage, parse_message
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import parse_rfc3339, rfc3339, to_ms
from orama.domain.wallet import Chain, Wallet
from orama.errors import InvalidArgument, Precondition, RateLimited, Unauthenticated
from orama.services.auth.settings import AuthSettings
from orama.services.idempotency.attempt import Attempt, carry_out
from orama.services.sweep import Sweep, platform_sweep

_LOOPBACK: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.ASCII)
_LIVE: Final = "FROM challenges WHERE wallet = ? AND client = ? AND used_at IS NULL AND expires_at > ?"
_REMOVE_EXPIRED: Final = (
    "DELETE FROM challenges WHERE hash IN (SELECT hash FROM challenges WHERE expires_at <= ? LIMIT ?)"
)


class Challenge(msgspec.Struct, frozen=True):
    """A text to sign, good until `expires_at` (unix milliseconds)."""

    text: str
    expires_at: int


class Challenges:
    """Writes the texts (see `SignInMessage`) and judges what comes back. Of a text only its SHA-256 is stored."""

    def __init__(self, database: Database, clock: Clock, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def create(
        self,
        wallet: Wallet,
        namespace: Namespace,
        purpose: str,
        *,
        statement: str,
        origin: str | None,
        client: str,
        attempt: Attempt | None = None,
    ) -> Challenge:
        """A new challenge.

        `statement` is what the wallet agrees to; `origin`: the request's ``Origin`` header; `client`: the caller's
        address.

        Raises:
            RateLimited: the wallet has as many unused ones from this address as it may.
        """
        now = to_ms(self._clock.now())
        expires_at = now + self._settings.challenge_s * 1000
        scheme, domain = self._site(origin)
        text = SignInMessage(
            chain=wallet.chain,
            domain=domain,
            address=wallet.display,
            statement=statement,
            uri=f"{scheme}://{domain}",
            chain_id=self._chain_id(wallet.chain),
            nonce=base62(secrets.token_bytes(16)),
            issued_at=rfc3339(now),
            expiration_time=rfc3339(expires_at),
        ).text
        live = (wallet.subject, client, now)
        insert = Statement(
            "INSERT INTO challenges (hash, wallet, namespace, purpose, client, created_at, expires_at) "
            f"SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) {_LIVE}) < ?",
            (
                *(_hash(text), wallet.subject, namespace, purpose, client, now, expires_at),
                *(*live, self._settings.max_live_challenges),
            ),
            expect_rows=1,
        )
        try:
            return await carry_out(self._database, [insert], Challenge(text, expires_at), attempt)
        except Precondition as error:
            ((first,),) = (
                await self._database.query(PLATFORM, Statement(f"SELECT min(expires_at) {_LIVE}", live))
            ).rows
            raise RateLimited(
                "too many challenges are waiting to be signed by this wallet: sign one of them, or wait",
                reason="too_many_challenges",
                retry_after_s=(first - now) / 1000 if isinstance(first, int) else 1,
            ) from error

    async def prove(self, text: str, signature: str, wallet: Wallet, namespace: Namespace, use: Use) -> Statement:
        """Judge a signed challenge; returns the statement that uses it up, for the batch that it allows.

        Only that statement decides who is first; it comes last, so that a bad signature uses nothing up.

        Raises:
            Unauthenticated: anything does not fit, the text being the same for all; the reason says what.
        """
        try:
            self._check_message(parse_message(text), wallet)
        except (InvalidArgument, ValueError) as error:
            raise verification_failed("invalid_message") from error
        now = to_ms(self._clock.now())
        find = Statement(
            "SELECT wallet, namespace, purpose FROM challenges WHERE hash = ? AND used_at IS NULL AND expires_at > ?",
            (_hash(text), now),
        )
        rows = (await self._database.query(PLATFORM, find, consistency=Consistency.LINEARIZABLE)).rows
        if not rows:
            raise verification_failed("challenge_unknown_or_used")
        owner, bound_namespace, purpose = rows[0]
        if (owner, bound_namespace) != (wallet.subject, namespace) or use not in uses_of(str(purpose)):
            raise verification_failed("challenge_for_another_use")
        try:
            wallet.check_signature(text, signature)
        except ValueError as error:
            raise verification_failed("invalid_signature") from error
        return Statement(
            "UPDATE challenges SET used_at = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ?",
            (now, _hash(text), now),
            expect_rows=1,
        )

    def sweep(self) -> Sweep:
        """The removal of challenges that nobody may sign any more, by any gateway's clock."""

        def expired_before() -> tuple[int]:
            return (to_ms(self._clock.now() - self._settings.clock_skew_s),)

        return platform_sweep(self._database, "challenges", _REMOVE_EXPIRED, expired_before)

    def _site(self, origin: str | None) -> tuple[str, str]:
        """Scheme and domain of the web application that asks, if it is one of ours; else the gateway's own."""
        try:
            asking = urlsplit(origin or "")
        except ValueError:
            asking = urlsplit("")
        if asking.scheme in {"http", "https"} and self._is_ours(asking.netloc.lower()):
            return asking.scheme, asking.netloc.lower()
        return "http" if self._settings.development else "https", self._settings.public_host

    def _is_ours(self, domain: str) -> bool:
        """Whether texts may name `domain`: wallets refuse to sign for another than that of the page which asks.

        In development that is any page of this machine, too.
        """
        if self._settings.development and _LOOPBACK.fullmatch(domain) is not None:
            return True
        return domain in self._settings.allowed_domains or domain == self._settings.public_host

    def _chain_id(self, chain: Chain) -> str:
        return str(self._settings.chain_id) if chain is Chain.ETHEREUM else self._settings.solana_chain

    def _check_message(self, message: SignInMessage, wallet: Wallet) -> None:
        now, skew_ms = to_ms(self._clock.now()), self._settings.clock_skew_s * 1000
        issued_at = parse_rfc3339(message.issued_at)
        if not self._is_ours(message.domain):
            raise ValueError("another site's domain")
        if message.uri not in {f"https://{message.domain}", f"http://{message.domain}"}:
            raise ValueError("another site's URI")
        if message.chain_id != self._chain_id(wallet.chain):
            raise ValueError("another chain")
        if (message.chain, message.address) != (wallet.chain, wallet.display):
            raise ValueError("another wallet")
        if not now - self._settings.challenge_s * 1000 - skew_ms <= issued_at <= now + skew_ms:
            raise ValueError("issued at another time")
        if message.expiration_time is None or parse_rfc3339(message.expiration_time) <= now:
            raise ValueError("expired")
        if message.not_before is not None and parse_rfc3339(message.not_before) > now:
            raise ValueError("not good yet")


def verification_failed(reason: str) -> Unauthenticated:
    """The one answer to every signature that does not count."""
    return Unauthenticated("signature verification failed", reason=reason)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
