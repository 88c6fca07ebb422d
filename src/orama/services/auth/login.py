"""The login page's side of the gateway: from a wallet's signature in a browser to credentials in a program.

A program on the caller's own computer that sends no code challenge gets an API key in the address that the browser is
sent to, as the Go gateway's command line expects. Everybody else gets a one-time code there, which is worth nothing
without the verifier that never left the program (RFC 7636).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.audit import LOCAL, Action, Provenance
from orama.domain.base62 import base62
from orama.domain.callback import Callback, parse_callback
from orama.domain.namespace import PLATFORM, Namespace, parse_namespace
from orama.domain.pkce import fits, parse_code_challenge
from orama.domain.purpose import KEY_GENERATION, LOGIN_PAGE, Use
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.domain.wallet import Wallet, parse_wallet
from orama.errors import InvalidArgument, Precondition, Unauthenticated
from orama.services.auth.account import Accounts
from orama.services.auth.family import Families
from orama.services.auth.settings import AuthSettings
from orama.services.auth.sign_in import Opened, SignedChallenge, SignedIn, Signer, SignIn
from orama.services.idempotency.attempt import Attempt, carry_out, once
from orama.services.sweep import Sweep, platform_sweep

PLAN: Final = "free"
"""The only plan there is; clients of the Go gateway expect one."""

MAX_STATE: Final = 512
"""Characters of the text that comes back to the program as it was."""

_INVALID: Final = "invalid_code"
_REUSED: Final = "code_reused"
_STATE: Final = re.compile(rf"[\x20-\x7e]{{0,{MAX_STATE}}}", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z]{43}", re.ASCII)
_REMOVE_EXPIRED: Final = (
    "DELETE FROM login_codes WHERE hash IN (SELECT hash FROM login_codes WHERE expires_at <= ? LIMIT ?)"
)


class LoginRequest(msgspec.Struct, frozen=True):
    """What a program asks of the login page. Without a code challenge it gets an API key at its callback."""

    callback: Callback
    namespace: Namespace
    code_challenge: str | None
    state: str

    @property
    def purpose(self) -> str:
        """The purpose of the challenge that the wallet signs for it."""
        return KEY_GENERATION if self.code_challenge is None else LOGIN_PAGE

    def answered(self, **values: str) -> str:
        """The address that hands `values` to the program, with its state if it has any."""
        return self.callback.with_values({**values, **({"state": self.state} if self.state else {})})


class Login(msgspec.Struct, frozen=True):
    """A finished login: the wallet that signed, its account, and the credentials."""

    wallet: Wallet
    account: str
    credentials: SignedIn


class _Exchanged(msgspec.Struct, frozen=True):
    signer: Signer
    opened: Opened


class _Code(msgspec.Struct, frozen=True):
    wallet: str
    account: str
    namespace: Namespace
    callback: str
    code_challenge: str
    used_at: int | None
    family: str | None


class Logins:
    """Logins by way of a browser."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: AuthSettings,
        *,
        accounts: Accounts,
        families: Families,
        sign_in: SignIn,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._accounts = accounts
        self._families = families
        self._sign_in = sign_in

    def request(
        self, *, callback: str, namespace: str, code_challenge: str, code_challenge_method: str, state: str
    ) -> LoginRequest:
        """What a program asks for, once it is sure that it may. A blank text is the same as none.

        Raises:
            InvalidArgument: it may not, or one of the texts is malformed.
        """
        if not callback:
            raise InvalidArgument("callback parameter is required", reason="missing_field")
        allowed = parse_callback(callback, self._settings.login_callbacks)
        if _STATE.fullmatch(state) is None:
            raise InvalidArgument(
                f"state must be at most {MAX_STATE} printable ASCII characters", reason="invalid_state"
            )
        if not code_challenge and not allowed.is_loopback:
            raise InvalidArgument(
                "code_challenge is required: only a program on the caller's own computer is given a key without it",
                reason="missing_field",
            )
        return LoginRequest(
            allowed,
            parse_namespace(namespace) if namespace else self._settings.default_namespace,
            parse_code_challenge(code_challenge, code_challenge_method) if code_challenge else None,
            state,
        )

    async def finish(
        self,
        request: LoginRequest,
        signed: SignedChallenge,
        provenance: Provenance = LOCAL,
        *,
        attempt: Attempt | None = None,
    ) -> str:
        """The address to send the browser to: it hands an API key or a one-time code to the program.

        Raises:
            Unauthenticated, PermissionDenied, Conflict: as `SignIn.verify` and `SignIn.create_api_key`.
        """
        signed = msgspec.structs.replace(signed, namespace=request.namespace)
        if request.code_challenge is None:
            made = await self._sign_in.create_api_key(signed, provenance, attempt=attempt)
            return request.answered(
                api_key=made.key.text, namespace=made.key.namespace, wallet=made.wallet.address, plan=PLAN
            )
        code_challenge = request.code_challenge

        async def keep(signer: Signer, namespace: Namespace) -> tuple[str, list[Statement]]:
            code, now = base62(secrets.token_bytes(32)), to_ms(self._clock.now())
            insert = Statement(
                "INSERT INTO login_codes "
                "(hash, wallet, account, namespace, callback, code_challenge, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(_hash(code), signer.wallet.subject, signer.account, namespace),
                    *(request.callback.url, code_challenge, now, now + self._settings.login_code_s * 1000),
                ),
            )
            return code, [insert]

        code = await self._sign_in.redeem(signed, Use.LOGIN, keep, str, provenance, attempt)
        return request.answered(code=code)

    async def exchange(
        self,
        code: str,
        verifier: str,
        callback: str,
        provenance: Provenance = LOCAL,
        *,
        attempt: Attempt | None = None,
    ) -> Login:
        """The credentials of a sign-in for a one-time code, its verifier, and the callback that it was handed to.

        A code that is presented a second time with its verifier is in two hands: the sign-in that it became ends.

        Raises:
            Unauthenticated: one of the three does not fit, or the code is over.
        """
        try:
            done = await once(
                attempt, _Exchanged, lambda: self._exchange(code, verifier, callback, provenance, attempt)
            )
        except Unauthenticated as refusal:
            # Only now is it sure that this is no repeat of the first request with the same idempotency key.
            if refusal.reason == _REUSED:
                await self._end_what_became_of(code, provenance)
            raise
        return Login(done.signer.wallet, done.signer.account, await self._sign_in.signed_in(done.opened))

    async def _exchange(
        self, code: str, verifier: str, callback: str, provenance: Provenance, attempt: Attempt | None
    ) -> _Exchanged:
        found = await self._find(code)
        if found is None or found.callback != callback or not fits(found.code_challenge, verifier):
            raise _refusal()
        if found.used_at is not None:
            raise _refusal(_REUSED)
        signer = Signer(parse_wallet(found.wallet), found.account, provenance)
        opened, effects = await self._sign_in.open_family(signer, found.namespace)
        now = to_ms(self._clock.now())
        use = Statement(
            "UPDATE login_codes SET used_at = ?, family = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ?",
            (now, opened.rotated.family.id, _hash(code), now),
            expect_rows=1,
        )
        batch = [self._accounts.while_of(use, found.wallet, found.account), *effects]
        try:
            return await carry_out(self._database, batch, _Exchanged(signer, opened), attempt)
        except Precondition as error:
            # Its time is over, somebody was faster, or the membership or the link ended that the wallet signed in with.
            again = await self._find(code)
            raise _refusal(_REUSED if again is not None and again.used_at is not None else _INVALID) from error

    def sweep(self) -> Sweep:
        """The removal of codes whose time is over by the clock of every gateway."""
        return platform_sweep(
            self._database,
            "login_codes",
            _REMOVE_EXPIRED,
            lambda: (to_ms(self._clock.now() - self._settings.clock_skew_s),),
        )

    async def _find(self, code: str) -> _Code | None:
        """What is kept of a code, used or not, until it is removed."""
        if _CODE.fullmatch(code) is None:
            return None
        find = Statement(
            "SELECT wallet, account, namespace, callback, code_challenge, used_at, family "
            "FROM login_codes WHERE hash = ?",
            (_hash(code),),
        )
        rows = (await self._database.query(PLATFORM, find, consistency=Consistency.LINEARIZABLE)).rows
        return msgspec.convert(dict(zip(_Code.__struct_fields__, rows[0], strict=True)), _Code) if rows else None

    async def _end_what_became_of(self, code: str, provenance: Provenance) -> None:
        found = await self._find(code)
        if found is not None and found.family is not None:
            await self._families.revoke(found.family, Action.SESSION_CODE_REUSE, provenance)


def _refusal(reason: str = _INVALID) -> Unauthenticated:
    """The one answer to every code that does not count."""
    return Unauthenticated("invalid or expired code: begin the login again", reason=reason)


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
