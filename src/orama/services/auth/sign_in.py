"""Sign-in: from a signed challenge to credentials, each in one atomic batch with what uses the challenge up."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.api_key import ApiKey
from orama.domain.audit import LOCAL, Action, Provenance
from orama.domain.base62 import base62
from orama.domain.namespace import Namespace, parse_namespace
from orama.domain.purpose import Use, statement_of
from orama.domain.sql import Statement
from orama.domain.timestamp import to_ms
from orama.domain.wallet import Wallet, parse_chain, parse_wallet
from orama.errors import Conflict, InvalidArgument, PermissionDenied, Precondition, Unavailable
from orama.services.auth.access_token import AccessTokens, IssuedToken
from orama.services.auth.account import Accounts
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.audit import AuditLog
from orama.services.auth.challenge import Challenge, Challenges, verification_failed
from orama.services.auth.family import Families, Rotated
from orama.services.auth.namespace import Namespaces
from orama.services.auth.settings import AuthSettings
from orama.services.idempotency.attempt import Attempt, carry_out, once

_ATTEMPTS: Final = 3
_MAX_NAME: Final = 128


class SignedChallenge(msgspec.Struct, frozen=True):
    """What a caller presents, as texts. A blank namespace is the default one, a blank chain type that of the wallet."""

    wallet: str
    text: str
    signature: str
    namespace: str = ""
    chain_type: str = ""


class SignedIn(msgspec.Struct, frozen=True):
    """The credentials of a new family."""

    access_token: IssuedToken
    refresh_token: str
    api_key: ApiKey


class Opened(msgspec.Struct, frozen=True):
    """A family that has been opened, with its first refresh token and its key."""

    rotated: Rotated
    key: ApiKey


class IssuedKey(msgspec.Struct, frozen=True):
    """A key made for a wallet at `created_at` (unix milliseconds)."""

    key: ApiKey
    wallet: Wallet
    created_at: int


class App(msgspec.Struct, frozen=True):
    """An application that a wallet registered."""

    id: str
    name: str
    namespace: Namespace
    wallet: Wallet


class Signer(msgspec.Struct, frozen=True):
    """A wallet that signed, and the account that it acts for: all that follows is the account's."""

    wallet: Wallet
    account: str
    provenance: Provenance = LOCAL


_T = TypeVar("_T")
Plan: TypeAlias = Callable[[Signer, Namespace], Awaitable[tuple[_T, list[Statement]]]]


