"""Access tokens: JSON Web Tokens (RFC 7519) of one fixed form, refused if they have any other."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import msgspec
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from orama.contracts.clock import Clock
from orama.domain.namespace import Namespace
from orama.errors import Unauthenticated
from orama.services.auth.settings import AuthSettings
from orama.services.auth.signing_key import SigningKeys

MAX_TOKEN_BYTES: Final = 8192

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says. `sub`: a wallet, or ``ak_<id>``. `sid`: the sign-in it belongs to. Times: unix seconds."""

    iss: str
    aud: str
    sub: str
    namespace: str
    iat: int
    nbf: int
    exp: int
    sid: str | None = None


class IssuedToken(msgspec.Struct, frozen=True):
    """A token and for how many seconds it is good."""

    text: str
    expires_in: int


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a header may hold: no ``jku``, ``x5u``, ``jwk`` or ``crit`` is ever looked at."""

    alg: str
    kid: str
    typ: str = "JWT"


class AccessTokens:
    """Issues and verifies access tokens; verified ones are remembered, as a signature costs 0.1 ms."""

    def __init__(self, signing_keys: SigningKeys, clock: Clock, settings: AuthSettings) -> None:
        self._keys = signing_keys
        self._clock = clock
        self._settings = settings
        self._envelope = PyJWS()
        self._verified: dict[str, Claims] = {}

    async def issue(self, subject: str, namespace: Namespace, family: str | None) -> IssuedToken:
        """A token for `subject` in `namespace`, which dies with its sign-in `family` or its key."""
        now, lifetime_s = int(self._clock.now()), self._settings.access_token_s
        claims = Claims(
            iss=self._settings.issuer,
            aud=self._settings.audience,
            sub=subject,
            namespace=namespace,
            iat=now,
            nbf=now,
            exp=now + lifetime_s,
            sid=family,
        )
        key = await self._keys.current()
        arguments = (msgspec.json.encode(claims), key.private, key.algorithm, {"kid": key.kid})
        if key.algorithm == "RS256":  # 0.3 ms: too long for the event loop.
            return IssuedToken(await asyncio.to_thread(self._envelope.encode, *arguments), lifetime_s)
        return IssuedToken(self._envelope.encode(*arguments), lifetime_s)

    async def verify(self, token: str) -> Claims:
        """The claims of a token that we signed, for us, and for now.

        Raises:
            Unauthenticated: it is anything else (reason ``invalid_token``).
            Unavailable: its signing key is unknown, and the database is away.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verified[token] = await self._verify_signature(token)
            if len(self._verified) > self._settings.max_decisions:
                del self._verified[next(iter(self._verified))]  # The oldest: a dict keeps the order of insertion.
        self._check_claims(claims)
        return claims

    async def _verify_signature(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_BYTES or _TOKEN.fullmatch(token) is None:
            raise _refusal()
        try:
            header = msgspec.convert(self._envelope.get_unverified_header(token), _Header)
            key = await self._keys.find(header.kid)
            if key is None or header.typ != "JWT":
                raise _refusal()
            # The key decides the algorithm, never the token.
            verified = self._envelope.decode_complete(token, key.private.public_key(), algorithms=[key.algorithm])
            return msgspec.json.decode(verified["payload"], type=Claims)
        except (PyJWTError, msgspec.MsgspecError, RecursionError) as error:
            raise _refusal() from error

    def _check_claims(self, claims: Claims) -> None:
        now, skew_s = self._clock.now(), self._settings.clock_skew_s
        if (
            claims.iss != self._settings.issuer
            or claims.aud != self._settings.audience
            or claims.exp <= now - skew_s
            or claims.nbf > now + skew_s
            or claims.iat > now + skew_s
        ):
            raise _refusal()


def _refusal() -> Unauthenticated:
    return Unauthenticated("invalid or expired token", reason="invalid_token")