class SignIn:
    """Everything that a wallet's signature is good for."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        settings: AuthSettings,
        challenges: Challenges,
        accounts: Accounts,
        namespaces: Namespaces,
        families: Families,
        api_keys: ApiKeys,
        access_tokens: AccessTokens,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._challenges = challenges
        self._accounts = accounts
        self._namespaces = namespaces
        self._families = families
        self._api_keys = api_keys
        self._access_tokens = access_tokens
        self._audit = audit

    async def challenge(
        self,
        wallet: str,
        namespace: str,
        purpose: str,
        *,
        origin: str | None,
        client: str,
        attempt: Attempt | None = None,
    ) -> Challenge:
        """A text for `wallet` to sign. `origin`: the request's ``Origin`` header; `client`: the caller's address.

        Raises:
            InvalidArgument: the wallet or the namespace is malformed.
            RateLimited: the wallet has as many unused challenges from this address as it may.
        """
        if len(purpose) > _MAX_NAME:
            raise InvalidArgument(f"a purpose has at most {_MAX_NAME} characters", reason="invalid_purpose")
        named, place = parse_wallet(wallet), self._namespace(namespace)
        return await self._challenges.create(
            named,
            place,
            purpose,
            statement=statement_of(purpose, place),
            origin=origin,
            client=client,
            attempt=attempt,
        )

    async def verify(
        self, signed: SignedChallenge, provenance: Provenance = LOCAL, *, attempt: Attempt | None = None
    ) -> SignedIn:
        """Sign in: a family with its tokens, and an API key that dies with it.

        Raises:
            Unauthenticated: the signature or the challenge does not count.
            PermissionDenied: the namespace is another's, or the wallet was unlinked from its account.
            Conflict: the account has claimed as many namespaces as it may.
        """
        opened = await self.redeem(signed, Use.VERIFY, self.open_family, Opened, provenance, attempt)
        return await self.signed_in(opened)

    async def signed_in(self, opened: Opened) -> SignedIn:
        """The credentials of a family that has been opened, with its first access token."""
        family = opened.rotated.family
        token = await self._access_tokens.issue(family.wallet, family.namespace, family.id)
        return SignedIn(token, opened.rotated.refresh_token, opened.key)

    async def create_api_key(
        self, signed: SignedChallenge, provenance: Provenance = LOCAL, *, attempt: Attempt | None = None
    ) -> IssuedKey:
        """A new API key that lasts until it is revoked.

        Raises:
            Unauthenticated, PermissionDenied: as `verify`.
            Conflict: as `verify`, or the account has as many keys as it may.
        """
        return await self.redeem(signed, Use.API_KEY, self._create_key, IssuedKey, provenance, attempt)

    async def register(
        self, signed: SignedChallenge, name: str, provenance: Provenance = LOCAL, *, attempt: Attempt | None = None
    ) -> App:
        """Record an application of the wallet's in the namespace.

        Raises:
            Unauthenticated, PermissionDenied, Conflict: as `verify`.
        """
        if len(name) > _MAX_NAME:
            raise InvalidArgument(f"a name has at most {_MAX_NAME} characters", reason="invalid_name")

        async def create(signer: Signer, namespace: Namespace) -> tuple[App, list[Statement]]:
            app = App("app_" + base62(secrets.token_bytes(12)), name, namespace, signer.wallet)
            row = (app.id, namespace, name, signer.account, to_ms(self._clock.now()))
            sql = "INSERT INTO apps (id, namespace, name, wallet, created_at) VALUES (?, ?, ?, ?, ?)"
            return app, [Statement(sql, row), self._record(signer, namespace, Action.APP_REGISTER, app.id)]

        return await self.redeem(signed, Use.REGISTER, create, App, provenance, attempt)

    async def create_unclaimed_key(
        self, wallet: str, namespace: str, provenance: Provenance = LOCAL, *, attempt: Attempt | None = None
    ) -> IssuedKey:
        """A key without any proof, in development only, for a namespace that nobody has.

        Raises:
            PermissionDenied: this is no development node (reason ``simple_key_disabled``).
            Conflict: the namespace is somebody's.
        """
        if not self._settings.development:
            raise PermissionDenied(
                "keys without a signature are for development nodes: sign a challenge and use /v1/auth/api-key",
                reason="simple_key_disabled",
            )
        named = parse_wallet(wallet)
        key, creation = self._api_keys.creation_unclaimed(
            self._namespace(namespace), f"simple key of {named.subject}", provenance
        )
        issued = IssuedKey(key, named, to_ms(self._clock.now()))
        try:
            return await carry_out(self._database, creation, issued, attempt)
        except Precondition as error:
            raise Conflict(
                f"the namespace {key.namespace!r} has an owner: sign in with a wallet", reason="namespace_claimed"
            ) from error

    async def redeem(
        self,
        signed: SignedChallenge,
        use: Use,
        plan: Plan[_T],
        kind: type[_T],
        provenance: Provenance,
        attempt: Attempt | None,
    ) -> _T:
        """Use the challenge up, admit the wallet's account and carry `plan` out: all of it or nothing.

        Returns what `plan` did, or what it did in an earlier attempt.
        """
        return await once(attempt, kind, lambda: self._redeem_now(signed, use, plan, provenance, attempt))

    async def _redeem_now(
        self, signed: SignedChallenge, use: Use, plan: Plan[_T], provenance: Provenance, attempt: Attempt | None
    ) -> _T:
        """What is read beforehand makes for good messages; what is true is decided by the conditions in the batch."""
        wallet, namespace = parse_signer(signed), self._namespace(signed.namespace)
        for _ in range(_ATTEMPTS):
            consume = await self._challenges.prove(signed.text, signed.signature, wallet, namespace, use)
            account = await self._accounts.of(wallet.subject)
            consume = self._accounts.while_of(consume, wallet.subject, account)
            admission = await self._namespaces.admission(namespace, account, provenance)
            outcome, effects = await plan(Signer(wallet, account, provenance), namespace)
            try:
                return await carry_out(self._database, [consume, *admission, *effects], outcome, attempt)
            except Precondition:
                continue  # The world changed between reading and writing: look again.
        raise Unavailable("the namespace is being changed elsewhere; try again", retry_after_s=1)

    async def open_family(self, signer: Signer, namespace: Namespace) -> tuple[Opened, list[Statement]]:
        """A new family of the signer's account with its first refresh token and its key, and what makes it so."""
        opened, statements = self._families.opening(signer.account, namespace)
        key, creation = self._api_keys.creation_for_family(signer.account, namespace, opened.family.id)
        if signer.wallet.subject != signer.account:
            note = "UPDATE families SET signer = ? WHERE id = ?"
            statements.append(Statement(note, (signer.wallet.subject, opened.family.id), expect_rows=1))
        record = self._record(signer, namespace, Action.SESSION_SIGN_IN, opened.family.id)
        return Opened(opened, key), [*statements, creation, record]

    async def _create_key(self, signer: Signer, namespace: Namespace) -> tuple[IssuedKey, list[Statement]]:
        key, creation = await self._api_keys.creation_for_member(signer.account, namespace, "signed", signer.provenance)
        return IssuedKey(key, signer.wallet, to_ms(self._clock.now())), creation

    def _record(self, signer: Signer, namespace: Namespace, action: Action, target: str) -> Statement:
        details = {} if signer.wallet.subject == signer.account else {"signer": signer.wallet.subject}
        return self._audit.entry(
            namespace, signer.account, action, target, provenance=signer.provenance, details=details
        )

    def _namespace(self, text: str) -> Namespace:
        return parse_namespace(text) if text else self._settings.default_namespace


def parse_signer(signed: SignedChallenge) -> Wallet:
    """The wallet that a caller says has signed.

    Raises:
        InvalidArgument: it names none, or one of another chain than it says.
        Unauthenticated: there is no such chain.
    """
    wallet, chain = parse_wallet(signed.wallet), parse_chain(signed.chain_type)
    if signed.chain_type.strip() and chain is not wallet.chain:
        if chain is None:
            raise verification_failed("unknown_chain_type")
        raise InvalidArgument(
            f"this is a wallet of another chain: send it with chain_type {wallet.chain.value!r}, or with none",
            reason="chain_mismatch",
        )
    return wallet
